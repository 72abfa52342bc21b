"""Train the embedded BERT: ``python -m pretraining.train --config C --corpora DIR --out DIR``.

Kill it at any moment; the same command goes on from the last whole checkpoint with the same order of data.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import ModernBertForMaskedLM

from pretraining import checkpoint
from pretraining.batches import Batch, Batches, Specials, assemble, mask_words, pack
from pretraining.config import TrainConfig, as_table, from_table, read_config
from pretraining.model import (
    MaskedLM,
    build_model,
    forward,
    predicted_logits,
    release_neighbours,
    set_unigram_bias,
    window,
)
from pretraining.optimizers import build_groups, build_optimizers, schedule, set_rate
from pretraining.precision import autocast, choose_dtype
from pretraining.prepare import Pieces, join, prepare_shard, prepare_tokenizer, shard_path
from pretraining.pretrained import (
    Original,
    begin_head,
    distance,
    freeze_encoder,
    freeze_layers,
    load_pretrained,
    renew_rows,
)


@dataclass(frozen=True)
class Learner:
    """What learns, and where.

    ``original`` is the encoder that the regulariser compares with, ``distillation`` the weight of that distance.
    """

    model: MaskedLM
    optimizers: list[torch.optim.Optimizer]
    device: torch.device
    dtype: torch.dtype
    original: Original | None = None
    distillation: float = 0.0


def heldout_batches(
    config: TrainConfig, corpora: Path, out: Path, tokenizer: Tokenizer
) -> dict[str, list[Batch]]:
    """Masked batches of every held-out shard, the same at every call.

    Raises:
        ValueError: there is no text in a shard.
    """
    specials, low, high = Specials.of(tokenizer), config.data.mask_low, config.data.mask_high
    batches = {}
    for name in config.data.heldout:
        pieces = prepare_shard(shard_path(corpora, name), tokenizer, out)
        rng = np.random.default_rng([config.seed, 3])
        spans = pack(pieces, config.data.length)
        if not len(spans):
            raise ValueError(f"no text in the held-out shard {name}")
        spans = spans[rng.permutation(len(spans))[: config.heldout_sequences]]
        batches[name] = [
            mask_words(assemble(pieces, part, specials), specials, low=low, high=high, rng=rng)
            for part in np.array_split(spans, max(1, len(spans) // 64))
        ]
    return batches


@torch.inference_mode()
def evaluate(
    model: MaskedLM, batches: list[Batch], device: torch.device, dtype: torch.dtype
) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy over masked pieces."""
    loss, correct, total = 0.0, 0, 0
    model.train(False)
    for batch in batches:
        with autocast(device, dtype):
            logits = predicted_logits(model, batch, device)
        targets = torch.from_numpy(batch.targets).to(device)
        loss += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
        correct += int((logits.argmax(-1) == targets).sum())
        total += len(targets)
    return loss / total, correct / total


def train(
    config: TrainConfig, corpora: Path, out: Path, *, device: torch.device, begin: Path | None = None
) -> None:
    """Train to the configured number of steps, from the newest checkpoint in ``out``.

    Args:
        config: of the run.
        corpora: folder of the shards.
        out: folder of the run, made if it is not there.
        device: to train on.
        begin: checkpoint of another run to begin with, where ``out`` has none yet; from its step on.

    Raises:
        FileNotFoundError: a shard is missing.
        ValueError: ``out`` holds a run of another configuration, or there is no text.
    """
    for name in (*config.data.shards, *config.data.heldout):
        shard_path(corpora, name)  # a missing one is better reported now than after an hour of tokenizing
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = prepare_tokenizer(config, corpora, out)
    pieces = join([prepare_shard(shard_path(corpora, name), tokenizer, out) for name in config.data.shards])
    batches = Batches(pieces, Specials.of(tokenizer), config.data, seed=config.seed)
    heldout = heldout_batches(config, corpora, out, tokenizer)
    start = checkpoint.newest(out)
    if start:
        check_same_run(out / "config.json", config)
    dtype = _computes_in(out / "config.json", start) or choose_dtype(config.precision, device)
    learner = build_learner(config, tokenizer, pieces, device=device, dtype=dtype)
    source = start or begin
    progress = checkpoint.load(source, learner.model, learner.optimizers) if source else checkpoint.Progress()
    _forget_after(out / "curve.jsonl", progress.step)
    about = as_table(config) | {
        "hardware": _hardware(device),
        "computes_in": str(dtype).removeprefix("torch."),
        "commits": _commits(out / "config.json", start),
    }
    partial = out / "config.json.partial"
    partial.write_text(json.dumps(about, indent=2), encoding="utf-8")
    partial.replace(out / "config.json")
    print(
        f"{sum(p.numel() for p in learner.model.parameters()):,} parameters, {len(pieces.ids):,} pieces of text, "
        f"{about['computes_in']}, from step {progress.step:,} to {config.optim.steps:,} on {device}",
        file=sys.stderr,
    )
    _loop(learner, batches, heldout, progress, config, out)


def build_learner(
    config: TrainConfig, tokenizer: Tokenizer, pieces: Pieces, *, device: torch.device, dtype: torch.dtype
) -> Learner:
    """The model as a run begins with it, and its optimizers: from scratch, or from ``model.init``.

    Raises:
        OSError: there is no such model.
        ValueError: it does not suit the configuration; names the key.
    """
    if not config.model.init:
        scratch = build_model(config.model, seed=config.seed)
        set_unigram_bias(scratch, pieces.ids)
        torch.nn.Module.to(scratch, device)
        return Learner(scratch, build_optimizers(scratch, config.optim), device, dtype)
    model, new_head = load_pretrained(config.model, seed=config.seed)
    if config.data.long_length > (longest := window(model)):
        raise ValueError(
            f"data.long_length is {config.data.long_length}, but model.init has a window of {longest}"
        )
    torch.nn.Module.to(model, device)
    if device.type == "cpu" and dtype == torch.bfloat16 and not config.data.one_sided_steps:
        # Fused, its backward pass in bfloat16 is slow on processors. Masks of one side need the fused one.
        model.set_attn_implementation("eager")
    original = Original(model) if config.optim.distillation else None
    if new_head:
        begin_head(model, pieces.ids, norm=config.model.head_norm)
    renew_rows(model, tokenizer, config.model.renew, pieces.ids)
    freeze_layers(model, config.optim.frozen_layers)
    if config.optim.head_only:
        freeze_encoder(model)
    optimizers = build_groups(model, config.optim)
    return Learner(model, optimizers, device, dtype, original, config.optim.distillation)


def check_same_run(path: Path, config: TrainConfig) -> None:
    """Refuse another configuration than the run's own: data, masks, optimizer; its end may move.

    Raises:
        ValueError: names what differs.
    """
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not the configuration of a run ({error})") from error
    # What a run was begun without has its default.
    started = from_table({key: recorded[key] for key in as_table(config)})
    before, now = _fixed_part(as_table(started)), _fixed_part(as_table(config))
    if changed := [key for key in now if before[key] != now[key]]:
        raise ValueError(
            f"{path.parent}: begun with another configuration ({', '.join(changed)}): use a new folder"
        )


def _fixed_part(table: dict[str, Any]) -> dict[str, Any]:
    flat = {
        f"{section}.{key}": value
        for section in ("model", "data", "optim")
        for key, value in table[section].items()
    }
    movable = ("optim.steps", "optim.decay")
    return {key: value for key, value in flat.items() if key not in movable} | {"seed": table["seed"]}


def _hardware(device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _computes_in(path: Path, start: Path | None) -> torch.dtype | None:
    """What the run has computed in so far: a measurement must not change it midway."""
    recorded = json.loads(path.read_text(encoding="utf-8")).get("computes_in") if start else None
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, None: None}[recorded]


def _commits(path: Path, start: Path | None) -> list[str]:
    """The commits that the run was made with, in order: one more where it goes on with another."""
    before: list[str] = json.loads(path.read_text(encoding="utf-8"))["commits"] if start else []
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    now = [commit] if (commit := found.stdout.strip()) else []
    return before if now == before[-1:] else before + now


def _forget_after(curve: Path, step: int) -> None:
    """Drop the records of steps that the resumed run will take again."""
    if curve.is_file():
        lines = curve.read_text(encoding="utf-8").splitlines(keepends=True)
        partial = curve.with_suffix(".partial")
        if lines and not lines[-1].endswith("\n"):  # cut off in the middle; its step will be taken again
            del lines[-1]
        partial.write_text("".join(s for s in lines if json.loads(s)["step"] <= step), encoding="utf-8")
        partial.replace(curve)


def _loop(
    learner: Learner,
    batches: Batches,
    heldout: dict[str, list[Batch]],
    progress: checkpoint.Progress,
    config: TrainConfig,
    out: Path,
) -> None:
    began, pieces = time.monotonic() - progress.seconds, progress.pieces
    recent: list[torch.Tensor] = []
    for step in range(progress.step, config.optim.steps):
        batch = batches[step]
        if step and step == config.optim.neighbour_steps:
            assert isinstance(learner.model, ModernBertForMaskedLM)
            release_neighbours(learner.model)
        set_rate(learner.optimizers, schedule(step, config.optim))
        recent.append(_step(learner, batch, config.optim.clip))
        pieces += int(batch.attention.sum())
        done = step + 1
        if done % 100 == 0 or done == config.optim.steps:
            seconds = time.monotonic() - began
            mean = float(torch.stack(recent).mean())
            print(f"step {done:,} loss {mean:.3f} {pieces / seconds:,.0f} pieces/s", file=sys.stderr)
            recent.clear()
        if done % config.evaluate_every == 0 or done == config.optim.steps:
            _record(
                out / "curve.jsonl",
                learner,
                heldout,
                checkpoint.Progress(done, pieces, time.monotonic() - began),
            )
        if done % config.checkpoint_every == 0 or done == config.optim.steps:
            seconds = time.monotonic() - began
            now = checkpoint.Progress(done, pieces, seconds)
            checkpoint.save(out, learner.model, learner.optimizers, now)


def _record(
    curve: Path, learner: Learner, heldout: dict[str, list[Batch]], progress: checkpoint.Progress
) -> None:
    """Add a line on the held-out shards to the curve."""
    scores = {
        name: evaluate(learner.model, batches, learner.device, learner.dtype)
        for name, batches in heldout.items()
    }
    found = {name: {"loss": round(s[0], 4), "accuracy": round(s[1], 4)} for name, s in scores.items()}
    line = vars(progress) | {"seconds": round(progress.seconds, 1), "heldout": found}
    with curve.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _step(learner: Learner, batch: Batch, clip: float) -> torch.Tensor:
    """One update; returns the cross-entropy."""
    model, device, original = learner.model, learner.device, learner.original
    model.train()
    with autocast(device, learner.dtype):
        logits, states = forward(model, batch, device, every_layer=original is not None)
        untouched = original.states(batch, device) if original else ()
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets).to(device))
    total = loss
    if original:
        kept = torch.from_numpy((batch.attention > 0) & ~batch.predicted).to(device)
        total = loss + learner.distillation * distance(states, untouched, kept)
    model.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    for optimizer in learner.optimizers:
        optimizer.step()
    return loss.detach()


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML file, see pretraining/configs")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of NAME.txt.xz shards")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for checkpoints, outside the repository"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)
    try:
        train(read_config(args.config), args.corpora, args.out, device=torch.device(args.device))
    except (OSError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
