"""What a masked language model puts into a gap: prompts in, scores of the candidates out, in batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.lama import MASK
from probe.masked_states import HEAD_READS, MaskedStates

if TYPE_CHECKING:
    import torch

    from probe import Probe, SentenceError
    from probe.spaces import Place

_TOKENIZED = 1_000
"""Prompts that are tokenised at a time."""
_CHECKED_STATES = 4
"""Random states on which the head over chosen rows is compared with the whole head."""


@dataclass(frozen=True)
class Prompt:
    """A text with ``[MASK]`` for its gaps, and which of them is read."""

    text: str
    gap: int = 0


@dataclass(frozen=True, eq=False)
class Cloze:
    """A prompt in pieces.

    Shapes:
        ids: int64 [length], special tokens included
        sees: bool [length, length], which positions (columns) each one attends to; None: all
        places: int64 [length], where each piece counts as standing, from 0; None: where it stands

    ``position`` is that of the gap that is read. Places are given with ``sees`` only.
    """

    ids: NDArray[np.int64]
    position: int
    sees: NDArray[np.bool_] | None = None
    places: NDArray[np.int64] | None = None

    @property
    def key(self) -> NDArray[np.int64]:
        """All that it is in one row: equal ones are one forward pass."""
        more = [each.reshape(-1).astype(np.int64) for each in (self.sees, self.places) if each is not None]
        return np.concatenate([self.ids, [self.position], *more])


def encode(model: Probe, prompts: Sequence[Prompt]) -> Iterator[Cloze | SentenceError]:
    """Tokenise prompts, whose gaps are written ``[MASK]`` whatever the model's mask token is.

    What white space separates gets the pieces that it has after a space, the first of them included, and what
    follows a gap without a space those that it has there. No mark of a space stands before a gap: the candidates
    bring their own.

    Yields:
        For each prompt its pieces, or why it cannot be asked: it is longer than the window, it has no such gap,
        no word that the vocabulary knows, or something that cannot be told from a special token of the model.
    """
    tokenizer = model.tokenizer
    mask_id = tokenizer.mask_token_id  # looked up once: the tokenizer searches its vocabulary each time
    assert isinstance(mask_id, int)
    for start in range(0, len(prompts), _TOKENIZED):
        batch = prompts[start : start + _TOKENIZED]
        parts = [list(_parts(prompt.text)) for prompt in batch]
        texts = [part for listed in parts for part in listed if part is not None]
        found = iter(model.pieces.encode([text for text, _ in texts], [place for _, place in texts]))
        for prompt, listed in zip(batch, parts, strict=True):
            pieces = [None if part is None else next(found) for part in listed]
            yield _cloze(model, prompt, pieces, mask_id)


def _parts(text: str) -> Iterator[tuple[str, Place] | None]:
    """What stands between white space and gaps, and where; None for a gap."""
    for word in text.split():
        place: Place = "after a space"
        for number, part in enumerate(word.split(MASK)):
            if number:
                yield None
            if part:
                yield part, place
            place = "without a space"


def _cloze(
    model: Probe, prompt: Prompt, parts: Sequence[list[int] | None], mask_id: int
) -> Cloze | SentenceError:
    from probe import SentenceError

    words = [ids for ids in parts if ids is not None]
    if any(not model.pieces.reserved.isdisjoint(ids) for ids in words):
        return SentenceError("a piece of it cannot be told from a special token of this model")
    if words and all(map(model.pieces.is_unknown, words)):
        return SentenceError(
            f"unknown words {len(words)} of {len(words)}: the model's vocabulary has none of them"
        )
    before, after = model.pieces.before, model.pieces.after
    inside = [piece for ids in parts for piece in ([mask_id] if ids is None else ids)]
    if len(before) + len(inside) + len(after) > model.window:
        length = len(before) + len(inside) + len(after)
        return SentenceError(f"{length} pieces are more than the model's window of {model.window}")
    gaps = [len(before) + at for at, piece in enumerate(inside) if piece == mask_id]
    if len(gaps) <= prompt.gap:
        return SentenceError(f"it has {len(gaps)} gaps, and gap {prompt.gap + 1} is asked for")
    return Cloze(np.array([*before, *inside, *after], dtype=np.int64), gaps[prompt.gap])


def piece_span(model: Probe, text: str, start: int, end: int) -> tuple[int, int]:
    """Where in a prompt's pieces those of the words stand that any letter of ``text[start:end]`` belongs to.

    Returns:
        The position of the first piece in ``Cloze.ids``, and that after the last.
    """
    first = len(text[:start].split()) - (start > 0 and not text[start - 1].isspace())
    last = len(text[:end].split())
    words = text.split()
    sizes = [
        sum(
            1 if part is None else len(model.pieces.encode([part[0]], [part[1]])[0])
            for part in _parts(" ".join(chosen))
        )
        for chosen in (words[:first], words[first:last])
    ]
    begin = len(model.pieces.before) + sizes[0]
    return begin, begin + sizes[1]


def encode_all(model: Probe, prompts: Sequence[Prompt]) -> list[Cloze]:
    """As :func:`encode`, of prompts that all can be asked.

    Raises:
        probe.SentenceError: one of them cannot.
    """
    from probe import SentenceError

    distinct = list(dict.fromkeys(prompts))
    clozes: dict[Prompt, Cloze] = {}
    for prompt, cloze in zip(distinct, encode(model, distinct), strict=True):
        if isinstance(cloze, SentenceError):
            raise SentenceError(f"{prompt.text!r}: {cloze}")
        clozes[prompt] = cloze
    return [clozes[prompt] for prompt in prompts]


class GapReader:
    """Runs prompts and scores the candidates at their gaps; last layer and head run only where read.

    Args:
        model: with a masked-LM head.
        ids: int64 [candidates], the pieces that are compared; None: the whole vocabulary.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        probe.ModelError: the model has no masked-LM head, or one that cannot be run by itself.
    """

    def __init__(
        self,
        model: Probe,
        ids: NDArray[np.int64] | None = None,
        *,
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
    ) -> None:
        from probe.needs import check_fills_masks

        check_fills_masks(model, "filling gaps")
        self._states, self._batch_tokens = MaskedStates(model), batch_tokens
        self._score = _scorer(model, ids)
        self._on_passes = on_passes or (lambda passes: None)

    def __call__(self, clozes: Sequence[Cloze]) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        """Log-probabilities at the gap of each prompt, normalised over the candidates, in batches.

        Prompts of one length share batches, so nothing is padded; equal prompts are one forward pass.

        Yields:
            Indices of prompts, int64 [prompts], and their scores, [prompts, candidates].
        """
        import torch

        groups: dict[tuple[int, bool, bool], list[int]] = {}
        for index, cloze in enumerate(clozes):
            kind = len(cloze.ids), cloze.sees is not None, cloze.places is not None
            groups.setdefault(kind, []).append(index)
        for (length, *_), members in sorted(groups.items()):
            asked = np.array([clozes[index].key for index in members])
            _, one, row = np.unique(asked, axis=0, return_index=True, return_inverse=True)
            distinct = [clozes[members[at]] for at in one]
            order = np.argsort(row.reshape(-1), kind="stable")
            row, places = row.reshape(-1)[order], np.array(members)[order]
            rows = max(1, self._batch_tokens // length)
            for start in range(0, len(distinct), rows):
                batch = distinct[start : start + rows]
                with torch.inference_mode():
                    states = self._states_of(batch)
                first, last = np.searchsorted(row, [start, start + len(batch)])
                yield from self._read(states, row[first:last] - start, places[first:last])
                self._on_passes(len(batch))

    def _states_of(self, batch: Sequence[Cloze]) -> torch.Tensor:
        """The states at the gaps of prompts of one length and kind: [prompts, hidden]."""
        ids, positions = np.stack([each.ids for each in batch]), np.array([each.position for each in batch])
        sees = [each.sees for each in batch if each.sees is not None]
        places = [each.places for each in batch if each.places is not None]
        if not sees:
            return self._states(ids, positions)
        soft = np.stack(places) if places else None
        return self._states.seeing(ids, positions, sees=np.stack(sees), places=soft)

    def _read(
        self, states: torch.Tensor, row: NDArray[np.int64], places: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
        import torch

        for start in range(0, len(row), HEAD_READS):
            needed, again = np.unique(row[start : start + HEAD_READS], return_inverse=True)
            with torch.inference_mode():
                scores = self._score(states[self._states.to_device(needed)])
                if len(needed) < len(again):
                    scores = scores[self._states.to_device(again)]
            yield places[start : start + HEAD_READS], scores


_Scorer = Callable[["torch.Tensor"], "torch.Tensor"]
"""States [reads, hidden] -> log-probabilities [reads, candidates]."""


def _scorer(model: Probe, ids: NDArray[np.int64] | None) -> _Scorer:
    """The head over the chosen rows of its last linear, or over all rows where that cannot be had."""
    import torch

    from probe.head import Head

    whole = Head(model.model).log_probabilities
    if ids is None:
        return whole
    chosen = torch.from_numpy(ids).to(model.device)

    def picked(states: torch.Tensor) -> torch.Tensor:
        return whole(states)[:, chosen].log_softmax(-1)

    with torch.inference_mode():
        smaller = _with_rows(model.model, chosen)
        if smaller is not None:
            rows = Head(smaller).log_probabilities
            if _agree(rows, picked, model):
                return rows
    return picked


def _with_rows(model: Any, chosen: torch.Tensor) -> Any:
    """A shallow copy of a model whose last linear has the chosen rows only; None where it is not known."""
    import torch

    last = model.get_output_embeddings()
    name = next((name for name, module in model.named_modules() if module is last), "")
    if type(last) is not torch.nn.Linear or not name or last.out_features != model.config.vocab_size:
        return None
    smaller = torch.nn.Linear(1, 1, device="meta")
    smaller.weight = torch.nn.Parameter(last.weight[chosen], requires_grad=False)
    smaller.bias = None if last.bias is None else torch.nn.Parameter(last.bias[chosen], requires_grad=False)
    top = module = copy.copy(model)
    *path, leaf = name.split(".")
    for part in path:
        below = copy.copy(module._modules[part])
        module._modules = {**module._modules, part: below}
        module = below
    module._modules = {**module._modules, leaf: smaller}
    return top


def _agree(rows: _Scorer, picked: _Scorer, model: Probe) -> bool:
    """Whether both score random states alike: a head may do more after its last linear."""
    import torch

    generator = torch.Generator().manual_seed(0)
    states = torch.randn(_CHECKED_STATES, model.model.config.hidden_size, generator=generator)
    states = states.to(model.device, model.dtype)
    tolerance = 1e-4 if model.dtype in (torch.float32, torch.float64) else 0.1
    try:
        return torch.allclose(rows(states), picked(states), atol=tolerance)
    except RuntimeError:  # of shapes that do not go together
        return False
