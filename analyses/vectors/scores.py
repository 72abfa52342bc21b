"""Word vectors against judgements of similarity, analogies and categories, on the words that they have."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval, bootstrap

if TYPE_CHECKING:
    from data.vectors import WordVectors
    from data.word_sets import AnalogySet, CategorySet, SimilaritySet

Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 1_000
_QUESTIONS = 1_024
"""Analogy questions whose cosines with all words are held at a time."""
_ROUNDS = 50
"""Of Lloyd's algorithm, which is done before: no purity differs after 10."""


@dataclass(frozen=True, kw_only=True)
class SetScore:
    """The score of vectors on a set.

    Attributes:
        value: NaN where there are too few items with vectors.
        interval: 95% bootstrap over items; None of fewer than ``MIN_UNITS``, and of categories.
        covered: items whose words all have vectors, which the score is on.
        items: all items.
    """

    value: float
    interval: Interval | None
    covered: int
    items: int


def spearman(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one of both does not vary.

    Shapes:
        x, y: [items]
    """
    return float(_spearman(x, y, np.ones((1, len(x))))[0])


def _spearman(x: NDArray[Any], y: NDArray[Any], times: Floats) -> Floats:
    """The same where each item is there so many times: times [resamples, items] -> [resamples]."""
    total = times.sum(axis=1, keepdims=True)
    ranks = [_ranks(values, times) for values in (x, y)]
    # The mean of the ranks 1 to n, however tied.
    centred = [rank - (total + 1) / 2 for rank in ranks]
    products = [(times * centred[i] * centred[j]).sum(axis=1) for i, j in ((0, 1), (0, 0), (1, 1))]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(products[0] / np.sqrt(products[1] * products[2]))


def _ranks(values: NDArray[Any], times: Floats) -> Floats:
    """Mean rank of each item, [resamples, items]."""
    _, which = np.unique(values, return_inverse=True)
    order = np.argsort(which, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(which[order]) > 0))
    sizes = np.add.reduceat(times[:, order], begins, axis=1)
    return np.asarray((sizes.cumsum(axis=1) - (sizes - 1) / 2)[:, which])


def score_similarity(vectors: WordVectors, words: SimilaritySet, *, seed: int = 0) -> SetScore:
    """Spearman's correlation of the cosines of pairs and people's scores; words are looked up in lower case.

    Args:
        vectors: with words in lower case.
        words: the pairs.
        seed: of the bootstrap over pairs; resample ``b`` is the ``b``-th draw as in ``analyses.bootstrap``.
    """
    rows = vectors.index()
    kept = [
        (rows[a.lower()], rows[b.lower()], score)
        for (a, b), score in zip(words.pairs, words.scores, strict=True)
        if a.lower() in rows and b.lower() in rows
    ]
    covered, items = len(kept), len(words.pairs)
    if covered < 2:
        return SetScore(value=float("nan"), interval=None, covered=covered, items=items)
    units = _units(vectors.values)
    first, second, scores = (np.array(column) for column in zip(*kept, strict=True))
    cosines = (units[first] * units[second]).sum(axis=1)
    rng = np.random.default_rng(seed)
    times = np.stack(
        [np.bincount(rng.integers(covered, size=covered), minlength=covered) for _ in range(RESAMPLES)]
    )
    draws = _spearman(cosines, scores, times.astype(np.float64))
    draws = draws[np.isfinite(draws)]
    interval = None
    if covered >= MIN_UNITS and len(draws):
        interval = Interval(*(float(q) for q in np.quantile(draws, (0.025, 0.975))))
    return SetScore(value=spearman(cosines, scores), interval=interval, covered=covered, items=items)


def score_analogies(vectors: WordVectors, words: AnalogySet, *, full: bool, seed: int = 0) -> SetScore:
    """Accuracy of 3CosAdd: the word nearest to b - a + c is the target (Levy and Goldberg, CoNLL 2014).

    Vectors have length 1; a, b and c themselves are no answers. Words are looked up in lower case. Accuracy is
    from 0 to 1, over the questions whose four words have vectors.

    Args:
        vectors: with words in lower case.
        words: the questions.
        full: answers are sought among all vectors; otherwise among the words of this set's questions.
        seed: of the bootstrap over questions.
    """
    rows = vectors.index()
    texts = ([q.a.lower(), q.b.lower(), q.c.lower(), q.target.lower()] for q in words.questions)
    found = np.array([[rows[word] for word in four] for four in texts if rows.keys() >= set(four)])
    covered, items = len(found), len(words.questions)
    if not covered:
        return SetScore(value=float("nan"), interval=None, covered=0, items=items)
    units = _units(vectors.values)
    candidates = np.arange(len(units)) if full else np.unique(found)
    place = np.full(len(units), -1)
    place[candidates] = np.arange(len(candidates))
    right = np.concatenate(
        [
            _answers(units, candidates, place, part) == part[:, 3]
            for part in np.split(found, range(_QUESTIONS, covered, _QUESTIONS))
        ]
    )
    enough = covered >= MIN_UNITS
    interval = bootstrap(right, np.ones(covered), resamples=RESAMPLES, seed=seed) if enough else None
    return SetScore(value=float(right.mean()), interval=interval, covered=covered, items=items)


def _answers(
    units: NDArray[np.float32], candidates: NDArray[Any], place: NDArray[Any], questions: NDArray[Any]
) -> NDArray[Any]:
    """Rows of the answers to questions [questions, 4]."""
    a, b, c = units[questions[:, :3].T]
    cosines = (b - a + c) @ units[candidates].T
    for column in range(3):
        cosines[np.arange(len(questions)), place[questions[:, column]]] = -np.inf
    return np.asarray(candidates[cosines.argmax(axis=1)])


def score_categories(vectors: WordVectors, words: CategorySet, *, seed: int = 0) -> SetScore:
    """Purity of clusters, as many as there are categories (Manning et al. 2008, section 16.3).

    k-means of vectors of length 1, the tightest of ten runs. No interval: the clusters are of all words at once.

    Args:
        vectors: with words in lower case.
        words: words and categories.
        seed: of the first centres.
    """
    rows = vectors.index()
    kept = [
        (rows[word.lower()], category)
        for word, category in zip(words.words, words.categories, strict=True)
        if word.lower() in rows
    ]
    covered, items = len(kept), len(words.words)
    if not covered:
        return SetScore(value=float("nan"), interval=None, covered=0, items=items)
    _, category_of = np.unique([category for _, category in kept], return_inverse=True)
    points = _units(vectors.values)[[row for row, _ in kept]].astype(np.float64)
    clusters = k_means(points, int(category_of.max()) + 1, seed=seed)
    return SetScore(value=purity(clusters, category_of), interval=None, covered=covered, items=items)


def purity(clusters: NDArray[Any], categories: NDArray[Any]) -> float:
    """Share of the items that are of the most frequent category of their cluster; both int [items]."""
    counts = np.zeros((clusters.max() + 1, categories.max() + 1), dtype=np.int64)
    np.add.at(counts, (clusters, categories), 1)
    return float(counts.max(axis=1).sum() / len(clusters))


def k_means(points: Floats, k: int, *, runs: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Clusters by Lloyd's algorithm from the centres of k-means++ (Arthur and Vassilvitskii 2007); int [points].

    Of several runs the one with the least sum of squared distances counts.
    """
    from scipy.cluster.vq import kmeans2  # type: ignore[import-untyped]

    rng = np.random.default_rng(seed)
    found: list[tuple[float, NDArray[np.int64]]] = []
    # Fewer distinct points than clusters leave some empty, and no distance to draw the next centre by.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.filterwarnings("ignore", message="One of the clusters is empty", category=UserWarning)
        for _ in range(runs):
            centres, clusters = kmeans2(points, k, iter=_ROUNDS, minit="++", seed=rng)
            found.append((float(np.square(points - centres[clusters]).sum()), clusters.astype(np.int64)))
    return min(found, key=lambda run: run[0])[1]


def common_words(vectors: Sequence[WordVectors]) -> list[str]:
    """The words that all of them have, in the order of the first."""
    others = [set(each.words) for each in vectors[1:]]
    return [word for word in vectors[0].words if all(word in each for each in others)]


def random_vectors(words: Sequence[str], size: int, *, seed: int = 0) -> WordVectors:
    """Vectors that know nothing: normally distributed."""
    from data.vectors import WordVectors

    values = np.random.default_rng(seed).normal(size=(len(words), size))
    return WordVectors(tuple(words), values.astype(np.float32))


def _units(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1), dtype=np.float32)


def lower_cased(vectors: WordVectors) -> WordVectors:
    """The same with words in lower case; of words that become one the first counts."""
    from data.vectors import WordVectors

    rows: Mapping[str, int] = {word.lower(): row for row, word in reversed(list(enumerate(vectors.words)))}
    words = list(dict.fromkeys(word.lower() for word in vectors.words))
    return WordVectors(tuple(words), vectors.values[[rows[word] for word in words]])
