"""Which masked copies of a sentence are run, and which states of them are compared.

A sentence of n units has the variants: nothing masked, each unit masked, each unordered pair of units masked.
{i, j} and {j, i} are one pass, so there are n(n - 1)/2 + n + 1 of them (n + 1 without the pairs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.alignment import Alignment
from probe.options import Perturb

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reads:
    """Where states are read and what they are compared with, for one perturbation scheme.

    The rows of the comparison are the pieces of the units, then the sentence representation.

    Shapes:
        base_row, base_position: int64 [rows]; the reference state of each row
        row, position: int64 [reads]; the changed states, ascending in ``row``
        base: int64 [reads]; index into the reference states
        out: int64 [reads]; index into the flat [rows, n] impacts of pieces
        unit_out: int64 [reads]; index into the flat [n + 1, n] impacts of units (the last row is that of the
            sentence representation)

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
    """All variants of one sentence.

    Shapes:
        first, second: int64 [variants]; the units a variant masks, -1 for none
    """

    alignment: Alignment
    first: Indices
    second: Indices

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.alignment.units)

    @property
    def length(self) -> int:
        """Number of pieces of every variant."""
        return len(self.alignment.ids)

    @property
    def variants(self) -> int:
        """Number of forward passes."""
        return len(self.first)

    @property
    def rows(self) -> int:
        """Number of rows of the comparison: pieces of units, and the sentence representation."""
        return len(self.alignment.positions) + 1

    def ids(self, mask_id: int, start: int, stop: int) -> Indices:
        """Input of the variants ``start`` to ``stop`` (exclusive): int64 [variants, length]."""
        unit_at = np.full(self.length, -2)
        unit_at[self.alignment.positions] = self.alignment.unit_of
        first, second = self.first[start:stop, None], self.second[start:stop, None]
        return np.where((unit_at == first) | (unit_at == second), mask_id, self.alignment.ids)


def make_plan(alignment: Alignment, *, pairs: bool) -> Plan:
    """Variants in the order: none, singles, pairs; every reference state comes before what needs it."""
    n = len(alignment.units)
    singles = np.arange(-1, n)
    low, high = np.triu_indices(n if pairs else 0, k=1)
    return Plan(alignment, np.concatenate([singles, low]), np.concatenate([np.full(n + 1, -1), high]))


def n_variants(n: int, *, pairs: bool) -> int:
    """Number of variants of a sentence of n units."""
    return 1 + n + (n * (n - 1) // 2 if pairs else 0)


def make_reads(plan: Plan, perturb: Perturb) -> Reads:
    """What is compared with what.

    ``pair``: the state at i with i masked against that with i and j masked. ``single``: the state at i with
    nothing masked against that with j masked. The sentence representation is never masked, so both schemes
    compare it with the unmasked sentence (Wu et al. 2020, released code).
    """
    n, unit_of = plan.n, plan.alignment.unit_of
    cls = plan.alignment.cls or 0
    position = np.append(plan.alignment.positions, cls)
    row_unit = np.append(unit_of, n)
    single = np.broadcast_to(1 + np.arange(n), (plan.rows, n))
    if perturb == "pair":
        variant = np.vstack([_pair_variants(n)[unit_of], single[-1:]])
        base_row = np.append(1 + unit_of, 0)
    else:
        variant = single
        base_row = np.zeros(plan.rows, dtype=np.int64)
    base, unit = np.nonzero(row_unit[:, None] != np.arange(n))
    order = np.argsort(variant[base, unit], kind="stable")
    base, unit = base[order], unit[order]
    return Reads(
        base_row=base_row,
        base_position=position,
        row=variant[base, unit],
        position=position[base],
        base=base,
        out=base * n + unit,
        unit_out=row_unit[base] * n + unit,
    )


def _pair_variants(n: int) -> Indices:
    """Variant that masks i and j: int64 [n, n], symmetric; the diagonal is not used."""
    variant = np.zeros((n, n), dtype=np.int64)
    low, high = np.triu_indices(n, k=1)
    variant[low, high] = variant[high, low] = 1 + n + np.arange(len(low))
    return variant


def join_reads(plans: list[Plan], perturb: Perturb) -> Reads:
    """The reads of several sentences whose rows, references and outputs follow each other."""
    parts = [make_reads(plan, perturb) for plan in plans]
    rows = starts([plan.variants for plan in plans])
    bases = starts([plan.rows for plan in plans])
    outs = starts([plan.rows * plan.n for plan in plans])
    unit_outs = starts([(plan.n + 1) * plan.n for plan in plans])
    return Reads(
        base_row=_shifted([part.base_row for part in parts], rows),
        base_position=np.concatenate([part.base_position for part in parts]),
        row=_shifted([part.row for part in parts], rows),
        position=np.concatenate([part.position for part in parts]),
        base=_shifted([part.base for part in parts], bases),
        out=_shifted([part.out for part in parts], outs),
        unit_out=_shifted([part.unit_out for part in parts], unit_outs),
    )


def starts(sizes: list[int]) -> list[int]:
    """Where each part begins when parts of these sizes follow each other; one more entry for the end."""
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]


def _shifted(parts: list[Indices], offsets: list[int]) -> Indices:
    return np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=False)])
