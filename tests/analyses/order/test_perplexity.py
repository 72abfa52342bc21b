"""Perplexities: orders, the engine against a plain loop, intervals, texts and their parts, the command."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import data
import probe
from analyses.intervals import bootstrap
from analyses.order import perplexity_command as command
from analyses.order.orders import ORDERS, masked_while_predicted, places_in
from analyses.order.perplexity import (
    WAYS,
    Losses,
    by_share_seen,
    output_bias,
    perplexity,
    perplexity_ratio,
    read_in_order,
    unigram_log_probabilities,
)
from analyses.order.perplexity_tables import BINS
from analyses.order.texts import Sequences, Text, _spans, cut_texts, read_texts
from probe.errors import OptionError
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder
from tests.countdown import Countdown

TEXTS = ("The gardener watered tulips.", "Rivers carry sand.", "The gardener watered tulip.")


@pytest.fixture(scope="module")
def tiny(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(str(model_folder("bert")), device="cpu", dtype="float64")


def cut(p: probe.Probe, *texts: str, length: int = 20) -> Sequences:
    return cut_texts(p, [Text(text=text, where="here") for text in texts], length=length)


def plain_loop(p: probe.Probe, ids: list[int], order: list[int] | None) -> dict[int, float]:
    """Log-probability of each piece (by its place in ids), one pass at a time with the whole model."""
    inside = list(range(1, len(ids) - 1))
    found = {}
    for step, at in enumerate(inside if order is None else order):
        masked = torch.tensor([ids])
        for hidden in [at] if order is None else order[step:]:
            masked[0, hidden] = p.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = p.model(input_ids=masked, attention_mask=torch.ones_like(masked)).logits[0, at]
        found[at] = float(logits.log_softmax(-1)[ids[at]])
    return found


@given(st.permutations(range(6)))
def test_what_is_masked_is_what_comes_later(order: list[int]) -> None:
    masked = masked_while_predicted(np.array(order))
    for step, piece in enumerate(order):
        assert set(np.flatnonzero(masked[piece])) == set(order[step:])
    assert places_in(np.array(order))[order].tolist() == list(range(6))


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "deberta_v3"])
@pytest.mark.parametrize("way", WAYS)
def test_log_probabilities_are_those_of_a_plain_loop(
    model_folder: ModelFolder, architecture: str, way: str
) -> None:
    p = probe.load(str(model_folder(architecture)), device="cpu", dtype="float64")
    sequences = cut(p, *TEXTS).pieces
    found = read_in_order(p, sequences, way, seed=5)
    for number, each in enumerate(sequences):
        n = len(each.positions)
        order = None
        if way != "pseudo":
            drawn = ORDERS[way].draw(n, np.random.default_rng([5, number]))
            order = [int(each.positions[at]) for at in drawn]
        expected = plain_loop(p, each.ids.tolist(), order)
        assert found.values[number] == pytest.approx([expected[int(at)] for at in each.positions], rel=1e-9)
        if order is not None:
            assert [order[int(step)] for step in found.seen[number]] == each.positions.tolist()


@pytest.mark.parametrize("way", WAYS)
def test_batches_make_no_difference(tiny: probe.Probe, way: str) -> None:
    sequences = cut(tiny, *TEXTS, TEXTS[0]).pieces
    one = read_in_order(tiny, sequences, way, batch_tokens=1)
    for tokens in (60, 100_000):
        many = read_in_order(tiny, sequences, way, batch_tokens=tokens)
        for a, b in zip(one.values, many.values, strict=True):
            assert a == pytest.approx(b, rel=1e-12)
    first = read_in_order(tiny, sequences[:1], way)
    assert first.values[0] == pytest.approx(one.values[0], rel=1e-12)  # nor do the other sequences


def test_random_orders_follow_their_seed(tiny: probe.Probe) -> None:
    sequences = cut(tiny, *TEXTS).pieces
    first, again, other = (read_in_order(tiny, sequences, "random", seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first.seen, again.seen, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first.seen, other.seen, strict=True))


def test_equal_copies_run_once(tiny: probe.Probe) -> None:
    passes: list[int] = []
    sequences = cut(tiny, "a b c", "d b c").pieces
    read_in_order(tiny, sequences, "left-to-right", on_passes=passes.append)
    assert sum(passes) == 6 - 1  # where everything is masked


def test_perplexity_is_the_exponential_of_the_mean_loss() -> None:
    logs, counts = np.array([-2.0, -3.0, -4.0] * 4), [1, 2, 3] * 4
    found = perplexity(logs, counts, seed=3)
    assert found.value == pytest.approx(np.exp(36 / 24))
    expected = bootstrap(-logs, counts, seed=3)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(np.exp(expected.low))
    assert found.interval.high == pytest.approx(np.exp(expected.high))
    assert perplexity(logs[:9], counts[:9]).interval is None


def test_shares_seen_by_hand(tiny: probe.Probe) -> None:
    sequences = cut(tiny, *TEXTS).pieces
    readings = [read_in_order(tiny, sequences, "random", seed=seed) for seed in (0, 1)]
    bins = by_share_seen(readings, BINS)
    sums, counts = sum(each for each, _ in bins), sum(each for _, each in bins)
    assert sums == pytest.approx(sum(reading.sums for reading in readings))
    assert np.array_equal(counts, [2 * len(each.positions) for each in sequences])
    ((first, one),) = by_share_seen([read_in_order(tiny, sequences[:1], "random")], 1)
    assert (first[0], one[0]) == (pytest.approx(readings[0].sums[0]), len(sequences[0].positions))


def test_a_ratio_is_that_of_the_perplexities_and_its_interval_is_paired() -> None:
    rng = np.random.default_rng(0)
    logs, counts = -rng.uniform(10, 90, 20), rng.integers(5, 15, 20).astype(float)
    mine, its = Losses(logs=logs - 0.1 * counts, counts=counts), Losses(logs=logs, counts=counts)
    found = perplexity_ratio(mine, its)
    assert found.value == pytest.approx(perplexity(mine.logs, counts).value / perplexity(logs, counts).value)
    # Every piece is as much worse, so that every resample gives the same ratio, whatever the texts.
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((np.exp(0.1), np.exp(0.1)))
    other = Losses(logs=logs, counts=2 * counts)
    draws = np.random.default_rng(0).integers(20, size=(1000, 20))
    expected = [
        perplexity(logs[at], 2 * counts[at]).value / perplexity(logs[at], counts[at]).value
        for at in draws[:3]
    ]
    few = [
        perplexity_ratio(*(Losses(logs=x.logs[at], counts=x.counts[at]) for x in (other, its)))
        for at in draws[:3]
    ]
    assert [each.value for each in few] == pytest.approx(expected)
    assert perplexity_ratio(*[Losses(logs=logs[:9], counts=counts[:9])] * 2).interval is None
    with pytest.raises(ValueError, match="the same texts twice, found 20 and 9"):
        perplexity_ratio(mine, Losses(logs=logs[:9], counts=counts[:9]))


def test_unigram_baselines(tiny: probe.Probe) -> None:
    sequences = cut(tiny, "a a a b").pieces
    (found,) = unigram_log_probabilities(sequences)
    assert np.exp(found) == pytest.approx([0.75, 0.75, 0.75, 0.25])
    bias = output_bias(tiny)
    assert bias is not None and np.exp(bias).sum() == pytest.approx(1)
    with torch.inference_mode():
        expected = tiny.model.cls.predictions.decoder(torch.zeros(1, 24, dtype=torch.float64)).log_softmax(-1)
    assert bias == pytest.approx(expected[0].numpy())


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(1, 6))
def test_parts_hold_whole_words_where_they_fit(sizes: list[int], length: int) -> None:
    words = [word for word, size in enumerate(sizes) for _ in range(size)]
    spans = list(_spans(words, length))
    assert [at for start, end in spans for at in range(start, end)] == list(range(len(words)))
    for start, end in spans:
        assert 0 < end - start <= length
        if end < len(words) and words[end - 1] == words[end]:
            assert words[start] == words[end]  # a word that is longer than a sequence


def test_a_long_text_becomes_several_sequences(tiny: probe.Probe) -> None:
    found = cut(tiny, "a b " * 40, length=30)
    assert [len(each.positions) for each in found.pieces] == [30, 30, 20]
    assert found.words == [30, 30, 20]
    assert all(each.ids[0] == tiny.tokenizer.cls_token_id for each in found.pieces)
    with pytest.raises(OptionError, match=r"31 pieces: the window of .* takes 30"):
        cut(tiny, "a", length=31)


class TestTexts:
    def test_lines_and_sentences(self, tmp_path: Path) -> None:
        path = tmp_path / "held.txt"
        path.write_text("\ufeffOne two.\n\n  Three.  \n", encoding="utf-8")
        texts, name = read_texts(str(path))
        assert (name, [(each.text, each.where) for each in texts]) == (
            "held",
            [("One two.", f"{path}:1"), ("Three.", f"{path}:3")],
        )
        packed = tmp_path / "held.txt.xz"
        packed.write_bytes(lzma.compress(path.read_bytes()))
        assert [each.text for each in read_texts(str(packed))[0]] == ["One two.", "Three."]
        assert read_texts(str(packed))[1] == "held"
        sample, name = read_texts(None)
        assert (name, sample[1].text) == ("sample", "Snow fell.")

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        empty, bad, torn = tmp_path / "empty.txt", tmp_path / "bad.txt", tmp_path / "torn.xz"
        empty.write_text("\n \n", encoding="utf-8")
        bad.write_bytes(b"\xff\n")
        torn.write_bytes(lzma.compress(b"One two.\n" * 100)[:-20])
        for path, message in (
            (empty, "no text; one text a line is expected"),
            (bad, "UTF-8 text is expected"),
            (torn, "xz-compressed text is expected"),
            (tmp_path / "none.txt", "there is none of this name"),
            (tmp_path, "a file is expected"),
        ):
            with pytest.raises((data.DataError, data.InputError), match=message):
                read_texts(str(path))


class TestCommand:
    @pytest.fixture
    def text(self, tmp_path: Path) -> Path:
        path = tmp_path / "held.txt"
        path.write_text("\n".join([*TEXTS] * 4), encoding="utf-8")
        return path

    def test_tables(
        self, text: Path, tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        options = ["--model", model_folder("bert"), "--data", text, "--length", 20, *PLAIN, "--quiet"]
        done = ran(capsys, command.main, *options, "--draws", 2, "--out", out, "--format", "json")
        assert (done.code, done.err) == (0, "")
        tables = {table["title"].rpartition(" [")[0]: table for table in json.loads(done.out)}
        assert len(tables) == 5
        by_piece = tables["Perplexity of held by order, per piece"]
        assert by_piece["columns"] == ["pseudo", "left-to-right", "random"]
        kinds = [row["kind"] for row in by_piece["rows"]]
        assert kinds == ["published", "baseline", "baseline", "baseline", "model"]
        published = {name: cell["value"] for name, cell in by_piece["rows"][0]["cells"].items() if cell}
        assert published == {"left-to-right": 19.32, "random": 21.3}
        assert (out / "perplexity-by-share-seen.csv").is_file()
        again = ran(capsys, command.main, *options, "--draws", 2, "--format", "json", "--batch-tokens", 7)
        for ours, theirs in zip(json.loads(again.out), tables.values(), strict=True):
            for row, other in zip(ours["rows"], theirs["rows"], strict=True):
                for name, cell in row["cells"].items():
                    expected = other["cells"][name]
                    assert cell == expected or cell["value"] == pytest.approx(expected["value"], rel=1e-5)

    def test_ratios_of_orders_and_models_over_texts(
        self, text: Path, tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text.write_text("\u0001\n" + "\n".join([*TEXTS] * 4), encoding="utf-8")
        models = [model_folder("bert"), model_folder("roberta")]
        options = ["--model", *models, "--data", text, "--length", 6, *PLAIN, "--quiet", "--seeds", 0]
        orders = ["--order", "pseudo", "left-to-right"]
        done = ran(capsys, command.main, *options, *orders, "--format", "json")
        pieces, words, ratios = json.loads(done.out)
        one, other = (str(model) for model in models)
        names = [f"{model}: left-to-right / pseudo" for model in (one, other)]
        assert [row["name"] for row in ratios["rows"]] == [
            *names,
            *(f"{other} / {one}: {way}" for way in ("pseudo", "left-to-right")),
        ]
        for table, column in ((pieces, "per piece"), (words, "per word")):
            by_name = {row["name"]: row["cells"] for row in table["rows"]}
            for name, model in zip(names, (one, other), strict=True):
                value = by_name[model]["left-to-right"]["value"] / by_name[model]["pseudo"]["value"]
                (row,) = (row for row in ratios["rows"] if row["name"] == name)
                assert row["cells"][column]["value"] == pytest.approx(value)
        # Pieces differ, and the first text only one of them can read.
        between = ratios["rows"][-1]
        assert between["cells"]["per piece"] is None and between["signature"]["n"] == 12
        assert between["cells"]["per word"]["interval"] is not None
        one_order = ran(capsys, command.main, *options[:2], *options[3:], "--order", "pseudo")
        assert one_order.code == 0 and "ratios" not in one_order.out

    @pytest.mark.usefixtures("one_thread")
    def test_an_interrupted_run_goes_on_where_it_was(
        self,
        text: Path,
        tmp_path: Path,
        model_folder: ModelFolder,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        text.write_text("\n".join(TEXTS), encoding="utf-8")
        options = ["--model", model_folder("bert"), "--data", text, *PLAIN, "--quiet", "--draws", 1]
        whole, stopped = tmp_path / "whole", tmp_path / "stopped"
        assert ran(capsys, command.main, *options, "--out", whole).code == 0
        read = Countdown(read_in_order, 2)
        monkeypatch.setattr("analyses.order.perplexity_command.read_in_order", read)
        assert ran(capsys, command.main, *options, "--out", stopped).code == 130
        assert not list(stopped.glob("perplexity-*"))
        read.left = 6 - 2  # three orders of the model and of random weights, two of which are there
        assert ran(capsys, command.main, *options, "--out", stopped).code == 0 and read.left == 0
        written = {path.name: path.read_bytes() for path in whole.glob("perplexity-*")}
        assert written == {path.name: path.read_bytes() for path in stopped.glob("perplexity-*")}
        fewer = ran(capsys, command.main, *options, "--limit", 1, "--out", stopped)
        assert fewer.code == 130  # other texts are read anew

    def test_a_text_that_cannot_be_read_is_named(
        self, text: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text.write_text("Rivers carry sand.\n\u0001\n", encoding="utf-8")
        options = ["--model", model_folder("bert"), "--data", text, "--length", 9, *PLAIN, "--seeds", 0]
        done = ran(capsys, command.main, *options, "--order", "sequential")
        assert done.code == 0 and f"{text}:2: text skipped: " in done.err
        assert "random" not in done.out and "left-to-right" in done.out
        assert ran(capsys, command.main, *options, "--strict").code == 1

    def test_sequences_fit_a_small_window_by_default(
        self, text: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--model", model_folder("bert"), "--data", text, *PLAIN, "--seeds", 0, "--order", "pseudo"]
        assert "12 sequences of at most 30 pieces" in ran(capsys, command.main, *options).out

    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (["--order", "sidewards"], 2, "unknown order 'sidewards'"),
            (["--length", "40"], 2, "takes 30"),
            (["--length", "0"], 2, "a whole number above 0"),
            (["--data", "nowhere.txt"], 2, "there is none of this name"),
        ],
    )
    def test_wrong_use_is_one_line(
        self,
        options: list[str],
        code: int,
        message: str,
        model_folder: ModelFolder,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        given = ["--model", model_folder("bert"), *PLAIN, "--limit", 2, "--length", 9, *options]
        done = ran(capsys, command.main, *given)
        assert (done.code, done.out) == (code, "")
        assert message in done.err and done.err.count("\n") == 1

    def test_a_model_without_a_head_is_refused(
        self, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--model", model_folder("bert_without_head"), *PLAIN, "--length", 9, "--seeds", 0]
        done = ran(capsys, command.main, *options)
        assert done.code == 2 and "has no masked-LM head, which a perplexity needs" in done.err


def test_the_figure_has_plain_numbers_on_its_axis() -> None:
    from analyses.order.figures import perplexity_by_share
    from analyses.pictures.style import style
    from analyses.tables.table import Cell, Row, Table

    cells = (Cell(900.0), None, Cell(110.0))
    rows = tuple(
        Row(name=kind, kind=kind, cells=cells)  # type: ignore[arg-type]
        for kind in ("baseline", "model")
    )
    table = Table(title="t", columns=("0-20%", "20-40%", "80-100%"), rows=rows)
    with style():
        figure = perplexity_by_share(table)
        figure.draw_without_rendering()
        shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {"200", "500"} <= set(shown)
    with pytest.raises(ValueError, match="a row with perplexities"):
        perplexity_by_share(Table(title="t", columns=("0-20%",), rows=()))
