"""Networks, distances and training of the sentiment experiment, against direct definitions."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from analyses.sentiment.checkpoints import experiment_sha256, load_checkpoint, train_or_load
from analyses.sentiment.network import Batch, Pwcn, Shape, build, proximity_weights
from analyses.sentiment.systems import source_distances, source_heads
from analyses.sentiment.tables import f1_interval
from analyses.sentiment.training import Encoded, Recipe, confusion, encode, held_out, macro_f1, predict, train
from analyses.sentiment.trees import (
    tree_sources,
)
from bench.sentiment import NaivePwcn, compare
from data.absa import AspectItem
from probe.errors import ProbeError

GOOD, BAD, PLAIN = ("fine", "solid", "lovely"), ("dim", "slow", "broken"), ("grey", "round", "new")
THINGS = ("screen", "lid", "fan", "cable", "keyboard cover")
SMALL = Shape(hidden=6, dropout=0.3)


def toy_items(count: int, *, seed: int = 0) -> list[AspectItem]:
    """Sentences with two aspects and an opinion of each, an item an aspect."""
    rng = np.random.default_rng(seed)
    items: list[AspectItem] = []
    while len(items) < count:
        words: list[str] = []
        spans = []
        for thing in rng.choice(len(THINGS), size=2, replace=False):
            polarity = int(rng.integers(-1, 2))
            opinion = rng.choice({1: GOOD, -1: BAD, 0: PLAIN}[polarity])
            words.append("The")
            begin = len(words)
            words += THINGS[thing].split()
            spans.append((begin, len(words), polarity))
            words += ["is", *["very"] * int(rng.integers(0, 4)), str(opinion), "."]
        for begin, end, polarity in spans:
            items.append(AspectItem(words=tuple(words), aspect=(begin, end), polarity=polarity))
    return items[:count]


def vocabulary_of(items: list[AspectItem]) -> dict[str, int]:
    words = sorted({word.lower() for item in items for word in item.words})
    return {word: row for row, word in enumerate(words, start=1)}


def encoded(items: list[AspectItem], index: dict[str, int], source: Any = "position") -> Encoded:
    trees = source_heads(source, list(dict.fromkeys(i.words for i in items)), decoded={}, seed=0)
    return encode(items, source_distances(source, items, trees), index)


@pytest.fixture(scope="module")
def data() -> tuple[Encoded, Encoded, torch.Tensor]:
    """60 training and 20 test items with drawn vectors."""
    items = toy_items(80)
    index = vocabulary_of(items)
    vectors = torch.randn(len(index) + 1, 8, generator=torch.Generator().manual_seed(0))
    vectors[0] = 0
    return encoded(items[:60], index), encoded(items[60:], index), vectors


# --- weights


def test_proximity_weights_are_the_loop_over_positions() -> None:
    items = toy_items(40)
    items.append(AspectItem(words=("Screen", "dim"), aspect=(0, 2), polarity=-1))
    distances = source_distances(
        "random", items, source_heads("random", [i.words for i in items], decoded={}, seed=3)
    )
    index = vocabulary_of(items)
    found = encode(items, distances, index)
    width = found.words.shape[1]
    for row, (item, own) in enumerate(zip(items, distances, strict=True)):
        start, end = item.aspect
        n = len(item.words)
        expected = []
        for place in range(width):
            outside = place < start or end <= place < n
            expected.append(1 - own[place] / (n - (end - start)) if outside else 0)
        assert found.weights[row].tolist() == pytest.approx(expected)
        sentence = int(found.sentence[row])
        assert found.words[sentence, :n].tolist() == [index[word.lower()] for word in item.words]
        assert not found.words[sentence, n:].any() and int(found.lengths[sentence]) == n
    assert found.labels.tolist() == [item.polarity + 1 for item in items]


def test_weights_ignore_what_stands_in_padding() -> None:
    distances = torch.tensor([[1.0, 0.0, 1.0, 7.0]])
    weights = proximity_weights(distances, torch.tensor([[1, 2]]), torch.tensor([3]))
    assert weights.tolist() == [[0.5, 0.0, 0.5, 0.0]]


def test_another_number_of_distances_is_refused() -> None:
    (item,) = toy_items(1)
    with pytest.raises(ValueError, match="distances, found 2"):
        encode([item], [(0.0, 1.0)], vocabulary_of([item]))


# --- networks


@pytest.mark.parametrize("architecture", ["lstm", "pwcn"])
def test_results_do_not_depend_on_the_batch(
    architecture: Any, data: tuple[Encoded, Encoded, torch.Tensor]
) -> None:
    torch.manual_seed(1)
    items, _, vectors = data
    network = build(architecture, vectors, SMALL)
    network.train(False)
    with torch.inference_mode():
        alone = torch.cat([network(items.batch(torch.tensor([at]))) for at in range(len(items))])
        together = network(items.batch(torch.arange(len(items))))
        shared = network(items.shared_batch(torch.arange(len(items))))
        padding = torch.zeros(len(items.words), 9, dtype=torch.long)
        wide = Batch(
            torch.cat((items.words, padding), dim=1),
            items.lengths,
            torch.cat((items.weights, torch.zeros(len(items), 9)), dim=1),
            items.sentence,
        )
        padded = network(wide)
    for other in (together, shared, padded):
        torch.testing.assert_close(alone, other, atol=1e-5, rtol=1e-4)
    assert alone.shape == (len(items), 3)


def test_pwcn_is_the_network_with_loops_over_positions() -> None:
    torch.manual_seed(2)
    items = toy_items(12, seed=4)
    index = vocabulary_of(items)
    vectors = torch.randn(len(index) + 1, 5)
    distances = source_distances("position", items, None)
    ours = cast(Pwcn, build("pwcn", vectors, SMALL))
    naive = NaivePwcn(ours)
    ours.train(False)
    naive.train(False)
    own = ours(encode(items, distances, index).batch(torch.arange(len(items))))
    other = naive(
        [[index[word.lower()] for word in item.words] for item in items], [i.aspect for i in items], distances
    )
    torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-4)
    own.sum().backward()
    other.sum().backward()
    torch.testing.assert_close(ours.filters.grad, naive.convolution.weight.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        ours.backwards.weight_hh_l0.grad, cast(Any, naive.cells[1]).weight_hh.grad, atol=1e-5, rtol=1e-4
    )


def test_benchmark_times_both() -> None:
    items = toy_items(24)
    found = compare(items[:16], items[16:], hidden=4, repeats=1)
    assert (found["training items"], found["test items"]) == (16, 8)
    seconds = found["processor seconds an epoch"]
    assert set(seconds) == {"ours", "naive"} and found["ours / naive"] > 0


def test_lstm_reads_the_last_state(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    items, _, vectors = data
    network: Any = build("lstm", vectors, SMALL)
    own = network(items.batch(torch.tensor([0])))
    n = int(items.lengths[items.sentence[0]])
    _, (last, _) = network.lstm(vectors[items.words[items.sentence[0], :n]][None])
    torch.testing.assert_close(own, network.classify(last[0]))


def test_initial_weights() -> None:
    torch.manual_seed(0)
    network = build("pwcn", torch.zeros(3, 7), Shape(hidden=20))
    assert isinstance(network, Pwcn)
    bound = (6 / (40 * 3 + 40 * 3)) ** 0.5
    assert 0.9 * bound < float(network.filters.detach().abs().max()) <= bound
    assert 0 < float(network.bias.detach().abs().max()) <= 40**-0.5
    assert "embeddings" not in {name for name, _ in network.named_parameters()} | set(network.state_dict())


# --- training


def test_macro_f1_is_the_mean_of_the_classes() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    predictions = np.array([0, 1, 1, 1, 2, 0])
    # class 0: P 1/2, R 1/2; class 1: P 2/3, R 1; class 2: P 1, R 1/2
    assert float(macro_f1(confusion(labels, predictions))) == pytest.approx((0.5 + 0.8 + 2 / 3) / 3)
    assert float(macro_f1(confusion(np.array([0, 0]), np.array([0, 0])))) == pytest.approx(1 / 3)


def test_f1_interval_is_that_of_explicit_resamples() -> None:
    rng = np.random.default_rng(5)
    labels, predictions = rng.integers(3, size=40), rng.integers(3, size=(2, 40))
    draws = np.random.default_rng(7)
    values = []
    for _ in range(200):
        at = draws.integers(40, size=40)
        values.append(np.mean([macro_f1(confusion(labels[at], row[at])) for row in predictions]))
    low, high = 100 * np.quantile(values, (0.025, 0.975))
    found = f1_interval(labels, predictions, resamples=200, seed=7)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_held_out_sentences_are_on_one_side(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    training, _, _ = data
    kept, held = held_out(training, 3)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(60))
    assert not set(training.sentence[kept].tolist()) & set(training.sentence[held].tolist())
    assert 6 <= len(held) <= 7
    assert not torch.equal(held, held_out(training, 4)[1])
    one = training.items(torch.nonzero(training.sentence == training.sentence[0])[:, 0])
    with pytest.raises(ProbeError, match="two training sentences"):
        held_out(one, 0)


@pytest.mark.parametrize("protocol", ["wu2020", "fair"])
def test_training_learns_and_can_be_repeated(
    protocol: Any, data: tuple[Encoded, Encoded, torch.Tensor], tmp_path: Path
) -> None:
    training, test, vectors = data
    recipe = Recipe(protocol=protocol, shape=Shape(hidden=12), epochs=6, batch=8, learning_rate=0.03)
    before = torch.random.get_rng_state()
    first = train(training, test, vectors, recipe=recipe, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
    labels = test.labels.numpy()
    assert (first.by_accuracy == labels).mean() >= 0.7
    again = train(training, test, vectors, recipe=recipe, seed=0)
    assert all(torch.equal(value, again.weights[name]) for name, value in first.weights.items())
    network = build("pwcn", vectors, recipe.shape)
    network.load_state_dict(dict(first.weights))
    assert (predict(network, test) == first.by_f1).all()
    if protocol == "fair":
        assert (first.by_f1 == first.by_accuracy).all()


def test_early_stopping(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    training, test, vectors = data
    recipe = Recipe(shape=SMALL, epochs=50, patience=2, learning_rate=0.0)
    seen: list[int] = []
    found = train(training, test, vectors, recipe=recipe, seed=0, on_epoch=seen.append)
    assert (found.epochs, seen) == (3, [1, 2, 3])  # one better look, then two epochs without


def test_the_test_set_plays_no_part_in_fair_selection(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    training, test, vectors = data
    recipe = Recipe(shape=SMALL, epochs=3)
    found = train(training, test, vectors, recipe=recipe, seed=1)
    other = train(training, test.items(torch.tensor([0])), vectors, recipe=recipe, seed=1)
    assert all(torch.equal(value, other.weights[name]) for name, value in found.weights.items())


def test_a_loss_that_is_not_finite_is_an_error(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    training, test, vectors = data
    with pytest.raises(ProbeError, match="the loss is nan"):
        train(training, test, vectors * float("inf"), recipe=Recipe(shape=SMALL, epochs=1), seed=0)


def test_checkpoints(
    data: tuple[Encoded, Encoded, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, test, vectors = data
    recipe = Recipe(shape=SMALL, epochs=2)
    made = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0)
    (path,) = tmp_path.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr("analyses.sentiment.checkpoints.train", None)  # must not be called
        found = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0)
    assert (found.seed, found.epochs) == (0, 2)
    assert (found.by_f1 == made.by_f1).all() and (found.by_accuracy == made.by_accuracy).all()
    assert not found.weights  # a checkpoint has what scores are made of, and no more
    with_weights = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0, keep_weights=True)
    with monkeypatch.context() as patched:
        patched.setattr("analyses.sentiment.checkpoints.train", None)
        found = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0, keep_weights=True)
    assert all(torch.equal(value, found.weights[name]) for name, value in with_weights.weights.items())
    shapes = {name: tuple(value.shape) for name, value in made.weights.items()}
    expected: Any = {"seed": 0, "items": len(test), "shapes": shapes}
    path.write_bytes(path.read_bytes()[:100])
    assert load_checkpoint(path, **expected) is None
    again = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0)
    assert (again.by_f1 == made.by_f1).all() and load_checkpoint(path, **expected) is not None


def test_forged_checkpoints_are_trained_anew(
    data: tuple[Encoded, Encoded, torch.Tensor], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    training, test, vectors = data
    recipe = Recipe(shape=SMALL, epochs=1)
    made = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0, keep_weights=True)
    (path,) = tmp_path.iterdir()
    whole = load_file(path)
    name = next(key for key in whole if key.startswith("weights."))
    key = "analyses.sentiment"
    about = json.dumps({"seed": 0, "epochs": 1})
    forged: list[tuple[dict[str, Any], dict[str, str] | None]] = [
        *((whole, {key: text}) for text in ("", "[]", "{}", 100_000 * "[", '{"seed": 1, "epochs": 1}')),
        *((whole, {key: json.dumps({"seed": 0, "epochs": epochs})}) for epochs in ("x", -1, True, None)),
        (whole, None),
        (whole, {"other": about}),
        ({**whole, name: whole[name].ravel()[:1]}, {key: about}),
        ({**whole, name: np.full_like(whole[name], np.nan)}, {key: about}),
        ({**whole, "by_f1": whole["by_f1"] + 7}, {key: about}),
        ({**whole, "by_f1": whole["by_f1"][:-1]}, {key: about}),
        ({**whole, "by_f1": whole["by_f1"].astype(np.float32)}, {key: about}),
        ({key: value for key, value in whole.items() if key != "by_accuracy"}, {key: about}),
    ]
    for tensors, metadata in forged:
        save_file(tensors, path, metadata=metadata)
        found = train_or_load(tmp_path, training, test, vectors, recipe=recipe, seed=0, keep_weights=True)
        assert (found.by_f1 == made.by_f1).all() and found.epochs == 1


def test_what_a_checkpoint_depends_on(data: tuple[Encoded, Encoded, torch.Tensor]) -> None:
    training, test, vectors = data
    items = toy_items(60)
    index = vocabulary_of(toy_items(80))
    chain, random = (encoded(items, index, source) for source in ("right-chain", "random"))
    lstm, pwcn = Recipe(architecture="lstm"), Recipe()

    def key(part: Encoded, recipe: Recipe, values: torch.Tensor = vectors) -> str:
        return experiment_sha256(part, test, values, recipe)

    assert key(training, pwcn) == key(chain, pwcn) != key(random, pwcn)
    assert key(training, lstm) == key(random, lstm)
    assert key(training, pwcn) != key(training, Recipe(protocol="wu2020"))
    assert key(training, pwcn) != key(training, pwcn, vectors + 1)


def test_sources_are_listed_once() -> None:
    assert len(set(tree_sources())) == len(tree_sources())
