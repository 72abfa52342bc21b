"""A tree as a value: every form says the same arcs."""

import matplotlib
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses import NO_HEAD, DependencyTree, Induced, draw_arcs, tree_frame
from data import Sentence, parse_conllu
from parsers import from_networkx
from parsers.baselines import random_projective

matplotlib.use("agg")


def tree(arcs: list[int], **about: object) -> DependencyTree:
    """A tree over numbered words."""
    words = tuple(f"w{place}" for place in range(1, len(arcs) + 1))
    sentence = Sentence(id="7", words=words, **about)  # type: ignore[arg-type]
    return DependencyTree(sentence=sentence, heads=tuple(arcs), made_by="model = m, method = paper")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(n=st.integers(1, 9), seed=st.integers(0, 1000))
def test_every_form_has_the_same_heads(n: int, seed: int) -> None:
    heads = random_projective(n, seed=seed).tolist()
    found = tree(heads)
    (read,) = parse_conllu(found.to_conllu().splitlines(), name="tree")
    assert list(read.heads or ()) == heads
    assert from_networkx(found.to_networkx()).tolist() == heads
    assert networkx.is_arborescence(found.to_networkx())
    assert found.to_frame()["head"].tolist() == heads
    assert str(found) == draw_arcs(found.words, heads)
    assert heads[found.root - 1] == 0
    assert len(found) == n


def test_a_tree_equals_one_of_the_same_arcs() -> None:
    assert tree([2, 0]) == tree([2, 0])
    assert tree([2, 0]) != tree([0, 1])
    assert hash(tree([2, 0])) == hash(tree([2, 0]))
    assert tree([2, 0]) == DependencyTree.of(
        Induced(tree([2, 0]).sentence, np.array([2, 0]), None), "model = m, method = paper"
    )


def test_what_the_published_protocol_leaves_at_root_goes_to_the_root_in_conllu() -> None:
    found = tree([NO_HEAD, 0, 0, 2])
    (read,) = parse_conllu(found.to_conllu().splitlines(), name="tree")
    assert read.heads == (2, 0, 2, 2)
    assert found.to_networkx().number_of_edges() == 3
    assert str(found).count("ROOT") == 3


def test_a_notebook_shows_arcs_beside_gold_ones_and_who_made_them() -> None:
    plain, compared = tree([2, 0])._repr_html_(), tree([2, 0], heads=(0, 1))._repr_html_()
    assert "model = m, method = paper" in plain
    assert "gold" not in plain and "missed gold arc" in compared
    words = Sentence(id="1", words=("<b>", "&"))
    escaped = DependencyTree(sentence=words, heads=(2, 0), made_by="model = <i>")._repr_html_()
    assert "<b>" not in escaped and "<i>" not in escaped


def test_plot_draws_into_the_axes_that_are_given() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    size = tuple(figure.get_size_inches())
    assert tree([2, 0, 2]).plot(ax=axes) is axes
    assert tuple(figure.get_size_inches()) == size
    assert [text.get_text() for text in axes.texts] == ["w1", "w2", "w3", "ROOT"]
    own = tree([2, 0, 2]).plot()
    assert own.figure is not figure
    assert tuple(own.figure.get_size_inches()) != size  # type: ignore[union-attr]
    plt.close("all")


def test_a_corpus_is_one_frame() -> None:
    frame = tree_frame([tree([2, 0], heads=(0, 1), upos=("X", "Y")), tree([0])])
    assert frame["id"].tolist() == [1, 2, 1]
    assert frame["upos"].isna().tolist() == [False, False, True]
    assert (frame["head"] == frame["gold_head"]).sum() == 0
    assert tree_frame([]).dtypes.equals(frame.dtypes)
    assert len(tree_frame([])) == 0


def test_a_head_for_every_word_and_a_root_are_expected() -> None:
    with pytest.raises(ValueError, match=r"expected a root, a word of head 0, found none in \[2, 1\]"):
        tree([2, 1])
    with pytest.raises(ValueError, match="expected 2 heads, one a word, found 1"):
        DependencyTree(sentence=Sentence(id="1", words=("a", "b")), heads=(0,), made_by="")
