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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import ModernBertForMaskedLM

from pretraining import checkpoint
from pretraining.batches import Batch, Batches, Specials, assemble, mask_words, pack
from pretraining.config import TrainConfig, as_table, from_table, read_config
from pretraining.model import build_model, predicted_logits, release_neighbours, set_unigram_bias
from pretraining.optimizers import build_optimizers, schedule, set_rate
from pretraining.prepare import join, prepare_shard, prepare_tokenizer, shard_path


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bf16 where the processor has it."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


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
def evaluate(model: ModernBertForMaskedLM, batches: list[Batch], device: torch.device) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy over masked pieces."""
    loss, correct, total = 0.0, 0, 0
    model.train(False)
    for batch in batches:
        with autocast(device):
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
    model = build_model(config.model, seed=config.seed)
    set_unigram_bias(model, pieces.ids)
    torch.nn.Module.to(model, device)
    optimizers = build_optimizers(model, config.optim)
    start = checkpoint.newest(out)
    if start:
        check_same_run(out / "config.json", config)
    source = start or begin
    progress = checkpoint.load(source, model, optimizers) if source else checkpoint.Progress()
    _forget_after(out / "curve.jsonl", progress.step)
    about = as_table(config) | {
        "hardware": _hardware(device),
        "commits": _commits(out / "config.json", start),
    }
    (out / "config.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    print(
        f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(pieces.ids):,} pieces of text, "
        f"from step {progress.step:,} to {config.optim.steps:,} on {device}",
        file=sys.stderr,
    )
    _loop(model, optimizers, batches, heldout, progress, config, out, device)


def check_same_run(path: Path, config: TrainConfig) -> None:
    """Refuse another configuration than the run's own: data, masks, optimizer; its end may move.

    Raises:
        ValueError: names what differs.
    """
    recorded = json.loads(path.read_text(encoding="utf-8"))
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
        partial.write_text("".join(s for s in lines if json.loads(s)["step"] <= step), encoding="utf-8")
        partial.replace(curve)


def _loop(
    model: ModernBertForMaskedLM,
    optimizers: list[torch.optim.Optimizer],
    batches: Batches,
    heldout: dict[str, list[Batch]],
    progress: checkpoint.Progress,
    config: TrainConfig,
    out: Path,
    device: torch.device,
) -> None:
    began, pieces = time.monotonic() - progress.seconds, progress.pieces
    recent: list[torch.Tensor] = []
    for step in range(progress.step, config.optim.steps):
        batch = batches[step]
        if step and step == config.optim.neighbour_steps:
            release_neighbours(model)
        set_rate(optimizers, schedule(step, config.optim))
        recent.append(_step(model, optimizers, batch, config.optim.clip, device))
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
                model,
                heldout,
                checkpoint.Progress(done, pieces, time.monotonic() - began),
            )
        if done % config.checkpoint_every == 0 or done == config.optim.steps:
            seconds = time.monotonic() - began
            checkpoint.save(out, model, optimizers, checkpoint.Progress(done, pieces, seconds))


def _record(
    curve: Path, model: ModernBertForMaskedLM, heldout: dict[str, list[Batch]], progress: checkpoint.Progress
) -> None:
    """Add a line on the held-out shards to the curve."""
    scores = {name: evaluate(model, batches, model.device) for name, batches in heldout.items()}
    found = {name: {"loss": round(s[0], 4), "accuracy": round(s[1], 4)} for name, s in scores.items()}
    line = vars(progress) | {"seconds": round(progress.seconds, 1), "heldout": found}
    with curve.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _step(
    model: ModernBertForMaskedLM,
    optimizers: list[torch.optim.Optimizer],
    batch: Batch,
    clip: float,
    device: torch.device,
) -> torch.Tensor:
    model.train()
    with autocast(device):
        logits = predicted_logits(model, batch, device)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets).to(device))
    model.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    for optimizer in optimizers:
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
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
