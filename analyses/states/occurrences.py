"""Which words of a corpus are looked at, and a store for some occurrences of each while states stream by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WINDOW = 4_096
"""Sentences between two points at which words that are complete leave the store."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Occurrences:
    """The occurrences of a corpus, sentence after sentence, and the words they are of.

    Attributes:
        words: the words looked at, the most frequent first.
        word_of: int64 [occurrences], the place in ``words``, -1 for a word that is not looked at.
        starts: int64 [sentences + 1], the first occurrence of each sentence.
        drawn: bool [occurrences], whether an occurrence is among those of its word that are stored.
    """

    words: tuple[str, ...]
    word_of: NDArray[np.int64]
    starts: NDArray[np.int64]
    drawn: NDArray[np.bool_]

    def of_sentences(self, sentences: NDArray[np.int64]) -> NDArray[np.int64]:
        """The occurrences of these sentences, one sentence after the other."""
        return np.concatenate([np.arange(self.starts[s], self.starts[s + 1]) for s in sentences])

    def windows(self) -> Iterator[tuple[int, int]]:
        """First sentence, and the one after the last, of each window."""
        for begin in range(0, len(self.starts) - 1, WINDOW):
            yield begin, min(begin + WINDOW, len(self.starts) - 1)


def find_occurrences(
    sentences: Sequence[Sequence[str]],
    *,
    min_count: int = 1,
    most: int,
    seed: int = 0,
    cased: bool = False,
    words: Collection[str] | None = None,
) -> Occurrences:
    """Read the words of a corpus.

    Args:
        sentences: each a sequence of words.
        min_count: words with fewer occurrences are not looked at.
        most: so many occurrences of each word are drawn, without replacement; all where it has fewer.
        seed: of the draws.
        cased: "The" and "the" are two words; otherwise one, in lower case.
        words: only these are looked at.
    """
    flat = [word if cased else word.lower() for sentence in sentences for word in sentence]
    counts = Counter(flat)
    if words is not None:
        wanted = set(words) if cased else {word.lower() for word in words}
        counts = Counter({word: count for word, count in counts.items() if word in wanted})
    kept = [word for word, count in counts.most_common() if count >= min_count]
    place = {word: row for row, word in enumerate(kept)}
    word_of = np.array([place.get(word, -1) for word in flat], dtype=np.int64)
    return Occurrences(
        words=tuple(kept),
        word_of=word_of,
        starts=np.cumsum([0, *(len(sentence) for sentence in sentences)], dtype=np.int64),
        drawn=_draw(word_of, most, seed),
    )


def _draw(word_of: NDArray[np.int64], most: int, seed: int) -> NDArray[np.bool_]:
    """In random order, the first ``most`` occurrences of each word."""
    order = np.random.default_rng(seed).permutation(len(word_of))
    order = order[np.argsort(word_of[order], kind="stable")]
    sorted_words = word_of[order]
    begins = np.searchsorted(sorted_words, sorted_words)
    drawn = np.zeros(len(word_of), dtype=bool)
    drawn[order] = (np.arange(len(order)) - begins < most) & (sorted_words >= 0)
    return drawn


class Store:
    """The states of the drawn occurrences of each word, until all of them have been seen.

    A word leaves when the window of its last drawn occurrence ends, and its rows are used again, so the store
    is as large as the most rows that are needed at one time: known before the first forward pass.
    """

    def __init__(
        self, occurrences: Occurrences, *, n_layers: int, size: int, device: torch.device | str = "cpu"
    ) -> None:
        import torch

        self._plan = _Plan(occurrences)
        self._values = torch.empty(self._plan.rows, n_layers, size, device=device)
        self._filled = np.zeros(self._plan.rows, dtype=bool)

    @property
    def rows(self) -> int:
        """The most occurrences stored at one time."""
        return self._plan.rows

    def put(self, occurrences: NDArray[np.int64], states: Sequence[Tensor]) -> None:
        """Store what is drawn of these occurrences.

        Shapes:
            occurrences: int64 [occurrences]
            states: one a layer, each float32 [occurrences, size]
        """
        import torch

        rows = self._plan.row_of[occurrences]
        drawn = np.flatnonzero(rows >= 0)
        at, device = rows[drawn], self._values.device
        self._filled[at] = True
        picked = torch.from_numpy(drawn).to(device)
        self._values[torch.from_numpy(at).to(device)] = torch.stack(
            [layer[picked] for layer in states], dim=1
        )

    def complete(self, window: int) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Words whose last drawn occurrence lies in this window, those with equally many together.

        Yields:
            words: int64 [words], and states: float32 [words, occurrences, layers, size]. Occurrences in sentences
            that could not be run are not among them.
        """
        import torch

        by_count: dict[int, list[tuple[int, NDArray[np.int64]]]] = {}
        for word, rows in self._plan.complete[window]:
            found = rows[self._filled[rows]]
            by_count.setdefault(len(found), []).append((word, found))
        by_count.pop(0, None)
        for count, group in sorted(by_count.items()):
            step = max(1, _GATHERED // (count * self._values[0].numel()))
            for begin in range(0, len(group), step):
                part = group[begin : begin + step]
                at = torch.from_numpy(np.stack([rows for _, rows in part])).to(self._values.device)
                yield np.array([word for word, _ in part]), self._values[at]
        for _, rows in self._plan.complete[window]:
            self._filled[rows] = False


_GATHERED = 2**22
"""Numbers taken out of the store at a time."""


class _Plan:
    """Which row of the store each drawn occurrence has, and which words are complete after each window."""

    def __init__(self, occurrences: Occurrences) -> None:
        self.row_of = np.full(len(occurrences.word_of), -1, dtype=np.int64)
        self.complete: list[list[tuple[int, NDArray[np.int64]]]] = []
        drawn = np.flatnonzero(occurrences.drawn)
        words = occurrences.word_of[drawn]
        last = np.zeros(len(occurrences.words), dtype=np.int64)
        np.maximum.at(last, words, drawn)
        free: list[int] = []
        self.rows = 0
        for begin, end in occurrences.windows():
            first, stop = occurrences.starts[begin], occurrences.starts[end]
            here = drawn[slice(*np.searchsorted(drawn, [first, stop]))]
            if (lacking := len(here) - len(free)) > 0:
                free += range(self.rows, self.rows + lacking)
                self.rows += lacking
            self.row_of[here] = [free.pop() for _ in here]
            self.complete.append(self._completed(drawn, words, (last >= first) & (last < stop)))
            free += [int(row) for _, rows in self.complete[-1] for row in rows]

    def _completed(
        self, drawn: NDArray[np.int64], words: NDArray[np.int64], done: NDArray[np.bool_]
    ) -> list[tuple[int, NDArray[np.int64]]]:
        found = drawn[done[words]]
        order = found[np.argsort(words[done[words]], kind="stable")]
        if not len(order):
            return []
        of = np.sort(words[done[words]])
        cuts = np.flatnonzero(of[1:] != of[:-1]) + 1
        groups = np.split(self.row_of[order], cuts)
        return [(int(word), rows) for word, rows in zip(of[np.append(0, cuts)], groups, strict=True)]
