"""Minimal pairs: pseudo-log-likelihoods against a plain loop, accuracies by hand, the command."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

import analyses
import data
import probe
from analyses.minimal_pairs import command as minimal_pairs
from analyses.minimal_pairs.accuracy import first_pairs
from analyses.minimal_pairs.tables import listed, pair_tables
from tests.analyses.minimal_pairs.blimp import pair, record
from tests.command import ran
from tests.conftest import ModelFolder

TEXTS = (
    "The gardener watered tulips.",
    "The gardener watered tulip.",
    "Nobody remembered who slept.",
    "Rivers carry sand.",
    "Rivers carry.",
)
ARCHITECTURES = ("bert", "roberta", "modernbert", "xlm_roberta", "deberta_v3")

Load = Callable[..., probe.Probe]


@pytest.fixture(scope="module")
def load(model_folder: ModelFolder) -> Load:
    def call(name: str, dtype: str = "float64") -> probe.Probe:
        return probe.load(model_folder(name), device="cpu", dtype=dtype)

    return call


def plain_loop(p: probe.Probe, text: str, *, within_word: bool) -> float:
    """Pseudo-log-likelihood, one piece at a time, with the whole model and no batches."""
    ids = p.tokenizer(text, return_tensors="pt")["input_ids"][0]
    pieces = p.tokenizer.convert_ids_to_tokens(ids.tolist())
    total = 0.0
    for position, true in enumerate(ids.tolist()):
        if true in (p.tokenizer.cls_token_id, p.tokenizer.sep_token_id):
            continue
        masked = ids.clone()
        masked[position] = p.tokenizer.mask_token_id
        for later in range(position + 1, len(ids) if within_word else 0):
            if not pieces[later].startswith("##"):
                break
            masked[later] = p.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = p.model(input_ids=masked[None]).logits[0, position]
        total += float(logits.log_softmax(-1)[true])
    return total


class TestPseudoLogLikelihood:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_is_that_of_a_plain_loop(self, load: Load, architecture: str) -> None:
        for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-10)):
            p = load(architecture, dtype)
            expected = [plain_loop(p, text, within_word=False) for text in TEXTS]
            assert analyses.pseudo_log_likelihoods(p, TEXTS) == pytest.approx(expected, rel=tolerance)

    def test_within_word(self, load: Load) -> None:
        p = load("bert")
        expected = [plain_loop(p, text, within_word=True) for text in TEXTS]
        found = analyses.pseudo_log_likelihoods(p, TEXTS, score="within-word")
        assert found == pytest.approx(expected, rel=1e-10)
        assert found != pytest.approx(analyses.pseudo_log_likelihoods(p, TEXTS), rel=1e-3)

    @pytest.mark.parametrize("score", ["original", "within-word"])
    def test_batches_make_no_difference(self, load: Load, score: str) -> None:
        p = load("bert")
        one = analyses.pseudo_log_likelihoods(p, TEXTS, score=score, batch_tokens=1)  # type: ignore[arg-type]
        for tokens in (100, 100_000):
            many = analyses.pseudo_log_likelihoods(p, TEXTS, score=score, batch_tokens=tokens)  # type: ignore[arg-type]
            assert many == pytest.approx(one, rel=1e-12)
        alone = [analyses.pseudo_log_likelihoods(p, [text], score=score)[0] for text in TEXTS]  # type: ignore[arg-type]
        assert alone == pytest.approx(one, rel=1e-12)

    def test_what_is_equal_runs_once(self, load: Load) -> None:
        p = load("bert")
        passes: list[int] = []
        # Words of one piece each: the first word differs, and the copies that mask it are equal.
        good, bad = "a b c", "d b c"
        assert [len(p.tokenizer(text)["input_ids"]) for text in (good, bad)] == [5, 5]
        values = analyses.pseudo_log_likelihoods(p, [good, bad, good], on_passes=passes.append)
        assert sum(passes) == 3 + 3 - 1
        assert values[0] == values[2] != values[1]

    def test_special_tokens_in_a_sentence_are_text(self, load: Load) -> None:
        p = load("bert")
        spelled, plain = analyses.pseudo_log_likelihoods(p, ["a [MASK] b", "a b"])
        assert isinstance(spelled, float) and isinstance(plain, float)
        assert spelled < plain

    def test_sentences_that_cannot_be_scored(self, load: Load) -> None:
        p = load("bert")
        fine, empty, long = analyses.pseudo_log_likelihoods(p, ["a b", " ", "a " * 31])
        assert isinstance(fine, float)
        assert isinstance(empty, probe.SentenceError) and "no pieces" in str(empty)
        assert isinstance(long, probe.SentenceError) and "33 pieces" in str(long)
        assert isinstance(analyses.pseudo_log_likelihoods(p, ["a " * 30])[0], float)
        (mask,) = analyses.pseudo_log_likelihoods(load("xlm_roberta"), ["a <mask> b"])
        assert isinstance(mask, probe.SentenceError) and "special token" in str(mask)

    def test_no_sentences(self, load: Load) -> None:
        assert analyses.pseudo_log_likelihoods(load("bert"), []) == []

    def test_wrong_use(self, load: Load) -> None:
        with pytest.raises(probe.ModelError, match="no masked-LM head"):
            analyses.pseudo_log_likelihoods(load("bert_without_head"), ["a b"])
        with pytest.raises(ValueError, match="a score among original, within-word, found 'l2r'"):
            analyses.pseudo_log_likelihoods(load("bert"), ["a b"], score="l2r")  # type: ignore[arg-type]


def outcomes(
    right: int, wrong: int, tied: int, *, paradigm: str, phenomenon: str
) -> list[analyses.PairOutcome]:
    """Scored pairs of one paradigm."""
    values = [(-1.0, -2.0)] * right + [(-2.0, -1.0)] * wrong + [(-1.0, -1.0)] * tied
    made = pair("A.", "B.", paradigm=paradigm, phenomenon=phenomenon)
    return [analyses.ScoredPair(pair=made, good=good, bad=bad) for good, bad in values]


class TestAccuracy:
    def evaluate(self, scored: list[analyses.PairOutcome], model: str = "m") -> analyses.PairEvaluation:
        return analyses.evaluate_pairs(scored, model=model, data="d", version="1", score="original", seed=3)

    def test_means_over_paradigms(self) -> None:
        found = self.evaluate(
            [
                *outcomes(6, 2, 0, paradigm="p", phenomenon="argument_structure"),
                *outcomes(1, 0, 1, paradigm="q", phenomenon="s-selection"),
                *outcomes(0, 10, 0, paradigm="r", phenomenon="binding"),
                analyses.SkippedPair(pair=pair("A.", "B."), reason="no"),
            ]
        )
        assert [(row.level, row.name, row.score.value, row.score.n, row.ties) for row in found.rows] == [
            ("phenomenon", "argument_structure", 62.5, 10, 1),
            ("paradigm", "p", 75.0, 8, 0),
            ("paradigm", "q", 50.0, 2, 1),
            ("phenomenon", "binding", 0.0, 10, 0),
            ("paradigm", "r", 0.0, 10, 0),
            ("overall", "overall", pytest.approx(125 / 3), 20, 1),
        ]
        assert found.skipped == 1
        # Intervals are those of the weighted bootstrap, a point where all pairs are wrong, and none of few pairs.
        weights = [1 / 8] * 8 + [1 / 2] * 2
        expected = analyses.bootstrap(np.array([1] * 6 + [0, 0, 1, 0]) * weights, weights, seed=3)
        interval = found.phenomena[0].score.interval
        assert interval is not None and found.paradigms[0].score.interval is None
        assert (interval.low, interval.high) == (100 * expected.low, 100 * expected.high)
        assert found.paradigms[-1].score.interval == analyses.Interval(0.0, 0.0)

    def test_line_and_table(self) -> None:
        scored = outcomes(3, 1, 0, paradigm="p", phenomenon="binding")
        found = self.evaluate(scored)
        assert str(found).startswith("accuracy = 75.0 (too few to test) |")
        assert "| n:4 | v1 | protocol:pll-original | model:m | bs:1000 seed:3" in str(found)
        both = [replace(self.evaluate(scored, "blank"), random_weights=True), found]
        (stem, table), (_, by_paradigm) = tables = pair_tables(both)
        assert (stem, table.columns) == ("minimal-pairs-by-phenomenon", ("overall", "binding"))
        assert [(row.name, row.kind) for row in table.rows] == [
            ("chance", "baseline"),
            ("blank", "baseline"),
            ("m", "model"),
        ]
        assert [row.name for row in by_paradigm.rows] == ["p"]
        assert "Differences: too few to test." in table.notes
        shown, _ = listed(both, tables)
        assert shown.columns == ("blank", "m", "pairs", "ties")
        assert [(row.name, [str(cell) for cell in row.cells]) for row in shown.rows] == [
            ("binding", ["75.0", "75.0", "4", "0"]),
            ("overall", ["75.0", "75.0", "4", "0"]),
        ]

    def test_differences_to_random_weights(self) -> None:
        pairs = [
            *outcomes(12, 4, 0, paradigm="p", phenomenon="binding"),
            *outcomes(2, 2, 0, paradigm="q", phenomenon="binding"),
            *outcomes(1, 0, 0, paradigm="r", phenomenon="anaphor"),
        ]
        distinct = [
            replace(each, pair=replace(each.pair, where=f"d:{at}"))
            for at, each in enumerate(pairs)
            if isinstance(each, analyses.ScoredPair)
        ]
        blank = [replace(each, good=each.bad, bad=each.good) for each in distinct]
        evaluations = [
            replace(self.evaluate(list(blank), "blank"), random_weights=True),
            self.evaluate(list(distinct)),
        ]
        (_, _), (stem, table), _ = pair_tables(evaluations)
        assert stem == "minimal-pairs-by-phenomenon-differences"
        assert (table.columns, table.labels) == (("accuracy", "p of accuracy"), ("to",))
        found = {row.name: row.cells for row in table.rows}
        assert list(found) == ["anaphor", "binding", "overall"]
        few, *rest = found["anaphor"]
        assert few is not None and (few.value, few.too_few, few.interval, rest) == (100.0, True, None, [None])
        # Means over paradigms: 75% and 50% against 25% and 50%.
        binding, p = found["binding"]
        assert binding is not None and binding.value == pytest.approx(25.0) and p is not None
        assert binding.interval is not None and binding.interval.low < 25 < binding.interval.high
        overall, _ = found["overall"]
        assert overall is not None and overall.value == pytest.approx((50 + 0 + 100) / 3)

    def test_the_digest_is_of_the_pairs(self) -> None:
        scored = outcomes(1, 0, 0, paradigm="p", phenomenon="binding")
        other = [analyses.ScoredPair(pair=pair("A.", "C."), good=-1.0, bad=-2.0)]
        digests = {self.evaluate(list(found)).signature.digest for found in (scored, scored, other)}
        assert len(digests) == 2

    def test_nothing_scored(self) -> None:
        with pytest.raises(ValueError, match="at least one pair"):
            self.evaluate([analyses.SkippedPair(pair=pair("A.", "B."), reason="no")])

    def test_pairs_of_a_paradigm_come_out_together(self, load: Load) -> None:
        p = load("bert")
        pairs = [
            pair("a b", "b b", paradigm="p"),
            pair("c", "a " * 40, paradigm="q"),
            pair("c c", "c c", paradigm="p"),
        ]
        first, second, third = analyses.score_pairs(p, pairs)
        assert isinstance(first, analyses.ScoredPair) and isinstance(second, analyses.ScoredPair)
        # The batches have other shapes, for which a processor may sum in another order.
        alone = analyses.pseudo_log_likelihoods(p, ["a b", "b b"])
        assert (first.good, first.bad) == pytest.approx(tuple(alone), rel=1e-5)
        assert second.tied and not second.correct
        assert isinstance(third, analyses.SkippedPair) and "window" in third.reason

    def test_limit_is_of_each_paradigm(self) -> None:
        pairs = [pair(str(i), "x", paradigm="pq"[i % 2]) for i in range(6)]
        assert [found.good for found in first_pairs(pairs, 2)] == ["0", "1", "2", "3"]
        assert first_pairs(pairs, None) == pairs


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "pairs"
        folder.mkdir()
        one = record("The cat sleeps.", "The cat sleep.") + record(
            "Rivers carry sand.", "Rivers carries sand."
        )
        two = record("She likes herself.", "She likes himself.", paradigm="q", phenomenon="anaphor")
        (folder / "p.jsonl").write_text(one, encoding="utf-8")
        (folder / "q.jsonl").write_text(two + record("Same.", "Same.", paradigm="q", phenomenon="anaphor"))
        return folder

    @pytest.fixture
    def run(
        self, folder: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., tuple[object, str, str]]:
        def call(*args: object) -> tuple[object, str, str]:
            model = str(model_folder("bert"))
            options = ["--data", str(folder), "--model", model, "--device", "cpu", *map(str, args)]
            done = ran(capsys, minimal_pairs.main, *options)
            return done.code, done.out, done.err

        return call

    def test_table(self, run: Callable[..., tuple[object, str, str]]) -> None:
        code, out, err = run()
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert max(map(len, lines)) <= 80
        assert "random weights" in out and "pairs@" in out and "n:4" in out and "dtype:float32" in out
        first = out.partition("4 pairs;")[0].splitlines()
        assert [line.split()[0] for line in first[-4:-1]] == ["anaphor", "binding", "overall"]
        assert [line.split()[-2:] for line in first[-4:-1]] == [["2", "1"], ["2", "0"], ["4", "1"]]

    def test_markdown_and_latex(self, run: Callable[..., tuple[object, str, str]], tmp_path: Path) -> None:
        _, markdown, _ = run("--format", "md")
        assert "| overall |" in markdown and "| p |" in markdown
        assert run("--out", tmp_path / "pairs.tex")[:2] == (0, "")
        latex = (tmp_path / "pairs.tex").read_text(encoding="utf-8")
        assert latex.count(r"\begin{table}") == 2 and "overall &" in latex

    def test_unknown_words_are_said_unless_quiet(
        self, run: Callable[..., tuple[object, str, str]], folder: Path
    ) -> None:
        (folder / "q.jsonl").write_text(record("Rivers carry 猫.", "Rivers carry."), encoding="utf-8")
        _, out, err = run()
        assert err.count("unknown words 1 of 23 to the vocabulary\n") == 1
        assert out.count("Unknown words 1 of 23.") == 1
        _, out, err = run("--quiet")
        assert err == "" and out.count("Unknown words 1 of 23.") == 1
        _, out, _ = run("--format", "json")
        row = json.loads(out)["tables"][0]["rows"][-1]
        assert row["unknown_words"] == [1, 23]

    def test_json_has_what_the_functions_give(
        self, run: Callable[..., tuple[object, str, str]], folder: Path, load: Load
    ) -> None:
        code, out, _ = run("--format", "json", "--score", "within-word", "--no-random-model")
        assert code == 0
        document = json.loads(out)
        (found,) = document["evaluations"]
        pairs = data.read_minimal_pairs(folder)
        scored = list(analyses.score_pairs(load("bert", "float32"), pairs, score="within-word"))
        right = [isinstance(one, analyses.ScoredPair) and one.correct for one in scored]
        expected = {"p": 50.0 * sum(right[:2]), "q": 50.0 * sum(right[2:])}
        rows = {row["name"]: row for row in found["accuracies"]}
        assert {name: rows[name]["accuracy"] for name in expected} == expected
        assert rows["overall"]["accuracy"] == sum(expected.values()) / 2
        assert (rows["overall"]["ties"], found["skipped"], document["skipped"]) == (1, 0, [])
        assert found["signature"]["protocol"] == "pll-within-word"

    def test_csv_to_a_file(self, run: Callable[..., tuple[object, str, str]], tmp_path: Path) -> None:
        target = tmp_path / "out.csv"
        assert run("--out", target, "--limit", 1)[:2] == (0, "")
        rows = list(csv.DictReader(StringIO(target.read_text(encoding="utf-8"))))
        assert len(rows) == 2 * 5
        overall = [row for row in rows if row["level"] == "overall"]
        assert [row["pairs"] for row in overall] == ["2", "2"]
        assert all(0 <= float(row["accuracy"]) <= 100 for row in rows)
        assert {(row["low"], row["high"]) for row in rows} == {("", "")}  # too few to test

    def test_skipped_pairs_are_named(self, run: Callable[..., tuple[object, str, str]], folder: Path) -> None:
        with (folder / "p.jsonl").open("a", encoding="utf-8") as file:
            file.write(record("a " * 40, "a b"))
        code, out, err = run("--no-random-model")
        assert code == 0
        assert (
            err == f"{folder / 'p.jsonl'}:3: pair skipped: 42 pieces are more than the model's window of 32\n"
        )
        assert "1 pairs could not be scored." in out
        assert run("--strict", "--no-random-model")[0] == 1

    def test_errors(self, run: Callable[..., tuple[object, str, str]], folder: Path, tmp_path: Path) -> None:
        def refused(code: int, message: str, *args: object) -> None:
            found = run(*args)
            assert found[:2] == (code, "")
            assert found[2].startswith("probe minimal-pairs: error: ") and message in found[2]
            assert found[2].count("\n") == 1

        refused(2, "there is none of this name", "--data", tmp_path / "none")
        refused(2, "a whole number above 0", "--limit", 0)
        refused(2, "invalid choice: 'l2r'", "--score", "l2r")
        refused(2, "no such model directory", "--model", tmp_path / "none")
        refused(2, "a whole number from 0", "--seed", -1)
        refused(2, "cannot be written", "--out", tmp_path / "none" / "out.csv")
        (folder / "q.jsonl").write_text("{\n", encoding="utf-8")
        refused(1, "q.jsonl:1: JSON is expected, found Expecting property name")
        (folder / "q.jsonl").unlink()
        (folder / "p.jsonl").write_text(record("a " * 40, "a b"), encoding="utf-8")
        refused(1, "at least one pair", "--no-random-model")
