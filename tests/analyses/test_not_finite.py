"""Models whose states are not finite: no sentence of them is a success, and a score says what it leaves out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

import probe
from analyses.constituency import command as constituency
from analyses.dependency import command as dependency
from analyses.discourse import command as discourse
from analyses.discourse import protocols
from analyses.parse import main as parse_main
from probe import run as probe_run
from probe.engine import NOT_FINITE
from probe.store import Store
from tests.command import GOLD, PLAIN, conllu, parse, ran
from tests.conftest import ModelFolder

TOO_LONG = ("a " * 60).strip(), list(range(60))


@pytest.fixture
def spoilt(model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A tiny BERT with NaN in all weights, or in the embedding of a word; loading does not look at it."""
    monkeypatch.setattr("probe.loading.check_states", lambda *args: None)
    monkeypatch.setattr("probe.loading.mask_note", lambda *args, **options: None)

    def make(word: str | None = None) -> Path:
        folder = Path(shutil.copytree(model_folder("bert"), tmp_path / "nan"))
        path = folder / "model.safetensors"
        weights = load_file(path)
        if word is None:
            weights = {name: np.full_like(value, np.nan) for name, value in weights.items()}
        else:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            at = tokenizer.encode(word, add_special_tokens=False).ids[-1]
            weights["bert.embeddings.word_embeddings.weight"][at] = np.nan
        save_file(weights, path, metadata={"format": "pt"})
        return folder

    return make


def gold(tmp_path: Path, text: str) -> Path:
    """A treebank."""
    path = tmp_path / "gold.conllu"
    path.write_text(text, encoding="utf-8")
    return path


ONE_WORD = conllu(("Rivers", [0]), ("Rivers carry sand", [2, 0, 2]))


@pytest.mark.parametrize("options", [[], ["--evaluate"], ["--evaluate", "--format", "json"]])
def test_nothing_parsed_is_a_failure(
    spoilt: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    for text in (GOLD, ONE_WORD):
        path = gold(tmp_path, text)
        folder = tmp_path / "nan"
        model = folder if folder.exists() else spoilt()
        done = parse(capsys, "--model", model, "--data", path, "--method", "paper", *options)
        assert done.code == 1
        assert done.out.endswith("No sentence was scored.\n" if options == ["--evaluate"] else "")
        assert "UAS" not in done.out
        assert NOT_FINITE in done.err
        assert "sentences could not be probed" in done.err.splitlines()[-1]


def test_one_word_sentences_do_not_save_a_run(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = gold(tmp_path, conllu(("Rivers", [0]), TOO_LONG))
    message = (
        "1 of 2 sentences could not be probed, and all others are of one word, whose tree no model decides"
    )
    done = parse(capsys, "--model", model_folder("bert"), "--data", path, "--evaluate")
    assert (done.code, done.out, done.err.splitlines()[-1]) == (1, "", f"probe parse: error: {message}")
    options = ["--model", model_folder("bert"), "--seeds", "0", "--decoder", "eisner", *PLAIN]
    done = ran(capsys, dependency.main, "--data", path, *options, "--protocol", "wu2020")
    assert (done.code, done.out, done.err.splitlines()[-1]) == (1, "", f"probe dependency: error: {message}")


def test_no_experiment_scores_a_model_of_nan(
    spoilt: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", spoilt(), "--seeds", "0", "--quiet", *PLAIN]
    for main, more in (
        (dependency.main, ["--data", gold(tmp_path, GOLD), "--decoder", "eisner"]),
        (constituency.main, ["--limit", "3", "--decoder", "chart-row"]),
    ):
        done = ran(capsys, main, *options, *more)
        assert (done.code, done.out) == (1, "")
        assert NOT_FINITE in done.err


def test_a_run_directory_keeps_no_nan(
    spoilt: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    path = gold(tmp_path, GOLD)
    done = ran(capsys, probe_run.main, "--model", spoilt(), "--data", path, "--out", out, *PLAIN)
    assert done.code == 1
    assert done.err.splitlines()[-1].endswith("none of the 3 sentences could be probed")
    assert [reason for _, reason in Store.open(out).failures()] == [NOT_FINITE] * 3


def test_a_score_says_what_it_does_not_cover(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = gold(tmp_path, GOLD + conllu(TOO_LONG))
    options = ["--model", model_folder("bert"), "--data", path, *PLAIN]
    done = ran(capsys, parse_main, *options, "--evaluate", "--no-random-model")
    assert done.code == 0
    assert "Left out of every row, since they could not be parsed: 1 of 4 sentences." in done.out
    assert "| n:3 | skipped:1 |" in done.out
    done = ran(capsys, parse_main, *options, "--evaluate", "--no-random-model", "--format", "json")
    assert all(row["signature"]["skipped"] == 1 for row in json.loads(done.out)["evaluation"])
    more = ["--seeds", "0", "--decoder", "eisner", "--protocol", "fair"]
    done = ran(capsys, dependency.main, *options, *more)
    assert done.code == 1
    assert "Left out of every row, since a model could not probe them: 1 of 4 sentences." in done.out
    assert "| n:3 | skipped:1 |" in done.out


def test_a_document_without_finite_impacts_is_left_out(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "scidtb"
    folder.mkdir()
    for name in ("A", "B"):
        edus = [
            {"id": number, "parent": number - 1, "text": text, "relation": "ROOT"}
            for number, text in enumerate(["ROOT", "We saw it", "that slept", "there ."])
        ]
        edus[0]["parent"] = -1
        text = json.dumps({"root": edus})
        (folder / f"{name}.edu.txt.dep").write_text(text, encoding="utf-8")
    whole = protocols.document_impacts

    def spoilt(*args: object, **options: object):  # type: ignore[no-untyped-def]
        for number, found in enumerate(whole(*args, **options)):  # type: ignore[arg-type]
            yield {key: value * (np.nan if number else 1.0) for key, value in found.items()}

    monkeypatch.setattr(discourse, "document_impacts", spoilt)
    given = ["--model", model_folder("bert"), "--data", folder, "--seeds", "0", "--decoder", "eisner", *PLAIN]
    done = ran(capsys, discourse.main, *given, "--protocol", "fair")
    assert done.code == 1
    assert "B.edu.txt.dep: document skipped: " in done.err
    assert "1 more documents could not be probed" in done.out
    assert "| n:1 | skipped:1 |" in done.out


def test_impacts_of_one_sentence(spoilt: Callable[..., Path]) -> None:
    model = probe.load(spoilt("sand"), device="cpu")
    sentences = ["Rivers carry sand".split(), ["Rivers"], "Rivers carry".split()]
    found = list(model.impact_many(sentences, errors="return"))
    assert str(found[0]) == NOT_FINITE
    assert all(isinstance(one, probe.ImpactMatrix) for one in found[1:])
    with pytest.raises(probe.SentenceError, match="not finite"):
        model.impact(sentences[0])
