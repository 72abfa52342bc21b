"""How a unit is perturbed, and which states are then compared: the registry of perturbations.

A perturbation makes variants of a sentence, each one forward pass, and says for every pair of units which
variants are compared. ``pair`` is that of Wu et al. (2020, section 2.2); ``single`` leaves unit i visible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.registry import Registry

if TYPE_CHECKING:
    from probe.alignment import Alignment

Indices: TypeAlias = NDArray[np.int64]
Need: TypeAlias = Literal["mask token", "attention mask", "head"]
"""What a model must have: a mask token, attention that a mask controls, a head that predicts pieces."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Which variants of a sentence of n units are compared.

    Row i < n is unit i, row n is the sentence representation.

    Shapes:
        base: int64 [n + 1]; the variant of each row's reference state
        changed: int64 [n + 1, n, alternatives]; the variants in which unit j is perturbed: the impact of j on
            row i is the mean of those of its alternatives. The diagonal is not read.
    """

    base: Indices
    changed: Indices


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the model is given for some variants of a sentence.

    Shapes:
        ids: int64 [variants, length]
    """

    ids: Indices


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a perturbation may ask of the model that it is applied to.

    Attributes:
        mask_id: the mask token; None where there is none.
    """

    mask_id: int | None


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """One way to perturb the units of a sentence.

    Attributes:
        name: what it is chosen by.
        needs: what the model must have.
        variants: the variants of a sentence of n units, int64 [variants, width]. What a row means is for
            ``inputs`` to say; it must not depend on anything but the row.
        reads: which of these variants are compared.
        inputs: what the model is given for some rows of ``variants``. Perturbations with the same function
            share the passes of equal rows.
    """

    name: str
    needs: frozenset[Need]
    variants: Callable[[int], Indices]
    reads: Callable[[int], Comparison]
    inputs: Callable[[Subject, Alignment, Indices], Inputs]

    def passes(self, n: int) -> int:
        """Number of forward passes for a sentence of n units."""
        return len(self.variants(n))

    @property
    def is_sparse(self) -> bool:
        """Whether each variant is read at a few units only, however many there are."""
        compared, n = self.reads(_MANY), _MANY
        reads = np.zeros((self.passes(n), n + 1), dtype=bool)
        rows = np.arange(n + 1)
        reads[compared.base, rows] = True
        off = np.broadcast_to((rows[:, None] != np.arange(n))[:, :, None], compared.changed.shape)
        reads[compared.changed[off], np.nonzero(off)[0]] = True
        return bool(reads.sum(axis=1).max() <= n // 4)


_MANY = 16
"""Units of the sentence by which a perturbation is judged."""


def singles(n: int) -> Indices:
    """Nothing, then each unit: [n + 1, 2]; -1 stands for no unit."""
    return np.stack([np.arange(-1, n), np.full(n + 1, -1)], axis=1)


def singles_and_pairs(n: int) -> Indices:
    """Nothing, each unit, each unordered pair of units: [n(n - 1)/2 + n + 1, 2]; {i, j} and {j, i} are one."""
    low, high = np.triu_indices(n, k=1)
    return np.concatenate([singles(n), np.stack([low, high], axis=1)])


def against_the_sentence(n: int) -> Comparison:
    """The sentence as it is against that with unit j perturbed, for variants in the order of ``singles``."""
    changed = np.broadcast_to((1 + np.arange(n))[:, None], (n + 1, n, 1))
    return Comparison(np.zeros(n + 1, dtype=np.int64), changed)


def against_the_masked_unit(n: int) -> Comparison:
    """Unit i masked against i and j masked; the sentence representation is never masked itself.

    For variants in the order of ``singles_and_pairs`` (Wu et al. 2020, and their released code).
    """
    changed = np.zeros((n + 1, n, 1), dtype=np.int64)
    low, high = np.triu_indices(n, k=1)
    changed[low, high, 0] = changed[high, low, 0] = 1 + n + np.arange(len(low))
    changed[n, :, 0] = 1 + np.arange(n)
    return Comparison(np.append(1 + np.arange(n), 0), changed)


def masked(subject: Subject, alignment: Alignment, variants: Indices) -> Inputs:
    """The pieces of the units of each row replaced by the mask token."""
    assert subject.mask_id is not None
    return Inputs(replaced(alignment, variants, subject.mask_id))


def replaced(alignment: Alignment, variants: Indices, piece: int) -> Indices:
    """The pieces of the units of each row replaced by one piece: int64 [variants, length]."""
    unit_at = np.full(len(alignment.ids), -2)
    unit_at[alignment.positions] = alignment.unit_of
    changed = (unit_at == variants[:, :, None]).any(axis=1)
    return np.where(changed, piece, alignment.ids)


PERTURBATIONS: Registry[Perturbation] = Registry(
    "perturb",
    (
        Perturbation(
            name="pair",
            needs=frozenset({"mask token"}),
            variants=singles_and_pairs,
            reads=against_the_masked_unit,
            inputs=masked,
        ),
        Perturbation(
            name="single",
            needs=frozenset({"mask token"}),
            variants=singles,
            reads=against_the_sentence,
            inputs=masked,
        ),
    ),
    aliases={"pairs": "pair", "mask-pair": "pair", "singles": "single", "mask-single": "single"},
    group="perturbed_probe.perturbations",
)
"""All perturbations by name; a package adds its own with ``PERTURBATIONS.register`` or an entry point."""


def n_passes(n: int, perturbs: Sequence[str]) -> int:
    """Number of forward passes for a sentence of n units under several perturbations, which share passes."""
    return sum(len(lane.variants(n)) for lane in lanes(perturbs))


@dataclass(frozen=True)
class Lane:
    """Perturbations that share passes, since one function makes their inputs."""

    perturbations: tuple[Perturbation, ...]

    @property
    def inputs(self) -> Callable[[Subject, Alignment, Indices], Inputs]:
        """What the model is given for some rows of ``variants``."""
        return self.perturbations[0].inputs

    def variants(self, n: int) -> Indices:
        """The variants of all of them, each once."""
        return self._joined(n)[0]

    def reads(self, n: int) -> list[Comparison]:
        """The comparisons of each of them, among ``variants``."""
        _, places = self._joined(n)
        compared = [one.reads(n) for one in self.perturbations]
        return [
            Comparison(place[one.base], place[one.changed])
            for one, place in zip(compared, places, strict=True)
        ]

    def _joined(self, n: int) -> tuple[Indices, list[Indices]]:
        """The variants, and the place among them of every variant of each perturbation."""
        parts = [one.variants(n) for one in self.perturbations]
        if len(parts) == 1:
            return parts[0], [np.arange(len(parts[0]))]
        rows = np.concatenate(parts)
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.argsort(order)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return rows[first[order]], np.split(rank[inverse.reshape(-1)], ends)


def lanes(perturbs: Sequence[str]) -> list[Lane]:
    """The perturbations of these names by the inputs that they share."""
    grouped: list[list[Perturbation]] = []
    for entry in (PERTURBATIONS[name] for name in perturbs):
        for group in grouped:
            if group[0].inputs == entry.inputs:
                group.append(entry)
                break
        else:
            grouped.append([entry])
    return [Lane(tuple(group)) for group in grouped]
