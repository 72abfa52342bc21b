"""Last-layer states at masked positions: what the masked-LM head reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from probe import Probe

HEAD_READS = 256
"""States that go through the head at a time: the vocabulary makes each of them large."""


class MaskedStates:
    """Runs sequences of one length; the last layer runs only where it is read."""

    def __init__(self, model: Probe) -> None:
        from probe.last_layer import LastLayer

        self._probe, self._base, self._device = model, model.model.base_model, model.device
        self._last_layer = LastLayer.of(self._base)

    def __call__(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> torch.Tensor:
        """One forward pass, of which one state a sequence is read.

        Shapes:
            ids: [sequences, pieces]
            positions: [sequences], which state of each sequence is read
            result: [sequences, hidden]
        """
        return self.read(ids, np.arange(ids.shape[1]) == positions[:, None])

    def read(self, ids: NDArray[np.int64], wanted: NDArray[np.bool_]) -> torch.Tensor:
        """One forward pass, of which any states are read.

        Shapes:
            ids: [sequences, pieces]
            wanted: [sequences, pieces]
            result: [reads, hidden], in row-major order
        """
        from probe.forward import inputs_of

        inputs = self.to_device(ids)
        if self._last_layer is None:
            states: torch.Tensor = self._base(**inputs_of(self._base, inputs)).last_hidden_state
        else:
            states = self._last_layer(inputs, wanted)
        rows, columns = np.nonzero(wanted)
        return states[self.to_device(rows), self.to_device(columns)]

    def seeing(
        self,
        ids: NDArray[np.int64],
        positions: NDArray[np.int64],
        *,
        sees: NDArray[np.bool_],
        places: NDArray[np.int64] | None = None,
    ) -> torch.Tensor:
        """As a call, under masks of attention, see ``Attention.run``; all layers run at all positions.

        Shapes:
            ids, places: [sequences, pieces]
            positions: [sequences]
            sees: [sequences, pieces, pieces], query by key
            result: [sequences, hidden]

        Raises:
            probe.ModelError: a mask does not control who sees whom, or position ids do not say who stands where.
        """
        import torch

        masks = torch.from_numpy(sees).to(self._device)
        at = None if places is None else self.to_device(places)
        found = self._probe.attention.run(self.to_device(ids), masks, places=at)
        states: torch.Tensor = found.last_hidden_state
        return states[self.to_device(np.arange(len(ids))), self.to_device(positions)]

    def to_device(self, values: NDArray[np.int64]) -> torch.Tensor:
        """The values as a tensor where the model is."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)
