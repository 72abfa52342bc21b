"""The categorical Jacobian of a masked LM over an alphabet (Zhang et al. 2024, "Protein language models learn
evolutionary statistics of interacting sequence motifs").

Every letter of a sequence is replaced by every other one, and the change of the logits of all letters at every
position is kept. For a Potts model, whose logits are h_i(a) + sum_j J_ij(a, x_j), these are its couplings up to
centring, whatever the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import OptionError, SentenceError
from probe.forward import inputs_of
from probe.head import Head
from probe.lexicon import Lexicon
from probe.matrix import ImpactMatrix
from probe.memory import Budget, is_out_of_memory
from probe.needs import check_fills_masks
from probe.substitution import letters_of

if TYPE_CHECKING:
    from probe.alignment import Alignment
    from probe.model import Probe

Floats = NDArray[np.floating[Any]]
NAME = "jacobian"
"""Of the metric of its matrices."""
_HEAD_READS = 1024
"""States that go through the head at a time."""


def jacobian_passes(n: int, letters: str) -> int:
    """Number of forward passes for a sequence of n letters."""
    return 1 + n * (len(letters_of(letters)) - 1)


class Jacobian:
    """The categorical Jacobian of one model over one alphabet.

    Args:
        probe: the model; a masked LM whose vocabulary has every letter.
        letters: the alphabet, ``ACDEFGHIKLMNPQRSTVWY``, or pieces with commas, ``A,C,G,T``.
        batch_tokens: pieces in one forward pass; halved by itself when memory runs out.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        OptionError: fewer than two letters, one twice, or one that is no piece of the model.
        ModelError: the model has no masked-LM head, or is causal.
    """

    def __init__(
        self,
        probe: Probe,
        letters: str,
        *,
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
    ) -> None:
        check_fills_masks(probe, "the categorical Jacobian")
        self.letters = letters_of(letters)
        if len(self.letters) < 2:
            raise OptionError(f"an alphabet of two letters or more is expected, found {letters!r}")
        lexicon = Lexicon(probe)
        self._ids = np.array([lexicon.piece_id(letter) for letter in self.letters])
        self._probe, self._base, self._head = probe, probe.model.base_model, Head(probe.model)
        self._budget = Budget(max(1, batch_tokens))
        self._on_passes = on_passes or (lambda passes: None)
        self._perturb = f"substitute:{letters}"

    def full(self, words: Sequence[str]) -> Floats:
        """All changes of a sequence of n letters over an alphabet of k.

        Returns:
            [n, k, n, k]; ``[j, b, i, a]`` is the change of the log-probability of letter a at position i, among
            the pieces of the vocabulary, when position j becomes b. It takes 4 (n k)² bytes.

        Raises:
            SentenceError: the sequence cannot be probed, or has a unit that is no letter of the alphabet.
        """
        return np.stack([block.cpu().numpy() for block in self._blocks(self._aligned(words))])

    def impact(self, words: Sequence[str]) -> ImpactMatrix:
        """Frobenius norms of the Jacobian, centred over both letters: ``values[i, j]`` is the influence of j on i.

        The change is centred over the letters of i and over those of j, which for a Potts model is its zero-sum
        gauge. Memory for all changes of one position is held at a time.

        Raises:
            SentenceError: as ``full``.
        """
        alignment = self._aligned(words)
        columns = [_norms(block) for block in self._blocks(alignment)]
        values = torch.stack(columns, dim=1)
        if not torch.isfinite(values).all():
            raise SentenceError("the model's predictions for this sequence are not finite numbers")
        values.fill_diagonal_(0)
        found = values.cpu().numpy()
        return ImpactMatrix(
            values=found,
            on_cls=np.full_like(found[0], np.nan),
            units=alignment.units,
            model=self._probe.name,
            metric=NAME,
            layer=self._probe.n_layers,
            pool="mean",
            perturb=self._perturb,
        )

    def impact_many(self, sequences: Iterable[Sequence[str]]) -> Iterator[ImpactMatrix | SentenceError]:
        """The matrices of many sequences, in input order; an error in the place of one that cannot be probed."""
        for words in sequences:
            try:
                yield self.impact(words)
            except SentenceError as error:
                yield error

    def _aligned(self, words: Sequence[str]) -> Alignment:
        """The pieces of a sequence, each a letter of the alphabet."""
        alignment = self._probe.align(words)
        own = alignment.ids[alignment.positions]
        pieces = np.bincount(alignment.unit_of, minlength=len(words))
        wrong = pieces != 1
        wrong[alignment.unit_of[~np.isin(own, self._ids)]] = True
        if wrong.any():
            at = int(np.argmax(wrong))
            reason = "is not one" if pieces[at] == 1 else f"is {pieces[at]} pieces, not one"
            raise SentenceError(
                f"position {at + 1} ({words[at]!r}) {reason} of the letters {''.join(self.letters)}"
            )
        return alignment

    @torch.inference_mode()
    def _blocks(self, alignment: Alignment) -> Iterator[Tensor]:
        """Of each position in turn the changes when it becomes each letter, its own among them: [k, n, k]."""
        before = self._logs(alignment.ids[None], alignment.positions)
        self._on_passes(1)
        for at in alignment.positions:
            other = np.flatnonzero(self._ids != alignment.ids[at])
            ids = np.repeat(alignment.ids[None], len(other), axis=0)
            ids[:, at] = self._ids[other]
            block = before.new_zeros(len(self._ids), *before.shape[1:])
            block[torch.from_numpy(other)] = self._batched(ids, alignment.positions) - before
            yield block

    def _batched(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Tensor:
        """As ``_logs``, in batches that fit."""
        done: list[Tensor] = []
        row = 0
        while row < len(ids):
            rows = self._budget.rows(ids.shape[1])
            part = ids[row : row + rows]
            try:
                done.append(self._logs(part, positions))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(part) == 1:
                    raise SentenceError(
                        f"a sequence of {ids.shape[1]} pieces does not fit into memory"
                    ) from None
                self._budget.tokens = len(part) // 2 * ids.shape[1]
                continue
            self._on_passes(len(part))
            row += len(part)
        return torch.cat(done)

    def _logs(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Tensor:
        """Log-probabilities of the letters: [sequences, n, k]."""
        inputs = torch.from_numpy(ids).to(self._probe.device)
        states = self._base(**inputs_of(self._base, inputs)).last_hidden_state
        states = states[:, torch.from_numpy(positions).to(inputs.device)]
        parts = states.flatten(0, 1).split(_HEAD_READS)
        letters = torch.from_numpy(self._ids).to(inputs.device)
        logs = torch.cat([self._head.log_probabilities(part)[:, letters] for part in parts])
        return logs.reshape(len(ids), len(positions), -1)


def _norms(block: Tensor) -> Tensor:
    """Frobenius norms over both letters, centred over each. Shapes: [k, n, k] -> [n]."""
    centred = block - block.mean(dim=0, keepdim=True)
    centred = centred - centred.mean(dim=2, keepdim=True)
    return centred.square().sum(dim=(0, 2)).sqrt()
