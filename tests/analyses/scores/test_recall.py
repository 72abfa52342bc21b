"""Recall of gold arcs by relation, by arc length and by sentence length."""

import pytest

from analyses import Interval
from analyses.scores.recall import GROUPS, arc_groups, arc_recall, recall_table
from data import Sentence

SENTENCES = (
    Sentence(
        id="1",
        words=("The", "cats", "were", "seen", "."),
        heads=(2, 4, 4, 0, 4),
        upos=("DET", "NOUN", "AUX", "VERB", "PUNCT"),
        relations=("det", "nsubj:pass", "aux:pass", "root", "punct"),
    ),
    Sentence(
        id="2", words=("Dogs", "bark"), heads=(2, 0), upos=("NOUN", "VERB"), relations=("nsubj", "root")
    ),
)
PREDICTED = ([2, 3, 4, 0, 4], [0, 1])


def long_sentence(n: int) -> Sentence:
    """All words depend on the last one, which is the root."""
    return Sentence(id=str(n), words=("w",) * n, heads=(n,) * (n - 1) + (0,))


def test_groups_of_a_sentence() -> None:
    assert arc_groups(SENTENCES[0], "relation") == ["det", "nsubj", "aux", "root", "punct"]
    assert arc_groups(SENTENCES[0], "length") == ["1", "2", "1", "root", "1"]
    assert arc_groups(SENTENCES[0], "sentence-length") == ["1-10"] * 5


def test_lengths_fall_into_ranges() -> None:
    lengths = arc_groups(long_sentence(25), "length")
    assert lengths == [
        *["21+"] * 4,  # lengths 24 to 21
        *["11-20"] * 10,
        *["6-10"] * 5,
        *["5", "4", "3", "2", "1", "root"],
    ]
    found = {n: arc_groups(long_sentence(n), "sentence-length")[0] for n in (10, 11, 20, 30, 31, 40, 41, 99)}
    assert list(found.values()) == ["1-10", "11-20", "11-20", "21-30", "31-40", "31-40", "41+", "41+"]


def test_recall_by_relation_counts_scored_arcs_only() -> None:
    found = arc_recall(SENTENCES, PREDICTED, by="relation", protocol="fair", resamples=50)
    assert {name: (each.value, each.total) for name, each in found.items()} == {
        "nsubj": (0.0, 2),
        "root": (50.0, 2),
        "aux": (100.0, 1),
        "det": (100.0, 1),
    }
    assert list(found) == ["nsubj", "root", "aux", "det"]  # by falling number of arcs, then by name
    assert found["det"].interval is None
    many = arc_recall(10 * SENTENCES, 10 * PREDICTED, by="relation", protocol="fair", resamples=50)
    assert many["det"].interval == Interval(100.0, 100.0)
    everything = arc_recall(SENTENCES, PREDICTED, by="relation", protocol="wu2020", resamples=50)
    assert set(everything) - set(found) == {"punct"}


@pytest.mark.parametrize("by", GROUPS)
def test_groups_add_up_to_the_attachment_score(by: str) -> None:
    found = arc_recall(SENTENCES, PREDICTED, by=by, protocol="wu2020", resamples=50)  # type: ignore[arg-type]
    assert sum(each.total for each in found.values()) == 7
    assert round(sum(each.value * each.total for each in found.values()) / 100) == 4


def test_lengths_come_in_their_order() -> None:
    sentences = [long_sentence(n) for n in (25, 3, 45)]
    heads = [sentence.heads or () for sentence in sentences]
    lengths = arc_recall(sentences, heads, by="length", protocol="wu2020", resamples=9)
    assert list(lengths) == ["root", "1", "2", "3", "4", "5", "6-10", "11-20", "21+"]
    sizes = arc_recall(sentences, heads, by="sentence-length", protocol="wu2020", resamples=9)
    assert [(name, each.total) for name, each in sizes.items()] == [("1-10", 3), ("21-30", 25), ("41+", 45)]


def test_table_has_systems_side_by_side() -> None:
    gold = [sentence.heads or () for sentence in SENTENCES]
    table = recall_table(
        SENTENCES,
        {"model": PREDICTED, "gold": gold},
        title="Recall",
        by="relation",
        protocol="fair",
        resamples=9,
    )
    assert table.columns == ("model", "gold")
    assert [row.name for row in table.rows] == ["nsubj (2)", "root (2)", "aux (1)", "det (1)"]
    assert [[cell.value for cell in row.cells if cell] for row in table.rows] == [
        [0.0, 100.0],
        [50.0, 100.0],
        [100.0, 100.0],
        [100.0, 100.0],
    ]


def test_refusals() -> None:
    bare = Sentence(id="7", words=("a",), where="x.conllu:3")
    with pytest.raises(ValueError, match=r"x.conllu:3: sentence 7: expected relations, found none"):
        arc_groups(bare, "relation")
    with pytest.raises(ValueError, match=r"x.conllu:3: sentence 7: expected gold heads, found none"):
        arc_groups(bare, "length")
    with pytest.raises(ValueError, match="known are relation, length"):
        arc_groups(bare, "size")  # type: ignore[arg-type]
