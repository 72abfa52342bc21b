"""Table 5 of Wu et al. (ACL 2020): accuracy and macro-F1 by source of trees, over seeds, with paired tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval, percent_interval
from analyses.published import CITATION, size_note
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, RowKind, Table, unknown_text
from analyses.trees.protocols import ProtocolName
from probe import __version__

if TYPE_CHECKING:
    from analyses.sentiment.training import Trained
    from data.absa import AspectItem

_PAPER_NAMES = {"lstm": "LSTM", "position": "PWCN+Pos", "dist-spacy": "PWCN+Dep"}
"""Where it is not ``PWCN+`` and the name."""
DatasetName: TypeAlias = Literal["laptop", "restaurant"]
COLUMNS = ("Accuracy", "Accuracy sd", "Macro-F1", "Macro-F1 sd")
RIVALS = ("position", "right-chain", "left-chain")
"""The rows that every other row is tested against: they know no tree."""
_RESAMPLES = 1000

PUBLISHED: dict[str, tuple[float, float, float, float]] = {
    "LSTM": (69.63, 63.51, 77.99, 66.91),
    "PWCN+Pos": (75.23, 71.71, 81.12, 71.81),
    "PWCN+Dep": (76.08, 72.02, 80.98, 72.28),
    "PWCN+Eisner": (75.99, 72.01, 81.21, 73.00),
    "PWCN+right-chain": (75.64, 71.53, 81.07, 72.51),
    "PWCN+left-chain": (74.39, 70.78, 80.82, 72.71),
    "PWCN+Dep (PWCN paper)": (76.12, 72.12, 80.96, 72.21),
    "PWCN+Dep (second machine)": (75.17, 70.66, 80.67, 71.92),
    "PWCN+Eisner (second machine)": (74.82, 70.90, 80.66, 72.16),
}
"""Accuracy and macro-F1 on laptops, then on restaurants."""


@dataclass(frozen=True, kw_only=True)
class System:
    """A row of ours before it is scored.

    Attributes:
        name: the source of its distances.
        kind: ``model`` where they come from a model's matrices, else ``baseline``.
        distances: what tells systems apart that give the same distances and are the same experiment.
        runs: one a seed, the same seeds in every system of a table.
        settings: how its trees were made.
        like_positions: share of the words whose distance is that of ``position``; None for the LSTM.
    """

    name: str
    kind: RowKind
    distances: str
    runs: tuple[Trained, ...]
    settings: Settings
    like_positions: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Figures of a system, in percent.

    Attributes:
        accuracy, f1: [seeds].
        correct: [items], share of the seeds that are right.
    """

    accuracy: NDArray[np.float64]
    f1: NDArray[np.float64]
    correct: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the rows of a table have in common.

    Attributes:
        data: name of the data.
        test: the test items.
        protocol: ``wu2020`` or ``fair``.
        notes: lines below the table.
        about: ``key:value`` parts of every signature, such as the embeddings.
        seed: of the bootstrap.
        model: the language model.
        unknown_words: how many words of the items its vocabulary does not know, of how many; None: it read none.
    """

    data: str
    test: Sequence[AspectItem]
    protocol: ProtocolName
    notes: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    seed: int = 0
    model: str = ""
    unknown_words: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What the tables show."""
        return f"Aspect sentiment on {self.data}, protocol {self.protocol}"

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each test item, polarity + 1."""
        return np.array([item.polarity + 1 for item in self.test], dtype=np.int64)


def score(labels: NDArray[np.int64], runs: Sequence[Trained]) -> Scored:
    """Accuracy and macro-F1 of each seed, in percent."""
    from analyses.sentiment.training import confusion, macro_f1

    correct = np.stack([run.by_accuracy == labels for run in runs])
    f1 = [100 * float(macro_f1(confusion(labels, run.by_f1))) for run in runs]
    return Scored(accuracy=100 * correct.mean(axis=1), f1=np.array(f1), correct=correct.mean(axis=0))


def f1_interval(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], *, resamples: int = _RESAMPLES, seed: int = 0
) -> Interval | None:
    """95% percentile bootstrap interval, over items, of the mean macro-F1 of several seeds, in percent.

    None of fewer than ``MIN_UNITS`` items.

    The resamples are those of ``analyses.bootstrap``: macro-F1 is no ratio of sums, so that one cannot be used.

    Args:
        labels: [items].
        predictions: [seeds, items].
        resamples: their number.
        seed: of the draws.
    """
    from analyses.sentiment.network import CLASSES
    from analyses.sentiment.training import macro_f1

    n, cells = len(labels), CLASSES**2
    if n < MIN_UNITS:
        return None
    rng = np.random.default_rng(seed)
    times = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(resamples)])
    values = np.zeros(resamples)
    for row in predictions:
        cell = np.eye(cells, dtype=np.int64)[CLASSES * labels + row]
        values += macro_f1((times @ cell).reshape(resamples, CLASSES, CLASSES))
    low, high = np.quantile(100 * values / len(predictions), (0.025, 0.975))
    return Interval(float(low), float(high))


def published_rows(dataset: DatasetName | None) -> tuple[Row, ...]:
    """The paper's figures for a data set; none for data of the user's own."""
    if dataset is None:
        return ()
    at = 0 if dataset == "laptop" else 2
    return tuple(
        Row(name=name, kind="published", cells=(Cell(values[at]), None, Cell(values[at + 1]), None))
        for name, values in PUBLISHED.items()
    )


def table(systems: Sequence[System], setting: Setting, *, dataset: DatasetName | None = None) -> Table:
    """One table a data set and protocol; the published figures only beside ``wu2020``, as they were made by it."""
    labels = setting.labels
    scored = [score(labels, system.runs) for system in systems]
    rows = [_row(system, found, setting) for system, found in zip(systems, scored, strict=True)]
    published = published_rows(dataset) if setting.protocol == "wu2020" else ()
    other = size_note(dataset, {"test items": len(labels)}) if published and dataset else []
    order: tuple[RowKind, ...] = ("baseline", "model")
    own = [row for kind in order for row in rows if row.kind == kind]
    return Table(
        title=f"{setting.title}, percent [95% interval]",
        columns=COLUMNS,
        rows=(*published, *own),
        other_data=bool(other),
        notes=(
            *setting.notes,
            *_unknown(setting),
            *([f"Published: {CITATION}, Table 5."] if published else []),
            *other,
            _SELECTION[setting.protocol],
            "sd: standard deviation over seeds. Intervals: bootstrap over test items, mean of the seeds.",
            *_same(systems),
            *_like_positions(systems),
            *_verdict(systems, scored),
        ),
    )


_SELECTION: dict[ProtocolName, str] = {
    "wu2020": "Selection on the test set: each seed's best accuracy and best macro-F1 there, taken separately.",
    "fair": "Selection by macro-F1 on a held-out tenth of the training set; the test set is read once.",
}


def _row(system: System, found: Scored, setting: Setting) -> Row:
    labels, seeds = setting.labels, [run.seed for run in system.runs]
    accuracy = percent_interval(found.correct, np.ones(len(labels)), resamples=_RESAMPLES, seed=setting.seed)
    f1 = f1_interval(labels, np.stack([run.by_f1 for run in system.runs]), seed=setting.seed)
    signature = Signature(
        data=setting.data,
        digest=items_sha256(setting.test),
        n=len(labels),
        version=__version__,
        protocol=setting.protocol,
        settings=system.settings,
        resamples=_RESAMPLES,
        seed=setting.seed,
        about=(f"seeds:{_range(seeds)}", *setting.about),
    )
    cells = (
        Cell.measured(float(found.accuracy.mean()), accuracy),
        _spread(found.accuracy),
        Cell.measured(float(found.f1.mean()), f1),
        _spread(found.f1),
    )
    return Row(
        name=system.name,
        kind=system.kind,
        cells=cells,
        signature=signature,
        unknown_words=setting.unknown_words if system.kind == "model" else None,
        published_as=_paper_name(system) if setting.protocol == "wu2020" else None,
    )


def _paper_name(system: System) -> str:
    """What Table 5 calls a source of trees."""
    return _PAPER_NAMES.get(system.name, f"PWCN+{system.name}")


def _range(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"


def _unknown(setting: Setting) -> list[str]:
    counts = setting.unknown_words or (0, 0)
    return [f"{setting.model}: {unknown_text(*counts)}."] if counts[0] else []


def _spread(values: NDArray[np.float64]) -> Cell | None:
    return Cell(float(values.std(ddof=1))) if len(values) > 1 else None


def _same(systems: Sequence[System]) -> list[str]:
    """Which systems are one experiment under several names."""
    groups: dict[str, list[str]] = {}
    for system in systems:
        groups.setdefault(system.distances, []).append(system.name)
    return [
        f"{', '.join(names)}: the same distances, so one experiment, trained once."
        for names in groups.values()
        if len(names) > 1
    ]


def _like_positions(systems: Sequence[System]) -> list[str]:
    """How much there is to compare: trees whose paths are as long as the way in words are chains."""
    shares = [
        f"{system.name} {100 * system.like_positions:.1f}"
        for system in systems
        if system.like_positions is not None and system.name not in RIVALS
    ]
    if not shares:
        return []
    return [f"Words outside the aspect with the distance of position, percent: {', '.join(shares)}."]


def rivals(systems: Sequence[System]) -> dict[str, str]:
    """Names of the systems that know no tree, by their distances: the first of those that are one experiment."""
    found: dict[str, str] = {}
    for system in systems:
        if system.name in RIVALS:
            found.setdefault(system.distances, system.name)
    return found


def _verdict(systems: Sequence[System], scored: Sequence[Scored]) -> list[str]:
    """Whether the differences between a tree and no tree exceed the spread over seeds."""
    by_distances = {system.distances: found for system, found in zip(systems, scored, strict=True)}
    gaps = [
        abs(float(found.f1.mean() - by_distances[distances].f1.mean()))
        for system, found in zip(systems, scored, strict=True)
        for distances in rivals(systems)
        if system.distances != distances and system.name not in (*RIVALS, "lstm")
    ]
    if not gaps or len(systems[0].runs) < 2:
        return []
    lstm = {system.distances for system in systems if system.name == "lstm"}
    spread = mean(stdev(found.f1.tolist()) for key, found in by_distances.items() if key not in lstm)
    verdict = "more" if max(gaps) > spread else "no more"
    return [
        f"The largest difference in macro-F1 between a tree and no tree, {max(gaps):.1f}, is {verdict} than "
        f"the mean standard deviation over seeds, {spread:.1f}."
    ]


def items_sha256(items: Sequence[AspectItem]) -> str:
    """SHA-256 of words, aspects and polarities, a line of JSON an item."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(json.dumps([item.words, item.aspect, item.polarity]).encode() + b"\n")
    return sha.hexdigest()
