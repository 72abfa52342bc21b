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
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM

from pretraining import checkpoint
from pretraining.batches import Batch, Batches, Specials, assemble, mask_words, pack
from pretraining.config import OptimConfig, TrainConfig, as_table, read_config
from pretraining.prepare import join, prepare_shard, prepare_tokenizer, shard_path


def build_model(config: TrainConfig) -> BertForMaskedLM:
    """A freshly initialised BERT of the configured shape, without dropout.

    Its position embeddings, trained like all others, begin as sinusoids (Vaswani et al. 2017, section 3.5): what
    is learned of neighbours at one position then holds at all, those that few long sequences reach, too.
    """
    torch.manual_seed(config.seed)
    shape = BertConfig(**vars(config.model), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForMaskedLM(shape)
    with torch.no_grad():
        positions = model.bert.embeddings.position_embeddings.weight
        positions.copy_(sinusoids(*positions.shape) * config.model.initializer_range * 2**0.5)
    return model


def set_unigram_bias(model: BertForMaskedLM, ids: NDArray[np.uint16]) -> None:
    """Let the output begin at the frequencies of pieces.

    Otherwise the first thousands of steps write them into the embeddings, which are tied to the output.
    """
    counts = np.bincount(ids, minlength=model.config.vocab_size) + 1.0
    with torch.no_grad():
        model.cls.predictions.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def sinusoids(length: int, width: int) -> torch.Tensor:
    """Sinusoidal position codes, float32 [length, width]; the longest wave spans the window twice or so."""
    frequency = 200 ** -(torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(length, width)


def build_optimizer(model: torch.nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW without weight decay on vectors (biases and layer norms)."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def learning_rate(step: int, config: OptimConfig) -> float:
    """Learning rate of a step: warm-up, stable, linear decay."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    decay_steps = max(1, round(config.decay * (config.steps - config.warmup_steps)))
    return config.learning_rate * min(warm, max(0.0, (config.steps - step) / decay_steps), 1.0)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bf16 where the processor has it."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def masked_logits(model: BertForMaskedLM, batch: Batch, device: torch.device) -> torch.Tensor:
    """Logits of the masked positions alone, float32 [masked positions, vocabulary]."""
    attention = None if batch.attention.all() else torch.from_numpy(batch.attention).to(device)
    states = model.bert(torch.from_numpy(batch.ids).to(device), attention_mask=attention).last_hidden_state
    logits: torch.Tensor = model.cls(states[torch.from_numpy(batch.masked).to(device)])
    return logits.float()


def heldout_batches(config: TrainConfig, corpora: Path, out: Path, tokenizer: Tokenizer) -> list[Batch]:
    """Masked batches of the held-out shards, the same at every call.

    Raises:
        ValueError: there is no text in the shards.
    """
    specials = Specials.of(tokenizer)
    pieces = join([prepare_shard(shard_path(corpora, name), tokenizer, out) for name in config.data.heldout])
    rng = np.random.default_rng([config.seed, 3])
    spans = pack(pieces, config.data.length)
    if not len(spans):
        raise ValueError(f"no text in the held-out shards {', '.join(config.data.heldout)}")
    spans = spans[rng.permutation(len(spans))[: config.heldout_sequences]]
    low, high = config.data.mask_low, config.data.mask_high
    return [
        mask_words(assemble(pieces, part, specials), specials, low=low, high=high, rng=rng)
        for part in np.array_split(spans, max(1, len(spans) // 64))
    ]


@torch.inference_mode()
def evaluate(model: BertForMaskedLM, batches: list[Batch], device: torch.device) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy over masked pieces."""
    loss, correct, total = 0.0, 0, 0
    model.train(False)
    for batch in batches:
        with autocast(device):
            logits = masked_logits(model, batch, device)
        targets = torch.from_numpy(batch.targets).to(device)
        loss += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
        correct += int((logits.argmax(-1) == targets).sum())
        total += len(targets)
    return loss / total, correct / total


def train(config: TrainConfig, corpora: Path, out: Path, *, device: torch.device) -> None:
    """Train to the configured number of steps, from the newest checkpoint in ``out``."""
    for name in (*config.data.shards, *config.data.heldout):
        shard_path(corpora, name)  # a missing one is better reported now than after an hour of tokenizing
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = prepare_tokenizer(config, corpora, out)
    pieces = join([prepare_shard(shard_path(corpora, name), tokenizer, out) for name in config.data.shards])
    batches = Batches(pieces, Specials.of(tokenizer), config.data, seed=config.seed)
    heldout = heldout_batches(config, corpora, out, tokenizer)
    model = build_model(config)
    set_unigram_bias(model, pieces.ids)
    torch.nn.Module.to(model, device)
    optimizer = build_optimizer(model, config.optim)
    start = checkpoint.newest(out)
    if start:
        check_same_run(out / "config.json", config)
    progress = checkpoint.load(start, model, optimizer) if start else checkpoint.Progress()
    _forget_after(out / "curve.jsonl", progress.step)
    about = as_table(config) | {"hardware": _hardware(device), "commit": _commit()}
    (out / "config.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    print(
        f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(pieces.ids):,} pieces of text, "
        f"from step {progress.step:,} to {config.optim.steps:,} on {device}",
        file=sys.stderr,
    )
    _loop(model, optimizer, batches, heldout, progress, config, out, device)


def check_same_run(path: Path, config: TrainConfig) -> None:
    """Refuse another configuration than the run's own: data, masks, optimizer; its end may move.

    Raises:
        ValueError: names what differs.
    """
    before, now = (_fixed_part(table) for table in (json.loads(path.read_text("utf-8")), as_table(config)))
    if changed := [key for key in now if before.get(key) != now[key]]:
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
    fixed = {key: value for key, value in flat.items() if key not in movable} | {"seed": table["seed"]}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fixed.items()}


def _hardware(device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _commit() -> str | None:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def _forget_after(curve: Path, step: int) -> None:
    """Drop the records of steps that the resumed run will take again."""
    if curve.is_file():
        lines = curve.read_text(encoding="utf-8").splitlines(keepends=True)
        partial = curve.with_suffix(".partial")
        partial.write_text("".join(s for s in lines if json.loads(s)["step"] <= step), encoding="utf-8")
        partial.replace(curve)


def _loop(
    model: BertForMaskedLM,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    heldout: list[Batch],
    progress: checkpoint.Progress,
    config: TrainConfig,
    out: Path,
    device: torch.device,
) -> None:
    began, pieces = time.monotonic() - progress.seconds, progress.pieces
    recent: list[torch.Tensor] = []
    for step in range(progress.step, config.optim.steps):
        batch = batches[step]
        recent.append(
            _step(model, optimizer, batch, learning_rate(step, config.optim), config.optim.clip, device)
        )
        pieces += int(batch.attention.sum())
        done = step + 1
        if done % 100 == 0 or done == config.optim.steps:
            seconds = time.monotonic() - began
            mean = float(torch.stack(recent).mean())
            print(f"step {done:,} loss {mean:.3f} {pieces / seconds:,.0f} pieces/s", file=sys.stderr)
            recent.clear()
        if done % config.evaluate_every == 0 or done == config.optim.steps:
            held, accuracy = evaluate(model, heldout, device)
            record = {"step": done, "pieces": pieces, "seconds": round(time.monotonic() - began, 1)}
            with (out / "curve.jsonl").open("a", encoding="utf-8") as curve:
                curve.write(
                    json.dumps(record | {"loss": round(held, 4), "accuracy": round(accuracy, 4)}) + "\n"
                )
        if done % config.checkpoint_every == 0 or done == config.optim.steps:
            seconds = time.monotonic() - began
            checkpoint.save(out, model, optimizer, checkpoint.Progress(done, pieces, seconds))


def _step(
    model: BertForMaskedLM,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    rate: float,
    clip: float,
    device: torch.device,
) -> torch.Tensor:
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    with autocast(device):
        logits = masked_logits(model, batch, device)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets).to(device))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
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
