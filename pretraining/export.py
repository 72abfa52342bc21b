"""From a training run to a model directory: ``python -m pretraining.export --run DIR --to probe/embedded``.

Weights are stored in half precision as safetensors; ``training.json`` says how they were made.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import BertTokenizer, MPNetTokenizer

from pretraining import checkpoint
from pretraining.config import TrainConfig, as_table, read_config
from pretraining.corpus import sha256
from pretraining.model import MaskedLM, build_model, window
from pretraining.prepare import shard_path
from pretraining.pretrained import load_pretrained
from pretraining.tokenizer import SPECIAL_TOKENS, load_tokenizer, special_tokens
from pretraining.train import check_same_run


def export(config: TrainConfig, run: Path, corpora: Path, target: Path) -> None:
    """Write weights, configuration, tokenizer and training record of the newest whole checkpoint.

    A ``probe.json`` says that the mask token was trained; which layer is best is for who knows it to put there.

    Raises:
        ValueError: the run has no whole checkpoint.
    """
    newest = checkpoint.newest(run)
    if newest is None:
        raise ValueError(f"{run}: no whole checkpoint; train first")
    check_same_run(run / "config.json", config)
    model: MaskedLM = (
        load_pretrained(config.model, seed=config.seed)[0]
        if config.model.init
        else build_model(config.model, seed=config.seed)
    )
    progress = checkpoint.load(newest, model)
    target.mkdir(parents=True, exist_ok=True)
    weights = {name: p.detach().half().contiguous() for name, p in model.named_parameters()}
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    (target / "model.safetensors").chmod(0o644)  # safetensors makes it readable by its owner alone
    model.config.architectures = [type(model).__name__]
    model.config.dtype = torch.float16
    model.config.to_json_file(target / "config.json")
    _save_tokenizer(run / "tokenizer.json", target, window(model))
    # Its embedding may look as if it had not been, where it was made after the others.
    if not (recommended := target / "probe.json").exists():
        recommended.write_text(json.dumps({"fills_masks": True}) + "\n", encoding="utf-8")
    about = _about(config, run, corpora, progress, sum(p.numel() for p in model.parameters()))
    (target / "training.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _save_tokenizer(path: Path, target: Path, length: int) -> None:
    backend = load_tokenizer(path)
    pad, unk, cls, sep, mask = special = special_tokens(backend)
    kind = BertTokenizer if special == SPECIAL_TOKENS else MPNetTokenizer
    tokenizer = kind(
        tokenizer_object=backend,
        do_lower_case=True,
        model_max_length=length,
        pad_token=pad,
        unk_token=unk,
        cls_token=cls,
        sep_token=sep,
        mask_token=mask,
    )
    tokenizer.save_pretrained(target)


def _about(
    config: TrainConfig, run: Path, corpora: Path, progress: checkpoint.Progress, parameters: int
) -> dict[str, Any]:
    """What is needed to repeat the run, and the held-out curve it drew."""
    began = json.loads((run / "config.json").read_text(encoding="utf-8"))
    curve = [json.loads(line) for line in (run / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    shards = (*config.data.shards, *config.data.heldout)
    return {
        "config": as_table(config),
        "parameters": parameters,
        "steps": progress.step,
        "pieces": progress.pieces,
        "seconds": round(progress.seconds),
        "hardware": began["hardware"],
        "computes_in": began.get("computes_in"),
        "commits": began["commits"],
        "corpora": {name: sha256(shard_path(corpora, name)) for name in shards},
        "tokenizer": sha256(run / "tokenizer.json"),
        "curve": [record for record in curve if record["step"] <= progress.step],
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.export", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the TOML file the run was trained with")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run's checkpoints")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the shards, for their SHA-256")
    parser.add_argument("--to", type=Path, default=Path("probe/embedded"), help="model directory to write")
    args = parser.parse_args(argv)
    try:
        export(read_config(args.config), args.run, args.corpora, args.to)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
