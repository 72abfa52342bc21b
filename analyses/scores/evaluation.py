"""From trees to scores: a model's row, the rows of the baselines, and the table of them."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analyses.intervals import percent_interval
from analyses.scores.attachment import ArcCounts, count_arcs
from analyses.tables.signature import Score, Settings, Signature, digest, score_line
from analyses.tables.table import Cell, interval_notes
from analyses.tables.text import aligned
from analyses.trees.decoders import BASELINES, Heads
from analyses.trees.induction import Induced, Method, Outcome
from analyses.trees.protocols import (
    PROTOCOLS,
    ROOTS,
    ProtocolName,
    RootName,
    baseline_trees,
    gold_roots,
    scored_words,
)
from data import Sentence
from probe.registry import check_name

if TYPE_CHECKING:
    from pandas import DataFrame

    from probe import Probe
    from probe.source import ImpactSource


RANDOM_TREES = 10
"""Random trees drawn for each sentence; the random row is their mean."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One row of a table: scores in percent, the counts behind them, and what they were measured on.

    ``counts`` are per sentence; those of the random row are summed over ``RANDOM_TREES`` trees a sentence.
    ``unknown_words`` says how many words the model's vocabulary does not know, of how many; None for baselines.
    """

    name: str
    uas: Score
    uuas: Score
    ned: Score
    counts: ArcCounts
    signature: Signature
    unknown_words: tuple[int, int] | None = None

    @property
    def scores(self) -> tuple[Score, Score, Score]:
        """UAS, UUAS and NED."""
        return self.uas, self.uuas, self.ned

    def __str__(self) -> str:
        """One line a score, each with the signature."""
        return "\n".join(score_line(score, self.signature) for score in self.scores)

    def _repr_html_(self) -> str:
        """The lines for a notebook."""
        return f'<pre style="font-family:monospace">{html.escape(self.name)}\n{html.escape(str(self))}</pre>'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(f"{self.name}\n{self}")

    def to_frame(self) -> DataFrame:
        """The scores as a pandas frame: a row a measure; ``value``, ``low``, ``high`` in percent, and ``n``."""
        import pandas

        none = (float("nan"), float("nan"))
        ends = [(each.low, each.high) if (each := score.interval) else none for score in self.scores]
        rows = [(score.value, *pair, score.n) for score, pair in zip(self.scores, ends, strict=True)]
        index = pandas.Index([score.name for score in self.scores], name="measure")
        return pandas.DataFrame(rows, columns=["value", "low", "high", "n"], index=index)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form: name, scores and signature, without the counts per sentence."""
        return {
            "name": self.name,
            "scores": [score.as_dict() for score in self.scores],
            "signature": self.signature.as_dict(),
            **({} if self.unknown_words is None else {"unknown_words": list(self.unknown_words)}),
        }


def evaluate(
    sentences: Sequence[Sentence],
    predicted: Sequence[ArrayLike],
    *,
    name: str,
    data: str,
    version: str,
    protocol: ProtocolName,
    root: RootName,
    settings: Settings | None = None,
    skipped: int = 0,
    seed: int = 0,
    resamples: int = 1000,
) -> Evaluation:
    """Score predicted trees against gold trees under a protocol, with 95% bootstrap intervals.

    Args:
        sentences: the gold sentences.
        predicted: heads of each sentence, int [n], as ``analyses.decode`` returns them.
        name: of the row.
        data: name of the data for the signature.
        version: of this project, for the signature.
        protocol: ``wu2020`` or ``fair``; decides which words are scored.
        root: ``gold`` if the decoder was given the gold root (always under ``wu2020``), else ``predicted``.
        settings: how the trees were made, for the signature.
        skipped: how many sentences could not be probed and are not among these, for the signature.
        seed: of the bootstrap over sentences.
        resamples: of the bootstrap.

    Raises:
        ValueError: for an unknown name, trees that do not fit the sentences, missing gold heads, missing UPOS
            under ``fair``, or if no arc at all is scored.
    """
    return evaluate_runs(
        sentences,
        [predicted],
        name=name,
        data=data,
        version=version,
        protocol=protocol,
        root=root,
        settings=settings,
        skipped=skipped,
        seed=seed,
        resamples=resamples,
    )


def evaluate_runs(
    sentences: Sequence[Sentence],
    runs: Sequence[Sequence[ArrayLike]],
    *,
    name: str,
    data: str,
    version: str,
    protocol: ProtocolName,
    root: RootName,
    settings: Settings | None = None,
    skipped: int = 0,
    seed: int = 0,
    resamples: int = 1000,
) -> Evaluation:
    """Mean scores of several runs on the same sentences, as :func:`evaluate` scores one.

    The counts are summed over the runs, sentence by sentence; the bootstrap draws sentences, not runs.

    Args:
        runs: predicted trees of each run; at least one run.
        sentences, name, data, version, protocol, root, settings, skipped, seed, resamples: as :func:`evaluate`.

    Raises:
        ValueError: as :func:`evaluate`, or if there is no run.
    """
    if not runs:
        raise ValueError("expected at least one run, found none")
    about: Any = {"data": data, "version": version, "protocol": protocol, "root": root, "skipped": skipped}
    signature = _signature(sentences, **about, seed=seed, resamples=resamples)
    signature = replace(signature, settings=settings or Settings())
    counts = [_counts(sentences, predicted, protocol) for predicted in runs]
    return _evaluation(name, counts, signature, seed=seed, resamples=resamples)


def baseline_rows(
    sentences: Sequence[Sentence],
    *,
    data: str,
    version: str,
    protocol: ProtocolName,
    root: RootName,
    skipped: int = 0,
    seed: int = 0,
    resamples: int = 1000,
) -> tuple[Evaluation, ...]:
    """Evaluate left-chain, right-chain, adjacent and random trees under the same protocol as a model.

    With ``root="gold"`` the baselines are given the gold root, as the model is. ``random`` is the mean over
    ``RANDOM_TREES`` uniformly random projective trees a sentence, drawn from ``seed``.

    Raises:
        ValueError: as :func:`evaluate`.
        data.DataError: if a gold root is needed and the gold heads are no tree with one root.
    """
    about: Any = {"data": data, "version": version, "protocol": protocol, "root": root, "skipped": skipped}
    signature = _signature(sentences, **about, seed=seed, resamples=resamples)
    roots = gold_roots(sentences) if root == "gold" else None
    lengths = [len(sentence.words) for sentence in sentences]
    rng = np.random.default_rng(seed)
    rows = []
    for name in BASELINES:
        draws = [
            baseline_trees(lengths, protocol=protocol, name=name, roots=roots, seed=rng)
            for _ in range(RANDOM_TREES if BASELINES[name].random else 1)
        ]
        counts = [_counts(sentences, trees, protocol) for trees in draws]
        own_signature = replace(signature, settings=Settings(decoder=name))
        rows.append(_evaluation(name, counts, own_signature, seed=seed, resamples=resamples))
    return tuple(rows)


def table(rows: Sequence[Evaluation]) -> str:
    """Plain-text table with aligned columns: name, then UAS, UUAS and NED as ``41.7 [40.9, 42.5]``."""
    header = ["", *(f"{metric} [95% interval]" for metric in ("UAS", "UUAS", "NED"))]
    lines = [header, *([row.name, *(score.cell() for score in row.scores)] for row in rows)]
    cells = (Cell.measured(score.value, score.interval) for row in rows for score in row.scores)
    return "\n".join((aligned(lines), *interval_notes(cells)))


def _signature(
    sentences: Sequence[Sentence],
    *,
    data: str,
    version: str,
    protocol: ProtocolName,
    root: RootName,
    skipped: int,
    seed: int,
    resamples: int,
) -> Signature:
    """Check the names and write the signature that all rows on these sentences share."""
    check_name("protocol", protocol, PROTOCOLS)
    check_name("root", root, ROOTS)
    if protocol == "wu2020" and root != "gold":
        raise ValueError("expected root gold, since protocol wu2020 gives it to the decoder, found predicted")
    return Signature(
        data=data,
        digest=digest(sentences),
        root=root,
        punct="scored" if protocol == "wu2020" else "unscored",
        n=len(sentences),
        skipped=skipped or None,
        version=version,
        protocol=protocol,
        resamples=resamples,
        seed=seed,
    )


def _counts(
    sentences: Sequence[Sentence], predicted: Sequence[ArrayLike], protocol: ProtocolName
) -> ArcCounts:
    """Count the arcs that the protocol scores."""
    gold = []
    for sentence in sentences:
        if sentence.heads is None:
            raise ValueError(f"{sentence.where}: sentence {sentence.id}: expected gold heads, found none")
        gold.append(sentence.heads)
    return count_arcs(gold, predicted, scored=[scored_words(sentence, protocol) for sentence in sentences])


def _evaluation(
    name: str, draws: Sequence[ArcCounts], signature: Signature, *, seed: int, resamples: int
) -> Evaluation:
    """Make a row of one or more counts of the same sentences, which are summed."""
    counts = ArcCounts(
        total=np.sum([draw.total for draw in draws], axis=0),
        directed=np.sum([draw.directed for draw in draws], axis=0),
        undirected=np.sum([draw.undirected for draw in draws], axis=0),
        ned=np.sum([draw.ned for draw in draws], axis=0),
    )

    def score(metric: str, correct: NDArray[np.int64]) -> Score:
        interval = percent_interval(correct, counts.total, seed=seed, resamples=resamples)
        return Score(
            name=metric,
            value=float(100 * correct.sum() / counts.total.sum()),
            interval=interval,
            n=signature.n,
        )

    return Evaluation(
        name=name,
        uas=score("UAS", counts.directed),
        uuas=score("UUAS", counts.undirected),
        ned=score("NED", counts.ned),
        counts=counts,
        signature=signature,
    )


def evaluation_rows(
    induced: Sequence[tuple[Sentence, Heads]],
    model: ImpactSource | None,
    method: Method,
    *,
    data: str,
    version: str,
    skipped: int = 0,
    rerun: Callable[[Probe], Iterable[Outcome]] | None = None,
) -> list[Evaluation]:
    """A model's row below those of the baselines, and of the same architecture with random weights.

    Args:
        induced: gold sentences with their induced heads.
        model: what they were induced with; None for a baseline decoder.
        method: how.
        data: name of the data, for the signature.
        version: of this project, for the signature.
        skipped: how many sentences could not be probed, for the signature.
        rerun: induces trees for the same sentences with the model it is given. None leaves random weights out,
            and so does a run directory in the place of a model.

    Raises:
        ValueError, data.DataError: as ``analyses.evaluate``.
        probe.ProbeError: random weights could not parse a sentence that the model could.
    """
    from probe import Probe, ProbeError

    sentences = [sentence for sentence, _ in induced]
    common: Any = {
        "data": data,
        "version": version,
        "protocol": method.protocol,
        "root": method.root,
        "skipped": skipped,
        "seed": method.seed,
    }
    rows = list(baseline_rows(sentences, **common))
    if rerun is not None and isinstance(model, Probe):
        blank = model.with_random_weights(seed=method.seed)
        trees = [outcome.heads for outcome in rerun(blank) if isinstance(outcome, Induced)]
        if len(trees) != len(sentences):
            raise ProbeError(f"random weights could parse only {len(trees)} of {len(sentences)} sentences")
        rows.append(
            evaluate(
                sentences, trees, name="random weights", settings=method.settings(blank, sentences), **common
            )
        )
    name = method.decoder if model is None else model.name
    trees = [heads for _, heads in induced]
    rows.append(evaluate(sentences, trees, name=name, settings=method.settings(model, sentences), **common))
    return rows
