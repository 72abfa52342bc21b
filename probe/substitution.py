"""Units replaced by alternatives: the model's own best pieces, or the other letters of an alphabet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probe.errors import OptionError, SentenceError
from probe.perturbation import Comparison, Indices, Inputs, Need, Perturbation, Subject

if TYPE_CHECKING:
    from probe.alignment import Alignment


@dataclass(frozen=True)
class Substituted:
    """Each piece of a unit replaced by an alternative: of the model's own best, or of the letters given.

    Rows are a unit and the place of the alternative, from 0.
    """

    k: int
    letters: tuple[str, ...] = ()

    def alternatives(self, subject: Subject, alignment: Alignment) -> Indices:
        """The pieces that take the place of each one: int64 [pieces of units, k]."""
        if not self.letters:
            return subject.best(alignment, self.k)
        letters = np.array([subject.piece_id(letter) for letter in self.letters])
        own = alignment.ids[alignment.positions]
        rank = np.argmax(letters == own[:, None], axis=1)
        # The letters after its own, then those before it.
        return np.asarray(letters[(rank[:, None] + 1 + np.arange(self.k)) % len(letters)])

    def __call__(self, subject: Subject, alignment: Alignment, variants: Indices) -> Inputs:
        """What the model is given."""
        unit, alternative = variants[:, :1], variants[:, 1]
        ids = np.repeat(alignment.ids[None], len(variants), axis=0)
        found = self.alternatives(subject, alignment)[:, np.maximum(alternative, 0)].T
        ids[:, alignment.positions] = np.where(
            alignment.unit_of == unit, found, alignment.ids[alignment.positions]
        )
        return Inputs(ids)

    def suits(self, subject: Subject) -> None:
        """Refuse letters that the vocabulary has not, or more alternatives than it has pieces."""
        for letter in self.letters:
            subject.piece_id(letter)
        if not self.letters:
            subject.check_count(self.k)

    def check(self, subject: Subject, alignment: Alignment) -> None:
        """Refuse a sentence with pieces outside the alphabet: they have no place among its letters."""
        letters = [subject.piece_id(letter) for letter in self.letters]
        outside = ~np.isin(alignment.ids[alignment.positions], letters)
        if letters and outside.any():
            unit = int(alignment.unit_of[np.argmax(outside)])
            raise SentenceError(
                f"unit {unit + 1} ({alignment.units[unit]!r}) is not made of the letters {' '.join(self.letters)}"
            )

    def variants(self, n: int) -> Indices:
        """The sentence as it is, then each unit with each alternative: [1 + n * k, 2]."""
        unit, alternative = np.divmod(np.arange(n * self.k), self.k)
        return np.concatenate([[[-1, -1]], np.stack([unit, alternative], axis=1)])

    def reads(self, n: int) -> Comparison:
        """The sentence as it is against that with unit j replaced."""
        changed = 1 + np.arange(n * self.k).reshape(n, self.k)
        return Comparison(np.zeros(n + 1, dtype=np.int64), np.broadcast_to(changed, (n + 1, n, self.k)))


def letters_of(argument: str) -> tuple[str, ...]:
    """The letters of an alphabet: ``ACGT``, or pieces with commas, ``A,C,G,T``.

    Raises:
        OptionError: a letter stands twice, or is empty.
    """
    letters = tuple(argument.split(",") if "," in argument else argument)
    if len(set(letters)) < len(letters) or not all(letters):
        raise _refused(argument)
    return letters


def _refused(argument: str) -> OptionError:
    return OptionError(
        "perturb 'substitute': a number of alternatives or the letters of an alphabet are expected, "
        f"found {argument!r}"
    )


def substitute(argument: str = "5") -> Perturbation:
    """Unit j replaced by alternatives, the impact on unit i being the mean over them.

    A number K: the K pieces that the model itself finds most probable where j is masked, as Jian and Reddy
    (2023). Letters, ``ACDEFGHIKLMNPQRSTVWY``, or pieces with commas, ``A,C,G,T``: every other letter of that
    alphabet, as the categorical Jacobian of Zhang et al. (2024).

    Raises:
        OptionError: neither a number from 1 to 999999 without zeros in front nor two or more different letters.
    """
    # One number, one name: what is computed is found by it.
    number = re.fullmatch("[1-9][0-9]{0,5}", argument)
    if number is None and argument.isdecimal():
        raise OptionError(
            "perturb 'substitute': a number of alternatives from 1 to 999999 is expected, without zeros in front, "
            f"found {argument!r}"
        )
    letters = () if number else letters_of(argument)
    k = int(argument) if number else len(letters) - 1
    if k < 1:
        raise _refused(argument)
    by = Substituted(k, letters)
    needs: frozenset[Need] = frozenset() if letters else frozenset({"mask token", "head"})
    return Perturbation(
        name=f"substitute:{argument}",
        needs=needs,
        variants=by.variants,
        reads=by.reads,
        inputs=by,
        prepares=(lambda n: 0) if letters else (lambda n: n),
        suits=by.suits,
        check=by.check,
    )
