"""The table of the grid: a row a model, with what stays of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyses.compression.measures import METHOD, Corpora, Measured
from analyses.compression.pruning import Cell as Place
from analyses.constituency.scores import Columns, baseline_hits
from analyses.intervals import MIN_UNITS, bootstrap, percent_interval
from analyses.scores.evaluation import baseline_rows
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, Table
from probe import __version__

if TYPE_CHECKING:
    from probe.model import Probe

COLUMNS = (
    "width",
    "depth",
    "weights (M)",
    "speed",
    "UAS",
    "UUAS",
    "F1",
    "masked",
    "pairs",
    "correlation",
)
SHARES = ("UAS", "UUAS", "F1", "masked", "pairs")
"""Columns in percent."""
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A model of the table; several draws or seeds are one, with their mean.

    Attributes:
        name: of its row.
        cell: its place in the grid; None for random weights.
        measured: one each draw or seed.
        at_random: whether heads and neurons were drawn.
    """

    name: str
    cell: Place | None
    measured: tuple[Measured, ...]
    at_random: bool = False


def grid_table(
    whole: Probe, entries: Sequence[Entry], corpora: Corpora, *, ranked: int, args: argparse.Namespace
) -> Table:
    """The table of all models, chains and random ones first.

    Args:
        whole: the model that the others are cut out of.
        entries: the models.
        corpora: what they are measured on.
        ranked: sentences that ranked heads and neurons.
        args: options of the command.
    """
    signature = Signature(
        data=corpora.treebank.name,
        digest=corpora.digest(),
        root="predicted",
        punct="unscored",
        n=len(corpora.treebank.items),
        skipped=corpora.skipped or None,
        version=__version__,
        protocol="fair",
        settings=Settings(
            decoder=METHOD.decoder,
            model=whole.name,
            metric=METHOD.metric,
            pool=METHOD.pool,
            perturb=METHOD.perturb,
            adjust=METHOD.adjust,
            dtype=str(whole.dtype).removeprefix("torch."),
        ),
        resamples=RESAMPLES,
        seed=args.seed,
        about=(f"ranked by:{ranked}", f"trees:{len(corpora.gold.sentences)}", f"pairs:{len(corpora.pairs)}"),
    )
    rows = [_chains(corpora, args.seed)]
    baseline = [entry for entry in entries if entry.cell is None or entry.at_random]
    rows += [
        _row(entry, whole, args.seed) for entry in [*baseline, *(e for e in entries if e not in baseline)]
    ]
    return Table(
        title=f"{whole.name} cut down, on {corpora.treebank.name}, percent [95% interval]",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            "width: share of heads and neurons; depth: share of layers; weights: millions, of the layers alone; "
            "speed: times that of the whole model.",
            f"UAS, UUAS: method openness, protocol fair; F1: {METHOD.constituents} on "
            f"{len(corpora.gold.sentences)} sentences; masked: pieces that are the first guess; pairs: accuracy "
            "on minimal pairs, of which chance is 50; correlation: of impacts with those of the whole model.",
            "at random: as many heads and neurons, drawn, of the same layers.",
        ),
        signature=signature,
    )


def _chains(corpora: Corpora, seed: int) -> Row:
    """The strongest trees that look at no model: of words, and of constituents."""
    found = {
        row.name: row
        for row in baseline_rows(
            corpora.treebank.items,
            data=corpora.treebank.name,
            version=__version__,
            protocol="fair",
            root="predicted",
            seed=seed,
        )
    }["right-chain"]
    columns = Columns(corpora.gold, None)
    counted = columns.counted("", baseline_hits(corpora.gold, seed=seed)["right-branching"], columns.main)
    cells = {
        "UAS": Cell.measured(found.uas.value, found.uas.interval),
        "UUAS": Cell.measured(found.uuas.value, found.uuas.interval),
        "F1": _figure("F1", np.asarray(counted.correct), np.asarray(counted.total), seed),
    }
    return Row(
        name="right-chain, right-branching",
        kind="baseline",
        cells=tuple(cells.get(name) for name in COLUMNS),
        settings=Settings(decoder="right-chain"),
    )


def _row(entry: Entry, whole: Probe, seed: int) -> Row:
    """A model's figures, the means of its draws; the bootstrap draws sentences and pairs, not models."""
    cell, several = entry.cell, entry.measured
    speeds = [one.speed for one in several if one.speed is not None]
    cells: dict[str, Cell | None] = {
        "width": None if cell is None else Cell(cell.width, decimals=2),
        "depth": None if cell is None else Cell(cell.depth, decimals=2),
        "weights (M)": Cell(several[0].parameters, decimals=2),
        "speed": Cell(float(np.mean(speeds)), decimals=2) if speeds and cell is not None else None,
    }
    for name in (*SHARES, "correlation"):
        if name in several[0].columns:
            top = np.mean([one.columns[name][0] for one in several], axis=0)
            cells[name] = _figure(name, top, several[0].columns[name][1], seed)
    blank = cell is None
    return Row(
        name=entry.name if blank or entry.at_random or cell != Place(1, 1) else whole.name,
        kind="baseline" if blank or entry.at_random else "model",
        cells=tuple(cells.get(name) for name in COLUMNS),
        settings=Settings(model=entry.name, random_weights=len(several) if blank else None),
    )


def _figure(name: str, top: np.ndarray, bottom: np.ndarray, seed: int) -> Cell | None:
    """A ratio with its interval; None if there is nothing to score."""
    if not bottom.any():
        return None
    value = float(top.sum() / bottom.sum())
    if name in SHARES:
        return Cell.measured(100 * value, percent_interval(top, bottom, resamples=RESAMPLES, seed=seed))
    interval = bootstrap(top, bottom, resamples=RESAMPLES, seed=seed)
    return Cell.measured(value, interval if np.count_nonzero(bottom) >= MIN_UNITS else None, decimals=3)
