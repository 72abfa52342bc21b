"""Geometry of word states by layer (Ethayarajh, EMNLP 2019): ``probe geometry --data PATH``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.geometry.summary import GROUPS, RESAMPLES, Group, frequency_bands, summarize, tags_of
from analyses.geometry.tables import Measured, geometry_tables, released_table, write_words
from analyses.options import experiment_main
from analyses.states.options import Corpus, add_state_options, read_corpus
from analyses.tables.results import Ran
from analyses.tables.signature import Settings, Signature, digest
from analyses.tables.table import say_unknown, unknown_text
from probe import __version__
from probe.command_line import (
    Parser,
    UsageError,
    positive,
)
from probe.option_groups import ModelOptions
from probe.spaces import count_unknown

if TYPE_CHECKING:
    from analyses.geometry.stream import Geometry
    from analyses.states.occurrences import Occurrences
    from data.geometry_curves import GeometryCurves
    from probe.word_states import Encoder


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe geometry",
        description="How contextual and how isotropic the states of words are in each layer of a masked or "
        "causal language model (Ethayarajh 2019).",
        failures="some sentences failed",
    )
    add = parser.add_argument
    add_state_options(parser, several=True, out="write tables and values of each word there")
    add("--min-count", type=_two_or_more, default=5, metavar="N", help="occurrences of a word (default: 5)")
    add("--most", type=_two_or_more, default=32, metavar="N", help="occurrences drawn for MEV (default: 32)")
    add("--by", nargs="+", choices=GROUPS, default=[], help="groups of words, too, in two tables each")
    add("--curves", type=Path, metavar="DIR", help="released curves, shown beside as published")
    add("--figures", action="store_true", help="draw them into --out")
    return parser


def _two_or_more(value: str) -> int:
    if (found := positive(value)) < 2:
        raise argparse.ArgumentTypeError(f"a whole number above 1 is expected, found {value!r}")
    return found


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    from analyses.states.occurrences import find_occurrences
    from data.geometry_curves import read_geometry_curves
    from probe.word_states import load_encoder

    if args.figures and args.out is None:
        raise UsageError("--figures needs --out, where they are written")
    models = ModelOptions.of(args).models
    names = [Path(name).name for name in models]
    if len(set(names)) < len(names):
        raise UsageError(f"--model: each name once, found {' '.join(names)}")
    curves = read_geometry_curves(args.curves) if args.curves is not None else ()
    corpus = read_corpus(args.data, args.limit)
    words = [sentence.words for sentence in corpus.sentences]
    occurrences = find_occurrences(
        words, min_count=args.min_count, most=args.most, seed=args.seed, cased=args.cased
    )
    if not occurrences.words:
        raise UsageError(f"{corpus.name}: no word has {args.min_count} occurrences: give --min-count")
    _check_groups(corpus, args)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    encoders = [load_encoder(name, device=args.device, dtype=args.dtype) for name in models]
    measured = [_measure(encoder, corpus, occurrences, args) for encoder in encoders]
    return _write(measured, corpus, curves, args)


def _check_groups(corpus: Corpus, args: argparse.Namespace) -> None:
    """Find out before a model runs whether there are parts of speech."""
    if "pos" in args.by:
        try:
            tags_of((), corpus.sentences)
        except ValueError as error:
            raise UsageError(f"--by pos: {error}") from error


def _measure(
    encoder: Encoder, corpus: Corpus, occurrences: Occurrences, args: argparse.Namespace
) -> Measured:
    from analyses.geometry.stream import measure
    from probe.progress import Progress

    words = [sentence.words for sentence in corpus.sentences]
    with Progress(sentences=len(words), passes=len(words), label=encoder.name, quiet=args.quiet) as progress:
        found = measure(
            encoder,
            words,
            occurrences,
            min_count=args.min_count,
            pieces=args.pool,
            batch_tokens=args.batch_tokens,
            seed=args.seed,
            on_sentences=progress.passes,
        )
    for place, reason in found.skipped:
        sentence = corpus.sentences[place]
        print(f"{sentence.where}: sentence {sentence.id} skipped: {reason}", file=sys.stderr)
    skipped = {place for place, _ in found.skipped}
    unknown = count_unknown(
        encoder.pieces, (given for place, given in enumerate(words) if place not in skipped)
    )
    say_unknown(found.model, unknown, quiet=args.quiet)
    groups: dict[Group, Sequence[str]] = {}
    if "frequency" in args.by:
        groups["frequency"] = frequency_bands(found.counts)
    if "pos" in args.by:
        groups["pos"] = tags_of(found.words, corpus.sentences, cased=args.cased)
    return Measured(
        geometry=found,
        summary=summarize(found, seed=args.seed),
        signatures=_signatures(found, corpus, args),
        groups=groups,
        unknown_words=unknown,
    )


def _signatures(found: Geometry, corpus: Corpus, args: argparse.Namespace) -> tuple[Signature, ...]:
    """One a layer."""
    skipped = {place for place, _ in found.skipped}
    ran = [sentence for place, sentence in enumerate(corpus.sentences) if place not in skipped]
    sha = digest(ran)
    case = "cased" if args.cased else "lower"
    return tuple(
        Signature(
            data=corpus.name,
            digest=sha,
            n=len(ran),
            skipped=len(skipped) or None,
            version=__version__,
            protocol=f"ethayarajh2019 words:{case},{args.min_count}+ mev:{args.most}",
            settings=Settings(model=found.model, layer=layer, pool=args.pool, dtype=found.dtype),
            resamples=RESAMPLES,
            seed=args.seed,
        )
        for layer in range(found.n_layers)
    )


def _write(
    measured: Sequence[Measured], corpus: Corpus, curves: Sequence[GeometryCurves], args: argparse.Namespace
) -> Ran:
    found = []
    for model in measured:
        notes = [
            f"{len(model.geometry.words):,} words with at least {args.min_count} occurrences; "
            f"{len(model.geometry.lengths):,} sentences, {len(model.geometry.skipped):,} skipped. "
            "adjusted: less the anisotropy; matched: less the same of equally many random words. MEV adjusted: "
            f"less the MEV of {len(model.geometry.sample):,} random words."
        ]
        if model.unknown_words[0]:
            notes.append(f"{unknown_text(*model.unknown_words).capitalize()}.")
        found += geometry_tables(model, notes=notes, seed=args.seed)
    if curves:
        found.append(released_table(curves))
    if args.out is not None:
        for model in measured:
            write_words(args.out, model.geometry, name=model.name)
    if args.figures:
        _draw(measured, curves, args.out)
    return Ran(tables=tuple(found), failed=any(model.geometry.skipped for model in measured))


def _draw(measured: Sequence[Measured], curves: Sequence[GeometryCurves], folder: Path) -> None:
    from analyses.geometry.figures import plot_geometry
    from analyses.pictures.style import save, style

    with style():
        save(plot_geometry(measured, curves), folder / "geometry")


main = experiment_main(build_parser, run)
