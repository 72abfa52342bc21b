"""A parsed sentence as a value: printed, drawn, as CoNLL-U, as a graph, as a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probe.svg import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from networkx import DiGraph
    from pandas import DataFrame

    from analyses.trees.induction import Induced
    from data import Sentence
    from probe import ImpactMatrix

_TYPES = {
    "sentence": "string",
    "id": "int64",
    "form": "string",
    "upos": "string",
    "head": "int64",
    "gold_head": "Int64",
}
"""Columns of a frame of trees, and their types."""


@dataclass(frozen=True, kw_only=True)
class DependencyTree:
    """The induced tree of a sentence of n words; made by ``probe.Probe.parse`` and ``pipe``.

    Attributes:
        sentence: the words, and what else is known of them, such as gold heads.
        heads: n heads, 1-based, 0 for the root; -1 (``analyses.NO_HEAD``) where a baseline gives a word none.
        made_by: the model and the method: ``model = bert, method = openness``.
        matrix: the impacts that the tree was decoded from, before they were adjusted; None of a baseline.

    Raises:
        ValueError: another number of heads than of words, or no root.

    Example:
        >>> from analyses import DependencyTree
        >>> from data import parse_sentence
        >>> made = "decoder = right-chain"
        >>> tree = DependencyTree(sentence=parse_sentence("Dogs bark."), heads=(2, 0, 2), made_by=made)
        >>> tree
        DependencyTree(3 words, root 'bark', decoder = right-chain)
        >>> print(tree)
        1 Dogs   ◄╮
        2 bark ───┴──╮  ROOT
        3 .         ◄╯
        >>> tree.to_frame()[["form", "head"]].values.tolist()
        [['Dogs', 2], ['bark', 0], ['.', 2]]
    """

    sentence: Sentence
    heads: tuple[int, ...]
    made_by: str
    matrix: ImpactMatrix | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if len(self.heads) != len(self.sentence.words):
            raise ValueError(
                f"expected {len(self.sentence.words)} heads, one a word, found {len(self.heads)}"
            )
        if 0 not in self.heads:
            raise ValueError(f"expected a root, a word of head 0, found none in {list(self.heads)}")

    @classmethod
    def of(cls, outcome: Induced, made_by: str) -> DependencyTree:
        """What ``analyses.induce`` yields, as a tree."""
        heads = tuple(outcome.heads.tolist())
        return cls(sentence=outcome.sentence, heads=heads, made_by=made_by, matrix=outcome.matrix)

    @property
    def words(self) -> tuple[str, ...]:
        """The n words."""
        return self.sentence.words

    @property
    def root(self) -> int:
        """The place of the root word, from 1; of several the first."""
        return self.heads.index(0) + 1

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        """One line: how large it is, its root, and what made it."""
        return f"DependencyTree({len(self)} words, root {self.words[self.root - 1]!r}, {self.made_by})"

    def __str__(self) -> str:
        """The arcs for a terminal; see ``analyses.draw_arcs``."""
        from analyses.pictures.arcs_text import draw_arcs

        return draw_arcs(self.words, [max(head, 0) for head in self.heads])

    def _repr_html_(self) -> str:
        """The arcs for a notebook, beside the gold arcs where there are any."""
        from analyses.pictures.arcs_svg import arcs_svg

        picture = arcs_svg(self.words, self.heads, gold=self.sentence.heads)
        return (
            f'<figure style="overflow-x:auto"><figcaption>{escape(self.made_by)}</figcaption>'
            f"{picture}</figure>"
        )

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the arcs with matplotlib; into ``ax`` where it is given, else into a figure of their size."""
        import matplotlib.pyplot as plt
        from matplotlib.figure import Figure

        from analyses.pictures.arcs import plain_arcs
        from analyses.pictures.fonts import drawable
        from analyses.pictures.style import style
        from probe.labels import elided

        with style():
            own = ax is None
            ax = plt.figure(layout="none").add_axes((0, 0, 1, 1)) if ax is None else ax
            width, height = plain_arcs(ax, [elided(word) for word in drawable(self.words)], self.heads)
        if own:
            assert isinstance(ax.figure, Figure)
            ax.figure.set_size_inches(width / 72, height / 72)
        return ax

    def to_conllu(self) -> str:
        """The tree as a CoNLL-U block; see ``data.to_conllu``.

        UD allows one root: what protocol ``wu2020`` leaves at ROOT beside it, or without a head, goes to the root.
        """
        from data import to_conllu

        root = self.root
        heads = [head if head > 0 or word == root else root for word, head in enumerate(self.heads, start=1)]
        return to_conllu(self.sentence, heads)

    def to_networkx(self) -> DiGraph[int]:
        """The tree as a graph of networkx: node 0 is ROOT, node d is word d; see ``parsers.to_networkx``."""
        from parsers import to_networkx

        return to_networkx(self.heads, self.words)

    def to_frame(self) -> DataFrame:
        """The tree as a pandas frame, a row a word; see ``tree_frame``."""
        return tree_frame([self])


def tree_frame(trees: Iterable[DependencyTree]) -> DataFrame:
    """The trees of a corpus as one pandas frame, a row a word, columns named as in CoNLL-U.

    ``sentence`` (its id), ``id`` (1 to n), ``form``, ``upos`` (missing where there are no tags), ``head`` (0 for
    the root) and ``gold_head`` (missing where it is not known).
    """
    import pandas

    columns: dict[str, list[object]] = {name: [] for name in _TYPES}
    for tree in trees:
        sentence, n = tree.sentence, len(tree)
        rows: dict[str, Sequence[object]] = {
            "sentence": [sentence.id] * n,
            "id": range(1, n + 1),
            "form": sentence.words,
            "upos": sentence.upos or [None] * n,
            "head": tree.heads,
            "gold_head": sentence.heads or [None] * n,
        }
        for name, values in rows.items():
            columns[name].extend(values)
    return pandas.DataFrame(columns).astype(_TYPES)
