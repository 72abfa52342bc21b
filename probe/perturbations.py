"""How a unit is perturbed, and which states are then compared: the registry of perturbations.

A perturbation makes variants of a sentence, each one forward pass, and says for every pair of units which
variants are compared. ``pair`` masks i, then i and j (Wu et al. 2020, section 2.2); ``single`` leaves i visible;
``knockout`` lets no other position attend to unit j, in any layer; ``substitute`` puts other pieces in the place
of j; ``piece`` is ``pair`` with another piece than the mask token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from probe.errors import OptionError
from probe.perturbation import Comparison, Indices, Inputs, Perturbation, Subject, replaced, unit_at
from probe.registry import Registry
from probe.substitution import substitute

if TYPE_CHECKING:
    from probe.alignment import Alignment


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


def hidden(subject: Subject, alignment: Alignment, variants: Indices) -> Inputs:
    """No other position attends to the pieces of the unit of each row, which see each other; nothing is masked."""
    del subject
    own = (unit_at(alignment) == variants[:, :1]) & (variants[:, :1] >= 0)
    ids = np.broadcast_to(alignment.ids, own.shape)
    return Inputs(ids, ~own[:, None, :] | own[:, :, None])


@dataclass(frozen=True)
class ReplacedBy:
    """As ``masked``, but with another piece than the mask token; None: the unknown piece."""

    piece: str | None = None

    def __call__(self, subject: Subject, alignment: Alignment, variants: Indices) -> Inputs:
        """What the model is given."""
        return Inputs(replaced(alignment, variants, subject.piece_id(self.piece)))

    def suits(self, subject: Subject) -> None:
        """Refuse a piece that the vocabulary has not."""
        subject.piece_id(self.piece)


def piece(text: str) -> Perturbation:
    """``pair`` with another piece than the mask token: ``<unk>``, a sentinel of T5."""
    by = ReplacedBy(text)
    return replace(PERTURBATIONS["piece"], name=f"piece:{text}", inputs=by, suits=by.suits, of=None)


class _Perturbations(Registry[Perturbation]):
    """Perturbations by name, some of which take an argument: ``substitute:10``."""

    def resolve(self, name: str) -> str:
        """The name of an entry, with its argument, if there is one."""
        own, colon, argument = name.partition(":")
        own = super().resolve(own)
        if not colon:
            return own
        of = self._entries[own].of
        if of is None:
            raise OptionError(f"perturb {own!r} takes no argument, found {name!r}")
        return of(argument).name

    def __getitem__(self, name: str) -> Perturbation:
        own, colon, argument = self.resolve(name).partition(":")
        entry = self._entries[own]
        return entry.of(argument) if colon and entry.of is not None else entry

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.partition(":")[0])

    def sorted(self, names: Iterable[str]) -> list[str]:
        """These names in the order of the registry."""
        places = list(self)
        return sorted(names, key=lambda name: (places.index(name.partition(":")[0]), name))


PERTURBATIONS = _Perturbations(
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
        Perturbation(
            name="knockout",
            needs=frozenset({"attention mask"}),
            variants=singles,
            reads=against_the_sentence,
            inputs=hidden,
        ),
        replace(substitute(), name="substitute", of=substitute),
        Perturbation(
            name="piece",
            needs=frozenset(),
            variants=singles_and_pairs,
            reads=against_the_masked_unit,
            inputs=ReplacedBy(),
            suits=ReplacedBy().suits,
            of=piece,
        ),
    ),
    aliases={
        "pairs": "pair",
        "mask-pair": "pair",
        "singles": "single",
        "mask-single": "single",
        "attention-knockout": "knockout",
        "attention": "knockout",
        "substitution": "substitute",
        "jacobian": "substitute",
        "unk": "piece",
    },
    group="perturbed_probe.perturbations",
)
"""All perturbations by name; a package adds its own with ``PERTURBATIONS.register`` or an entry point."""


def n_passes(n: int, perturbs: Sequence[str]) -> int:
    """Number of forward passes for a sentence of n units under several perturbations, which share passes."""
    return sum(lane.passes(n) for lane in lanes(perturbs))


@dataclass(frozen=True)
class Lane:
    """Perturbations that share passes, since one function makes their inputs."""

    perturbations: tuple[Perturbation, ...]

    @property
    def inputs(self) -> Callable[[Subject, Alignment, Indices], Inputs]:
        """What the model is given for some rows of ``variants``."""
        return self.perturbations[0].inputs

    def passes(self, n: int) -> int:
        """Number of forward passes for a sentence of n units."""
        return len(self.variants(n)) + max(one.prepares(n) for one in self.perturbations)

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
