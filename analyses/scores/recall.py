"""Recall of gold arcs by relation, by arc length and by sentence length (McDonald and Nivre, EMNLP 2007)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from analyses.intervals import Interval, percent_interval
from analyses.scores.attachment import count_arcs
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table
from analyses.trees.protocols import ProtocolName, scored_words
from probe.registry import check_name

if TYPE_CHECKING:
    from data import Sentence

GroupName: TypeAlias = Literal["relation", "length", "sentence-length"]
GROUPS: tuple[GroupName, ...] = get_args(GroupName)

ROOT = "root"
"""Group of the arcs from ROOT, which have no length."""
_ARC_LENGTHS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, 20))
_SENTENCE_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, 40))


@dataclass(frozen=True)
class ArcRecall:
    """Share of the gold arcs of a group whose head is predicted, in percent, and the number of these arcs."""

    value: float
    interval: Interval | None
    total: int


def arc_groups(sentence: Sentence, by: GroupName) -> list[str]:
    """The group of the gold arc of each word.

    - ``relation``: the universal part of DEPREL: ``nsubj`` of ``nsubj:pass``.
    - ``length``: ``|i - head|``: 1 to 5, then ``6-10``, ``11-20``, ``21+``; ``root`` for the root arc.
    - ``sentence-length``: words in the sentence: ``1-10``, ``11-20``, ``21-30``, ``31-40``, ``41+``.

    Raises:
        ValueError: an unknown name, or the sentence lacks the heads or relations that are asked for.
    """
    check_name("group", by, GROUPS)
    n = len(sentence.words)
    if by == "sentence-length":
        return [_range(n, _SENTENCE_LENGTHS)] * n
    if by == "relation":
        if sentence.relations is None:
            raise ValueError(f"{sentence.where}: sentence {sentence.id}: expected relations, found none")
        return [relation.split(":")[0] for relation in sentence.relations]
    if sentence.heads is None:
        raise ValueError(f"{sentence.where}: sentence {sentence.id}: expected gold heads, found none")
    return [
        _range(abs(word - head), _ARC_LENGTHS) if head else ROOT
        for word, head in enumerate(sentence.heads, start=1)
    ]


def arc_recall(
    sentences: Sequence[Sentence],
    predicted: Sequence[ArrayLike],
    *,
    by: GroupName,
    protocol: ProtocolName,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, ArcRecall]:
    """Recall of the gold arcs in each group, with 95% bootstrap intervals over sentences.

    Args:
        sentences: gold sentences.
        predicted: heads of each sentence, int [n], as ``analyses.decode`` returns them.
        by: how arcs are grouped; see :func:`arc_groups`.
        protocol: decides which arcs are scored.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Returns:
        Relations by falling number of arcs, lengths from short to long, with the root arcs in front.

    Raises:
        ValueError: as :func:`arc_groups`, ``analyses.scored_words`` and ``analyses.count_arcs``.
    """
    scored = [scored_words(sentence, protocol) for sentence in sentences]
    groups = [np.array(arc_groups(sentence, by)) for sentence in sentences]
    gold = [sentence.heads or () for sentence in sentences]
    found = {}
    for name in {str(name) for words in groups for name in words}:
        masks = [mask & (words == name) for mask, words in zip(scored, groups, strict=True)]
        counts = count_arcs(gold, predicted, scored=masks)
        if total := int(counts.total.sum()):
            found[name] = ArcRecall(
                value=float(100 * counts.directed.sum() / total),
                interval=percent_interval(counts.directed, counts.total, seed=seed, resamples=resamples),
                total=total,
            )
    return dict(sorted(found.items(), key=lambda item: _place(item[0], item[1], by)))


def recall_table(
    sentences: Sequence[Sentence],
    systems: Mapping[str, Sequence[ArrayLike]],
    *,
    title: str,
    by: GroupName,
    protocol: ProtocolName,
    settings: Sequence[Settings | None] = (),
    seed: int = 0,
    resamples: int = 1000,
) -> Table:
    """One line a group, with its number of arcs, and one column a system.

    Args:
        sentences: gold sentences.
        systems: heads of each sentence under the name of what predicted them; at least one system.
        title: of the table.
        settings: how the trees of each system were made.
        by, protocol, seed, resamples: as :func:`arc_recall`.

    Raises:
        ValueError: as :func:`arc_recall`.
    """
    columns = [
        arc_recall(sentences, predicted, by=by, protocol=protocol, seed=seed, resamples=resamples)
        for predicted in systems.values()
    ]
    rows = tuple(
        Row(
            name=f"{group} ({first.total:,})",
            kind="model",
            cells=tuple(Cell.measured(column[group].value, column[group].interval) for column in columns),
        )
        for group, first in columns[0].items()
    )
    note = "In brackets behind a group: its number of gold arcs. Trees are those of the table of scores."
    return Table(
        title=title, columns=tuple(systems), rows=rows, notes=(note,), column_settings=tuple(settings)
    )


def _range(value: int, ranges: Sequence[tuple[int, int]]) -> str:
    for low, high in ranges:
        if value <= high:
            return str(low) if low == high else f"{low}-{high}"
    return f"{ranges[-1][1] + 1}+"


def _place(group: str, found: ArcRecall, by: GroupName) -> tuple[int, str]:
    """Where a group stands in its table."""
    if by == "relation":
        return -found.total, group
    return 0 if group == ROOT else int(group.rstrip("+").split("-")[0]), group
