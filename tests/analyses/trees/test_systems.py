"""The one loop of induction, on sources that are made up."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

import probe
from analyses.tables.signature import Settings
from analyses.trees.systems import Way, dependency_ways, skip_lines, spread_notes, systems
from analyses.trees.variants import Variant
from data import Sentence
from probe import SentenceError
from tests.conftest import ModelFolder

MEAN, MAX = Variant("dist", 1, "mean", "pair"), Variant("dist", 1, "max", "pair")
WAYS = [Way("fair", "eisner", MEAN), Way("fair", "cle", MEAN), Way("fair", "eisner", MAX)]


class Source:
    """A source of matrices that is no model, so that it has no random weights."""

    name, dtype = "toy", "float32"


def impacts(source: object, chosen: Sequence[Variant], label: str) -> Iterator[Any]:
    """For each of 150 items the pools that were asked for; item 70 cannot be probed."""
    for place in range(150):
        yield SentenceError("too long") if place == 70 else tuple((place, each.pool) for each in chosen)


def test_every_way_decodes_its_own_matrices_in_chunks() -> None:
    chunks: list[int] = []
    seen: dict[int, object] = {}
    skipped: dict[int, str] = {3: "another model's"}

    def decode(way: Way, places: Sequence[int], found: Sequence[Any]) -> list[str]:
        chunks.append(len(places))
        assert [place for place, _ in found] == list(places)
        return [f"{way.decoder} {place} {pool}" for place, pool in found]

    (system,) = systems(
        cast(Any, Source()),
        WAYS,
        impacts=cast(Any, impacts),
        decode=decode,
        args=argparse.Namespace(seeds=2),
        label="",
        skipped=skipped,
        see=seen.__setitem__,
    )
    assert skipped == {3: "another model's", 70: "too long"}
    assert chunks == [64] * 3 + [63] * 3 + [22] * 3
    assert (system.name, system.kind) == ("toy", "model")
    assert system.ways("fair") == WAYS and system.ways("wu2020") == []
    assert system.trees(WAYS[2], [69, 71]) == [["eisner 69 max", "eisner 71 max"]]
    assert system.trees(WAYS[1], [0]) == [["cle 0 mean"]]
    assert list(seen) == [place for place in range(150) if place != 70]
    assert seen[5] == ((5, "mean"), (5, "max"))


def test_random_weights_run_last_and_come_first(model_folder: ModelFolder) -> None:
    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    asked: list[str] = []

    def one(source: Any, chosen: Sequence[Variant], label: str) -> Iterator[Any]:
        asked.append(label)
        yield (source.name,)

    def itself(way: Way, places: Sequence[int], found: Sequence[str]) -> Sequence[str]:
        return found

    args = argparse.Namespace(seeds=2)
    way = WAYS[0]
    blank, own = systems(
        model, [way], impacts=one, decode=itself, args=args, label="L", skipped={}, see=lambda *_: None
    )
    assert asked == [f"L, {model.name}", "L, random weights 0", "L, random weights 1"]
    assert (blank.kind, blank.name) == ("baseline", f"{model.name} random weights")
    assert [run[way][0] for run in blank.runs] == [f"{model.name} (random weights, seed {n})" for n in (0, 1)]
    assert blank.settings(way).random_weights == 2 and own.settings(way).random_weights is None
    assert blank.settings(way).signed()["model"] == f"{model.name} (random weights, seeds 0 to 1)"
    assert own.settings(way, biased=True).without_layer() == f"{model.name} eisner+dist, mean (biased)"


def test_no_way_is_no_pass() -> None:
    def never(*_: object) -> Any:
        raise AssertionError

    assert (
        systems(
            cast(Any, Source()),
            [],
            impacts=never,
            decode=never,
            args=argparse.Namespace(seeds=1),
            label="",
            skipped={},
        )
        == []
    )


def test_ways_are_those_that_the_protocol_defines_each_once() -> None:
    prob = Variant("prob", 1, "mean", "pair")
    found = dependency_ways(["wu2020", "fair", "fair"], ["eisner", "cle"], [MEAN, prob])
    assert len(found) == len(set(found)) == 7
    assert Way("wu2020", "cle", prob) not in found and Way("wu2020", "cle", MEAN) in found
    assert str(found[0]) == "eisner+dist, layer 1, mean"


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        ([10.0], []),
        (
            [12.0, 10.0, 11.0],
            [
                "UAS of random weights, lowest to highest of seeds 0 to 2: m eisner 10.0 to 12.0; m cle 10.0 to "
                "12.0."
            ],
        ),
    ],
)
def test_spread_of_seeds(values: list[float], notes: list[str]) -> None:
    found = {f"m random weights {decoder}": values for decoder in ("eisner", "cle")}
    assert spread_notes("UAS", found) == notes


def test_one_seed_is_signed_as_one() -> None:
    assert Settings(model="m", random_weights=1).signed()["model"] == "m (random weights, seed 0)"


def test_lines_of_what_was_skipped() -> None:
    sentences = [Sentence(id=f"s{n}", words=("a",), where=f"f:{n}") for n in range(3)]
    assert skip_lines(sentences, {2: "late", 0: "early"}) == [
        "f:0: sentence s0 skipped: early",
        "f:2: sentence s2 skipped: late",
    ]
