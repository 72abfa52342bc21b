"""What perturbations ask of a model beside forward passes: numbers of pieces, and its own best alternatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import OptionError
from probe.openness import MaskedUnits
from probe.perturbation import Subject

if TYPE_CHECKING:
    from probe.alignment import Alignment
    from probe.model import Probe


class Lexicon:
    """The vocabulary of one model, and what it predicts."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._tokenizer: Any = probe.tokenizer
        mask_id = self._tokenizer.mask_token_id
        self._mask_id: int | None = mask_id if isinstance(mask_id, int) else None

    def subject(self, rows: Callable[[int], int], on_passes: Callable[[int], None]) -> Subject:
        """What perturbations may ask; alternatives that were found once are kept as long as the subject.

        Args:
            rows: number of sequences of a length in one pass.
            on_passes: called with the number of sequences after each pass.
        """
        found: dict[tuple[int, int], NDArray[np.int64]] = {}

        def best(alignment: Alignment, k: int) -> NDArray[np.int64]:
            key = (id(alignment), k)
            if key not in found:
                found[key] = self.best(alignment, k, rows=rows(len(alignment.ids)), on_passes=on_passes)
            return found[key]

        return Subject(mask_id=self._mask_id, piece_id=self.piece_id, check_count=self.check_count, best=best)

    def check_count(self, k: int) -> None:
        """Refuse more alternatives to a piece than the vocabulary has.

        Raises:
            OptionError: there are fewer.
        """
        if k >= len(self._ordinary):
            raise OptionError(f"{k} alternatives are more than {self._probe.name} has pieces to choose from")

    @cached_property
    def _ordinary(self) -> NDArray[np.int64]:
        """The numbers of the pieces that are no special tokens, of those that the model has an embedding of."""
        known = set(self._tokenizer.get_vocab().values()) - set(self._tokenizer.all_special_ids)
        return np.array(sorted(piece for piece in known if piece < self._probe.model.config.vocab_size))

    def piece_id(self, piece: str | None) -> int:
        """The number of a piece, or of the unknown piece.

        Raises:
            OptionError: the vocabulary has no such piece.
        """
        unknown = self._tokenizer.unk_token_id
        if piece is None or piece == self._tokenizer.unk_token:
            if unknown is None:
                raise OptionError(f"{self._probe.name} has no unknown piece: name another, piece:NAME")
            return int(unknown)
        found = self._tokenizer.convert_tokens_to_ids(piece)
        if found is None or found == unknown:
            raise OptionError(f"{piece!r} is no piece of {self._probe.name}")
        return int(found)

    def best(
        self, alignment: Alignment, k: int, *, rows: int, on_passes: Callable[[int], None]
    ) -> NDArray[np.int64]:
        """The k most probable pieces at every piece of the units when its unit is masked, but the true one.

        Shapes: int64 [pieces of units, k]
        """
        true = torch.from_numpy(alignment.ids[alignment.positions])
        found = MaskedUnits(self._probe)([alignment], rows=rows, on_passes=on_passes)
        return np.concatenate([self._ranked(logs, true[pieces], k) for pieces, logs in found])

    def _ranked(self, scores: Tensor, true: Tensor, k: int) -> NDArray[np.int64]:
        """The k best pieces of each row, special ones and the true one aside."""
        self.check_count(k)
        allowed = torch.zeros(scores.shape[1], dtype=torch.bool, device=scores.device)
        allowed[torch.from_numpy(self._ordinary)] = True
        scores = scores.masked_fill(~allowed, -torch.inf)
        scores[torch.arange(len(true)), true] = -torch.inf
        return scores.topk(k, dim=-1).indices.cpu().numpy()
