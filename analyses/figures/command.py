"""Figures: ``probe figures NAME ... --model bert --out DIR``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from analyses.dependency import command as dependency
from analyses.figures.sentence import Example, own_example, published_example, treebank_example
from analyses.pictures.style import FORMATS, save, style
from analyses.tables.forms import read_table
from analyses.tables.table import of_layers, shared_signature
from analyses.trees.decoders import CONSTITUENT_DECODERS, DECODERS
from analyses.trees.protocols import PROTOCOLS
from probe import __version__
from probe.command_line import (
    DONE,
    SOME_FAILED,
    Parser,
    UsageError,
    add_device_options,
    exit_code,
    layer_name,
    option_type,
    positive,
    whole_number,
)
from probe.metrics import METRICS
from probe.options import POOLS
from probe.perturbations import PERTURBATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.tables.signature import Signature
    from analyses.tables.table import Table
    from probe import ImpactMatrix, Probe

Drawn: TypeAlias = "Iterator[tuple[str, Figure]]"
"""File names without suffix, and figures."""

TREEBANKS = ("ud/en_pud-wu2020.conllu", "ud/en_pud-ud-test.conllu")
"""Where a treebank is looked for in the folder of ``--data``, the first that is there is read."""


class NoResults(Exception):
    """A figure of result files that are not there; the message says which command makes them."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe figures",
        description="Figures as PDF, SVG and PNG: the same bytes for the same input.",
        failures="some sentences failed",
    )
    add = parser.add_argument
    add("names", nargs="+", choices=("all", *FIGURES), metavar="NAME", help=f"all, {', '.join(FIGURES)}")
    add("--out", type=Path, metavar="DIR", required=True, help="where the files go")
    add("--formats", nargs="+", choices=FORMATS, default=FORMATS, help="default: all three")
    add("--results", type=Path, metavar="DIR", help="files that the analyses wrote with --out")
    add(
        "--data", type=Path, metavar="PATH", help="a treebank in CoNLL-U, or a folder with ud/en_pud-*.conllu"
    )
    add("--limit", type=positive, metavar="N", help="only the first N sentences of the treebank")
    sentence = parser.add_mutually_exclusive_group()
    sentence.add_argument("--text", help="sentence of heatmap, arcs, tree: words and spaces")
    sentence.add_argument("--sentence", metavar="ID", help="or the one of the treebank with this sent_id")
    add("--model", default="bert", help="bert (the embedded model, default), a directory or a hub id")
    add("--layers", nargs="+", type=layer_name, default=["best"], help="indices, all or best (default)")
    add(
        "--metric",
        type=option_type(METRICS.resolve),
        default="dist",
        help=f"{', '.join(METRICS)}; default: dist",
    )
    add("--pool", choices=(*POOLS, "best"), default="best", help="default: best")
    add(
        "--perturb",
        type=option_type(PERTURBATIONS.resolve),
        default="pair",
        help=f"{', '.join(PERTURBATIONS)}; default: pair",
    )
    add("--protocol", choices=PROTOCOLS, default="fair", help="of the scores (default: fair)")
    add(
        "--decoder",
        type=option_type(DECODERS.resolve),
        default="eisner",
        metavar="NAME",
        help=f"of dependency trees: {', '.join(DECODERS)} (default: eisner)",
    )
    add(
        "--tree-decoder",
        type=option_type(CONSTITUENT_DECODERS.resolve),
        default="chart-row",
        metavar="NAME",
        help=f"of constituents: {', '.join(CONSTITUENT_DECODERS)} (default: chart-row)",
    )
    add("--matrices", type=positive, default=1000, metavar="N", help="random matrices for bias")
    add("--seed", type=whole_number, default=0, help="of the bootstrap (default: 0)")
    add_device_options(parser, batch_tokens=False)
    add("--quiet", action="store_true", help="no progress bar, no list of the files")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _say
        return exit_code(parser.prog, lambda: _run(args))


def _say(message: Warning | str, *about: object, **more: object) -> None:
    """A warning, such as one of characters without a font, as a line."""
    print(f"figures: {message}", file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    for option, path in (("--data", args.data), ("--results", args.results)):
        if path is not None and not path.exists():  # also where no figure that is named reads it
            raise UsageError(f"{option} {path}: no such file or folder")
    args.out.mkdir(parents=True, exist_ok=True)
    named = [name for name in FIGURES if name in args.names]
    job = Job(args)
    for name in FIGURES if "all" in args.names else named:
        try:
            with style():
                drawn = list(FIGURES[name](job))
        except NoResults as error:
            if name in named:
                raise UsageError(f"{name}: {error}") from error
            print(f"figures: {name} left out: {error}", file=sys.stderr)
            continue
        for stem, figure in drawn:
            for path in save(figure, args.out / stem, formats=args.formats):
                if not args.quiet:
                    print(path)
    return SOME_FAILED if job.some_failed else DONE


class Job:
    """What the figures of one run share; model and scores are made when they are first asked for."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.some_failed = args, False

    @cached_property
    def model(self) -> Probe:
        """The model."""
        from probe.loading import load

        return load(self.args.model, device=self.args.device, dtype=self.args.dtype)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """The layers of ``--layers``, resolved."""
        given = self.args.layers
        if len(given) > 1 and not all(isinstance(layer, int) for layer in given):
            raise UsageError("--layers: all and best stand alone")
        layer: Any = given if isinstance(given[0], int) else given[0]
        return self.model.resolve(metric=self.args.metric, layer=layer).layers

    @cached_property
    def treebank(self) -> Path | None:
        """The file of the treebank; None for the bundled sample."""
        path: Path | None = self.args.data
        if path is None or not path.is_dir():
            return path
        for place in TREEBANKS:
            if (path / place).is_file():
                return path / place
        raise UsageError(f"--data: a folder with {' or '.join(TREEBANKS)} is expected, found {path}")

    @cached_property
    def example(self) -> Example:
        """The sentence of heatmap, arcs and tree."""
        import data

        if self.args.text is not None:
            return own_example(self.args.text)
        if self.args.sentence is None:
            return published_example()
        if self.treebank is None:
            return treebank_example(data.load_sample(), "sample", self.args.sentence)
        sentences = list(data.read_conllu(self.treebank))
        return treebank_example(sentences, self.treebank.stem, self.args.sentence)

    def matrices(self, words: Sequence[str]) -> list[ImpactMatrix]:
        """One impact matrix of the words for each layer."""
        found: Any = self.model.impact(
            words,
            metric=self.args.metric,
            layer=list(self.layers),
            pool=self.args.pool,
            perturb=self.args.perturb,
        )
        return list(found)

    def signature(self, matrix: ImpactMatrix, *, decoder: str | None = None, **about: Any) -> Signature:
        """How a picture of one sentence was made."""
        from analyses.tables.signature import Signature, digest
        from analyses.trees.variants import Variant

        sentence = self.example.sentence
        variant = Variant(matrix.metric, matrix.layer, matrix.pool, matrix.perturb)
        return Signature(
            data=f"{self.example.name}:{sentence.id}",
            digest=digest([sentence]),
            n=1,
            version=__version__,
            settings=replace(variant.settings(self.model, decoder=""), decoder=decoder),
            **about,
        )

    def stem(self, name: str, layer: int) -> str:
        """The file name of a picture; with the layer where there are several."""
        return f"{name}-layer-{layer}" if len(self.layers) > 1 else name

    @cached_property
    def results(self) -> dict[str, Table]:
        """The tables of dependency trees by the stems of their files: those of ``--results``, or made now."""
        if self.args.results is not None:
            return {
                path.stem: read_table(path) for path in sorted(self.args.results.glob("dependency-*.json"))
            }
        given = [
            *("--model", self.args.model, "--layers", "all", "--metrics", self.args.metric),
            *("--pools", self.args.pool, "--perturb", self.args.perturb, "--decoders", self.args.decoder),
            *("--protocol", self.args.protocol, "--by", "length", "relation", "--seeds", "0"),
            *("--seed", self.args.seed, "--device", self.args.device, "--dtype", self.args.dtype),
            *(["--data", self.treebank] if self.treebank is not None else []),
            *(["--limit", self.args.limit] if self.args.limit is not None else []),
            *(["--quiet"] if self.args.quiet else []),
        ]
        options = dependency.build_parser().parse_args([str(value) for value in given])
        found, failed = dependency.measure(options)
        self.some_failed = failed > 0
        return dict(found)

    def tables(self, suffix: str) -> list[tuple[str, Table]]:
        """The tables ``dependency-CORPUS-PROTOCOL SUFFIX`` of the results, with the name of their corpus."""
        ending = f"-{self.args.protocol}{suffix}"
        found = {stem: table for stem, table in self.results.items() if stem.endswith(ending)}
        if not found:
            command = "probe dependency --layers all --by length relation --out DIR"
            raise NoResults(f"{self.args.results}: no dependency-*{ending}.json there, which {command} makes")
        return [
            (stem.removeprefix("dependency-").removesuffix(ending), table) for stem, table in found.items()
        ]

    def written(self, pattern: str, command: str) -> list[Path]:
        """Files of ``--results`` that another command writes there."""
        folder = self.args.results
        paths = [] if folder is None else sorted(folder.glob(pattern))
        if not paths:
            where = "--results is not given" if folder is None else f"{folder}: no {pattern} there"
            raise NoResults(f"{where}; probe {command} --out DIR makes such files")
        return paths

    def recall(self, group: str) -> Iterator[tuple[str, Table, str]]:
        """Corpus, recall table and signature; of the model's columns those of the layers asked for."""
        scores = dict(self.tables(""))
        for corpus, table in self.tables(f"-by-{group}"):
            signature = shared_signature(scores[corpus]) if corpus in scores else ""
            yield corpus, of_layers(table, self.layers), signature


# --- the figures


def _heatmap(job: Job) -> Drawn:
    from analyses.pictures.heatmap import heatmap

    words = job.example.sentence.words
    for matrix in job.matrices(words):
        signature = str(job.signature(matrix))
        figure = heatmap(words, matrix.values, label=f"impact ({matrix.metric})", signature=signature)
        yield job.stem("heatmap", matrix.layer), figure


def _arcs(job: Job) -> Drawn:
    from analyses.pictures.arcs import arcs
    from analyses.trees.protocols import decode

    example = job.example
    for matrix in job.matrices(example.sentence.words):
        (heads,) = decode([matrix], protocol="fair", decoder=job.args.decoder)
        signature = job.signature(
            matrix, decoder=job.args.decoder, protocol="fair", root="predicted", punct="unscored"
        )
        figure = arcs(
            example.sentence.words,
            heads,
            gold=example.sentence.heads,
            scored=example.scored,
            signature=str(signature),
        )
        yield job.stem("arcs", matrix.layer), figure


def _tree(job: Job) -> Drawn:
    import numpy as np

    from analyses.pictures.constituents import trees

    example = job.example
    for matrix in job.matrices(example.constituents):
        (tree,) = CONSTITUENT_DECODERS[job.args.tree_decoder].decode([matrix.values.astype(np.float64)])
        signature = job.signature(matrix, decoder=job.args.tree_decoder, protocol="fair")
        figure = trees(example.constituents, tree.spans, gold=example.brackets, signature=str(signature))
        yield job.stem("tree", matrix.layer), figure


def _by_layer(job: Job) -> Drawn:
    from analyses.dependency.figures import by_layer

    for corpus, table in job.tables(""):
        yield f"uas-by-layer-{corpus}", by_layer(table)


def _by_distance(job: Job) -> Drawn:
    from analyses.dependency.figures import by_distance

    for corpus, table, signature in job.recall("length"):
        yield f"accuracy-by-distance-{corpus}", by_distance(table, signature=signature)


def _by_relation(job: Job) -> Drawn:
    from analyses.dependency.figures import by_relation

    for corpus, table, signature in job.recall("relation"):
        yield f"recall-by-relation-{corpus}", by_relation(table, signature=signature)


def _bias(job: Job) -> Drawn:
    from analyses.constituency.bias import measure_bias
    from analyses.constituency.bias_tables import figure, signature

    settings: dict[str, Any] = {"matrices": job.args.matrices, "scale": 1.0, "seed": job.args.seed}
    rows = [
        row
        for n in (5, 10, 20, 40)
        for decoder in CONSTITUENT_DECODERS
        for row in measure_bias(decoder, n, **settings)
    ]
    yield "bias", figure(rows, signature=signature(settings))


def _geometry(job: Job) -> Drawn:
    from analyses.geometry.figures import measures_by_layer

    measures = (
        "anisotropy", "self-similarity adjusted", "intra-sentence adjusted", "MEV matched", "MEV adjusted",
        "explained as released",
    )  # fmt: skip
    paths = [*job.written("geometry-*.json", "geometry"), *job.written("mev-*.json", "geometry")]
    tables = [read_table(path) for path in paths if "-by-" not in path.name]
    yield "geometry", measures_by_layer(tables, measures)


def _lama(job: Job) -> Drawn:
    from analyses.knowledge.figures import facts_by_relation

    for path in job.written("knowledge-*-by-relation*.json", "knowledge"):
        yield path.stem.replace("knowledge-", "lama-"), facts_by_relation(read_table(path))


def _sentiment(job: Job) -> Drawn:
    from analyses.sentiment.figure import plot, read_scores

    for path in job.written("sentiment-*-seeds.csv", "sentiment"):
        try:
            scores = read_scores(path)
        except ValueError as error:
            raise UsageError(str(error)) from error
        table = read_table(path.with_name(path.name.replace("-seeds.csv", ".json")))
        yield path.stem, plot(scores, signature=shared_signature(table))


FIGURES: dict[str, Callable[[Job], Drawn]] = {
    "heatmap": _heatmap,
    "tree": _tree,
    "arcs": _arcs,
    "uas-by-layer": _by_layer,
    "accuracy-by-distance": _by_distance,
    "recall-by-relation": _by_relation,
    "geometry": _geometry,
    "lama": _lama,
    "sentiment": _sentiment,
    "bias": _bias,
}
"""The figures by name, in the order of ``all``."""
