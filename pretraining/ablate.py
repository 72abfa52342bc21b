"""Compare training recipes at small scale: ``python -m pretraining.ablate --config C --corpora DIR --out DIR``.

The configuration is that of a training run with ``[[variants]]``: a name and the keys in which it differs. Each is
trained, exported and judged on a development treebank, minimal pairs and held-out text. The same command goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import probe
from analyses.intervals import Interval
from analyses.minimal_pairs.accuracy import evaluate_pairs, first_pairs, score_pairs
from analyses.tables.signature import Score
from analyses.tables.table import FORMATS, Cell, Row, Table
from data import MinimalPair, Sentence, read_conllu, read_minimal_pairs
from pretraining.card_heldout import ratio_rows, read_shard
from pretraining.card_treebank import layer_evaluations, openness_evaluations
from pretraining.config import ModelConfig, TrainConfig, from_table, read_table
from pretraining.export import export
from pretraining.prepare import shard_path
from pretraining.tokenizer import load_tokenizer, pretrained_tokenizer
from pretraining.train import train
from probe.command_line import positive, whole_number
from probe.files import whole_file

COLUMNS = ("UUAS, wu2020", "UUAS, fair", "UAS, openness", "UUAS, openness", "BLiMP", "masked words")
_JUDGED_BY_LAYER = ("UUAS, wu2020", "UUAS, fair", "UUAS, openness")
_RATIO = 0.15


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A recipe of its own, under a name."""

    name: str
    config: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Judges:
    """What every variant is judged on."""

    sentences: Sequence[Sentence]
    treebank: str
    pairs: Sequence[MinimalPair]
    heldout: Path
    pieces: int
    seed: int


def read_variants(path: Path) -> list[Variant]:
    """The variants of a TOML file, in its order.

    Raises:
        ValueError: not TOML, no variant, two of one name, or a configuration that is wrong; names the file and the
            variant.
    """
    try:
        base = read_table(path)
        entries = base.pop("variants", None)
        if not isinstance(entries, list) or not entries:
            raise ValueError("expected at least one [[variants]]")
        variants = [_variant(base, entry) for entry in entries]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    names = [variant.name for variant in variants]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path}: more than one variant is named {', '.join(twice)}")
    return variants


def _variant(base: dict[str, Any], entry: object) -> Variant:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise ValueError(f"every variant needs a name, found {entry!r}")
    name = entry["name"]
    if Path(name).name != name:
        raise ValueError(f"variant {name}: its name must be fit for a folder")
    table = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for section, values in entry.items():
        if section == "name":
            continue
        if not isinstance(values, dict):
            raise ValueError(
                f"variant {name}: expected keys of a section such as data.mask_low, found {section}"
            )
        table[section] = {**table.get(section, {}), **values}
    try:
        return Variant(name=name, config=from_table(table))
    except ValueError as error:
        raise ValueError(f"variant {name}: {error}") from error


def run_variant(
    variant: Variant, corpora: Path, out: Path, judges: Judges, *, device: torch.device, begin: Path | None
) -> dict[str, Any]:
    """Train, export and judge a variant in ``out/NAME``; what was finished is read from there.

    Args:
        variant: the recipe.
        corpora: folder of the shards.
        out: folder of all variants.
        judges: what it is judged on.
        device: to train on.
        begin: checkpoint to begin with, whose run has the same shape and tokenizer.
    """
    folder = out / variant.name
    result = folder / "result.json"
    if result.is_file():
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found
    folder.mkdir(parents=True, exist_ok=True)
    _share_pieces(variant, out)
    train(variant.config, corpora, folder, device=device, begin=begin)
    export(variant.config, folder, corpora, folder / "model")
    made = json.loads((folder / "model" / "training.json").read_text(encoding="utf-8"))
    record = {key: made[key] for key in ("parameters", "steps", "pieces", "seconds", "hardware")}
    record |= judge(probe.load(str(folder / "model"), device=str(device), dtype="float32"), judges)
    with whole_file(result) as file:
        json.dump(record, file, indent=1)
    return record


def _share_pieces(variant: Variant, out: Path) -> None:
    """Take over a tokenizer with as many pieces, from ``out`` or another variant, and the shards in its pieces."""
    for tokenizer in (out / "tokenizer.json", *sorted(out.glob("*/tokenizer.json"))):
        if tokenizer.is_file() and _fits(tokenizer, variant.config.model):
            for made in (tokenizer, *tokenizer.parent.glob("*.pieces.safetensors")):
                if not (target := out / variant.name / made.name).exists():
                    os.link(made, target)
            return


def _fits(tokenizer: Path, model: ModelConfig) -> bool:
    found = load_tokenizer(tokenizer)
    if model.init:
        return found.to_str() == pretrained_tokenizer(model).to_str()
    return found.get_vocab_size() == model.vocab_size


def judge(p: probe.Probe, judges: Judges) -> dict[str, Any]:
    """Scores of trees in the layer where UUAS is highest, BLiMP accuracy, and held-out accuracy on words.

    Layers are compared on the very sentences that are reported, for every variant alike: the figures compare
    variants, and are too high as scores of a model.
    """
    found: dict[str, Any] = {}
    scored = list(layer_evaluations(p, judges.sentences, name=judges.treebank, pools=("mean",)))
    for protocol in scored[0][1]:
        (layer, _), evaluations = max(scored, key=lambda item: item[1][protocol].uuas.value)
        uuas = evaluations[protocol].uuas
        found[f"UUAS, {protocol}"] = {**_cell(uuas), "layer": layer, "UAS": evaluations[protocol].uas.value}
    layer, best = max(
        openness_evaluations(p, judges.sentences, name=judges.treebank), key=lambda item: item[1].uuas.value
    )
    found["UAS, openness"] = {**_cell(best.uas), "layer": layer}
    found["UUAS, openness"] = {**_cell(best.uuas), "layer": layer}
    pairs = evaluate_pairs(
        list(score_pairs(p, judges.pairs)),
        model=p.name,
        data="blimp",
        version=probe.__version__,
        score="original",
        seed=judges.seed,
    )
    found["BLiMP"] = _cell(pairs.overall.score)
    shard = read_shard(judges.heldout, p, documents=None)
    row = ratio_rows(p, shard, ratios=[_RATIO], pieces=judges.pieces, seed=judges.seed)[0]
    return {**found, "masked words": {"value": row["word_accuracy"]}}


def _cell(score: Score) -> dict[str, Any]:
    return {"value": score.value, "interval": score.as_dict()["interval"]}


def ablation_table(results: Sequence[tuple[str, dict[str, Any]]], judges: Judges) -> Table:
    """One row a variant."""
    rows = []
    for name, record in results:
        cells = []
        for column in COLUMNS:
            bounds = record[column].get("interval")
            cells.append(Cell(record[column]["value"], Interval(*bounds) if bounds else None))
        layers = "/".join(str(record[column]["layer"]) for column in _JUDGED_BY_LAYER)
        signature = (
            f"{name} | {record['parameters']:,} parameters | step {record['steps']:,} | "
            f"{record['pieces'] / 1e6:.2f} M pieces | {record['seconds'] / 60:.0f} min | layers {layers}"
        )
        rows.append(Row(name=name, kind="model", cells=tuple(cells), signature=signature))
    notes = (
        f"UAS and UUAS: {len(judges.sentences)} sentences of {judges.treebank}, the layer that is best on them. "
        "wu2020 and fair: pairs, Eisner, dist, pool mean. openness: that method, under fair.",
        f"BLiMP: {len(judges.pairs):,} pairs. Masked words: share of words found again in held-out text, "
        f"{100 * _RATIO:.0f}% masked.",
    )
    return Table(title="Training recipes compared", columns=COLUMNS, rows=tuple(rows), notes=notes)


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.ablate", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--config", type=Path, required=True, help="TOML file with [[variants]]")
    add("--corpora", type=Path, required=True, help="folder of NAME.txt.xz shards")
    add(
        "--out",
        type=Path,
        required=True,
        help="a folder a variant; tokenizer.json in it is used where it fits",
    )
    add(
        "--begin",
        type=Path,
        metavar="CHECKPOINT",
        help="of a run with the same shape, whose tokenizer is in --out",
    )
    add("--dev", type=Path, required=True, metavar="FILE", help="development treebank, CoNLL-U")
    add("--limit", type=positive, metavar="N", help="only the first N sentences of it")
    add("--blimp", type=Path, required=True, metavar="DIR", help="minimal pairs, .jsonl files")
    add("--pairs", type=positive, metavar="N", help="only the first N pairs of each paradigm")
    add(
        "--pieces", type=positive, default=30_000, metavar="N", help="of held-out text (default: %(default)s)"
    )
    add("--seed", type=whole_number, default=0, help="of masks and bootstrap")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--format", choices=FORMATS, default="table", help="of standard output")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        variants = read_variants(args.config)
        judges = Judges(
            sentences=list(islice(read_conllu(args.dev), args.limit)),
            treebank=args.dev.stem,
            pairs=first_pairs(read_minimal_pairs(args.blimp), args.pairs),
            heldout=shard_path(args.corpora, variants[0].config.data.heldout[0]),
            pieces=args.pieces,
            seed=args.seed,
        )
        args.out.mkdir(parents=True, exist_ok=True)
        results = list(_results(variants, args, judges))
    except (OSError, RuntimeError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    sys.stdout.write(ablation_table(results, judges).render(args.format))
    return 0


def _results(
    variants: Sequence[Variant], args: argparse.Namespace, judges: Judges
) -> Iterator[tuple[str, dict[str, Any]]]:
    for variant in variants:
        print(f"variant {variant.name}", file=sys.stderr)
        yield (
            variant.name,
            run_variant(
                variant, args.corpora, args.out, judges, device=torch.device(args.device), begin=args.begin
            ),
        )


if __name__ == "__main__":
    sys.exit(main())
