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

from analyses.experiments import EXPERIMENTS
from analyses.figures.sentence import Example, own_example, published_example, treebank_example
from analyses.options import add_method, add_protocol, experiment_main
from analyses.pictures.fonts import MissingFont
from analyses.pictures.style import FORMATS, save, style
from analyses.tables.results import CONFIGURATION, Ran
from analyses.trees.adjust import NONE, adjust
from analyses.trees.decoders import CONSTITUENT_DECODERS, DECODERS
from analyses.trees.methods import METHODS
from data.sources import PUD
from probe import __version__
from probe.command_line import (
    Parser,
    UsageError,
    positive,
)
from probe.inputs import say_guess
from probe.metrics import METRICS
from probe.option_groups import (
    ImpactOptions,
    InputOptions,
    ModelOptions,
    OutputOptions,
    RandomOptions,
    known,
    one_of,
)
from probe.source import EMBEDDED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.tables.signature import Signature
    from analyses.tables.table import Table
    from probe import ImpactMatrix, Probe

Drawn: TypeAlias = "Iterator[tuple[str, Figure]]"
"""File names without suffix, and figures."""


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
    drawn = list(figures())
    add("names", nargs="+", choices=("all", *drawn), metavar="NAME", help=f"all, {', '.join(drawn)}")
    add(
        "--formats",
        nargs="+",
        default=FORMATS,
        help=f"{', '.join(FORMATS)} (default: all)",
        **known("format", FORMATS),
    )
    add("--results", type=Path, metavar="DIR", help="files that the analyses wrote with --out")
    text = "a treebank in CoNLL-U, or a folder with ud/en_pud-*.conllu"
    InputOptions.add(parser, help=text, limit="sentences of the treebank")
    sentence = parser.add_mutually_exclusive_group()
    sentence.add_argument("--text", help="sentence of heatmap, arcs, tree, steps: words and spaces")
    sentence.add_argument("--sentence", metavar="ID", help="or the one of the treebank with this sent_id")
    ModelOptions.add(parser, default=EMBEDDED, batch_tokens=False)
    ImpactOptions.add(parser, several=("layer",))
    add_protocol(parser, several=False)
    trees = parser.group("trees")
    text = f"of dependency trees: {', '.join(DECODERS)} (default: eisner)"
    trees.add_argument("--decoder", default="eisner", help=text, **one_of(DECODERS))
    text = f"of constituents: {', '.join(CONSTITUENT_DECODERS)} (default: that of --method, or chart-row)"
    trees.add_argument("--tree-decoder", help=text, **one_of(CONSTITUENT_DECODERS))
    add_method(parser, several=False)
    add("--random-matrices", type=positive, default=1000, metavar="N", help="random matrices for bias")
    RandomOptions.add(parser, of="the bootstrap")
    OutputOptions.add(parser, out="where the files go", required=True)
    parser.rename(matrices="--random-matrices")
    return parser


def _say_once() -> Callable[..., None]:
    """Says warnings as lines, and which fonts are missing once in a run."""
    said: set[str] = set()

    def say(message: Warning | str, *about: object, **more: object) -> None:
        about = message.fonts if isinstance(message, MissingFont) else (str(message),)
        if not said.issuperset(about):
            said.update(about)
            print(f"figures: {message}", file=sys.stderr)

    return say


def run(args: argparse.Namespace) -> Ran:
    """Draw what the options ask for into ``--out``; there are no tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", MissingFont)
        warnings.showwarning = _say_once()
        return _draw(args)


def _draw(args: argparse.Namespace) -> Ran:
    for option, path in (("--data", args.data), ("--results", args.results)):
        if path is not None and not path.exists():  # also where no figure that is named reads it
            raise UsageError(f"{option} {path}: no such file or folder")
    args.out.mkdir(parents=True, exist_ok=True)
    known = figures()
    named = [name for name in known if name in args.names]
    job = Job(args)
    for name in known if "all" in args.names else named:
        try:
            with style():
                drawn = list(known[name](job))
        except NoResults as error:
            if name in named:
                raise UsageError(f"{name}: {error}") from error
            print(f"figures: {name} left out: {error}", file=sys.stderr)
            continue
        for stem, figure in drawn:
            for path in save(figure, args.out / stem, formats=args.formats):
                if not args.quiet:
                    print(path)
    return Ran(failed=job.some_failed)


class Job:
    """What the figures of one run share; model and scores are made when they are first asked for."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.some_failed = args, False
        self._made: dict[str, dict[str, Table]] = {}

    @cached_property
    def model(self) -> Probe:
        """The model."""
        from probe.loading import load

        model = load(self.args.model, device=self.args.device, dtype=self.args.dtype)
        say_guess(model, self.args)
        return model

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """The layers of ``--layer``, resolved."""
        layer = ImpactOptions.of(self.args).chosen_layers
        return self.model.resolve(metric=self.args.metric, layer=layer, perturb=self.args.perturb).layers

    @cached_property
    def treebank(self) -> Path | None:
        """The file of the treebank; None for the bundled sample."""
        path: Path | None = self.args.data
        if path is None or not path.is_dir():
            return path
        if (found := PUD.find(path)) is not None:
            return found
        raise UsageError(f"--data: a folder with {' or '.join(PUD.places)} is expected, found {path}")

    @cached_property
    def example(self) -> Example:
        """The sentence of heatmap, arcs, tree and steps."""
        import data

        if self.args.text is not None:
            return own_example(self.args.text)
        if self.args.sentence is None:
            return published_example()
        if self.treebank is None:
            return treebank_example(data.load_sample(), "sample", self.args.sentence)
        sentences = list(data.read_conllu(self.treebank))
        return treebank_example(sentences, self.treebank.stem, self.args.sentence)

    def matrices(self, words: Sequence[str], adjustment: str = NONE) -> list[ImpactMatrix]:
        """One impact matrix of the words for each layer, with what the adjustment will read."""
        from analyses.trees.variants import openness_choice

        found: Any = self.model.impact(
            words,
            metric=self.args.metric,
            layer=list(self.layers),
            pool=self.args.pool,
            perturb=self.args.perturb,
            attention=self.args.attention,
            openness=openness_choice(self.model, [adjustment], self.args.openness_from),
        )
        return list(found)

    @property
    def of_constituents(self) -> tuple[str, str]:
        """Decoder and adjustment of constituents: those that are given, or of ``--method``."""
        preset = None if self.args.method is None else METHODS[self.args.method]
        own = preset is not None and self.args.adjust == preset.adjust
        adjustment = preset.adjust_constituents if preset is not None and own else self.args.adjust
        return self.args.tree_decoder or (preset.constituents if preset else "chart-row"), adjustment

    def signature(
        self,
        matrix: ImpactMatrix,
        *,
        decoder: str | None = None,
        adjustment: str = NONE,
        **about: Any,
    ) -> Signature:
        """How a picture of one sentence was made."""
        from analyses.tables.signature import Signature, digest
        from analyses.trees.variants import Variant

        sentence = self.example.sentence
        variant = Variant(
            matrix.metric,
            matrix.layer,
            matrix.pool,
            matrix.perturb,
            adjustment,
            attention=matrix.attention,
        )
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

    def once(self, name: str, make: Callable[[Job], dict[str, Table]]) -> dict[str, Table]:
        """What several figures of a run are drawn from: made when the first of them asks."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]

    def found(self, pattern: str, *, step: str) -> list[Path]:
        """Files of ``--results``, none where it is not given; in the folder of reproduce those of a step."""
        folder: Path | None = self.args.results
        if folder is None:
            return []
        return sorted((folder / step if (folder / CONFIGURATION).is_file() else folder).glob(pattern))

    def written(self, pattern: str, *, step: str, command: str) -> list[Path]:
        """The same; refused where there is none, with the command that makes such files."""
        if paths := self.found(pattern, step=step):
            return paths
        folder = self.args.results
        where = "--results is not given" if folder is None else f"{folder}: no {pattern} there"
        raise NoResults(f"{where}; probe {command} --out DIR makes such files")


# --- the figures


def _heatmap(job: Job) -> Drawn:
    from analyses.pictures.heatmap import heatmap

    words = job.example.sentence.words
    for matrix in job.matrices(words):
        signature = str(job.signature(matrix))
        figure = heatmap(words, matrix.values, label=METRICS[matrix.metric].label, signature=signature)
        yield job.stem("heatmap", matrix.layer), figure


def _arcs(job: Job) -> Drawn:
    from analyses.pictures.arcs import arcs
    from analyses.trees.protocols import decode

    example, adjustment = job.example, job.args.adjust
    for matrix in job.matrices(example.sentence.words, adjustment):
        (heads,) = decode([adjust(matrix, adjustment)], protocol="fair", decoder=job.args.decoder)
        signature = job.signature(
            matrix,
            decoder=job.args.decoder,
            adjustment=adjustment,
            protocol="fair",
            root="predicted",
            punct="unscored",
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
    decoder, adjustment = job.of_constituents
    for matrix in job.matrices(example.constituents, adjustment):
        values = adjust(matrix, adjustment).values.astype(np.float64)
        (tree,) = CONSTITUENT_DECODERS[decoder].decode([values])
        signature = job.signature(matrix, decoder=decoder, adjustment=adjustment, protocol="fair")
        figure = trees(example.constituents, tree.spans, gold=example.brackets, signature=str(signature))
        yield job.stem("tree", matrix.layer), figure


def _steps(job: Job) -> Drawn:
    from analyses.pictures.steps import steps
    from analyses.trees.adjust import AdjustedMatrix
    from analyses.trees.arc_scores import fair_scores

    words, adjustment, about = job.example.sentence.words, job.args.adjust, {"protocol": "fair"}
    for matrix in job.matrices(words, adjustment):
        adjusted = AdjustedMatrix.of(adjust(matrix, adjustment))
        scores = fair_scores(adjusted.values, adjusted.root)
        (heads,) = DECODERS[job.args.decoder].decode([scores])
        signature = job.signature(matrix, decoder=job.args.decoder, adjustment=adjustment, **about)
        label = METRICS[matrix.metric].label
        figure = steps(words, matrix.values, scores, heads.tolist(), label=label, signature=str(signature))
        yield job.stem("steps", matrix.layer), figure


SENTENCE: dict[str, Callable[[Job], Drawn]] = {
    "heatmap": _heatmap,
    "tree": _tree,
    "arcs": _arcs,
    "steps": _steps,
}
"""The figures of one sentence, by name."""


def figures() -> dict[str, Callable[[Job], Drawn]]:
    """All figures by name, in the order of ``all``: those of a sentence, then those of the experiments."""
    drawings = [drawing for experiment in EXPERIMENTS.values() for drawing in experiment.figures]
    return SENTENCE | {drawing.name: drawing.draw for drawing in drawings}


main = experiment_main(build_parser, run)
