"""Discourse trees, Table 4 of Wu et al. (ACL 2020): ``probe discourse --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.discourse.protocols import (
    align_document,
    decode_document,
    document_impacts,
    given_root,
    human_documents,
)
from analyses.discourse.tables import Corpus, System, Trees, Way, _table
from analyses.options import add_options, emit, load_models
from analyses.trees.decoders import DECODERS
from analyses.trees.protocols import is_defined
from analyses.trees.variants import Variant, random_weights, variants
from probe.command_line import DONE, SOME_FAILED, Parser, UsageError, exit_code, option_type
from probe.errors import ProbeError, SentenceError

if TYPE_CHECKING:
    from data import Document
    from probe import Probe


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
    add("--data", type=Path, metavar="PATH", required=True, help="SciDTB: a .edu.txt.dep file or a folder")
    add("--human", type=Path, metavar="PATH", help="a second annotation of the same documents, for a row")
    add(
        "--decoders",
        nargs="+",
        type=option_type(DECODERS.resolve),
        default=list(DECODERS),
        metavar="NAME",
        help=f"default: all, {', '.join(DECODERS)}",
    )
    add_options(parser)
    parser.set_defaults(pools=["state"])
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    return exit_code(parser.prog, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.matrices is not None:
        raise UsageError("--matrices are those of words: EDUs need --model")
    corpus = _corpus(args)
    models = load_models(args)
    chosen = [variants(model, args) for model in models]
    corpus = _that_fit(corpus, models)
    systems = [
        system
        for model, own in zip(models, chosen, strict=True)
        for system in _systems(model, own, corpus.documents, args)
    ]
    tables = [
        (f"discourse-{corpus.name}-{protocol}", _table(corpus, systems, protocol, args.seed))
        for protocol in dict.fromkeys(args.protocol)
    ]
    emit(tables, args)
    return SOME_FAILED if corpus.failures else DONE


# --- documents


def _corpus(args: argparse.Namespace) -> Corpus:
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
    return Corpus(name=args.data.name.partition(".")[0], documents=documents, human=human)


def _that_fit(corpus: Corpus, models: Sequence[Probe]) -> Corpus:
    """Leave out the documents that one of the models cannot take, so that all rows are on the same ones."""
    kept, failures = [], []
    for document in corpus.documents:
        try:
            for model in models:
                align_document(model, document)
        except SentenceError as error:
            failures.append(document.id)
            print(f"{document.where}: document skipped: {model.name}: {error}", file=sys.stderr)
        else:
            kept.append(document)
    if not kept:
        raise ProbeError("no document could be probed, so there is nothing to score")
    return Corpus(name=corpus.name, documents=tuple(kept), human=corpus.human, failures=tuple(failures))


# --- trees


def _systems(
    model: Probe, chosen: Sequence[Variant], documents: Sequence[Document], args: argparse.Namespace
) -> list[System]:
    """Trees of random weights and of the model itself."""
    ways = [
        Way(*parts)
        for parts in product(dict.fromkeys(args.protocol), dict.fromkeys(args.decoders), chosen)
        if is_defined(parts[0], parts[1], negative=parts[2].can_be_negative)
    ]
    blank = System(model, f"{model.name} random weights", "baseline")
    for seed, weights in enumerate(random_weights(model, args)):
        blank.runs.append(_induce(weights, ways, documents, args, label=f"random weights {seed}"))
    own = System(model, model.name, "model")
    own.runs.append(_induce(model, ways, documents, args, label=model.name))
    return [blank, own] if blank.runs else [own]


def _induce(
    model: Probe, ways: Sequence[Way], documents: Sequence[Document], args: argparse.Namespace, *, label: str
) -> Trees:
    """Decode the matrices of each document in every way as they come; only trees are kept."""
    trees: Trees = {way: [] for way in ways}
    for document, matrices in zip(documents, _matrices(model, ways, documents, args, label), strict=True):
        for way in ways:
            values = matrices[way.variant]
            if not np.isfinite(values).all():
                raise ProbeError(f"{document.where}: impacts are not finite: try --dtype float32")
            trees[way].append(decode_document(values, document, protocol=way.protocol, decoder=way.decoder))
    return trees


def _matrices(
    model: Probe,
    ways: Sequence[Way],
    documents: Sequence[Document],
    args: argparse.Namespace,
    label: str,
) -> Iterator[dict[Variant, NDArray[np.float64]]]:
    """The impacts of each document under every variant, with a progress bar."""
    from probe.perturbations import n_passes
    from probe.progress import Progress

    chosen = list(dict.fromkeys(way.variant for way in ways))
    perturbs = [variant.perturb for variant in chosen]
    sizes = [n_passes(1 + len(document.edus), perturbs) for document in documents]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        found = document_impacts(
            model, documents, chosen, batch_tokens=args.batch_tokens, on_passes=progress.passes
        )
        for size, matrices in zip(sizes, found, strict=True):
            progress.sentence(size, ran=True)
            yield matrices


# --- tables
