"""Text out of a masked language model, one piece at a time in any order (u-PMLM, Liao et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses.order.orders import ORDERS
from analyses.order.template import BLANK, Template
from analyses.order.vocabulary import Bools
from probe.errors import OptionError, ProbeError
from probe.masked_likelihood import piece_log_probabilities
from probe.masked_states import HEAD_READS, MaskedStates
from probe.spaces import TextPieces

if TYPE_CHECKING:
    import torch

    from probe import Probe

Floats: TypeAlias = NDArray[np.float64]
OrderChoice: TypeAlias = "str | tuple[int, ...]"
"""A name of ``ORDERS``, ``confidence``, or the places of the blanks, from 1, in the order they are filled."""
CONFIDENCE = "confidence"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a piece is drawn from what the model predicts.

    Attributes:
        temperature: of the distribution; 0 takes the most likely piece.
        top_k: only the k most likely pieces; 0: all.
        top_p: only the most likely pieces that together have this probability (Holtzman et al. 2020); 1: all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def choose(self, log_probabilities: Floats, allowed: Bools, rng: np.random.Generator) -> int:
        """Draw a piece: [vocabulary], [vocabulary] -> its id."""
        scores = np.where(allowed, log_probabilities, -np.inf)
        if self.temperature == 0:
            return int(scores.argmax())
        scores = scores / self.temperature
        order = np.argsort(-scores, kind="stable")[: self.top_k or None]
        kept = scores[order] - scores[order[0]]
        shares = np.exp(kept) / np.exp(kept).sum()
        # A piece is kept if those before it do not have that probability yet: the first always is.
        kept[np.cumsum(shares) - shares >= self.top_p] = -np.inf
        kept[0] = 0.0
        # Gumbel-max: the noise does not depend on the scores, so that rounding moves a draw only at a tie.
        noise = rng.gumbel(size=len(scores))
        return int(order[(kept + noise[order]).argmax()])


@dataclass(frozen=True, eq=False)
class Filled:
    """A blank that was filled.

    Attributes:
        piece: which of the template's pieces, from 0.
        chosen: id of what fills it.
        log_probability: of it, by the model, in nats, before temperature and what was left out.
        entropy: of what the model predicted there, in nats.
    """

    piece: int
    chosen: int
    log_probability: float
    entropy: float


@dataclass(frozen=True, eq=False)
class Generated:
    """A text.

    Attributes:
        ids: int64 [length], special tokens included.
        steps: the blanks in the order in which they were filled.
    """

    ids: NDArray[np.int64]
    steps: tuple[Filled, ...]

    @property
    def log_probability(self) -> float:
        """Of the blanks' pieces in the order in which they were filled, in nats."""
        return sum(step.log_probability for step in self.steps)


def generate(
    model: Probe,
    template: Template,
    order: OrderChoice = "random",
    *,
    texts: int = 1,
    sampling: Sampling | None = None,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> list[Generated]:
    """Fill the blanks of a template, several times.

    Each step masks all blanks that are not filled yet, and fills one. What is drawn depends on the seed, the
    number of the text and the step alone.

    Args:
        model: with a masked-LM head.
        template: of its pieces.
        order: in which the blanks are filled; ``confidence`` fills the one of whose piece the model is surest.
        texts: how many.
        sampling: how a piece is drawn.
        seed: of draws and random orders.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        probe.ModelError: the model does not fill masks.
        OptionError: an unknown order, or one that is not of the blanks.
        ProbeError: what the model predicts is not a number.
    """
    from probe.needs import check_fills_masks

    check_fills_masks(model, "text")
    plans = [_plan(template, order, np.random.default_rng([seed, number, 0])) for number in range(texts)]
    rows = max(1, batch_tokens // len(template.ids))
    writer = _Writer(model, template, sampling or Sampling(), on_passes or (lambda passes: None))
    found: list[Generated] = []
    for start in range(0, texts, rows):
        numbers = range(start, min(start + rows, texts))
        found += writer(seed, numbers, [plans[number] for number in numbers])
    return found


def _plan(template: Template, order: OrderChoice, rng: np.random.Generator) -> NDArray[np.int64] | None:
    """Which blank is filled at each step; None where the model is to say."""
    if isinstance(order, tuple):
        places = [int(at) + 1 for at in template.blanks]
        if sorted(order) != places:
            wanted = ",".join(map(str, places))
            raise OptionError(f"order: each of the blanks {wanted} once is expected, found {_listed(order)}")
        return np.array([places.index(place) for place in order])
    return None if order == CONFIDENCE else ORDERS[order].draw(len(template.blanks), rng)


def _listed(order: Sequence[int]) -> str:
    return ",".join(map(str, order))


class _Writer:
    """Writes several texts at once: a forward pass a step."""

    def __init__(
        self, model: Probe, template: Template, sampling: Sampling, on_passes: Callable[[int], None]
    ) -> None:
        from probe.head import Head

        self._template, self._sampling, self._on_passes = template, sampling, on_passes
        self._head, self._states = Head(model.model), MaskedStates(model)

    def __call__(
        self, seed: int, numbers: Sequence[int], plans: Sequence[NDArray[np.int64] | None]
    ) -> list[Generated]:
        import torch

        template = self._template
        ids = np.tile(template.ids, (len(numbers), 1))
        left = np.ones((len(numbers), len(template.blanks)), dtype=bool)
        places = template.positions[template.blanks]
        steps: list[list[Filled]] = [[] for _ in numbers]
        with torch.inference_mode():
            for step in range(len(template.blanks)):
                if plans[0] is None:
                    blanks, logs = self._surest(ids, places, left)
                else:
                    blanks = np.array([plan[step] for plan in plans if plan is not None])
                    logs = self._predict(self._states(ids, places[blanks]))
                for row, (number, blank) in enumerate(zip(numbers, blanks.tolist(), strict=True)):
                    rng = np.random.default_rng([seed, number, 1, step])
                    filled = self._fill(blank, logs[row], rng)
                    ids[row, places[blank]] = filled.chosen
                    left[row, blank] = False
                    steps[row].append(filled)
                self._on_passes(len(numbers))
        return [Generated(ids[row], tuple(steps[row])) for row in range(len(numbers))]

    def _predict(self, states: torch.Tensor) -> Floats:
        """Log-probabilities by the head: [reads, hidden] -> [reads, vocabulary]."""
        parts = (states[at : at + HEAD_READS] for at in range(0, len(states), HEAD_READS))
        return np.concatenate([self._head.log_probabilities(part).double().cpu().numpy() for part in parts])

    def _surest(
        self, ids: NDArray[np.int64], places: NDArray[np.int64], left: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Floats]:
        """Of each text the blank with the likeliest piece, and what is predicted there; of equals the first.

        Shapes:
            ids [texts, length], places [blanks], left [texts, blanks] -> [texts], [texts, vocabulary]
        """
        wanted = np.zeros(ids.shape, dtype=bool)
        wanted[:, places] = left
        states = self._states.read(ids, wanted)
        text, blank = np.nonzero(left)
        best = np.full(len(ids), -np.inf)
        blanks = np.zeros(len(ids), dtype=np.int64)
        logs: list[Floats] = [np.empty(0)] * len(ids)
        for start in range(0, len(text), HEAD_READS):
            found = self._predict(states[start : start + HEAD_READS])
            for at, predicted in enumerate(found, start=start):
                surest = predicted[self._allowed(int(blank[at]), len(predicted))].max()
                if surest > best[text[at]]:
                    best[text[at]], blanks[text[at]], logs[text[at]] = surest, blank[at], predicted
        return blanks, np.stack(logs)

    def _allowed(self, blank: int, size: int) -> Bools:
        """What a blank may be filled with; the output may have more rows than the vocabulary has pieces."""
        known = self._template.allowed[blank]
        return np.pad(known, (0, max(0, size - len(known))))[:size]

    def _fill(self, blank: int, logs: Floats, rng: np.random.Generator) -> Filled:
        if np.isnan(logs).any():
            raise ProbeError("what the model predicts is not a number: try dtype float32")
        chosen = self._sampling.choose(logs, self._allowed(blank, len(logs)), rng)
        finite = logs[np.isfinite(logs)]
        return Filled(
            piece=int(self._template.blanks[blank]),
            chosen=chosen,
            log_probability=float(logs[chosen]),
            entropy=float(-(np.exp(finite) * finite).sum()),
        )


def draw_alone(
    template: Template,
    log_probabilities: Floats | None,
    *,
    texts: int = 1,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> list[Generated]:
    """Fill every blank by itself, without a look at the others: the baseline.

    Args:
        template: of a model's pieces.
        log_probabilities: of the pieces, such as those of the bias of the model's output; all alike without.
        texts, sampling, seed: as of :func:`generate`.

    Shapes:
        log_probabilities: float64 [vocabulary]
    """
    chosen = sampling or Sampling()
    found = []
    for number in range(texts):
        ids, steps = template.ids.copy(), []
        for step, (piece, allowed) in enumerate(zip(template.blanks.tolist(), template.allowed, strict=True)):
            size = len(allowed)
            logs = np.full(size, -np.log(size)) if log_probabilities is None else log_probabilities[:size]
            rng = np.random.default_rng([seed, number, 1, step])
            filled = chosen.choose(logs, allowed, rng)
            ids[template.positions[piece]] = filled
            entropy = float(-(np.exp(logs) * logs).sum())
            steps.append(Filled(piece, filled, float(logs[filled]), entropy))
        found.append(Generated(ids, tuple(steps)))
    return found


def written(model: Probe, ids: NDArray[np.int64], template: Template) -> str:
    """The text of pieces, with ``_`` where a blank is left.

    Shapes:
        ids: int64 [length], special tokens included
    """
    tokenizer: Any = model.tokenizer
    inside = ids[template.positions].tolist()
    text = str(tokenizer.decode(inside)).replace(tokenizer.mask_token, f" {BLANK} ")
    return " ".join(text.split())


def pseudo_log_probabilities(
    model: Probe, template: Template, texts: Sequence[Generated], *, batch_tokens: int = 4_096
) -> Floats:
    """Log-probability of the blanks' pieces of each text, each piece with all others seen: float64 [texts]."""
    pieces = len(template.positions)
    whole = [
        TextPieces(ids=text.ids, positions=template.positions, words=np.arange(pieces), unknown=0)
        for text in texts
    ]
    eye = np.eye(pieces, dtype=bool)
    found = piece_log_probabilities(model, whole, lambda at: eye, batch_tokens=batch_tokens)
    return np.array([values[template.blanks].sum() for values in found])
