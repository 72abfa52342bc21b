"""Discourse trees, Table 4 of Wu et al. (ACL 2020): ``probe discourse --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from analyses.discourse.protocols import (
    align_document,
    decode_document,
    document_impacts,
    document_openness,
    given_root,
    human_documents,
)
from analyses.discourse.tables import Documents, score_tables
from analyses.options import add_decoders, add_options, experiment_main, load_models
from analyses.tables.results import Ran
from analyses.tables.table import say_unknown
from analyses.trees.arc_scores import Floats
from analyses.trees.decoders import DECODERS, Heads
from analyses.trees.systems import Skipped, System, Way, dependency_ways, systems
from analyses.trees.variants import Variant, openness_choice, variants
from probe.command_line import Parser, UsageError
from probe.errors import ProbeError, SentenceError, one_line
from probe.option_groups import InputOptions
from probe.spaces import count_unknown

if TYPE_CHECKING:
    from data import Document
    from probe import Probe
    from probe.source import ImpactSource

_Found: TypeAlias = "tuple[Floats, Floats | None]"
"""Impacts of [CLS] and EDUs, and the openness of the EDUs where an adjustment reads it."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe discourse",
        description="UAS of discourse dependency trees induced by perturbed masking, overall and by "
        "distance, beside baselines and published figures (Wu et al. 2020, Table 4).",
        epilog="The pool is state by default: the mean state of an EDU, as published.",
        failures="some documents failed",
    )
    add = parser.add_argument
    text = "SciDTB: a .edu.txt.dep file or a folder"
    InputOptions.add(parser, help=text, required=True, limit=None)
    add("--human", type=Path, metavar="PATH", help="a second annotation of the same documents, for a row")
    add_decoders(parser, DECODERS)
    add_options(parser, pool="state", limit="documents")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    if args.matrices is not None:
        raise UsageError("--matrices are those of words: EDUs need --model")
    corpus = _corpus(args)
    models = load_models(args)
    chosen = [variants(model, args) for model in models]
    corpus = _that_fit(corpus, models)
    skipped: Skipped = {}
    induced = [
        system
        for model, own in zip(models, chosen, strict=True)
        for system in _induce(
            model, dependency_ways(args.protocol, args.decoders, own), corpus.items, args, skipped
        )
    ]
    if skipped:
        corpus, induced = _without(corpus, induced, skipped)
    tables = [
        found
        for protocol in dict.fromkeys(args.protocol)
        for found in score_tables(corpus, induced, protocol, args.seed)
    ]
    return Ran(tables=tuple(tables), failed=bool(corpus.failures))


# --- documents


def _corpus(args: argparse.Namespace) -> Documents:
    """Read and check all input before a model is loaded."""
    import data

    documents = tuple(data.read_scidtb(args.data))[: args.limit]
    if "wu2020" in args.protocol:
        for document in documents:
            given_root(document)
    human = None
    if args.human is not None:
        human = {document.id: document for document in data.read_scidtb(args.human)}
        human_documents(documents, human, protocol="fair")
    return Documents(name=args.data.name.partition(".")[0], items=documents, human=human)


def _that_fit(corpus: Documents, models: Sequence[Probe]) -> Documents:
    """Leave out the documents that one of the models cannot take, so that all rows are on the same ones."""
    kept, failures = [], []
    for document in corpus.items:
        try:
            for model in models:
                align_document(model, document)
        except SentenceError as error:
            failures.append(document.id)
            print(f"{document.where}: document skipped: {model.name}: {error}", file=sys.stderr)
        else:
            kept.append(document)
    return _documents(corpus, kept, failures)


def _without(
    corpus: Documents, induced: Sequence[System[Heads]], skipped: Skipped
) -> tuple[Documents, list[System[Heads]]]:
    """Leave out the documents of which some model gave no finite impacts, and their trees."""
    for place, reason in sorted(skipped.items()):
        print(one_line(f"{corpus.items[place].where}: document skipped: {reason}"), file=sys.stderr)
    places = [place for place in range(len(corpus.items)) if place not in skipped]
    kept = _documents(
        corpus, [corpus.items[place] for place in places], [corpus.items[place].id for place in skipped]
    )
    systems = [
        replace(
            system,
            unknown={at: system.unknown[place] for at, place in enumerate(places)},
            runs=tuple(
                {way: {at: trees[place] for at, place in enumerate(places)} for way, trees in run.items()}
                for run in system.runs
            ),
        )
        for system in induced
    ]
    return kept, systems


def _documents(corpus: Documents, kept: Sequence[Document], failures: Sequence[str]) -> Documents:
    """The documents that are left, beside those that failed before."""
    if not kept:
        raise ProbeError("no document could be probed, so there is nothing to score")
    return replace(corpus, items=tuple(kept), failures=(*corpus.failures, *failures))


# --- trees


def _induce(
    model: Probe,
    ways: Sequence[Way],
    documents: Sequence[Document],
    args: argparse.Namespace,
    skipped: Skipped,
) -> list[System[Heads]]:
    """Trees of random weights and of the model itself; the documents fit the models' windows."""

    def impacts(
        source: ImpactSource, chosen: Sequence[Variant], label: str
    ) -> Iterator[tuple[_Found, ...] | SentenceError]:
        return _impacts(cast("Probe", source), chosen, documents, args, label)

    def trees(way: Way, places: Sequence[int], found: Sequence[_Found]) -> list[Heads]:
        return [
            decode_document(
                values,
                documents[place],
                protocol=way.protocol,
                decoder=way.decoder,
                adjustment=way.variant.adjust,
                openness=openness,
            )
            for place, (values, openness) in zip(places, found, strict=True)
        ]

    unknown = {place: count_unknown(model.pieces, [each.words]) for place, each in enumerate(documents)}
    ones, totals = zip(*unknown.values(), strict=True)
    say_unknown(model.name, (sum(ones), sum(totals)), quiet=args.quiet)
    found = systems(model, ways, impacts=impacts, decode=trees, args=args, label="documents", skipped=skipped)
    return [replace(system, unknown=unknown) for system in found]


def _impacts(
    model: Probe,
    chosen: Sequence[Variant],
    documents: Sequence[Document],
    args: argparse.Namespace,
    label: str,
) -> Iterator[tuple[_Found, ...] | SentenceError]:
    """The impacts of each document under every variant, and its openness, with a progress bar."""
    from probe.openness import openness_passes
    from probe.perturbations import n_passes
    from probe.progress import Progress

    perturbs = [variant.perturb for variant in chosen]
    choice = openness_choice(model, [variant.adjust for variant in chosen], args.openness_from)
    reader = (model if choice else None) if isinstance(choice, bool) else choice
    read = reader is not None
    # [CLS] is a unit here, which ``Probe.passes`` does not count.
    sizes = [
        n_passes(1 + n, perturbs) + read * openness_passes(n) for n in (len(one.edus) for one in documents)
    ]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        found = document_impacts(
            model, documents, chosen, batch_tokens=args.batch_tokens, on_passes=progress.passes
        )
        openness: Iterator[Floats | None] = repeat(None, len(documents))
        if reader is not None:
            openness = document_openness(
                reader,
                documents,
                attention=chosen[0].attention,
                batch_tokens=args.batch_tokens,
                on_passes=progress.passes,
            )
        for size, values, open_ in zip(sizes, found, openness, strict=True):
            progress.sentence(size, ran=True)
            if all(np.isfinite(each).all() for each in values.values()):
                yield tuple((values[variant], open_) for variant in chosen)
            else:
                yield SentenceError(f"{model.name}: its impacts are not finite: try --dtype float32")


main = experiment_main(build_parser, run)
