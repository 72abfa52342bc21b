"""What a perturbation is: the variants of a sentence, what the model is given for each, and what is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
        sees: bool [variants, query, key]; which positions each one attends to in every layer, on top of what the
            model itself hides; None: no mask is given
    """

    ids: Indices
    sees: NDArray[np.bool_] | None = None

    def under(self, sees: NDArray[np.bool_] | None) -> Inputs:
        """The same where a mask of the sentence, bool [length, length], hides more; None: it does not."""
        if sees is None:
            return self
        both = np.broadcast_to(sees, (len(self.ids), *sees.shape))
        return Inputs(self.ids, both if self.sees is None else both & self.sees)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a perturbation may ask of the model that it is applied to.

    Attributes:
        mask_id: the mask token; None where there is none.
        piece_id: the number of a piece; raises OptionError where the vocabulary has no such piece. Of None, that
            of the unknown piece.
        check_count: raises OptionError where the vocabulary has not so many pieces to choose from, beside the
            true one.
        best: the k most probable pieces, special ones and the true one aside, at every piece of the units of a
            sentence when its unit is masked: int64 [pieces of units, k], the most probable first. A forward
            pass for every unit.
    """

    mask_id: int | None
    piece_id: Callable[[str | None], int]
    check_count: Callable[[int], None]
    best: Callable[[Alignment, int], Indices]


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
        prepares: number of passes that ``inputs`` asks of the subject before, for n units.
        suits: raises OptionError where the model's vocabulary lacks what the perturbation puts in.
        check: raises SentenceError where the perturbation cannot be applied to a sentence.
        of: the perturbation that ``NAME:ARGUMENT`` stands for, from the argument, or OptionError; None where the
            name takes none.
    """

    name: str
    needs: frozenset[Need]
    variants: Callable[[int], Indices]
    reads: Callable[[int], Comparison]
    inputs: Callable[[Subject, Alignment, Indices], Inputs]
    prepares: Callable[[int], int] = lambda n: 0
    suits: Callable[[Subject], None] = lambda subject: None
    check: Callable[[Subject, Alignment], None] = lambda subject, alignment: None
    of: Callable[[str], Perturbation] | None = None

    def passes(self, n: int) -> int:
        """Number of forward passes for a sentence of n units."""
        return len(self.variants(n)) + self.prepares(n)

    @property
    def is_sparse(self) -> bool:
        """Whether each variant is read at a few units only, however many there are."""
        compared, n = self.reads(_MANY), _MANY
        reads = np.zeros((len(self.variants(n)), n + 1), dtype=bool)
        rows = np.arange(n + 1)
        reads[compared.base, rows] = True
        off = np.broadcast_to((rows[:, None] != np.arange(n))[:, :, None], compared.changed.shape)
        reads[compared.changed[off], np.nonzero(off)[0]] = True
        return bool(reads.sum(axis=1).max() <= n // 4)


_MANY = 16
"""Units of the sentence by which a perturbation is judged."""


def replaced(alignment: Alignment, variants: Indices, piece: int) -> Indices:
    """The pieces of the units of each row replaced by one piece: int64 [variants, length]."""
    changed = (unit_at(alignment) == variants[:, :, None]).any(axis=1)
    return np.where(changed, piece, alignment.ids)


def unit_at(alignment: Alignment) -> Indices:
    """The unit at every position, -2 where there is none: int64 [length]."""
    found = np.full(len(alignment.ids), -2)
    found[alignment.positions] = alignment.unit_of
    return found
