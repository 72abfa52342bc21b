"""Tables of the sentiment experiment: what is published, what is one experiment, what exceeds the seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analyses.intervals import paired_bootstrap, paired_t
from analyses.sentiment import differences
from analyses.sentiment.corpus import Corpus, Part
from analyses.sentiment.embeddings import Embeddings
from analyses.sentiment.figure import SeedScore, plot
from analyses.sentiment.network import Shape, build
from analyses.sentiment.systems import Prepared
from analyses.sentiment.tables import PUBLISHED, Setting, System, published_rows, table
from analyses.sentiment.training import _EVALUATION_ITEMS, Recipe, Trained, encode, predict, train
from analyses.tables.signature import Settings
from analyses.tables.table import FORMATS, Table, TableFormat
from data.absa import AspectItem
from tests.analyses.sentiment.test_sentiment import encoded, toy_items, vocabulary_of

TEST = toy_items(40)
LABELS = np.array([item.polarity + 1 for item in TEST])


def system(name: str, wrong: tuple[int, ...], *, kind: str = "baseline", key: str = "") -> System:
    """A system whose seed i has the first ``wrong[i]`` items wrong."""

    def predictions(count: int) -> NDArray[np.int64]:
        return np.where(np.arange(len(LABELS)) < count, (LABELS + 1) % 3, LABELS)

    runs = tuple(
        Trained(seed=seed, by_accuracy=predictions(count), by_f1=predictions(count), epochs=1, weights={})
        for seed, count in enumerate(wrong)
    )
    return System(
        name=name,
        kind="model" if kind == "model" else "baseline",
        distances=key or name,
        runs=runs,
        settings=Settings(),
    )


def made(*systems: System, protocol: str = "fair") -> Table:
    setting = Setting(data="toy", test=TEST, protocol="wu2020" if protocol == "wu2020" else "fair")
    return table(systems, setting, dataset="laptop")


@pytest.mark.parametrize(
    ("eisner", "verdict"),
    [((11, 12, 13), " is no more than the mean"), ((3, 4, 5), " is more than the mean")],
)
def test_differences_beside_the_spread_over_seeds(eisner: tuple[int, ...], verdict: str) -> None:
    # The LSTM, far off and of a wide spread, is no tree: it has no part in the verdict.
    found = made(
        system("lstm", (2, 20, 39)),
        system("position", (10, 12, 14), key="words"),
        system("left-chain", (10, 12, 14), key="words"),
        system("eisner", eisner, kind="model"),
    )
    notes = [note for note in found.notes if "largest difference" in note]
    assert len(notes) == 1 and verdict in notes[0]
    assert any(
        note.startswith("position, left-chain: the same distances, so one experiment") for note in found.notes
    )


def test_differences_are_a_table_of_their_own() -> None:
    systems = (
        system("lstm", tuple(range(2, 14))),
        system("position", tuple(range(1, 13)), key="words"),
        system("left-chain", tuple(range(1, 13)), key="words"),
        system("eisner", tuple(range(0, 24, 2)), kind="model"),
    )
    setting = Setting(data="toy", test=TEST, protocol="fair")
    scores = table(systems, setting)
    (stem, first), (of_differences, found) = differences.tables("toy", scores, systems, setting)
    assert (stem, first, of_differences) == ("toy", scores, "toy-differences")
    assert [(row.name, row.labels) for row in found.rows] == [
        ("lstm", ("position",)),
        ("eisner", ("position",)),
    ]
    measures = ("Accuracy over items", "Accuracy over seeds", "Macro-F1 over seeds")
    assert found.columns == tuple(name for each in measures for name in (each, f"p of {each}"))
    correct = [
        np.array([(run.by_accuracy == LABELS) for run in each.runs]) for each in (systems[3], systems[1])
    ]
    over_seeds = paired_t(*(100 * each.mean(axis=1) for each in correct))
    over_items = paired_bootstrap(*(100 * each.mean(axis=0) for each in correct), np.ones(len(TEST)))
    for at, expected in ((0, over_items), (2, over_seeds)):
        difference, p = found.rows[1].cells[at : at + 2]
        assert difference is not None and p is not None
        assert (difference.value, difference.interval) == (
            pytest.approx(expected.difference),
            expected.interval,
        )
        assert p.value == expected.p_value


def test_differences_of_few_seeds_are_over_items() -> None:
    systems = (system("position", (1, 2)), system("eisner", (2, 3), kind="model"))
    setting = Setting(data="toy", test=TEST, protocol="fair")
    _, (_, found) = differences.tables("toy", table(systems, setting), systems, setting)
    assert found.columns == ("Accuracy over items", "p of Accuracy over items", "Macro-F1 over seeds")
    assert [cell is not None and cell.too_few for cell in found.rows[0].cells] == [False, False, True]


def test_how_far_trees_are_from_positions() -> None:
    short = [AspectItem(words=tuple("abcd"), aspect=(0, 2), polarity=0)] * 2
    prepared = Prepared(
        corpus=Corpus(
            name="toy", dataset=None, training=Part(items=(short[0],)), test=Part(items=(short[1],))
        ),
        embeddings=Embeddings("none", tuple("abcd"), np.zeros((5, 1), dtype=np.float32), 0),
        heads={},
        settings=Settings(),
        device=torch.device("cpu"),
    )
    # The aspect, "a b", is left out of the count; "c" and "d" are 1 and 2 words from it.
    assert prepared.like_positions(([(0, 0, 1, 1)], [(0, 0, 2, 2)])) == 0.5
    for source, share in (("position", 1), ("left-chain", 1), ("right-chain", 1)):
        assert prepared.like_positions(prepared.distances(source, 0)) == share
    own = replace(system("eisner", (10,), kind="model"), like_positions=0.785)
    notes = made(replace(system("position", (10,)), like_positions=1.0), own, system("lstm", (10,))).notes
    assert "Words outside the aspect with the distance of position, percent: eisner 78.5." in notes


def test_one_seed_has_no_spread() -> None:
    found = made(system("position", (10,)), system("eisner", (5,), kind="model"))
    assert [row.cells[1] for row in found.rows] == [None, None]
    assert not any("over seeds (p" in note or "largest difference" in note for note in found.notes)


@pytest.mark.parametrize("form", FORMATS)
def test_published_figures_are_marked_in_every_form(form: TableFormat) -> None:
    own = system("position", (10, 12))
    found = made(own, protocol="wu2020").render(form)
    assert found.count("published") >= 2 and "PWCN+Eisner" in found
    assert [row.name for row in made(own, protocol="wu2020").rows if row.kind == "published"] == list(
        PUBLISHED
    )
    (line,) = [line for line in made(own, protocol="wu2020").arranged.lines if line.name == "position"]
    assert [str(figure) for figure in line.figures if figure.published] == ["75.2", "71.7"]
    assert "PWCN" not in made(own, protocol="fair").render(form)


def test_predictions_do_not_depend_on_the_size_of_a_pass() -> None:
    items = toy_items(3 * _EVALUATION_ITEMS)
    index = vocabulary_of(items)
    torch.manual_seed(0)
    part, vectors = encoded(items, index), torch.randn(len(index) + 1, 8)
    network = build("pwcn", vectors, Shape(hidden=6))
    network.train(False)
    whole = network(part.batch(torch.arange(len(items)))).argmax(dim=-1)
    assert predict(network, part).tolist() == whole.tolist() and len(set(whole.tolist())) > 1


def test_an_aspect_that_is_the_whole_sentence_has_no_context() -> None:
    items = [*toy_items(8), AspectItem(words=("Solid", "lid"), aspect=(0, 2), polarity=1)]
    alone = AspectItem(words=("Lid",), aspect=(0, 1), polarity=0)
    index = vocabulary_of([*items, alone])
    parts = [
        encode(own, [(0.0,) * len(item.words) for item in own], index) for own in (items, [alone, items[-1]])
    ]
    assert not parts[1].weights.any()
    torch.manual_seed(0)
    vectors = torch.randn(len(index) + 1, 4)
    found = train(parts[0], parts[1], vectors, recipe=Recipe(shape=Shape(hidden=3), epochs=2), seed=0)
    assert all(bool(torch.isfinite(value).all()) for value in found.weights.values())
    # Without context nothing tells the two apart.
    assert found.by_f1[0] == found.by_f1[1]


def test_published_figures() -> None:
    laptop, restaurant = published_rows("laptop"), published_rows("restaurant")
    assert [row.name for row in laptop] == [row.name for row in restaurant] == list(PUBLISHED)
    values = [cell and cell.value for cell in restaurant[3].cells]
    assert (restaurant[3].name, values) == ("PWCN+Eisner", [81.21, None, 73.0, None])
    assert published_rows(None) == ()


def test_the_figure_has_a_point_a_seed() -> None:
    scores = [
        SeedScore(data="toy", protocol="fair", row=row, seed=seed, accuracy=60.0 + seed, macro_f1=50.0)
        for row in ("lstm", "eisner")
        for seed in range(3)
    ]
    figure = plot(scores)
    points = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert [len(np.asarray(line.get_xdata())) for line in points] == [3, 3, 3, 3]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["lstm", "eisner"]
    with pytest.raises(ValueError, match="one data set and protocol"):
        plot([])
