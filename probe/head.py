"""The masked-LM head of any Hugging Face model, applied to chosen states only.

A model for masked LM is its base model and a head. A shallow copy whose base model hands back given states
is the head alone, whatever the architecture calls it; the weights are shared and the model is left as it was.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from probe.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class _Given(torch.nn.Module):
    """Stands where the base model stood; other attributes (tied embeddings) are those of the base model."""

    def __init__(self, base: torch.nn.Module) -> None:
        super().__init__()
        self._base = (base,)  # in a tuple, so that it is not registered as a child
        self.states: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        from transformers import PreTrainedModel

        try:
            return super().__getattr__(name)
        except AttributeError:
            found = getattr(self._base[0], name)
        return (
            self if isinstance(found, PreTrainedModel) else found
        )  # OPT's head asks the decoder in its base

    def forward(self, *_: Any, **__: Any) -> Any:
        return _given_output(self.states)


def _given_output(states: Tensor | None) -> Any:
    from transformers.modeling_outputs import BaseModelOutput

    class Given(BaseModelOutput):
        """Only states: what else an architecture hands on (LUKE's entities) is None."""

        def __getattr__(self, name: str) -> None:
            if name.startswith("__"):
                raise AttributeError(name)

    return Given(last_hidden_state=states)


class Head:
    """Log-probabilities over pieces for given states."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._given = _Given(model.base_model)
        self._model = copy.copy(model)
        self._model._modules = {**model._modules, model.base_model_prefix: self._given}

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Shapes: [reads, hidden] -> [reads, vocabulary], at least float32."""
        dtype = next(self._model.parameters()).dtype
        self._given.states = states[:, None].to(dtype)
        try:
            placeholder = torch.zeros(len(states), 1, dtype=torch.int64, device=states.device)
            logits: Tensor = self._model(input_ids=placeholder).logits[:, 0]
        except AttributeError as error:
            kind = type(self._model).__name__
            raise ModelError(
                f"the head of {kind} cannot be run by itself: use dist or cos ({error})"
            ) from error
        finally:
            self._given.states = None
        return logits.to(torch.promote_types(dtype, torch.float32)).log_softmax(-1)
