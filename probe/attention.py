"""Who sees whom, and where: how a model is told which positions attend to which, found out by trying.

Hugging Face models take a mask of their own for every query in different ways, and some let information pass
around their attention (convolutions, Fourier transforms). So no class is asked for its name: the ways are tried
on the model itself, and one is taken only if a mask that hides nothing changes nothing, local layers included,
and a piece that is hidden from all others cannot move their states. Likewise position ids are taken only if pieces
in another order, each with the place that it had, get the states that they had.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from probe.errors import ModelError
from probe.forward import inputs_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LENGTH = 12
"""Pieces of the sequence that a model is tried on, or one more than its local attention sees."""
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far the states of two ways of computing may lie apart by rounding, relative to the largest; else 0.1."""
_REPEATED = 0.01
"""The part of that which two runs of the same way may lie apart."""

Run: TypeAlias = "Callable[..., Any]"
"""``run(input_ids=..., **options)``: a forward pass of the encoder."""


class Attention:
    """Forward passes of one model in which some positions do not see some others.

    The model is tried when it is first asked for, once.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, window: int) -> None:
        self._base: Any = model.base_model
        self._dtype = next(model.parameters()).dtype
        reach = _local_reach(model.config)
        length = _LENGTH if reach is None else max(_LENGTH, reach + 4)
        self._trial = _Trial(self._base, tokenizer, length=min(window, length))
        self._way: _Way | None = None
        self._first_place = 0

    @cached_property
    def causal(self) -> bool:
        """Whether no position sees those after it."""
        return self._trial.is_causal()

    @cached_property
    def refusal(self) -> str | None:
        """Why a mask cannot control who sees whom in this model; None where it can."""
        return self._choose()

    @cached_property
    def refusal_of_order(self) -> str | None:
        """Why a mask cannot hide what comes after each position; None where it can."""
        return self.refusal or (None if self._way is None else self._trial.of_order(self._way))

    @cached_property
    def refusal_of_masks(self) -> str | None:
        """Why a mask token moves the states of positions that do not see it (ESM); None where it does not."""
        return self.refusal or (None if self._way is None else self._trial.of_masks(self._way))

    @cached_property
    def refusal_of_places(self) -> str | None:
        """Why position ids cannot say alone where a piece stands; None where they can.

        They count from 0 (BERT), or from after the number of the padding (RoBERTa).
        """
        if self.refusal is not None or self._way is None:
            return self.refusal
        reasons = []
        for first in (0, 1 + (getattr(self._base.config, "pad_token_id", None) or 0)):
            try:
                reason = self._trial.of_places(self._way, first)
            except Exception as error:
                reason = f"it takes no position ids ({type(error).__name__})"
            if reason is None:
                self._first_place = first
                return None
            reasons.append(reason)
        return next((reason for reason in reasons if reason != _OTHER_PLACES), reasons[0])

    def run(self, inputs: Tensor, sees: Tensor, *, places: Tensor | None = None, **options: Any) -> Any:
        """A forward pass of the encoder in which only some positions are seen.

        Shapes: inputs int64 [sequences, length]; sees bool [sequences, query, key], on top of what the model
        itself hides (later positions, those outside a local window); places int64 [sequences, length], from 0,
        where each piece stands, several at one place perhaps (the soft positions of K-BERT, Liu et al. 2020).

        Raises:
            ModelError: a mask cannot control who sees whom in this model, or position ids not who stands where.
        """
        if self.refusal is not None or self._way is None:
            raise ModelError(f"who sees whom cannot be set in this model: {self.refusal}")
        if places is not None:
            if self.refusal_of_places is not None:
                raise ModelError(f"who stands where cannot be set in this model: {self.refusal_of_places}")
            options["position_ids"] = places + self._first_place
        return self._way(inputs, sees, **options)

    def of_layers(self, base: Any) -> Attention:
        """The same for the lower layers of the model, told in the way that was found for the whole."""
        other = copy.copy(self)
        other._base = base
        if self.refusal is None and self._way is not None:
            other._way = getattr(other, self._way.__name__)
        other.causal, other.refusal = self.causal, self.refusal
        return other

    def _choose(self) -> str | None:
        """Take the first way that passes the trial; why none does."""
        reasons = []
        for way in (
            self._by_mask,
            self._by_layer_type,
            self._by_encoder,
            self._by_order,
            self._by_mask_and_position,
        ):
            try:
                reason = self._trial.of(way)
            except (
                Exception
            ) as error:  # each architecture refuses a mask that it does not take in its own way
                reason = f"it takes no mask for every position ({type(error).__name__})"
            if reason is None:
                self._way = way
                return None
            reasons.append(reason)
        leaks = [reason for reason in reasons if reason == LEAK]
        return (leaks or reasons)[0]

    def _own(self, sees: Tensor) -> Tensor:
        """What is seen under a causal model's own mask, too."""
        return sees.tril() if self.causal else sees

    def _added(self, sees: Tensor) -> Tensor:
        """A mask that is added to attention scores: [sequences, 1, query, key]."""
        mask = torch.zeros(sees.shape, dtype=self._dtype, device=sees.device)
        return mask.masked_fill_(~sees, torch.finfo(self._dtype).min)[:, None]

    def _by_mask(self, inputs: Tensor, sees: Tensor, **options: Any) -> Any:
        """One mask for all layers."""
        return self._base(input_ids=inputs, attention_mask=self._added(self._own(sees)), **options)

    def _by_mask_and_position(self, inputs: Tensor, sees: Tensor, **options: Any) -> Any:
        """The same, with the positions that the model would count by its mask (OPT)."""
        positions = torch.arange(inputs.shape[1], device=inputs.device)[None]
        return self._by_mask(inputs, sees, **{"position_ids": positions, **options})

    def _by_layer_type(self, inputs: Tensor, sees: Tensor, **options: Any) -> Any:
        """One mask for the layers that see everything and one for local layers (ModernBERT)."""
        at = torch.arange(sees.shape[-1], device=sees.device)
        distance = at[:, None] - at
        reach = self._base.config.sliding_window
        near = (distance < reach) if self.causal else (distance.abs() <= reach)
        own = self._own(sees)
        masks = {"full_attention": self._added(own), "sliding_attention": self._added(own & near)}
        return self._base(input_ids=inputs, attention_mask=masks, **options)

    def _by_encoder(self, inputs: Tensor, sees: Tensor, **options: Any) -> Any:
        """The mask in the encoder only, as true and false: the embeddings take another (DeBERTa)."""
        with _encoder_mask(self._base.encoder, self._own(sees)[:, None]):
            return self._base(input_ids=inputs, **options)

    def _by_order(self, inputs: Tensor, sees: Tensor, **options: Any) -> Any:
        """As an order of prediction, in which 1 hides (XLNet)."""
        return self._base(input_ids=inputs, perm_mask=(~self._own(sees)).to(self._dtype), **options)


LEAK = "information passes around its attention"
_OTHER_PLACES = "it counts position ids in another way"
_Way: TypeAlias = "Callable[..., Any]"


class _Trial:
    """A sequence of pieces on which ways to tell a model who sees whom are tried."""

    def __init__(self, base: Any, tokenizer: PreTrainedTokenizerBase, *, length: int) -> None:
        self._base = base
        some = next(base.parameters())
        special = set(tokenizer.all_special_ids)
        known = sorted(set(tokenizer.get_vocab().values()) - special)[: length + 1] or [0]
        self._ids = torch.tensor([(known * length)[:length]], device=some.device)
        self._known = known
        self._mask: int | None = tokenizer.mask_token_id
        self._tolerance = _TOLERANCE.get(some.dtype, 0.1)

    def is_causal(self) -> bool:
        """Whether the last piece moves no earlier state, while it moves its own."""
        last = self._ids.shape[1] - 1
        try:
            before = self._states(self._whole, self._ids)
            after = self._states(self._whole, self._changed(last))
        except Exception:  # a model that gives no states by layer; what needs them says so
            return False
        moved = self._differ(before[:, last:], after[:, last:], _REPEATED)
        return moved and not self._differ(before[:, :last], after[:, :last], _REPEATED)

    def of(self, way: _Way) -> str | None:
        """Why the way does not do; None if it does."""
        if len(self._known) < 2:
            return "its vocabulary has one piece only, so that nothing can be tried"
        everything = self._everything()
        plain = self._states(self._whole, self._ids)
        if self._differ(plain, self._states(self._given(way, everything), self._ids)):
            return "a mask that hides nothing changes its states"
        return LEAK if self._tells(way) else None

    def of_masks(self, way: _Way) -> str | None:
        """Why a mask token can be told by positions that do not see it; None if it cannot."""
        told = self._mask is not None and self._tells(way, self._mask)
        return "a mask token moves all of its states" if told else None

    def of_order(self, way: _Way) -> str | None:
        """Why the way cannot hide what comes after each position; None if it can."""
        at = self._ids.shape[1] // 2
        run = self._given(way, self._everything().tril())
        before, after = self._states(run, self._ids), self._states(run, self._changed(at))
        if self._differ(before[:, :at], after[:, :at], _REPEATED):
            return LEAK
        moved = self._differ(before[:, at + 1 : at + 2], after[:, at + 1 : at + 2], _REPEATED)
        return None if moved else "its mask is one for all positions"

    def of_places(self, way: _Way, first: int) -> str | None:
        """Why position ids from ``first`` on do not say alone where each piece stands; None if they do."""
        there = torch.arange(self._ids.shape[1], device=self._ids.device)[None]
        order = torch.cat([there[0, ::2], there[0, 1::2]])  # other distances than before
        moved = there[:, order]

        def states(ids: Tensor, places: Tensor) -> Tensor:
            run = self._given(way, self._everything(), position_ids=places + first)
            return self._states(run, ids)

        plain = self._states(self._given(way, self._everything()), self._ids)
        if self._differ(plain, states(self._ids, there)):
            return _OTHER_PLACES
        if not self._differ(plain, states(self._ids, moved), _REPEATED):
            return "position ids move none of its states"
        if self._differ(plain[:, order], states(self._ids[:, order], moved)):
            return "it tells the order of pieces by something else than position ids"
        return None

    def _whole(self, input_ids: Tensor, **options: Any) -> Any:
        """The model as it is."""
        return self._base(**inputs_of(self._base, input_ids), **options)

    def _everything(self) -> Tensor:
        """A mask that hides nothing."""
        length = self._ids.shape[1]
        return torch.ones(1, length, length, dtype=torch.bool, device=self._ids.device)

    def _tells(self, way: _Way, piece: int | None = None) -> bool:
        """Whether other positions can tell that this piece, or some other one, stands where they do not see."""
        length = self._ids.shape[1]
        hidden = length // 2
        sees = self._everything()
        sees[:, :, hidden] = False
        sees[:, hidden, hidden] = True
        run = self._given(way, sees)
        before, after = self._states(run, self._ids), self._states(run, self._changed(hidden, piece))
        others = [at for at in range(length) if at != hidden]
        return self._differ(before[:, others], after[:, others], _REPEATED)

    def _changed(self, at: int, piece: int | None = None) -> Tensor:
        """The sequence with this piece, or some other one, at one position."""
        changed = self._ids.clone()
        others = (other for other in reversed(self._known) if other != self._ids[0, at])
        changed[0, at] = next(others, self._known[0]) if piece is None else piece
        return changed

    @staticmethod
    def _given(way: _Way, sees: Tensor, **given: Any) -> Run:
        return lambda input_ids, **options: way(input_ids, sees, **given, **options)

    @torch.inference_mode()
    def _states(self, run: Run, ids: Tensor) -> Tensor:
        """States of all layers: [layers + 1, length, hidden]."""
        output = run(input_ids=ids, output_hidden_states=True)
        states: Tensor = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])[:, 0]
        return states

    def _differ(self, before: Tensor, after: Tensor, part: float = 1) -> bool:
        """Whether two sets of states differ by more than rounding; also where any is not a number."""
        largest = torch.maximum(before.abs().amax(), after.abs().amax())
        return not bool((before - after).abs().amax() <= part * self._tolerance * largest)


def _local_reach(config: Any) -> int | None:
    """How far a local layer sees; None where there is none."""
    reach = getattr(config, "sliding_window", None)
    local = "sliding_attention" in (getattr(config, "layer_types", None) or ())
    return reach if isinstance(reach, int) and local else None


@contextmanager
def _encoder_mask(encoder: torch.nn.Module, mask: Tensor) -> Iterator[None]:
    """Give an encoder this attention mask, whatever it is called with."""

    def replace(
        _: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if len(args) > 1:
            return (args[0], mask, *args[2:]), options
        return args, {**options, "attention_mask": mask}

    hook = encoder.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
