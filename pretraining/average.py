"""The mean of the weights of models of one shape: ``python -m pretraining.average FIRST SECOND --to DIR``.

Models of one run, or of runs that began with one another, lie in one valley: their mean is often better than each
(Izmailov et al. 2018; Wortsman et al. 2022). Configuration, tokenizer and record are those of the last one named,
and the record says what was averaged.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pretraining.corpus import sha256

WEIGHTS = "model.safetensors"
RECORD = "training.json"


def average(models: Sequence[Path], target: Path) -> None:
    """Write the model whose weights are the mean of those of ``models``, in half precision.

    Raises:
        ValueError: the models have other weights than one another.
    """
    states = [load_file(folder / WEIGHTS) for folder in models]
    for folder, state in zip(models, states, strict=True):
        if {name: each.shape for name, each in state.items()} != {n: p.shape for n, p in states[0].items()}:
            raise ValueError(f"{folder}: its weights have other names or shapes than those of {models[0]}")
    mean = {name: torch.stack([state[name].float() for state in states]).mean(0).half() for name in states[0]}
    record = json.loads((models[-1] / RECORD).read_text(encoding="utf-8"))
    record["mean_of"] = dict(
        zip(_names(models), (sha256(folder / WEIGHTS) for folder in models), strict=True)
    )
    shutil.copytree(models[-1], target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(WEIGHTS, RECORD))
    save_file(mean, target / WEIGHTS, metadata={"format": "pt"})
    (target / WEIGHTS).chmod(0o644)  # safetensors makes it readable by its owner alone
    (target / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _names(models: Sequence[Path]) -> list[str]:
    """The names of the folders, with as many of those above as tell them apart."""
    whole = [folder.resolve().parts for folder in models]
    for count in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-count:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"each model once is expected, found {', '.join(map(str, models))}")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.average", description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="exported model directories")
    parser.add_argument("--to", type=Path, required=True, help="model directory to write")
    args = parser.parse_args(argv)
    try:
        average(args.models, args.to)
    except (OSError, ValueError, SafetensorError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
