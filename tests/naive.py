"""Perturbed masking written down as slowly and plainly as it can be: the reference of the engine's tests.

One sequence a forward pass, the whole model with its own head every time, one pair of pieces after another
(Wu et al., ACL 2020, section 2). It shares no code with `probe`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForMaskedLM, AutoTokenizer

Matrix = NDArray[np.float64]
Span = tuple[int, int]

HEADS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "albert": lambda model, states: model.predictions(states),
    "bert": lambda model, states: model.cls(states),
    "deberta-v2": lambda model, states: (
        model.cls(states)
        if model.config.legacy
        else model.lm_predictions(states, model.deberta.embeddings.word_embeddings)
    ),
    "distilbert": lambda model, states: model.vocab_projector(
        model.vocab_layer_norm(model.activation(model.vocab_transform(states)))
    ),
    "electra": lambda model, states: model.generator_lm_head(model.generator_predictions(states)),
    "ernie": lambda model, states: model.cls(states),
    "modernbert": lambda model, states: model.decoder(model.head(states)),
    "mpnet": lambda model, states: model.lm_head(states),
    "roberta": lambda model, states: model.lm_head(states),
    "xlm-roberta": lambda model, states: model.lm_head(states),
}
BYTE_LEVEL = ("modernbert", "roberta")


def pieces_of_words(tokenizer: Any, model_type: str, words: Sequence[str]) -> list[list[int]]:
    """The ids of every word's pieces, each word as it stands after a space."""
    if model_type in BYTE_LEVEL:
        return [tokenizer(" " + word, add_special_tokens=False)["input_ids"] for word in words]
    encoding = tokenizer(list(words), is_split_into_words=True, add_special_tokens=False)
    pieces: list[list[int]] = [[] for _ in words]
    for piece, word in zip(encoding["input_ids"], encoding.word_ids(), strict=True):
        pieces[word].append(piece)
    return pieces


class Naive:
    """The reference for one model directory; states are kept by sentence and set of masked positions."""

    def __init__(self, folder: Path, *, dtype: torch.dtype) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForMaskedLM.from_pretrained(folder, dtype=dtype).train(False)
        self.head = HEADS[self.model.config.model_type]
        self._runs: dict[tuple[tuple[int, ...], frozenset[int]], tuple[Tensor, Tensor]] = {}

    def run(self, ids: tuple[int, ...], masked: frozenset[int]) -> tuple[Tensor, Tensor]:
        """States [layers + 1, length, hidden] and log-probabilities [layers + 1, length, vocabulary]."""
        if (ids, masked) not in self._runs:
            mask = self.tokenizer.mask_token_id
            variant = torch.tensor([[mask if at in masked else piece for at, piece in enumerate(ids)]])
            with torch.no_grad():
                output = self.model(input_ids=variant, output_hidden_states=True)
                logits = torch.stack([self.head(self.model, state)[0] for state in output.hidden_states])
            last = self.model.base_model(input_ids=variant).last_hidden_state
            assert torch.equal(output.hidden_states[-1], last)
            assert torch.allclose(logits[-1], output.logits[0], atol=1e-5)
            states = torch.stack([state[0] for state in output.hidden_states])
            self._runs[ids, masked] = (states, torch.log_softmax(logits, dim=-1))
        return self._runs[ids, masked]

    def impact(
        self,
        words: Sequence[str],
        *,
        metric: str,
        layer: int,
        pool: str,
        perturb: str,
        spans: Sequence[Span] | None = None,
    ) -> tuple[Matrix, Matrix]:
        """Impact among the words or spans [n, n], and of each on the first position [n]."""
        pieces = pieces_of_words(self.tokenizer, self.model.config.model_type, words)
        ids = (
            self.tokenizer.cls_token_id,
            *(piece for word in pieces for piece in word),
            self.tokenizer.sep_token_id,
        )
        ends = 1 + np.cumsum([len(word) for word in pieces])
        starts = ends - [len(word) for word in pieces]
        if spans is None:
            spans = [(word, word + 1) for word in range(len(words))]
        units = [list(range(starts[first], ends[last - 1])) for first, last in spans]

        if pool == "state":
            values = self._unit_impact(ids, units, metric=metric, layer=layer, perturb=perturb)
        else:
            by_piece = self._piece_impact(ids, units, metric=metric, layer=layer, perturb=perturb)
            values = pool_pieces(by_piece, [len(unit) for unit in units], pool=pool)
        plain = frozenset[int]()
        on_cls = [
            self._change(ids, [0], plain, frozenset(unit), metric=metric, layer=layer) for unit in units
        ]
        return values, np.array(on_cls)

    def _piece_impact(
        self, ids: tuple[int, ...], units: list[list[int]], *, metric: str, layer: int, perturb: str
    ) -> Matrix:
        """Impact of piece b on piece a, for all pieces of the units [T, T]."""
        pieces = [(unit, at) for unit in units for at in unit]
        values = np.zeros((len(pieces), len(pieces)))
        for a, (unit_a, at_a) in enumerate(pieces):
            for b, (unit_b, _) in enumerate(pieces):
                if unit_a is unit_b:
                    continue
                before = frozenset(unit_a if perturb == "pair" else [])
                after = before | frozenset(unit_b)
                values[a, b] = self._change(ids, [at_a], before, after, metric=metric, layer=layer)
        return values

    def _unit_impact(
        self, ids: tuple[int, ...], units: list[list[int]], *, metric: str, layer: int, perturb: str
    ) -> Matrix:
        """Impact of unit j on the mean state of unit i [n, n]."""
        values = np.zeros((len(units), len(units)))
        for i, unit_i in enumerate(units):
            for j, unit_j in enumerate(units):
                if i == j:
                    continue
                before = frozenset(unit_i if perturb == "pair" else [])
                after = before | frozenset(unit_j)
                values[i, j] = self._change(ids, unit_i, before, after, metric=metric, layer=layer)
        return values

    def _change(
        self,
        ids: tuple[int, ...],
        positions: list[int],
        before: frozenset[int],
        after: frozenset[int],
        *,
        metric: str,
        layer: int,
    ) -> float:
        """How far the model's view of `positions` moves from one set of masked positions to another."""
        states, log_probs = self.run(ids, before)
        states_after, log_probs_after = self.run(ids, after)
        x, y = states[layer, positions].mean(dim=0), states_after[layer, positions].mean(dim=0)
        if metric == "dist":
            return float((x - y).square().sum().sqrt())
        if metric == "cos":
            return float(1 - (x @ y) / (x.square().sum().sqrt() * y.square().sum().sqrt()))
        [at] = positions
        p, q = log_probs[layer, at], log_probs_after[layer, at]
        if metric == "prob":
            return float(p[ids[at]].exp() - q[ids[at]].exp())
        return float((p.exp() * (p - q)).sum())


def pool_pieces(by_piece: Matrix, lengths: Sequence[int], *, pool: str) -> Matrix:
    """Piece impacts [T, T] to unit impacts [n, n]: the first piece's column, then rows by `pool`."""
    bounds = np.cumsum([0, *lengths])
    columns = by_piece[:, bounds[:-1]]
    assert np.array_equal(columns.repeat(lengths, axis=1), by_piece)  # pieces of a unit are masked together
    reduce = {
        "first": lambda rows: rows[0],
        "mean": lambda rows: rows.mean(axis=0),
        "max": lambda rows: rows.max(axis=0),
    }
    rows = [reduce[pool](columns[start:end]) for start, end in pairwise(bounds)]
    return np.stack(rows)


def states_without(model: Any, ids: NDArray[np.int64], own: list[int]) -> Tensor:
    """States [layers + 1, length, hidden] where no other position attends to those of ``own``."""
    others = [at for at in range(len(ids)) if at not in own]
    return states_hiding(model, ids, [(query, key) for query in others for key in own])


def states_hiding(model: Any, ids: NDArray[np.int64], pairs: list[tuple[int, int]]) -> Tensor:
    """States [layers + 1, length, hidden] where no query of ``pairs`` attends to its key.

    The attention weights themselves are changed: the pairs get no weight, what is left is scaled to 1. So no mask
    is built, and none of the model's code for masks is used.
    """
    plain = torch.nn.functional.softmax

    def without(scores: Tensor, dim: int = -1, **_: Any) -> Tensor:
        weights = plain(scores, dim=dim)  # in the model's own type, not in float32 as some do
        if weights.shape[-2:] != (len(ids), len(ids)):
            return weights
        kept = weights.clone()
        for query, key in pairs:
            kept[..., query, key] = 0
        return kept / kept.sum(-1, keepdim=True)

    own = model.config._attn_implementation
    model.set_attn_implementation("eager")
    patched = pytest.MonkeyPatch()
    with patched.context() as patch, torch.no_grad():
        patch.setattr(torch.nn.functional, "softmax", without)
        patch.setattr(torch, "softmax", without)
        output = model.base_model(input_ids=torch.from_numpy(ids)[None], output_hidden_states=True)
    model.set_attn_implementation(own)
    return torch.stack([*output.hidden_states[:-1], output.last_hidden_state])[:, 0]
