"""Precision of the highest scores, and the best pairs, as tables."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from analyses.contacts.maps import Floats, best_pairs, distance_scores, precision
from analyses.intervals import percent_interval
from analyses.tables.signature import Settings, Signature, impact_text
from analyses.tables.table import Cell, Row, RowKind, Table
from probe import __version__
from probe.errors import SentenceError

if TYPE_CHECKING:
    from data import Contacts, Sentence

Maps: TypeAlias = "tuple[Floats | SentenceError, ...]"
"""Symmetric scores [n, n] of each sequence, or why there are none."""
RESAMPLES = 1000
_PARTS = {"P@L": 1, "P@L/2": 2, "P@L/5": 5}
"""Columns, and what the length is divided by."""
_SHOWN = 10
"""Pairs of a sequence in the table of the best."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A sequence, and its contacts where they are known."""

    sequence: Sentence
    contacts: Contacts | None


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """What gave scores: a model under some settings, or several of random weights (a run each)."""

    settings: Settings
    runs: tuple[Maps, ...]

    @property
    def name(self) -> str:
        """Of its row."""
        made = self.settings
        impacts = impact_text(
            metric=made.metric, layer=made.layer, pool=made.pool, perturb=None, adjust="none"
        )
        blank = " random weights" if made.random_weights is not None else ""
        return f"{made.model}{blank} {impacts}"

    def of(self, places: Sequence[int]) -> System:
        """The same for some of the sequences."""
        runs = tuple(tuple(maps[place] for place in places) for maps in self.runs)
        return System(settings=self.settings, runs=runs)


def precision_tables(
    systems: Sequence[System], targets: Sequence[Target], args: argparse.Namespace, *, skipped: int
) -> list[tuple[str, Table]]:
    """Precision at L, L/2 and L/5: the mean over sequences, and of each sequence under the last system."""
    lengths = [len(target.sequence.words) for target in targets]
    made: list[tuple[str, RowKind, Settings, list[list[float]]]] = [
        ("random pairs", "baseline", Settings(), _precisions(lambda n: np.zeros((n, n)), targets, args)),
        ("nearest pairs", "baseline", Settings(), _precisions(distance_scores, targets, args)),
    ]
    for system in systems:
        runs = [_of_maps(maps, targets, args) for maps in system.runs]
        mean = np.mean(runs, axis=0).tolist()
        kind: RowKind = "model" if system.settings.random_weights is None else "baseline"
        made.append((system.name, kind, system.settings, mean))
    rows = tuple(
        Row(
            name=name,
            kind=kind,
            cells=tuple(_cell(column, args.seed) for column in found),
            signature=_signature(targets, args, settings, skipped=skipped),
        )
        for name, kind, settings, found in made
    )
    title = f"Precision of contacts in {args.data.stem}, percent [95% interval]"
    apart = f"Pairs at least {args.separation} residues apart; L: length of the sequence."
    density = f"{len(targets):,} sequences, {sum(lengths):,} residues; means over sequences."
    table = Table(title=title, columns=tuple(_PARTS), rows=rows, notes=(apart, density))
    own = made[-1][3]
    by_sequence = Table(
        title=f"Precision of contacts in {args.data.stem} by sequence: {made[-1][0]}, percent",
        columns=("L", *_PARTS),
        rows=tuple(
            Row(
                name=target.sequence.id,
                kind="model",
                cells=(Cell(lengths[at], decimals=0), *(Cell(100 * column[at]) for column in own)),
                settings=made[-1][2],
            )
            for at, target in enumerate(targets)
        ),
        notes=(apart,),
    )
    return [("contacts", table), ("contacts-by-sequence", by_sequence)]


def pair_table(system: System, targets: Sequence[Target], args: argparse.Namespace) -> Table:
    """The best pairs of each sequence, residues counted from 1."""
    rows = []
    for target, scores in zip(targets, system.runs[0], strict=True):
        words = target.sequence.words
        assert not isinstance(scores, SentenceError)
        for i, j, score in best_pairs(scores, top=_SHOWN, separation=args.separation):
            name = f"{target.sequence.id} {words[i]}{i + 1} {words[j]}{j + 1}"
            cells = (Cell(score, decimals=3),)
            rows.append(Row(name=name, kind="model", cells=cells, settings=system.settings))
    return Table(
        title=f"The {_SHOWN} best pairs of each sequence of {args.data.stem}, {system.name}",
        columns=("score",),
        rows=tuple(rows),
        notes=(f"Pairs at least {args.separation} residues apart.",),
        signature=_signature(targets, args, system.settings, skipped=0),
    )


def _of_maps(maps: Maps, targets: Sequence[Target], args: argparse.Namespace) -> list[list[float]]:
    scores = iter(maps)

    def following(n: int) -> Floats:
        found = next(scores)
        assert not isinstance(found, SentenceError)
        return found

    return _precisions(following, targets, args)


def _precisions(
    scores: Callable[[int], Floats], targets: Sequence[Target], args: argparse.Namespace
) -> list[list[float]]:
    """A list a column, of a share a sequence."""
    found: list[list[float]] = [[] for _ in _PARTS]
    for target in targets:
        assert target.contacts is not None
        n = len(target.sequence.words)
        own = scores(n)
        for column, part in zip(found, _PARTS.values(), strict=True):
            column.append(
                precision(
                    own,
                    target.contacts.touch,
                    top=max(1, n // part),
                    known=target.contacts.known,
                    separation=args.separation,
                )
            )
    return found


def _cell(shares: Sequence[float], seed: int) -> Cell:
    interval = percent_interval(shares, [1.0] * len(shares), resamples=RESAMPLES, seed=seed)
    return Cell.measured(100 * float(np.mean(shares)), interval)


def _signature(
    targets: Sequence[Target], args: argparse.Namespace, settings: Settings, *, skipped: int
) -> Signature:
    about = [f"separation:{args.separation}"]
    if settings.model is not None:
        about.append(f"apc:{'yes' if args.apc else 'no'}")
    return Signature(
        data=args.data.stem,
        digest=_digest(targets),
        n=len(targets),
        skipped=skipped or None,
        version=__version__,
        settings=settings,
        resamples=None if args.contacts is None else RESAMPLES,
        seed=None if args.contacts is None else args.seed,
        about=tuple(about),
    )


def _digest(targets: Sequence[Target]) -> str:
    """SHA-256 over the residues and the contacts of the sequences in their order."""
    sha = hashlib.sha256()
    for target in targets:
        pairs = [] if target.contacts is None else np.argwhere(np.triu(target.contacts.touch)).tolist()
        line = json.dumps(["".join(target.sequence.words), pairs], separators=(",", ":"))
        sha.update(line.encode("ascii") + b"\n")
    return sha.hexdigest()
