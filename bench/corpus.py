"""The sentences that benchmarks probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data import load_sample, read_sentences


def words_of(path: Path | None) -> Iterator[tuple[str, ...]]:
    """The words of each sentence of a treebank or text, by default of the bundled sample.

    Raises:
        InputError, OSError: as of ``data.read_sentences``.
    """
    sentences = read_sentences(path) if path else load_sample()
    return (tuple(sentence.words) for sentence in sentences)
