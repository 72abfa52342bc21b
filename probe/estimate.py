"""What a run would cost: ``probe estimate --data FILE``, with the options of ``probe run``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from probe.command_line import DONE, Parser, command_main, positive
from probe.errors import ProbeError
from probe.inputs import (
    add_input_options,
    add_structure_options,
    attention_of,
    load_model,
    read_input,
    say_guess,
)
from probe.option_groups import ImpactOptions, ModelOptions, OutputOptions
from probe.shards import SHARD_SENTENCES
from probe.spaces import running

if TYPE_CHECKING:
    from probe.costs import Costs, Speed
    from probe.model import Probe

_SECONDS = 3.0
"""How long the calibration runs at least; with its doubling, some twice as long."""
_UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe estimate",
        description="Tell what a run would cost: forward passes, pieces, floating-point operations, bytes, and "
        "the time on this device, by a short calibration on the input itself.",
        epilog="Without --data it reads the bundled sample treebank.",
        failures="no sentence could be probed",
    )
    add_input_options(parser)
    ModelOptions.add(parser)
    ImpactOptions.add(parser, several=("metric", "layer", "pool", "perturb"))
    add_structure_options(parser)
    parser.group("impacts").add_argument(
        "--openness", action="store_true", help="as of probe run: openness and cues of each word, too"
    )
    add = parser.group("scale").add_argument
    add(
        "--words",
        type=positive,
        metavar="N",
        help="of a corpus of so many words, of which the input is a sample",
    )
    add(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="also on so many devices like this one (default: 1)",
    )
    add(
        "--shard-sentences",
        type=positive,
        default=SHARD_SENTENCES,
        metavar="N",
        help="sentences in a shard, which one worker computes (default: %(default)s)",
    )
    OutputOptions.add(parser, formats=("text", "json"), default="text", out=None)
    return parser


def execute(args: argparse.Namespace) -> int:
    """Print the estimate; returns the exit code."""
    from probe.costs import calibrate, costs

    layer = ImpactOptions.of(args).chosen_layers
    sentences, _ = read_input([], args.data, args.limit, tokenize=args.tokenize)
    attention = attention_of(args, sentences)
    began = time.monotonic()
    model = load_model(args)
    loading = time.monotonic() - began
    say_guess(model, args)
    settings = model.resolve(
        metric=ImpactOptions.of(args).chosen_metrics,
        layer=layer,
        pool=args.pools,
        perturb=args.perturb,
        attention=attention,
    )
    texts = [running(one.words, one.spaces) for one in sentences]
    found, kept = costs(model, texts, settings, openness=args.openness)
    if not kept:
        raise ProbeError(f"none of the {len(sentences)} sentences can be probed")
    seen = attention if isinstance(attention, str) else attention.part(found.places)
    speed = calibrate(model, found, kept, attention=seen, batch_tokens=args.batch_tokens, seconds=_SECONDS)
    report = _report(args, model, found, speed, loading)
    print(json.dumps(report, indent=1) if args.format == "json" else _text(report))
    return DONE


main = command_main(build_parser, execute)


def _report(
    args: argparse.Namespace, model: Probe, found: Costs, speed: Speed, loading: float
) -> dict[str, Any]:
    """All figures, of the input or scaled to ``--words``."""
    import torch

    from probe.costs import expected_seconds

    scale = 1.0 if args.words is None else args.words / found.words
    sentences = round(len(found.each) * scale)
    shards = max(1, -(-sentences // args.shard_sentences))
    flops = float(found.flops_each.sum()) * scale
    times = {
        str(workers): round(loading + expected_seconds(flops, speed, shards=shards, workers=workers), 1)
        for workers in dict.fromkeys((1, args.workers))
    }
    return {
        "model": model.name,
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads() if model.device.type == "cpu" else None,
        "sentences": sentences,
        "skipped": round(found.skipped * scale),
        "words": round(found.words * scale),
        "passes": round(found.passes * scale),
        "pieces": round(found.pieces * scale),
        "flops": flops,
        "bytes": round(found.bytes(max(4, model.dtype.itemsize)) * scale),
        "shards": shards,
        "scaled_from_words": None if args.words is None else found.words,
        "calibration": {
            "sentences": speed.sentences,
            "flops": speed.flops,
            "seconds": round(speed.seconds, 2),
            "loading_seconds": round(loading, 2),
        },
        "expected_seconds": times,
    }


def _text(report: dict[str, Any]) -> str:
    """The report as lines of a name and what is known of it."""
    threads, measured = report["threads"], report["calibration"]
    where = f"{report['device']}, {report['dtype']}" + (f", threads: {threads}" if threads else "")
    skipped = f", {report['skipped']:,} more skipped" if report["skipped"] else ""
    sample = report["scaled_from_words"]
    scaled = f", scaled from a sample of {sample:,}" if sample else ""
    rate = measured["flops"] / measured["seconds"] / 1e9 if measured["seconds"] else 0
    lines = [
        ("model", f"{report['model']} ({where})"),
        ("input", f"{report['sentences']:,} sentences{skipped}, {report['words']:,} words{scaled}"),
        ("forward passes", f"{report['passes']:,}"),
        ("pieces in them", f"{report['pieces']:,}"),
        ("operations", f"{report['flops']:.3g} FLOPs, were every pass run whole"),
        ("matrices", f"{_size(report['bytes'])}; shards: {report['shards']:,}"),
        (
            "calibration",
            f"sentences: {measured['sentences']:,}, in {measured['seconds']:.1f} s, {rate:,.1f} GFLOP/s",
        ),
    ]
    for workers, seconds in report["expected_seconds"].items():
        on = "this device" if workers == "1" else f"{int(workers):,} such devices"
        lines.append(("expected", f"{duration(seconds)} on {on}"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines)


def _size(count: int) -> str:
    """Bytes, for people."""
    value, units = float(count), iter(("bytes", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 1_000 and unit != "TB":
        value, unit = value / 1_000, next(units)
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """A time in the two largest units that it has: ``2 h 8 min``, ``1,204 days 3 h``, ``3.4 s``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    rounded = max(60, round(seconds))
    at = next(place for place, (_, size) in enumerate(_UNITS) if rounded >= size)
    (unit, size), (below, smaller) = _UNITS[at], _UNITS[at + 1]
    parts = round(rounded / smaller)
    whole, rest = divmod(parts, size // smaller)
    name = f"{unit}s" if unit == "day" and whole != 1 else unit
    return f"{whole:,} {name}" + (f" {rest} {below}" if rest else "")


if __name__ == "__main__":
    from probe.commands import start

    sys.exit(start("estimate"))
