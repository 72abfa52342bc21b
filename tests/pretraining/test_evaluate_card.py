"""The figures of the model card: held-out words by ratio and position, treebanks, minimal pairs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import probe
from analyses import Method, evaluation_rows, induce
from data import Sentence, load_sample, to_conllu
from pretraining import evaluate
from pretraining.batches import Batch, Specials, assemble
from pretraining.card_heldout import (
    Predictions,
    Shard,
    full_spans,
    masked_batches,
    position_rows,
    predict,
    ratio_rows,
    read_shard,
)
from pretraining.card_treebank import scores_on_test
from pretraining.prepare import Pieces
from tests.command import ran
from tests.conftest import ModelFolder

Command = Callable[..., tuple[object, str, str]]


@pytest.fixture(scope="module")
def p(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def shard(p: probe.Probe, corpora: Path) -> Shard:
    return read_shard(corpora / "c.txt.xz", p, documents=None)


@pytest.fixture(scope="module")
def treebank() -> list[Sentence]:
    return [sentence for sentence in load_sample() if len(sentence.words) <= 4][:4]


class TestHeldOut:
    def test_predictions_are_those_of_the_whole_model(self, p: probe.Probe, shard: Shard) -> None:
        spans = np.array([[0, 9], [9, 30]])
        (batch,) = masked_batches(shard, spans, 32, ratio=0.5, pieces=64, seed=0)
        assert not batch.attention.all()
        found = predict(p, [batch], shard.specials)
        with torch.inference_mode():
            logits = p.model(
                input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.attention)
            ).logits
        log_probabilities = logits[torch.from_numpy(batch.predicted)].log_softmax(-1).numpy()
        loss = -log_probabilities[np.arange(len(batch.targets)), batch.targets]
        np.testing.assert_allclose(found.loss, loss, rtol=1e-4)
        assert found.correct.tolist() == (log_probabilities.argmax(1) == batch.targets).tolist()
        assert found.position.tolist() == (np.nonzero(batch.predicted)[1] + 1).tolist()

    def test_words_are_found(self, p: probe.Probe) -> None:
        vocabulary = p.tokenizer.get_vocab()
        specials = Specials.of(p.tokenizer.backend_tokenizer)
        # a ##b | c | d ##e ##f with "c" not masked, then a sequence cut inside a word: ##b | c
        rows = [["[CLS]", "a", "##b", "c", "d", "##e", "##f", "[SEP]"]]
        rows += [["[CLS]", "##b", "c", "[SEP]", *["[PAD]"] * 4]]
        ids = np.array([[vocabulary[piece] for piece in row] for row in rows])
        masked = np.zeros(ids.shape, dtype=bool)
        masked[0, [1, 2, 4, 5, 6]] = masked[1, [1, 2]] = True
        batch = Batch(
            ids=np.where(masked, specials.mask, ids),
            attention=(ids != specials.pad).astype(np.int64),
            predicted=masked,
            targets=ids[masked],
            sides=np.zeros(len(ids), np.int8),
        )
        found = predict(p, [batch, batch], specials)
        assert found.first.tolist() == [True, False, True, False, False, True, True] * 2
        assert found.position.tolist() == [2, 3, 5, 6, 7, 2, 3] * 2

    def test_accuracy_of_pieces_and_of_words(self) -> None:
        predictions = Predictions(
            loss=np.log([2.0, 2.0, 8.0, 8.0]),
            correct=np.array([True, True, True, False]),
            position=np.array([2, 3, 64, 65]),
            first=np.array([True, False, True, False]),
        )
        assert predictions.as_dict() == {
            "accuracy": 75.0,
            "word_accuracy": 50.0,
            "perplexity": 4.0,
            "masked_pieces": 4,
            "masked_words": 2,
        }
        # A word belongs where it begins.
        assert predictions.between(64, 64).position.tolist() == [64, 65]
        assert not len(predictions.between(65, 128).loss)

    def test_full_spans_by_hand(self) -> None:
        # Documents of sentences 3 + 2 + 4 + 1, of 2, and of 5 pieces; room for 4.
        pieces = Pieces(
            ids=np.arange(17, dtype=np.uint16),
            sentences=np.array([0, 3, 5, 9, 10, 12, 17]),
            documents=np.array([0, 4, 5, 6]),
        )
        assert full_spans(pieces, 6).tolist() == [[0, 4], [5, 9], [12, 16]]
        assert full_spans(pieces, 100).tolist() == []

    def test_full_spans_fill_the_window(self, p: probe.Probe, shard: Shard) -> None:
        spans = full_spans(shard.pieces, p.window)
        assert len(spans)
        ids = assemble(shard.pieces, spans, shard.specials)
        assert ids.shape == (len(spans), p.window) and (ids != shard.specials.pad).all()
        assert set(spans[:, 0].tolist()) <= set(shard.pieces.sentences.tolist())

    def test_rows(self, p: probe.Probe, shard: Shard) -> None:
        rows = ratio_rows(p, shard, ratios=[0.15, 0.7], pieces=2_000, seed=0)
        assert [(row["shard"], row["length"], row["masked"]) for row in rows] == [
            ("c", 32, 0.15),
            ("c", 32, 0.7),
        ]
        few, many = rows
        assert 3 < many["masked_pieces"] / few["masked_pieces"] < 6
        assert all(row["word_accuracy"] <= 100 and row["perplexity"] > 1 for row in rows)
        assert rows == ratio_rows(p, shard, ratios=[0.15, 0.7], pieces=2_000, seed=0)
        assert rows != ratio_rows(p, shard, ratios=[0.15, 0.7], pieces=2_000, seed=1)
        (row,) = position_rows(p, shard, ratio=0.15, pieces=500, seed=0)
        assert (row["from"], row["to"], row["masked"]) == (1, 32, 0.15)
        # 15 sequences of 30 pieces, of which about .15 are masked.
        assert 40 < row["masked_pieces"] < 100

    def test_an_empty_shard(self, p: probe.Probe, tmp_path: Path) -> None:
        import lzma

        path = tmp_path / "empty.txt.xz"
        path.write_bytes(lzma.compress(b"\n"))
        with pytest.raises(ValueError, match=r"empty\.txt\.xz: no text in this shard"):
            read_shard(path, p, documents=None)


class TestTreebank:
    def test_scores_are_those_of_the_parser(self, p: probe.Probe, treebank: list[Sentence]) -> None:
        # One sentence is too long for the window of 32 pieces.
        long = Sentence(id="long", words=("a",) * 40, heads=(0, *range(1, 40)), upos=("X",) * 40)
        found = scores_on_test(p, [long, *treebank], layer=2, pool="max", name="t", random_model=True, seed=4)
        assert (found["sentences"], found["skipped"]) == (len(treebank), 1)
        for protocol, root in (("wu2020", "gold"), ("fair", "predicted")):
            method = Method(protocol=protocol, root=root, layer=2, pool="max", seed=4)  # type: ignore[arg-type]
            induced = [(one.sentence, one.heads) for one in induce(treebank, p, method)]  # type: ignore[union-attr]
            expected = evaluation_rows(
                induced,
                p,
                method,
                data="t",
                version=probe.__version__,
                rerun=lambda blank, method=method: induce(treebank, blank, method),  # type: ignore[misc]
            )
            # The commands read running text under fair, whose pieces are the same for this tokenizer.
            rows = [row.as_dict() for row in expected]
            for row in rows:
                row["signature"]["settings"] |= (
                    {"text": "spaced"} if "model" in row["signature"]["settings"] else {}
                )
            assert found[protocol] == rows
            names = [row["name"] for row in found[protocol]]
            assert names == ["left-chain", "right-chain", "adjacent", "random", "random weights", p.name]

    def test_nothing_to_score(self, p: probe.Probe) -> None:
        long = Sentence(id="long", words=("a",) * 40, heads=(0, *range(1, 40)), upos=("X",) * 40)
        with pytest.raises(probe.ProbeError, match="t: no sentence could be probed"):
            scores_on_test(p, [long], layer=1, pool="mean", name="t", random_model=False, seed=0)


class TestCommand:
    @pytest.fixture
    def run(self, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Command:
        def call(*args: object) -> tuple[object, str, str]:
            options = ["--model", str(model_folder("bert")), "--device", "cpu", *map(str, args)]
            done = ran(capsys, evaluate.main, *options)
            return done.code, done.out, done.err

        return call

    @pytest.fixture
    def conllu(self, tmp_path: Path, treebank: list[Sentence]) -> Path:
        path = tmp_path / "bank.conllu"
        path.write_text("".join(to_conllu(s, s.heads or ()) for s in treebank), encoding="utf-8")
        return path

    @pytest.fixture
    def blimp(self, tmp_path: Path) -> Path:
        folder = tmp_path / "blimp"
        folder.mkdir()
        labels = {"field": "syntax", "linguistics_term": "binding", "UID": "p"}
        pairs = [{"sentence_good": "He sleeps.", "sentence_bad": "He sleep.", **labels}] * 3
        (folder / "p.jsonl").write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
        return folder

    def test_all_parts(self, run: Command, corpora: Path, conllu: Path, blimp: Path) -> None:
        shards = [corpora / "b.txt.xz", corpora / "c.txt.xz"]
        arguments: list[object] = [
            "--heldout",
            *shards,
            "--pieces",
            600,
            "--ratios",
            ".15",
            ".5",
            "--positions",
        ]
        arguments += ["--dev", conllu, "--test", conllu, "--blimp", blimp, "--pairs", 2]
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        result: dict[str, Any] = json.loads(out)
        assert [(row["shard"], row["masked"]) for row in result["heldout"]] == [
            (name, ratio) for name in "bc" for ratio in (0.15, 0.5)
        ]
        assert {row["shard"] for row in result["positions"]} == {"b", "c"}
        best, test = result["best"], result["test"]
        assert (test["layer"], test["pool"]) == (best["layer"], best["pool"])
        for protocol in ("wu2020", "fair"):
            of_model = {score["name"]: score for score in test[protocol][-1]["scores"]}
            # The same treebank as dev, so the same scores.
            assert {name: round(score["value"], 2) for name, score in of_model.items()} == best[protocol]
            # Of so few sentences there is no interval.
            assert all(score["interval"] is None for score in of_model.values())
        blank, model = result["blimp"]
        assert "random weights" in blank["model"] and model["model"] == result["model"]
        assert model["accuracies"][-1]["pairs"] == 2

    def test_wsj10_and_discourse(self, run: Command, tmp_path: Path, conllu: Path) -> None:
        wsj, scidtb = tmp_path / "wsj", tmp_path / "a.edu.txt.dep"
        wsj.mkdir()
        (wsj / "a.dp").write_text("She\tPRP\t2\nslept\tVBD\t0\n.\t.\t2\n", encoding="utf-8")
        edus = [
            ("ROOT", -1, "null"),
            ("We try this .", 0, "ROOT"),
            ("It works", 1, "evaluation"),
            ("here .", 2, "same"),
        ]
        root = [{"id": i, "parent": p, "text": t, "relation": r} for i, (t, p, r) in enumerate(edus)]
        scidtb.write_text(json.dumps({"root": root}), encoding="utf-8")
        arguments = [
            "--dev",
            conllu,
            "--pools",
            "mean",
            "--wsj",
            wsj,
            "--scidtb",
            scidtb,
            "--no-random-model",
        ]
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        result = json.loads(out)
        assert {row["pool"] for row in result["rows"]} == {"mean"}
        rows = {row["name"]: row["UAS"] for row in result["scidtb"]["fair"]}
        # Heads 0, 1, 2: the left chain has all of them, the right chain (2, 3, 0) none.
        assert (rows["left-chain"], rows["right-chain"]) == (100.0, 0.0)
        assert 0 <= rows[result["model"]] <= 100
        chain = {row["name"]: row["scores"][0]["value"] for row in result["wsj"]["wu2020"]}
        # Two words are left without the full stop, and the root is given: right by any tree.
        assert (result["wsj"]["sentences"], chain["right-chain"]) == (1, 100.0)

    def test_one_part(self, run: Command, conllu: Path) -> None:
        arguments = ["--test", conllu, "--layer", -1, "--pool", "first", "--no-random-model", "--limit", 2]
        code, out, _ = run(*arguments)
        assert code == 0
        result = json.loads(out)
        assert set(result) == {"model", "version", "dtype", "seed", "test"}
        assert (result["test"]["pool"], result["test"]["sentences"]) == ("first", 2)
        assert "random weights" not in [row["name"] for row in result["test"]["fair"]]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--test", "t.conllu"], "--test needs a layer and a pool"),
            (["--wsj", "wsj"], "--wsj needs a layer and a pool"),
            (["--scidtb", "scidtb"], "--scidtb needs a layer and a pool"),
            (["--test", "t.conllu", "--layer", "1"], "--layer and --pool go together"),
            (["--positions"], "--positions needs a shard"),
            (
                ["--heldout", "a.txt.xz", "--ratios", "1.5"],
                "a share between 0 and 1 is expected, found '1.5'",
            ),
            (["--dev", "none.conllu"], "none.conllu: a file is expected"),
            (["--blimp", "none"], "none: a file is expected"),
            (["--heldout", "none.txt.xz"], "none.txt.xz"),
        ],
    )
    def test_wrong_use(self, run: Command, arguments: list[str], message: str) -> None:
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert message in err
