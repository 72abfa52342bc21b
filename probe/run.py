"""Fill a run directory with impact matrices: ``probe run --data FILE --out DIR``.

What a run directory is says ``probe.store``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from probe.command_line import DONE, SOME_FAILED, Parser, UsageError, exit_code, positive
from probe.errors import ProbeError, one_line, quoted
from probe.inputs import (
    add_input_options,
    add_structure_options,
    attention_of,
    load_model,
    read_input,
    say_guess,
)
from probe.option_groups import ImpactOptions, ModelOptions, OutputOptions, known
from probe.options import Layers
from probe.shards import SHARD_SENTENCES
from probe.spaces import TEXTS, as_text, running
from probe.store import Store

if TYPE_CHECKING:
    from probe.model import OpennessChoice, Probe, Words
    from probe.structure import Structure
    from probe.workers import Crew


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe run",
        description="Compute impact matrices into a run directory, once for all experiments that read them. "
        "A run that was interrupted goes on when it is started again.",
        epilog="Without --data it reads the bundled sample treebank.",
        failures="some input failed (under --strict also where it was skipped)",
    )
    add_input_options(parser)
    ModelOptions.add(parser)
    _add_workers(parser)
    ImpactOptions.add(parser, several=("metric", "layer", "pool", "perturb"))
    add_structure_options(parser)
    text = "running: the running text where it is known; spaced: words with a space between, as wu2020 reads them"
    parser.group("input").add_argument(
        "--text", default="running", help=f"{text} (default: running)", **known("text", TEXTS)
    )
    text = (
        "keep openness and cues of each word, too, which method openness reads: n + 1 passes more a sentence"
    )
    parser.group("impacts").add_argument("--openness", action="store_true", help=text)
    text = "those of another masked LM"
    parser.group("impacts").add_argument("--openness-from", metavar="MODEL", help=text)
    OutputOptions.add(parser, out="the run directory", required=True, strict="a sentence")
    parser.add_argument(
        "--shard-sentences",
        type=positive,
        default=SHARD_SENTENCES,
        metavar="N",
        help="sentences in a file: what an interrupted run repeats at most (default: %(default)s)",
    )
    return parser


def _add_workers(parser: Parser) -> None:
    """Options of several devices and machines."""
    add = parser.group("workers").add_argument
    text = "a worker with a model of its own on each: cuda:0,cuda:1"
    add("--devices", type=_names, metavar="NAME,...", help=text)
    text = (
        "workers on a Ray cluster: HOST:PORT, auto or local (a new one here); without ADDRESS that of "
        "RAY_ADDRESS, one that runs here or a new one"
    )
    add("--ray", nargs="?", const="", metavar="ADDRESS", help=text)
    text = "of --ray: how many (default: a GPU each, or as many cores each as OMP_NUM_THREADS says)"
    add("--workers", type=positive, metavar="N", help=text)


def _names(value: str) -> list[str]:
    """Names with commas between, as the type of an option."""
    names = value.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"names with commas between are expected, found {quoted(value)}")
    return names


@contextmanager
def _workers(args: argparse.Namespace) -> Iterator[Crew | None]:
    """Who computes; None for this process."""
    if args.devices is not None:
        from probe.processes import Processes

        yield Processes(args.devices)
    elif args.ray is not None:
        from probe.cluster import connected

        with connected(args.ray or None, workers=args.workers, device=args.device) as crew:
            yield crew
    else:
        yield None


def _check_workers(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if args.devices is not None and args.ray is not None:
        raise UsageError("--devices and --ray: choose one")
    if args.workers is not None and args.ray is None:
        raise UsageError("--workers is of --ray; --devices names one device a worker")
    if args.devices is not None and args.device != "auto":
        raise UsageError("--device does not go with --devices")
    if args.dtype == "fastest" and not (args.devices is None and args.ray is None):
        raise UsageError("--dtype fastest is measured on one device: name the dtype for several workers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    with _terminable():
        return exit_code(parser.prog, lambda: execute(args))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def execute(args: argparse.Namespace) -> int:
    """Make or go on with the run directory that the options ask for; returns the exit code."""
    layer = ImpactOptions.of(args).chosen_layers
    _check_workers(args)
    sentences, _ = read_input([], args.data, args.limit, tokenize=args.tokenize)
    attention = attention_of(args, sentences)
    started = time.monotonic()
    made: list[bool] = []
    try:
        with _workers(args) as workers:
            if workers is not None:
                args.device = "cpu"  # here the model only says what the workers compute
            model = load_model(args)
            say_guess(model, args)
            texts = [as_text(running(one.words, one.spaces), args.text) for one in sentences]
            store = _fill(args, model, _openness(args, model), texts, layer, attention, made, workers)
    except KeyboardInterrupt:
        done = f"{len(made)} of {-(-len(sentences) // args.shard_sentences)} shards are done"
        raise KeyboardInterrupt(f"{done}; the same command goes on from there") from None
    failures = store.failures()
    for place, reason in failures:
        sentence = sentences[place]
        print(one_line(f"{sentence.where}: sentence {sentence.id} skipped: {reason}"), file=sys.stderr)
    if not args.quiet:
        _summarise(args.out, len(sentences), len(failures), made, time.monotonic() - started)
    if failures and len(failures) == len(sentences):
        raise ProbeError(f"{args.out}: none of the {len(sentences)} sentences could be probed")
    return SOME_FAILED if args.strict and failures else DONE


def _openness(args: argparse.Namespace, model: Probe) -> OpennessChoice:
    """Whose openness of words is kept."""
    from probe.loading import load

    if args.openness_from is None:
        return bool(args.openness)
    return load(args.openness_from, device=str(model.device), dtype=str(model.dtype).removeprefix("torch."))


def _fill(
    args: argparse.Namespace,
    model: Probe,
    openness: OpennessChoice,
    sentences: Sequence[Words],
    layer: Layers,
    attention: str | Structure,
    made: list[bool],
    workers: Crew | None,
) -> Store:
    """Fill the directory with a progress bar; notes of each whole shard whether it was made now."""
    from probe.progress import Progress

    sizes = [model.passes(words, args.perturb, openness=openness) for words in sentences]
    with Progress(sentences=len(sizes), passes=sum(sizes), label="probing", quiet=args.quiet) as progress:

        def on_shard(places: range, now: bool) -> None:
            made.append(now)
            for place in places:
                progress.sentence(sizes[place], ran=now)

        return Store.fill(
            args.out,
            model,
            sentences,
            metric=ImpactOptions.of(args).chosen_metrics,
            layer=layer,
            pool=args.pools,
            perturb=args.perturb,
            openness=openness,
            attention=attention,
            batch_tokens=args.batch_tokens,
            shard_sentences=args.shard_sentences,
            on_passes=progress.passes,
            on_shard=on_shard,
            workers=workers,
        )


def _summarise(out: Path, n: int, failed: int, made: Sequence[bool], seconds: float) -> None:
    skipped = f", {failed} skipped" if failed else ""
    shards = f"{sum(made)} shards made, {len(made) - sum(made)} kept"
    print(f"{n} sentences in {out}{skipped}; {shards} in {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    from probe.commands import start

    sys.exit(start("run"))
