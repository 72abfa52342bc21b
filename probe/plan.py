"""Which variants of a sentence are run, and where in them states are read and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probe.alignment import Alignment
from probe.perturbation import Comparison, Indices, Inputs, Subject
from probe.perturbations import Lane, lanes


@dataclass(frozen=True, eq=False)
class Reads:
    """Where states are read and what they are compared with, for one perturbation.

    The rows of the comparison are the pieces of the units, then the sentence representation; each has a column
    for every unit and alternative.

    Shapes:
        base_row, base_position: int64 [rows]; the reference state of each row
        row, position: int64 [reads]; the changed states, ascending in ``row``
        base: int64 [reads]; index into the reference states
        out: int64 [reads]; index into the flat [rows, n, alternatives] impacts of pieces
        unit_out: int64 [reads]; index into the flat [n + 1, n, alternatives] impacts of units (the last row is
            that of the sentence representation)

    ``row`` and ``base_row`` are variants; in a group of sentences they are rows of the whole group.
    """

    base_row: Indices
    base_position: Indices
    row: Indices
    position: Indices
    base: Indices
    out: Indices
    unit_out: Indices


@dataclass(frozen=True, eq=False)
class Plan:
    """All variants of one sentence, by the lane of perturbations that share them.

    Shapes:
        variants: one a lane, each int64 [variants, width], as ``Perturbation.variants`` gives them
    """

    alignment: Alignment
    lanes: tuple[Lane, ...]
    variants: tuple[Indices, ...]

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.alignment.units)

    @property
    def length(self) -> int:
        """Number of pieces of every variant."""
        return len(self.alignment.ids)

    @property
    def passes(self) -> int:
        """Number of forward passes."""
        return sum(lane.passes(self.n) for lane in self.lanes)

    @property
    def rows(self) -> int:
        """Number of rows of the comparison: pieces of units, and the sentence representation."""
        return len(self.alignment.positions) + 1

    def inputs(self, subject: Subject, lane: int, start: int, stop: int) -> Inputs:
        """What the model is given for the variants ``start`` to ``stop`` (exclusive) of a lane."""
        given = self.lanes[lane].inputs(subject, self.alignment, self.variants[lane][start:stop])
        return given.under(self.alignment.sees)


def make_plan(alignment: Alignment, perturbs: Sequence[str]) -> Plan:
    """The variants of a sentence under some perturbations."""
    found = tuple(lanes(perturbs))
    n = len(alignment.units)
    return Plan(alignment, found, tuple(lane.variants(n) for lane in found))


def make_reads(alignment: Alignment, compared: Comparison, *, causal: bool = False, before: int = 0) -> Reads:
    """Where the states of a comparison of units are read.

    Args:
        alignment: of the sentence.
        compared: its variants.
        causal: no position sees those after it, so that what comes before unit j is not read: its impact is 0.
        before: how many positions before a piece its state is read: 1 for what a causal model predicts it from.
    """
    n, unit_of = len(alignment.units), alignment.unit_of
    position = np.append(alignment.positions, alignment.cls or 0) - before
    row_unit = np.append(unit_of, n)
    variant = compared.changed[row_unit]  # [rows, n, alternatives]
    _, _, alternatives = variant.shape
    is_read = (row_unit[:, None] != np.arange(n)) & (position >= 0)[:, None]
    if causal:
        is_read &= position[:, None] >= alignment.positions[np.searchsorted(unit_of, np.arange(n))]
    if (moved_by := alignment.moved_by) is not None:
        is_read &= moved_by[position]  # what cannot move a state has no impact on it, to the last digit
    is_read = np.broadcast_to(is_read[:, :, None], variant.shape)
    base, unit, alternative = np.nonzero(is_read)
    unit_out = (row_unit[base] * n + unit) * alternatives + alternative
    order = np.lexsort((unit_out, variant[is_read]))  # the pieces of a unit stand together
    base, unit, alternative = base[order], unit[order], alternative[order]
    return Reads(
        base_row=compared.base[row_unit],
        base_position=np.maximum(position, 0),
        row=variant[base, unit, alternative],
        position=position[base],
        base=base,
        out=(base * n + unit) * alternatives + alternative,
        unit_out=unit_out[order],
    )


def join_reads(
    plans: Sequence[Plan], lane: int, place: int, *, causal: bool = False, before: int = 0
) -> tuple[Reads, int]:
    """The reads of several sentences whose rows, references and outputs follow each other.

    Args:
        plans: of the sentences.
        lane: of their variants.
        place: of the perturbation in its lane.
        causal, before: as for ``make_reads``.

    Returns:
        The reads, and the number of alternatives of each unit.
    """
    compared = [plan.lanes[lane].reads(plan.n)[place] for plan in plans]
    parts = [
        make_reads(plan.alignment, one, causal=causal, before=before)
        for plan, one in zip(plans, compared, strict=True)
    ]
    alternatives = compared[0].changed.shape[2]
    rows = starts([len(plan.variants[lane]) for plan in plans])
    bases = starts([plan.rows for plan in plans])
    outs = starts([plan.rows * plan.n * alternatives for plan in plans])
    unit_outs = starts([(plan.n + 1) * plan.n * alternatives for plan in plans])
    joined = Reads(
        base_row=_shifted([part.base_row for part in parts], rows),
        base_position=np.concatenate([part.base_position for part in parts]),
        row=_shifted([part.row for part in parts], rows),
        position=np.concatenate([part.position for part in parts]),
        base=_shifted([part.base for part in parts], bases),
        out=_shifted([part.out for part in parts], outs),
        unit_out=_shifted([part.unit_out for part in parts], unit_outs),
    )
    return joined, alternatives


def starts(sizes: Sequence[int]) -> list[int]:
    """Where each part begins when parts of these sizes follow each other; one more entry for the end."""
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]


def _shifted(parts: Sequence[Indices], offsets: Sequence[int]) -> Indices:
    return np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=False)])
