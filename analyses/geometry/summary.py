"""What a pass over a corpus says about each layer: baselines, adjusted values, intervals, groups of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from analyses.geometry.measures import Floats, bootstrap_means, iso_score, maximum_explained, without_rogue
from analyses.intervals import MIN_UNITS

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import Tensor

    from analyses.geometry.stream import Geometry
    from data import Sentence

RESAMPLES = 1_000
DRAWS = 20
"""Random sets of states of each size that a matched baseline is the mean over."""

Group: TypeAlias = Literal["frequency", "pos"]
GROUPS: tuple[Group, ...] = get_args(Group)
BANDS = (5, 10, 50, 200, 1_000)
"""The least occurrences of each band of frequency."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A measure by layer, each [layers]; the bounds of its 95% interval are NaN where there is none.

    ``too_few`` says that there is none because it is of fewer than ``MIN_UNITS`` words or sentences.
    """

    value: Floats
    low: Floats
    high: Floats
    too_few: bool = False

    @classmethod
    def exact(cls, value: Floats) -> Curve:
        """One without intervals."""
        absent = np.full(len(value), np.nan)
        return cls(value=value, low=absent, high=absent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary:
    """All measures of a model by layer.

    ``matched`` measures have the same taken off for as many random words as the word has drawn occurrences, or
    as the sentence has words: they are 0 where words and sentences are random, whatever their size. ``adjusted``
    ones have the baseline of Ethayarajh (2019), section 3.4, taken off: the anisotropy, or the MEV of all sampled
    random words (a thousand).

    Attributes:
        curves: the measures that have an interval, by name; see ``SIMILARITY`` and ``VARIANCE``.
        isotropy: those that have none, by name; see ``ISOTROPY``.
        excess: self-similarity less anisotropy, and matched MEV, of each word: [words, layers].
    """

    curves: Mapping[str, Curve]
    isotropy: Mapping[str, Floats]
    excess: Mapping[str, Floats]

    def to_frame(self) -> DataFrame:
        """The measures as a pandas frame: a row a measure and layer; ``value``, ``low`` and ``high`` (95%).

        The bounds are missing where there is no interval.
        """
        import pandas

        exact = {name: Curve.exact(value) for name, value in self.isotropy.items()}
        frames = [
            pandas.DataFrame(
                {"measure": name, "value": curve.value, "low": curve.low, "high": curve.high}
            ).rename_axis("layer")
            for name, curve in (exact | dict(self.curves)).items()  # the anisotropy with its interval
        ]
        return pandas.concat(frames).reset_index()[["measure", "layer", "value", "low", "high"]]


SIMILARITY = (
    "anisotropy",
    "self-similarity",
    "self-similarity adjusted",
    "intra-sentence",
    "intra-sentence adjusted",
    "intra-sentence matched",
)
VARIANCE = ("MEV", "MEV adjusted", "MEV matched", "explained as released")
ISOTROPY = ("anisotropy", "IsoScore", "top 1", "top 3", "without 1", "without 3", "standardized")
REMOVED = (1, 3)


def summarize(found: Geometry, *, seed: int = 0) -> Summary:
    """Measures with percentile bootstrap intervals, 1,000 resamples.

    Words are resampled for self-similarity and MEV, sentences for intra-sentence similarity, blocks of sentences
    for the anisotropy. Where one is taken off the other, the two are drawn independently of each other. The
    MEV of random words, from one sample, has no part in the intervals.
    """
    anisotropy = found.anisotropy()
    random_mev = maximum_explained(_tensor(found.sample).transpose(0, 1))
    sets = _RandomSets(found.sample, seed)
    mev_excess = found.mev - sets.like(found.drawn, maximum_explained)
    intra_excess = found.intra_sentence - sets.like(found.lengths, intra_sentence)
    of_words = _resampled((found.self_similarity, found.mev, mev_excess, found.mev_released), seed)
    of_sentences = _resampled((found.intra_sentence, intra_excess), seed + 1)
    across = found.blocks.resampled(resamples=RESAMPLES, seed=seed + 2)
    (own, own_draws), (mev, mev_draws), matched_mev, released = of_words
    (intra, intra_draws), matched_intra = of_sentences
    n_words, n_sentences, n_blocks = len(found.words), len(found.lengths), len(found.blocks.sizes)
    curves = {
        "anisotropy": _curve(anisotropy, across, n_blocks),
        "self-similarity": _curve(own, own_draws, n_words),
        "self-similarity adjusted": _curve(own - anisotropy, own_draws - across, min(n_words, n_blocks)),
        "intra-sentence": _curve(intra, intra_draws, n_sentences),
        "intra-sentence adjusted": _curve(
            intra - anisotropy, intra_draws - across, min(n_sentences, n_blocks)
        ),
        "intra-sentence matched": _curve(*matched_intra, n_sentences),
        "MEV": _curve(mev, mev_draws, n_words),
        "MEV adjusted": _curve(mev - random_mev, mev_draws - random_mev, n_words),
        "MEV matched": _curve(*matched_mev, n_words),
        "explained as released": _curve(*released, n_words),
    }
    excess = {"self-similarity adjusted": found.self_similarity - anisotropy, "MEV matched": mev_excess}
    return Summary(curves=curves, isotropy=_isotropy(found, anisotropy), excess=excess)


def _isotropy(found: Geometry, anisotropy: Floats) -> dict[str, Floats]:
    deviation = np.sqrt(np.clip(np.diagonal(found.covariance, axis1=1, axis2=2), 0, None))
    rogue = without_rogue(found.sample, found.contributions, found.mean, deviation, removed=REMOVED)
    ordered = -np.sort(-found.contributions, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = {f"top {k}": ordered[:, :k].sum(axis=-1) / anisotropy for k in REMOVED}
    return {
        "anisotropy": anisotropy,
        "IsoScore": iso_score(found.covariance),
        **shares,
        **{f"without {k}": rogue.without[k] for k in REMOVED},
        "standardized": rogue.standardized,
    }


class _RandomSets:
    """Measures of sets of random words of a given size."""

    def __init__(self, sample: NDArray[np.float32], seed: int) -> None:
        self._sample, self._rng = _tensor(sample), np.random.default_rng(seed)

    def like(self, sizes: NDArray[np.int64], measure: Callable[[Tensor], Floats]) -> Floats:
        """For each item the mean of a measure over random sets of its size: [items, layers].

        Args:
            sizes: int64 [items]; a size above the whole sample counts as the whole sample.
            measure: states float32 [sets, layers, size of a set, dimensions] -> [sets, layers].
        """
        import torch

        n = len(self._sample)
        clipped = np.minimum(sizes, n)
        distinct, which = np.unique(clipped, return_inverse=True)
        means = np.full((len(distinct), self._sample.shape[1]), np.nan)
        for row, size in enumerate(distinct):
            if size:
                draws = np.stack([self._rng.permutation(n)[:size] for _ in range(DRAWS)])
                means[row] = measure(self._sample[torch.from_numpy(draws)].transpose(1, 2)).mean(axis=0)
        return np.asarray(means[which])


def intra_sentence(states: Tensor) -> Floats:
    """Mean cosine of the words of sets, such as sentences, and the mean of their states.

    Shapes:
        states: [..., words, size]; returns [...]
    """
    from torch.nn.functional import normalize

    # The mean of the cosines of the words and a direction is the product of the mean unit vector with it.
    units, directions = normalize(states, dim=-1).mean(dim=-2), normalize(states.mean(dim=-2), dim=-1)
    return np.asarray((units * directions).sum(dim=-1).numpy(), dtype=np.float64)


def _tensor(values: NDArray[np.float32]) -> Tensor:
    import torch

    return torch.from_numpy(values)


def _resampled(columns: Sequence[Floats], seed: int) -> list[tuple[Floats, Floats]]:
    """Means and resampled means of several measures of the same items, all from the same draws."""
    layers = columns[0].shape[1]
    draws = bootstrap_means(np.concatenate(columns, axis=1), resamples=RESAMPLES, seed=seed)
    parts = np.split(draws, len(columns), axis=1)
    means = []
    for column in columns:
        there = np.isfinite(column).any(axis=0)
        mean = np.full(layers, np.nan)
        mean[there] = np.nanmean(column[:, there], axis=0)
        means.append(mean)
    return list(zip(means, parts, strict=True))


def _curve(value: Floats, draws: Floats, units: int) -> Curve:
    """With an interval, unless it is of too few words or sentences."""
    if units < MIN_UNITS:
        return replace(Curve.exact(value), too_few=True)
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return Curve(value=value, low=low, high=high)


# --- groups of words


def frequency_bands(counts: Iterable[int]) -> list[str]:
    """The band of frequency of each word, such as ``10-49`` and ``1000+``."""
    edges = (*BANDS, 0)
    names = [f"{low}-{high - 1}" if high else f"{low}+" for low, high in zip(BANDS, edges[1:], strict=True)]
    names.insert(0, f"1-{BANDS[0] - 1}")
    return [names[int(np.searchsorted(BANDS, count, side="right"))] for count in counts]


def tags_of(words: Sequence[str], sentences: Iterable[Sentence], *, cased: bool = False) -> list[str]:
    """The most frequent part of speech of each word.

    Raises:
        ValueError: a sentence has no tags; names it.
    """
    tags: dict[str, Counter[str]] = {word: Counter() for word in words}
    for sentence in sentences:
        if sentence.upos is None:
            raise ValueError(f"{sentence.where}: parts of speech are expected (CoNLL-U), found none")
        for word, tag in zip(sentence.words, sentence.upos, strict=True):
            if (found := tags.get(word if cased else word.lower())) is not None:
                found[tag] += 1
    return [found.most_common(1)[0][0] for found in tags.values()]


def by_group(excess: Floats, groups: Sequence[str], *, seed: int = 0) -> dict[str, tuple[int, Curve]]:
    """Number of words, and mean with its interval, of each group in the order of their names.

    Shapes:
        excess: [words, layers]; groups: one a word
    """
    found = {}
    labels = np.array(groups)
    for group in sorted(set(groups), key=lambda name: (_leading_number(name), name)):
        [(mean, draws)] = _resampled([excess[labels == group]], seed)
        words = int((labels == group).sum())
        found[group] = (words, _curve(mean, draws, words))
    return found


def _leading_number(name: str) -> int:
    digits = name.rstrip("+").partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
