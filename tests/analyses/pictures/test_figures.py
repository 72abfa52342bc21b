"""The figures: style, pictures of a sentence, figures of tables."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from analyses.dependency.figures import by_distance, by_layer, by_relation
from analyses.figures.sentence import own_example, published_example, treebank_example
from analyses.geometry.figures import measures_by_layer
from analyses.knowledge.figures import facts_by_relation
from analyses.pictures import style as figure_style
from analyses.pictures.arcs import arcs
from analyses.pictures.constituents import trees
from analyses.pictures.heatmap import heatmap
from analyses.pictures.style import look, render, save, style, wrapped
from analyses.tables.forms import read_table
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table, of_layers, shared_signature
from analyses.trees.methods import METHODS
from data import DataError, InputError, check_tree, load_sample
from tests.figure_tables import FACTS, LAYERS, RECALL, texts

WORDS = ["Owls", "see", "very", "well", "."]


# --- style


def test_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib, sys\n"
        "from analyses.pictures.arcs import arcs\n"
        "from analyses.pictures.style import FORMATS, render, style\n"
        "with style():\n    figure = arcs(['Owls', 'see', 'Łódź'], [2, 0, 2], gold=[0, 1, 2])\n"
        "for form in FORMATS:\n    print(hashlib.sha256(render(figure, form)).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "1"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    with style():
        figure = arcs(["Owls", "see", "Łódź"], [2, 0, 2], gold=[0, 1, 2])
    here = [hashlib.sha256(render(figure, form)).hexdigest() for form in figure_style.FORMATS]
    assert done.stdout.split() == here


def test_a_file_does_not_depend_on_those_written_before() -> None:
    def drawn(*forms: figure_style.FigureFormat) -> list[bytes]:
        with style():
            figure = heatmap(WORDS, np.arange(25.0).reshape(5, 5), signature="sig | n:1")
        return [render(figure, form) for form in forms]

    together = drawn("pdf", "svg", "png", "svg")
    assert together == [*drawn("pdf"), *drawn("svg"), *drawn("png"), *drawn("svg")]


def test_files_are_print_ready_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with style():
        figure = heatmap(WORDS, np.ones((5, 5)))
    paths = save(figure, tmp_path / "new" / "toy.v1")
    assert [path.name for path in paths] == ["toy.v1.pdf", "toy.v1.svg", "toy.v1.png"]
    pdf, svg, png = (path.read_bytes() for path in paths)
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"CreationDate" not in pdf
    assert b"<text" not in svg and b"<dc:date>" not in svg
    assert png.startswith(b"\x89PNG")

    def fail(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(figure, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_style_leaves_nothing_behind() -> None:
    before = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["text.parse_math"] is False
        assert matplotlib.rcParams["font.family"][0] == "DejaVu Sans"
    assert dict(matplotlib.rcParams) == before


def test_series_differ_in_colour_line_and_marker() -> None:
    looks = [look(index) for index in range(7)]
    for key in ("color", "linestyle", "marker"):
        assert len({str(each[key]) for each in looks}) == 7
    assert look(7) == look(0)


def test_signatures_break_between_their_parts() -> None:
    text = " | ".join(["alpha", "beta:1", "gamma:22", "d" * 70])
    lines = wrapped(text, 1.0).split("\n")
    assert lines[:2] == ["alpha | beta:1", "gamma:22"]
    assert "".join(lines[2:]) == "d" * 70
    assert wrapped("", 1.0) == ""


# --- pictures of a sentence


def test_heatmap_shows_the_matrix() -> None:
    values = np.arange(25.0).reshape(5, 5)
    figure = heatmap(WORDS, values, signature="sig | n:1")
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    assert shown is not None
    off = ~np.eye(5, dtype=bool)
    assert np.array_equal(np.ma.getdata(shown)[off], values[off])
    assert np.array_equal(np.ma.getmaskarray(shown), np.eye(5, dtype=bool))
    assert [tick.get_text() for tick in axes.get_xticklabels()] == WORDS
    assert [tick.get_text() for tick in axes.get_yticklabels()] == WORDS
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("impact of", "impact on")
    assert "sig | n:1" in texts(figure)
    for wrong in (np.ones((5, 4)), np.ones(5)):
        with pytest.raises(ValueError, match="expected a matrix"):
            heatmap(WORDS, wrong)


@pytest.mark.parametrize("n", [1, 2, 5, 18])
def test_heatmaps_of_short_sentences_stand_in_the_middle(n: int) -> None:
    with style():
        figure = heatmap(["word"] * n, np.ones((n, n)), label="impact (dist)", signature="sig | n:1")
    render(figure, "svg")
    boxes = [box for axes in figure.axes if (box := axes.get_tightbbox()) is not None]
    left, right = min(box.x0 for box in boxes), figure.bbox.x1 - max(box.x1 for box in boxes)
    assert left == pytest.approx(right, abs=8)
    (signature,) = (text for text in figure.findobj(Text) if text.get_text() == "sig | n:1")
    assert min(box.y0 for box in boxes) > signature.get_window_extent().y1


def test_arcs_tell_right_from_wrong_without_colour() -> None:
    gold, predicted = [2, 0, 4, 2, 2], [2, 0, 2, 3, 4]
    figure = arcs(WORDS, predicted, gold=gold, scored=[True] * 4 + [False], signature="sig")
    patches = figure.axes[0].patches
    assert len(patches) == 8  # four arcs above, four below; roots are lines
    styles = [patch.get_linestyle() for patch in patches[4:]]
    assert styles[0] == "-" and styles[1] == styles[2] != "-" and styles[3] not in styles[:3]
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert len(crosses) == 2 + 1  # two wrong arcs and the legend
    assert {"gold (above)", "predicted, right", "predicted, wrong", "sig", *WORDS} <= set(texts(figure))
    alone = arcs(WORDS, [2, 0, -1, 2, 2])
    assert len(alone.axes[0].patches) == 3 and "gold (above)" not in texts(alone)
    for heads in ([1, 2], [6, 0, 1, 1, 1], [-2, 0, 1, 1, 1]):
        with pytest.raises(ValueError, match="predicted: expected 5 heads from -1 to 5"):
            arcs(WORDS, heads)
    with pytest.raises(ValueError, match="expected 5 flags for 5 words, found 1"):
        arcs(WORDS, predicted, scored=[True])


def test_arcs_that_overlap_have_different_heights() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, *[8] * 10):
        heads = [int(head) for head in rng.integers(0, n + 1, n)]
        dependents = [d for d in range(n) if heads[d] > 0]
        patches: Any = arcs(["owl"] * n, heads).axes[0].patches
        drawn = zip(dependents, patches, strict=True)
        tops = {d: patch.get_path().vertices[:, 1].max() for d, patch in drawn}
        ends = {d: sorted((d, heads[d] - 1)) for d in dependents}
        for a in dependents:
            for b in dependents:
                inside = max(ends[a][0], ends[b][0]) < min(ends[a][1], ends[b][1])
                assert not (a != b and inside and tops[a] == tops[b])


def test_long_sentences_shrink_then_widen() -> None:
    short, long = arcs(WORDS, [2, 0, 4, 2, 2]), arcs(["lighthouse"] * 60, [0, *range(1, 60)])
    assert short.get_figwidth() == pytest.approx(figure_style.COLUMN_WIDTH)
    assert long.get_figwidth() > figure_style.TEXT_WIDTH
    size = {text.get_fontsize() for text in long.findobj(Text) if text.get_text() == "lighthouse"}
    assert size == {6.0}


def test_trees_side_by_side() -> None:
    gold = {(0, 4): "S", (2, 4): "ADVP", (1, 4): "VP"}
    figure = trees(WORDS[:4], {(0, 4), (0, 2), (2, 4)}, gold=gold, signature="sig")
    shown = texts(figure)
    assert {"gold", "induced", "ADVP", "VP", "sig", *WORDS[:4]} <= set(shown) and "S" not in shown
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert len(crosses) == 1 + 1  # (0, 2) and the legend
    alone = trees(WORDS[:4], {(0, 2)})
    assert not [line for line in alone.axes[0].lines if line.get_marker() == "x"]
    with pytest.raises(ValueError, match="expected brackets that do not cross"):
        trees(WORDS, {(0, 2), (1, 3)})
    with pytest.raises(ValueError, match="expected brackets of 1 to 5 words"):
        trees(WORDS, {(0, 6)})


def test_brackets_stand_outside_those_inside_them() -> None:
    """Uprights of (2, 4), (1, 4) and the sentence, from the middle of their first part to that of the last."""
    axes: Any = trees(WORDS, {(1, 4), (2, 4), (0, 1)}).axes[0]
    rows = [-text.get_position()[1] for text in axes.texts]
    uprights = []
    for shown in axes.lines:
        xs, ys = np.array(shown.get_xdata()), np.array(shown.get_ydata())
        if xs[0] == xs[1]:
            uprights.append((xs[0], *(-ys / (rows[1] - rows[0]))))
    uprights.sort()
    assert [list(ys) for _, *ys in uprights] == [[2.0, 3.0], [1.0, 2.5], [0.0, 4.0]]
    first, second, third = (x for x, *_ in uprights)
    assert 0 < first < second < third and third - second == pytest.approx(second - first)


def test_labels_of_brackets_keep_off_the_lines_around_them() -> None:
    """The upright of a bracket runs up from its last part and down from its first one."""
    gold = {(0, 4): "S", (0, 2): "NP", (2, 4): "VP"}
    axes: Any = trees(WORDS[:4], {(0, 4)}, gold=gold).axes[0]
    places = {text.get_text(): text.get_va() for text in axes.texts}
    assert (places["NP"], places["VP"]) == ("bottom", "top")


def test_a_deep_tree_fits_a_column() -> None:
    n = 16
    gold = {(start, n): "XP" for start in range(n - 5)}
    deep = trees(["word"] * n, {(start, n) for start in range(n - 8)}, gold=gold)
    assert deep.get_figwidth() == pytest.approx(figure_style.COLUMN_WIDTH, abs=0.4)
    wide: Any = heatmap(["transitions"] * 18, np.ones((18, 18)))
    assert wide.get_figwidth() == pytest.approx(figure_style.COLUMN_WIDTH)
    sizes = {label.get_fontsize() for label in wide.axes[0].get_xticklabels()}
    assert 6 <= min(sizes) <= max(sizes) <= 7


def test_examples() -> None:
    example = published_example()
    check_tree(example.sentence)
    assert " ".join(example.sentence.words).startswith("For those who follow social media")
    assert example.constituents == tuple(word for word in example.sentence.words if word not in ",.")
    assert example.brackets is not None and example.brackets[4, 7] == "NP" and (0, 16) not in example.brackets
    assert sum(example.scored) == 16
    own = own_example("Owls see .")
    assert (own.constituents, own.brackets, own.sentence.heads) == (("Owls", "see"), None, None)
    assert own.scored == [True, True, False]
    sample = treebank_example(load_sample(), "sample", "sample-04")
    assert sample.brackets is not None and sample.brackets[0, 3] == "NP"
    assert treebank_example(load_sample(), "x", "sample-02").constituents == ("Snow", "fell")
    with pytest.raises(InputError, match="found no 'nope'"):
        treebank_example(load_sample(), "sample", "nope")
    for text in ("", "Two\nlines"):
        with pytest.raises(DataError):
            own_example(text)


# --- figures of tables


def test_scores_by_layer() -> None:
    figure = by_layer(LAYERS)
    (container,) = figure.axes[0].containers
    assert list(container[0].get_xdata()) == [2, 10] and list(container[0].get_ydata()) == [20.0, 30.0]
    assert list(figure.axes[0].get_xticks()) == [2, 10]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {"left-chain", "m eisner+dist, mean", "published: Eisner+Dist 41.7"}
    assert "published: Eisner+Dist 41.7" in texts(figure)
    assert any(text.startswith("Toy | toy@1234… | n:3 | v1") for text in texts(figure))
    with pytest.raises(ValueError, match="expected rows with a layer"):
        by_layer(Table(title="T", columns=("UAS",), rows=LAYERS.rows[:2]))
    with pytest.raises(ValueError, match="expected a column out of UAS, found 'NED'"):
        by_layer(LAYERS, column="NED")


def test_long_names_in_a_legend_are_broken_and_fit() -> None:
    adjust = METHODS["openness"].adjust
    rows = [replace(row, settings=replace(row.made, adjust=adjust)) for row in LAYERS.rows if row.made.layer]
    with style():
        figure = by_layer(replace(LAYERS, rows=tuple(rows)))
        figure.canvas.draw()
    (label,) = figure.legends[0].get_texts()
    assert label.get_text().replace("\n", "") == rows[0].made.without_layer()
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


def test_recall_by_distance_and_relation() -> None:
    table = of_layers(RECALL, [1])
    assert table.columns == (RECALL.columns[0], RECALL.columns[2])
    figure = by_distance(table, signature="toy@1… | n:3")
    chain, model = figure.axes[0].containers
    assert list(chain[0].get_ydata()) == [10.0, 20.0, 30.0] and list(model[0].get_ydata()) == [
        20.0,
        40.0,
        60.0,
    ]
    assert any("toy@1… | n:3" in text for text in texts(figure))
    relations = by_relation(RECALL, most=2)
    assert [tick.get_text() for tick in relations.axes[0].get_yticklabels()] == ["root (5)", "1 (4)"]
    assert any("the 2 most frequent of 4 relations" in text for text in texts(relations))
    with pytest.raises(InputError, match="columns of layer 7 are expected"):
        of_layers(RECALL, [7])
    empty = Table(title="T", columns=("a",), rows=())
    for draw in (by_distance, by_relation):
        with pytest.raises(ValueError, match="expected rows"):
            draw(empty)


def test_tables_come_back_from_their_files(tmp_path: Path) -> None:
    for stem, table in (("a", LAYERS), ("b", RECALL)):
        table.write(tmp_path, stem)
        assert read_table(tmp_path / f"{stem}.json") == table
    assert LAYERS.rows[2].made.layer == 10 and LAYERS.rows[0].made == Settings()
    assert shared_signature(LAYERS) == "toy@1234… | n:3 | v1 | bs:1000 seed:0"
    (tmp_path / "c.json").write_text('{"columns": []}', encoding="utf-8")
    with pytest.raises(InputError, match=r"c\.json: a table as the analyses write it \(JSON\) is expected"):
        read_table(tmp_path / "c.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "none.json")


def test_geometry_by_layer() -> None:
    def row(name: str, layer: int, kind: Any, *values: float | None) -> Row:
        cells = tuple(None if v is None else Cell(v) for v in values)
        return Row(name=name, kind=kind, cells=cells, settings=Settings(model=name, layer=layer))

    own = Table(
        title="G",
        columns=("anisotropy", "other"),
        rows=tuple(row(name, at, "model", 0.1 * at, 1.0) for name in "ab" for at in range(3)),
    )
    released = Table(
        title="R",
        columns=("anisotropy",),
        rows=(row("elmo", 0, "published", None), row("elmo", 1, "published", 0.5)),
    )
    figure = measures_by_layer([released, own], ["anisotropy", "absent"])
    assert [axes.get_title() for axes in figure.axes] == ["anisotropy"]
    first, second = (container[0].get_ydata() for container in figure.axes[0].containers)
    assert list(first) == list(second) == pytest.approx([0.0, 0.1, 0.2])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["a", "b", "elmo (published)"]
    parted = [
        replace(own, rows=(replace(own.rows[0], settings=Settings(model="a", layer=0, data=data)),))
        for data in ("sts", "sample")
    ]
    labels = [text.get_text() for text in measures_by_layer(parted, ["anisotropy"]).legends[0].get_texts()]
    assert labels == ["a, sts", "a, sample"]
    with pytest.raises(ValueError, match="expected tables with columns out of x, found none"):
        measures_by_layer([own], ["x"])


def test_facts_by_relation() -> None:
    figure = facts_by_relation(FACTS)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        "P2 border (5)",
        "P1 capital (9)",
    ]
    model, random = figure.axes[0].containers
    assert list(model[0].get_xdata()) == [30.0, 10.0] and list(random[0].get_xdata()) == [1.0, 0.0]
    published: list[Any] = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in published] == [([60.0], [0.0])]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {"model", "random weights", "BERT-base (published)"}
    assert any("toy@1234… | n:14" in text for text in texts(figure))
    long = replace(FACTS.rows[1], name="P131 located in the administrative territorial entity (525)")
    figure = facts_by_relation(replace(FACTS, rows=(long,)))
    (label,) = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert label == "P131 located in the adm… (525)"
    with pytest.raises(ValueError, match="expected a column MRR"):
        facts_by_relation(FACTS, column="MRR")
    with pytest.raises(ValueError, match="expected a row a relation"):
        facts_by_relation(Table(title="F", columns=FACTS.columns, rows=FACTS.rows[:1]))
