"""Checkpoints that survive a kill at any moment.

A checkpoint is two safetensors files and a manifest with their SHA-256; the manifest is written last, so a
checkpoint whose manifest is missing or does not match was cut short and the one before it is used.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from pretraining.corpus import sha256

_KEPT = 2


@dataclass(frozen=True)
class Progress:
    """What a run has behind it."""

    step: int = 0
    pieces: int = 0
    seconds: float = 0.0


def save(
    folder: Path, model: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer], progress: Progress
) -> Path:
    """Write a checkpoint and drop all but the newest two."""
    target = folder / f"step-{progress.step:07d}"
    target.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.detach().cpu().contiguous() for k, v in _own(model).items()}, target / "model.safetensors"
    )
    save_file(_flatten(optimizers), target / "optimizer.safetensors")
    manifest = vars(progress) | {
        "sha256": {name: sha256(target / name) for name in ("model.safetensors", "optimizer.safetensors")}
    }
    partial = target / "manifest.partial"
    partial.write_text(json.dumps(manifest), encoding="utf-8")
    partial.replace(target / "manifest.json")
    # A later one is a broken leftover that this run will write again: it must not count as one of the kept.
    for old in sorted(path for path in folder.glob("step-*") if path <= target)[:-_KEPT]:
        shutil.rmtree(old)
    return target


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        if _is_whole(candidate):
            return candidate
        print(f"{candidate.name}: incomplete, trying the one before", file=sys.stderr)
    return None


def load(path: Path, model: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer] = ()) -> Progress:
    """Restore the model, and the optimizers if given, in place.

    Raises:
        ValueError: the checkpoint has other parameters than the model; names the checkpoint.
    """
    parameters = load_file(path / "model.safetensors")
    if {k: v.shape for k, v in parameters.items()} != {k: v.shape for k, v in _own(model).items()}:
        raise ValueError(f"{path}: its parameters are not those of the configured model")
    model.load_state_dict(parameters, strict=False)  # buffers and the second names of tied weights are absent
    _unflatten(load_file(path / "optimizer.safetensors"), optimizers)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    return Progress(manifest["step"], manifest["pieces"], manifest["seconds"])


def _is_whole(path: Path) -> bool:
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        return all(sha256(path / name) == digest for name, digest in manifest["sha256"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _own(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    # named_parameters names a tied weight once; safetensors refuses shared memory.
    return dict(model.named_parameters())


def _flatten(optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    return {
        f"{number}.{index}.{key}": torch.as_tensor(value).detach().cpu().contiguous()
        for number, optimizer in enumerate(optimizers)
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }


def _unflatten(flat: dict[str, torch.Tensor], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for name, value in flat.items() if optimizers else ():
        number, index, key = name.split(".", 2)
        states[int(number)].setdefault(int(index), {})[key] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
