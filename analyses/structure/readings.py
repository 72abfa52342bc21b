"""How well a model fills in masked words under masks of attention, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval, PairedResult, bootstrap, paired_bootstrap
from probe.patterns import AttentionChoice

if TYPE_CHECKING:
    from probe import Probe
    from probe.alignment import Alignment

Floats = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Reading:
    """What came out of one way to see, of every sentence: float64 [sentences] each.

    Attributes:
        right: words of which every piece was predicted right; over several draws their mean.
        logs: sum of the log-probabilities of the pieces, in nats.
        words, pieces: number of them.
        seen: pairs of a word and another word that it sees.
    """

    right: Floats
    logs: Floats
    words: Floats
    pieces: Floats
    seen: Floats

    @property
    def is_finite(self) -> bool:
        """Whether the model's predictions are numbers."""
        return bool(np.isfinite(self.logs).all())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {name: getattr(self, name).tolist() for name in _FIELDS}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Reading:
        """The inverse of ``as_dict``."""
        return cls(*(np.array(found[name], dtype=np.float64) for name in _FIELDS))


_FIELDS = tuple(field.name for field in fields(Reading))


def read_masked(
    model: Probe,
    sentences: Sequence[Sequence[str]],
    attentions: Sequence[AttentionChoice],
    *,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> Reading:
    """Mask every word of every sentence, one word with all of its pieces at a time, and predict its pieces.

    Args:
        model: with a masked-LM head.
        sentences: words of each, which the model can read.
        attentions: of each, see ``probe.patterns``; under ``full`` the special tokens, too, see everything.
        batch_tokens: pieces in one forward pass; it changes nothing but the time.
        on_passes: called with the number of forward passes after each batch.

    Raises:
        probe.ModelError: the model does not fill masks, or a mask does not control who sees whom.
        probe.SentenceError: a sentence cannot be read, or a matrix is not of its words.
    """
    import torch

    from probe.needs import check_attention
    from probe.openness import MaskedUnits
    from probe.patterns import GIVEN

    if any(not isinstance(one, str) for one in attentions):
        check_attention(model, GIVEN, ["masked words"])
    masked = MaskedUnits(model)
    found = np.zeros((5, len(sentences)))
    groups: dict[tuple[int, bool], list[tuple[int, Alignment]]] = {}
    for at, (words, attention) in enumerate(zip(sentences, attentions, strict=True)):
        alignment = model.align(words, None, attention)
        n = len(words)
        seen = n * (n - 1) if isinstance(attention, str) else int(np.sum(attention)) - n
        found[2:, at] = n, len(alignment.positions), seen
        groups.setdefault((len(alignment.ids), alignment.sees is None), []).append((at, alignment))
    for (length, _), group in sorted(groups.items(), key=lambda item: item[0]):
        alignments = [alignment for _, alignment in group]
        true = np.concatenate([one.ids[one.positions] for one in alignments])
        logs, right = np.empty(len(true)), np.empty(len(true), dtype=bool)
        rows = max(1, batch_tokens // length)
        for part, predicted in masked(alignments, rows=rows, on_passes=on_passes or (lambda passes: None)):
            wanted = torch.from_numpy(true[part]).to(predicted.device)
            logs[part] = predicted.gather(1, wanted[:, None])[:, 0].double().cpu().numpy()
            right[part] = (predicted.argmax(dim=1) == wanted).cpu().numpy()
        ends = np.cumsum([len(one.positions) for one in alignments])[:-1]
        pieces = zip(group, np.split(right, ends), np.split(logs, ends), strict=True)
        for (at, alignment), of_right, of_logs in pieces:
            whole = np.bincount(alignment.unit_of, weights=of_right) == np.bincount(alignment.unit_of)
            found[:2, at] = whole.sum(), of_logs.sum()
    return Reading(*found)


def mean_reading(readings: Sequence[Reading]) -> Reading:
    """The mean over draws, sentence by sentence."""
    return Reading(*(np.mean([getattr(one, name) for one in readings], axis=0) for name in _FIELDS))


def accuracy(reading: Reading, *, seed: int = 0) -> tuple[float, Interval | None]:
    """Words predicted right, in percent, with the interval of a bootstrap over sentences."""
    found = bootstrap(reading.right, reading.words, resamples=RESAMPLES, seed=seed)
    value = 100 * float(reading.right.sum() / reading.words.sum())
    return value, _unless_few(reading, Interval(100 * found.low, 100 * found.high))


def pseudo_perplexity(reading: Reading, *, seed: int = 0) -> tuple[float, Interval | None]:
    """exp of the mean negative log-probability of a piece, with its interval."""
    found = bootstrap(-reading.logs, reading.pieces, resamples=RESAMPLES, seed=seed)
    value = float(np.exp(-reading.logs.sum() / reading.pieces.sum()))
    return value, _unless_few(reading, Interval(float(np.exp(found.low)), float(np.exp(found.high))))


def compare(mine: Reading, its: Reading, *, seed: int = 0) -> tuple[PairedResult, PairedResult]:
    """Paired differences of accuracy, as a share, and of the mean log-probability of a piece, in nats."""
    right = paired_bootstrap(mine.right, its.right, mine.words, resamples=RESAMPLES, seed=seed)
    return right, paired_bootstrap(mine.logs, its.logs, mine.pieces, resamples=RESAMPLES, seed=seed)


def _unless_few(reading: Reading, interval: Interval) -> Interval | None:
    return interval if len(reading.words) >= MIN_UNITS else None
