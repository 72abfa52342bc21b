"""Tables of word vectors on evaluation sets: a column for each kind of vectors, all on the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyses.intervals import MIN_UNITS
from analyses.tables.signature import Signature
from analyses.tables.table import Cell, Row, Table
from analyses.vectors.scores import (
    SetScore,
    common_words,
    lower_cased,
    random_vectors,
    score_analogies,
    score_categories,
    score_similarity,
)
from data.errors import InputError

if TYPE_CHECKING:
    from data.vectors import WordVectors
    from data.word_sets import AnalogySet, CategorySet, SimilaritySet


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Named vectors; the signature says how to make them, where they are this project's."""

    name: str
    vectors: WordVectors
    signature: Signature | None = None


@dataclass(frozen=True, kw_only=True)
class Sets:
    """The evaluation sets of a folder; a kind without a subfolder is empty."""

    similarity: tuple[SimilaritySet, ...]
    analogy: tuple[AnalogySet, ...]
    categorization: tuple[CategorySet, ...]


def read_sets(folder: Path) -> Sets:
    """Read the subfolders ``similarity``, ``analogy`` and ``categorization``, at least one of them.

    Raises:
        data.InputError: there is none of them.
        data.DataError: as the readers of ``data.word_sets``.
    """
    from data.word_sets import read_analogies, read_categories, read_similarities

    names = ("similarity", "analogy", "categorization")
    there = {name: (folder / name).is_dir() for name in names}
    if not any(there.values()):
        raise InputError(f"{folder}: a folder with {', '.join(names)} or some of them is expected")
    return Sets(
        similarity=read_similarities(folder / "similarity") if there["similarity"] else (),
        analogy=read_analogies(folder / "analogy") if there["analogy"] else (),
        categorization=read_categories(folder / "categorization") if there["categorization"] else (),
    )


def evaluation_tables(
    own: Sequence[Vectors], beside: Sequence[Vectors], sets: Sets, *, seed: int = 0
) -> list[tuple[str, Table]]:
    """A table for each kind of set, all vectors cut down to the words that all of them have.

    Args:
        own: of this project; at least one.
        beside: other vectors.
        sets: see ``read_sets``.
        seed: of bootstrap, clusters and the random vectors beside.

    Raises:
        InputError: the vectors have no word in common.
    """
    lowered = [lower_cased(each.vectors) for each in (*own, *beside)]
    words = common_words(lowered)
    if not words:
        raise InputError("--beside: vectors with words of the corpus are expected, found none in common")
    vectors = [*(each.select(words) for each in lowered), random_vectors(words, lowered[0].size, seed=seed)]
    columns = (*(each.name for each in (*own, *beside)), "random")
    note = f"All on the {len(words):,} words that all vectors have. In brackets: items whose words are among them."
    notes = (note, *(f"{each.name} | {each.signature}" for each in own))
    signatures = [each.signature for each in (*own, *beside)]
    made = (*(None if found is None else found.settings for found in signatures), None)
    kinds = "restricted: answers among the words of the set's questions; full: among all words."
    planned = [
        (
            "similarity",
            "Similarity: Spearman's correlation",
            [
                _row(each.name, [score_similarity(v, each, seed=seed) for v in vectors])
                for each in sets.similarity
            ],
            notes,
        ),
        (
            "analogy",
            "Analogy: accuracy of 3CosAdd",
            [
                _row(
                    f"{each.name}, {'full' if full else 'restricted'}",
                    [score_analogies(v, each, full=full, seed=seed) for v in vectors],
                )
                for each in sets.analogy
                for full in (False, True)
            ],
            (kinds, *notes),
        ),
        (
            "categorization",
            "Categorization: purity of k-means",
            [
                _row(each.name, [score_categories(v, each, seed=seed) for v in vectors])
                for each in sets.categorization
            ],
            notes,
        ),
    ]
    return [
        (
            f"vectors-{kind}",
            Table(title=title, columns=columns, rows=tuple(rows), notes=said, column_settings=made),
        )
        for kind, title, rows, said in planned
        if rows
    ]


def _row(name: str, scores: Sequence[SetScore]) -> Row:
    return Row(
        name=f"{name} ({scores[0].covered:,} of {scores[0].items:,})",
        kind="model",
        cells=tuple(_cell(score) for score in scores),
    )


def _cell(score: SetScore) -> Cell | None:
    if not np.isfinite(score.value):
        return None
    return Cell(score.value, score.interval, decimals=3, too_few=score.covered < MIN_UNITS)
