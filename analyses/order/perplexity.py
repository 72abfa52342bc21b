"""How likely a model finds texts, in any order: pseudo-perplexity, sequential and random-order perplexity.

The pieces of a text are predicted one by one; while one is predicted, those that come later in the order are
masked. Their log-probabilities sum to that of the text, whatever the order (Liao et al. 2020, equation 9): a
masked language model is a distribution over texts in each order, and need not be the same one in all of them.
The pseudo-perplexity (Salazar et al. 2020) masks only the piece that is predicted and is no such sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval, bootstrap, resampled_sums
from analyses.order.orders import ORDERS, Places, masked_while_predicted, places_in
from probe.masked_likelihood import piece_log_probabilities

if TYPE_CHECKING:
    from probe import Probe
    from probe.spaces import TextPieces

Floats = NDArray[np.float64]
PSEUDO = "pseudo"
"""Where all other pieces are seen."""
WAYS = (PSEUDO, *ORDERS)
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Reading:
    """Log-probabilities of the pieces of every sequence under one order.

    Attributes:
        values: float64 [pieces] of each sequence, in nats.
        seen: int64 [pieces] of each: how many other pieces were seen while a piece was predicted.
    """

    values: tuple[Floats, ...]
    seen: tuple[Places, ...]

    @property
    def sums(self) -> Floats:
        """Log-probability of each sequence: float64 [sequences]."""
        return np.array([each.sum() for each in self.values])

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "values": [each.tolist() for each in self.values],
            "seen": [each.tolist() for each in self.seen],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Reading:
        """The inverse of ``as_dict``."""
        values = tuple(np.array(each, dtype=np.float64) for each in found["values"])
        return cls(values, tuple(np.array(each, dtype=np.int64) for each in found["seen"]))


def draws_of(way: str, draws: int) -> int:
    """How often an order is drawn: once, unless it is random."""
    return draws if way != PSEUDO and ORDERS[way].random else 1


def read_in_order(
    model: Probe,
    sequences: Sequence[TextPieces],
    way: str,
    *,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> Reading:
    """Predict every piece of every sequence, in an order.

    Args:
        model: with a masked-LM head.
        sequences: of its pieces.
        way: ``pseudo``, all others seen, or a name of ``ORDERS``.
        seed: of random orders; each sequence has its own, which does not depend on the others.
        batch_tokens: pieces in one forward pass; it changes nothing but the time.
        on_passes: called with the number of forward passes after each batch.

    Raises:
        probe.ModelError: the model does not fill masks.
        probe.OptionError: an unknown order.
    """
    from probe.needs import check_fills_masks

    check_fills_masks(model, "a perplexity")
    sizes = [len(each.positions) for each in sequences]
    if way == PSEUDO:
        seen = [np.full(n, n - 1) for n in sizes]
    else:
        draw = ORDERS[way].draw
        orders = [draw(n, np.random.default_rng([seed, number])) for number, n in enumerate(sizes)]
        seen = [places_in(order) for order in orders]
    values = piece_log_probabilities(
        model,
        sequences,
        lambda at: np.eye(sizes[at], dtype=bool) if way == PSEUDO else masked_while_predicted(orders[at]),
        batch_tokens=batch_tokens,
        on_passes=on_passes,
    )
    return Reading(tuple(values), tuple(seen))


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """What a perplexity of texts is made of.

    Attributes:
        logs: log-probability of each text, in nats: float64 [texts].
        counts: pieces, or words, of each, above 0: float64 [texts].
    """

    logs: Floats
    counts: Floats


@dataclass(frozen=True)
class Perplexity:
    """A perplexity, or a ratio of two, with its 95% interval; of fewer than ``MIN_UNITS`` units there is none."""

    value: float
    interval: Interval | None


def perplexity(log_probabilities: Floats, counts: Sequence[int] | Floats, *, seed: int = 0) -> Perplexity:
    """exp of the mean negative log-probability, with a bootstrap interval over sequences.

    Args:
        log_probabilities: float64 [sequences], in nats; where there are several of each, their mean.
        counts: pieces, or words, of each sequence.
        seed: of the bootstrap.

    Raises:
        ValueError: no sequences, or values that are not finite.
    """
    loss = -np.asarray(log_probabilities, dtype=np.float64)
    found = bootstrap(loss, counts, resamples=RESAMPLES, seed=seed)
    interval = Interval(float(np.exp(found.low)), float(np.exp(found.high)))
    return Perplexity(
        float(np.exp(loss.sum() / np.sum(counts))), interval if len(loss) >= MIN_UNITS else None
    )


def perplexity_ratio(mine: Losses, its: Losses, *, seed: int = 0) -> Perplexity:
    """How many times a perplexity is another one of the same texts, with a paired bootstrap interval over texts.

    Both are taken of the same resamples. The texts need not have as many pieces in both.

    Args:
        mine, its: of the same texts in the same order.
        seed: of the bootstrap.

    Raises:
        ValueError: the texts are not as many, or there is none.
    """
    if len(mine.logs) != len(its.logs) or not len(mine.logs):
        raise ValueError(f"expected the same texts twice, found {len(mine.logs)} and {len(its.logs)}")
    columns = np.stack((mine.logs, mine.counts, its.logs, its.counts))

    def ratio(sums: Floats) -> Floats:
        found: Floats = np.exp(sums[2] / sums[3] - sums[0] / sums[1])
        return found

    resampled = ratio(resampled_sums(columns, resamples=RESAMPLES, seed=seed))
    low, high = np.quantile(resampled, (0.025, 0.975))
    interval = Interval(float(low), float(high)) if len(mine.logs) >= MIN_UNITS else None
    return Perplexity(float(ratio(columns.sum(axis=1))), interval)


def by_share_seen(readings: Sequence[Reading], bins: int) -> list[tuple[Floats, Floats]]:
    """Log-probabilities by how much of the other pieces was seen, in bins of equal width.

    Returns:
        For each bin the sum over its pieces, and their number: float64 [sequences] each.
    """
    count = len(readings[0].values)
    sums, numbers = np.zeros((bins, count)), np.zeros((bins, count))
    for reading in readings:
        for number, (values, seen) in enumerate(zip(reading.values, reading.seen, strict=True)):
            others = max(1, len(values) - 1)
            at = np.minimum(seen * bins // others, bins - 1)
            np.add.at(sums[:, number], at, values)
            np.add.at(numbers[:, number], at, 1)
    return list(zip(sums, numbers, strict=True))


def unigram_log_probabilities(sequences: Sequence[TextPieces]) -> tuple[Floats, ...]:
    """Of every piece by the frequencies of pieces in the sequences themselves, which have seen the text."""
    inside = [each.ids[each.positions] for each in sequences]
    counts = np.bincount(np.concatenate(inside))
    logs = np.log(np.maximum(counts, 1) / counts.sum())
    return tuple(logs[ids] for ids in inside)


def bias_log_probabilities(model: Probe, sequences: Sequence[TextPieces]) -> tuple[Floats, ...] | None:
    """Of every piece by the bias of the model's output; None where it has none."""
    logs = output_bias(model)
    return None if logs is None else tuple(logs[each.ids[each.positions]] for each in sequences)


def output_bias(model: Probe) -> Floats | None:
    """What the output predicts of a state of zeros: log-probabilities by its bias, float64 [vocabulary].

    None where the output layer has no bias.
    """
    output = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    bias = getattr(output, "bias", None)
    return None if bias is None else bias.detach().double().log_softmax(-1).cpu().numpy()
