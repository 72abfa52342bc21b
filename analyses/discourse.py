"""Discourse trees, Table 4 of Wu et al. (ACL 2020): ``python -m analyses.discourse --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses import published
from analyses.discourse_protocols import (
    DISTANCES,
    DiscourseCounts,
    align_document,
    baseline_documents,
    count_documents,
    decode_document,
    document_impacts,
    given_root,
    human_documents,
)
from analyses.experiment import (
    Counted,
    Variant,
    add_options,
    emit,
    load_models,
    paired_note,
    random_weights,
    variants,
)
from analyses.intervals import Interval, bootstrap
from analyses.protocols import BASELINES, DECODERS, DecoderName, Heads, ProtocolName
from analyses.signature import Settings, Signature, digest
from analyses.tables import Cell, Row, RowKind, Table
from probe import __version__
from probe.commands import DONE, SOME_FAILED, Parser, UsageError, exit_code
from probe.errors import ProbeError, SentenceError

if TYPE_CHECKING:
    from data import Document, Sentence
    from probe import Probe

COLUMNS = ("UAS", *(f"distance {distance}" for distance in DISTANCES))
RANDOM_TREES = 10
"""Random trees drawn for each document; the random row is their mean."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Way:
    """How impact matrices become trees."""

    protocol: ProtocolName
    decoder: DecoderName
    variant: Variant

    def __str__(self) -> str:
        """``eisner+dist, layer 12, state``."""
        return f"{self.decoder}+{self.variant}"


Trees: TypeAlias = "dict[Way, list[Heads]]"


@dataclass(frozen=True)
class System:
    """Trees of one model, or of its architecture with several random weights: one run each."""

    model: Probe
    name: str
    kind: RowKind
    runs: list[Trees] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """A row before it is one: the counts of its runs (seeds, random draws), whose mean it shows."""

    name: str
    kind: RowKind
    runs: Sequence[DiscourseCounts]
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The documents that all rows are scored on, and what was left out or is odd about them."""

    name: str
    documents: tuple[Document, ...]
    human: Mapping[str, Document] | None
    failures: tuple[str, ...] = ()


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="discourse",
        description="UAS of discourse dependency trees induced by perturbed masking, overall and by "
        "distance, beside baselines and published figures (Wu et al. 2020, Table 4).",
        epilog="The pool is state by default: the mean state of an EDU, as published. "
        "Exit codes: 0 done, 1 some documents failed, 2 wrong use, 130 interrupted.",
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="PATH", required=True, help="SciDTB: a .edu.txt.dep file or a folder")
    add("--human", type=Path, metavar="PATH", help="a second annotation of the same documents, for a row")
    add("--decoders", nargs="+", choices=DECODERS, default=DECODERS, help="default: both")
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
        if _is_defined(*parts)
    ]
    blank = System(model, f"{model.name} random weights", "baseline")
    for seed, weights in enumerate(random_weights(model, args)):
        blank.runs.append(_induce(weights, ways, documents, args, label=f"random weights {seed}"))
    own = System(model, model.name, "model")
    own.runs.append(_induce(model, ways, documents, args, label=model.name))
    return [blank, own] if blank.runs else [own]


def _is_defined(protocol: ProtocolName, decoder: DecoderName, variant: Variant) -> bool:
    """Whether the decoder takes the impacts: the published CLE multiplies, and ``prob`` can be negative."""
    return (protocol, decoder, variant.metric) != ("wu2020", "cle", "prob")


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
    from probe.plan import n_variants
    from probe.progress import Progress

    chosen = list(dict.fromkeys(way.variant for way in ways))
    pairs = any(variant.perturb == "pair" for variant in chosen)
    sizes = [n_variants(1 + len(document.edus), pairs=pairs) for document in documents]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        found = document_impacts(
            model, documents, chosen, batch_tokens=args.batch_tokens, on_passes=progress.passes
        )
        for size, matrices in zip(sizes, found, strict=True):
            progress.sentence(size, ran=True)
            yield matrices


# --- tables


def _table(corpus: Corpus, systems: Sequence[System], protocol: ProtocolName, seed: int) -> Table:
    """The scores under a protocol."""
    baselines = _baselines(corpus, protocol, seed)
    models: list[Line] = []
    for system in systems:
        for line in _lines(corpus, system, protocol):
            (models if line.kind == "model" else baselines).append(line)
    rivals = [_counted(line) for line in baselines]
    shown = [*baselines, *_human(corpus, protocol), *models]
    signature = Signature(
        data=corpus.name,
        digest=digest(_as_sentences(corpus.documents)),
        root="gold" if protocol == "wu2020" else "predicted",
        n=len(corpus.documents),
        version=__version__,
        protocol=protocol,
        resamples=_RESAMPLES,
        seed=seed,
    )
    return Table(
        title=f"Discourse trees on {corpus.name}, protocol {protocol}, percent [95% interval]",
        columns=COLUMNS,
        rows=(
            *(published.TABLE4.rows if protocol == "wu2020" else ()),
            *(_row(line, replace(signature, settings=line.settings), seed) for line in shown),
        ),
        notes=(
            *_notes(corpus, protocol, shown[0].runs[0]),
            *(_spread(line) for line in baselines if line.settings.model is not None),
            *(f"{line.name}: {paired_note('UAS', _counted(line), rivals, seed=seed)}." for line in models),
        ),
    )


def _baselines(corpus: Corpus, protocol: ProtocolName, seed: int) -> list[Line]:
    rng = np.random.default_rng(seed)
    lines = []
    for name in BASELINES:
        runs = [
            count_documents(
                corpus.documents,
                baseline_documents(corpus.documents, protocol=protocol, name=name, seed=rng),
                protocol=protocol,
            )
            for _ in range(RANDOM_TREES if name == "random" else 1)
        ]
        lines.append(Line(name, "baseline", runs, Settings(decoder=name)))
    return lines


def _human(corpus: Corpus, protocol: ProtocolName) -> list[Line]:
    if corpus.human is None:
        return []
    trees = human_documents(corpus.documents, corpus.human, protocol=protocol)
    counts = count_documents(corpus.documents, trees, protocol=protocol)
    return [Line("second annotator", "human", [counts], Settings(decoder="human"))]


def _lines(corpus: Corpus, system: System, protocol: ProtocolName) -> list[Line]:
    name = system.model.name
    if system.kind == "baseline":
        name = f"{name} (random weights, seeds 0 to {len(system.runs) - 1})"
    return [
        Line(
            f"{system.name} {way}",
            system.kind,
            [count_documents(corpus.documents, run[way], protocol=protocol) for run in system.runs],
            way.variant.settings(system.model, decoder=way.decoder, name=name),
        )
        for way in system.runs[0]
        if way.protocol == protocol
    ]


def _row(line: Line, signature: Signature, seed: int) -> Row:
    correct = np.sum([np.column_stack((run.correct, run.correct_at)) for run in line.runs], axis=0)
    total = np.sum([np.column_stack((run.total, run.total_at)) for run in line.runs], axis=0)
    cells = [_cell(*pair, seed) for pair in zip(correct.T, total.T, strict=True)]
    return Row(name=line.name, kind=line.kind, cells=tuple(cells), signatures=(str(signature),))


def _cell(correct: NDArray[np.int64], total: NDArray[np.int64], seed: int) -> Cell | None:
    """A score in percent; None where there is no arc of that distance."""
    if not total.any():
        return None
    interval = bootstrap(correct, total, seed=seed, resamples=_RESAMPLES)
    value = 100 * float(correct.sum() / total.sum())
    return Cell(value, Interval(100 * interval.low, 100 * interval.high))


def _counted(line: Line) -> Counted:
    return Counted(
        name=line.name,
        correct=np.sum([run.correct for run in line.runs], axis=0),
        total=np.sum([run.total for run in line.runs], axis=0),
    )


def _spread(line: Line) -> str:
    """The lowest and the highest UAS of random weights: the interval of their mean is over documents only."""
    values = [100 * float(run.correct.sum() / run.total.sum()) for run in line.runs]
    seeds = f"mean of {len(values)} seeds" if len(values) > 1 else "one seed"
    return f"{line.name}: {seeds}, UAS {min(values):.1f} to {max(values):.1f}."


_PROTOCOL_NOTES: dict[ProtocolName, str] = {
    "wu2020": "Protocol wu2020, as published: [CLS] is a masked unit and stands for ROOT; the gold root (the "
    "first of several) is given and is no right arc, but counts in the denominator; the last EDU has no "
    "head, which is wrong, and is no arc of any distance.",
    "fair": "Protocol fair: every EDU counts, the decoder finds the root, and only EDUs are masked.",
}


def _notes(corpus: Corpus, protocol: ProtocolName, counts: DiscourseCounts) -> list[str]:
    arcs = ", ".join(
        f"{total:,} of {name}"
        for name, total in zip(COLUMNS[1:], counts.total_at.sum(axis=0).tolist(), strict=True)
    )
    notes = [
        f"{len(corpus.documents):,} documents, {int(counts.total.sum()):,} EDUs. Distance: EDUs between the "
        f"ends of the gold arc; there are {arcs}.",
        _PROTOCOL_NOTES[protocol],
    ]
    if corpus.failures:
        notes.append(
            f"{len(corpus.failures):,} more documents do not fit a model's window, or have a word without "
            f"pieces, and are left out of every row: {', '.join(corpus.failures)}."
        )
    problems = [
        f"{document.id}: {problem.removeprefix(document.where + ': ')}"
        for document in corpus.documents
        for problem in document.problems
    ]
    if problems:
        notes.append(
            "Not trees, but scored; an EDU without an annotated head is wrong, whatever its predicted head: "
            f"{'; '.join(problems)}."
        )
    if protocol == "wu2020":
        notes.append(f"Published: {published.CITATION}, Table 4, the test set of SciDTB.")
    return notes


def _as_sentences(documents: Sequence[Document]) -> Iterator[Sentence]:
    """Documents as sentences whose words are EDUs, for the digest."""
    from data import Sentence

    for document in documents:
        yield Sentence(id=document.id, words=document.edus, heads=document.heads)


if __name__ == "__main__":
    sys.exit(main())
