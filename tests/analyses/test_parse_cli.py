"""The command line: what goes in, what comes out, and in which form."""

import io
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import probe
from analyses import decode
from analyses.parse import build_parser, main, method_of
from analyses.trees.decoders import BASELINES, DECODERS
from analyses.trees.methods import METHODS
from data import check_tree, load_sample, parse_conllu
from probe.commands import start
from probe.metrics import METRICS
from probe.options import POOLS
from probe.perturbations import PERTURBATIONS
from tests.command import GOLD, RICH, TOO_LONG, Parse, conllu, heads_of, parse
from tests.conftest import ModelFolder
from tests.forks import forked, posix

# --- input


def test_unknown_words_stand_beside_the_scores(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "two.conllu"
    path.write_text(conllu(("Nobody 猫 slept .", [3, 3, 0, 3]), ("猫 猫 .", [0, 1, 1])), encoding="utf-8")
    done = run("--data", path, "--evaluate", "--no-random-model", "--protocol", "wu2020")
    assert "\n\nunknown words 3 of 7\n\nSignature: two@" in done.out
    assert "unknown words 3 of 7 to the model's vocabulary, such as '猫'\n" in done.err
    found = json.loads(run("--data", path, "--evaluate", "--no-random-model", "--format", "json").out)
    assert found["unknown_words"] == [3, 7]
    assert [sentence["unknown"] for sentence in found["sentences"]] == [[2], [1, 2]]
    assert [row.get("unknown_words") for row in found["evaluation"]] == [None] * 4 + [[3, 7]]
    assert "unknown words" not in run("Nobody slept .").err


def test_a_layer_that_nobody_chose_is_said_to_be_a_guess(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    (folder / "probe.json").unlink()
    said = "no probe.json says which layer is best: the last, 3, is read, which is a guess"
    assert said in parse(capsys, "--model", folder, "a cat").err
    for options in (["--quiet"], ["--layer", "3"], ["--metric", "prob"]):
        assert "guess" not in parse(capsys, "--model", folder, *options, "a cat").err


def test_sentences_as_arguments(run: Parse, model_folder: ModelFolder) -> None:
    done = run("The cat sat .", "Rivers carry sand .")
    assert done.code == 0
    made_by = f"model = {model_folder('bert')}, method = openness"
    assert re.findall("^# (.*)$", done.out, re.M) == [made_by, "1", "2"]
    assert re.findall(r"^(\d) (\w+|\.)", done.out, re.M)[:4] == [
        ("1", "The"),
        ("2", "cat"),
        ("3", "sat"),
        ("4", "."),
    ]
    assert done.out.count("ROOT") == 2
    assert re.fullmatch(rf"2 sentences parsed in \d+\.\d s: {re.escape(made_by)}\n", done.err)


@pytest.mark.parametrize(
    ("given", "made_by"),
    [
        (["--method", "paper"], "model = bert, method = paper"),
        (["--method", "paper", "--layer", "-1", "--decoder", "eisner"], "model = bert, method = paper"),
        (["--layer", "2", "--decoder", "cle"], "model = bert, method = openness, layer = 2, decoder = cle"),
        (["--decoder", "adjacent"], "decoder = adjacent"),
        (["--openness-from", "x"], "model = bert, method = openness, openness-from = x"),
        (
            ["--protocol", "wu2020", "--attention", "causal"],
            "model = bert, method = paper, attention = causal, protocol = wu2020",
        ),
        (
            ["--matrices", "folder", "--root", "gold"],
            "model = bert, metric = dist, layer = best, pool = best, perturb = pair, adjust = none, "
            "decoder = eisner, root = gold",
        ),
    ],
)
def test_what_made_a_tree(given: list[str], made_by: str) -> None:
    model: Any = SimpleNamespace(name="bert")
    assert method_of(build_parser().parse_args(given)).made_by(model) == made_by


def test_a_line_end_within_an_argument_ends_a_sentence(run: Parse) -> None:
    assert run("A cat\nsat .").out == run("A cat", "sat .").out


def test_text_file(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("The cat sat .\n\nRivers carry sand .\n", encoding="utf-8")
    assert run("--data", path).out == run("The cat sat .", "Rivers carry sand .").out


@pytest.mark.parametrize(
    "text", ["The cat sat .\nRivers carry sand .\n", GOLD, RICH, "\ufeff" + RICH, "\n" + RICH]
)
def test_standard_input_of_both_kinds(text: str, run: Parse, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / ("in.conllu" if "\t" in text else "in.txt")
    path.write_text(text, encoding="utf-8")
    expected = run("--data", path, "--format", "conllu")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    found = run("--data", "-", "--format", "conllu")
    assert (found.code, found.out) == (0, expected.out)


def test_nothing_parses_the_sample(run: Parse) -> None:
    done = run("--limit", "3", "--format", "conllu")
    found = list(parse_conllu(done.out.splitlines(), name="output"))
    assert [(s.id, s.words) for s in found] == [(s.id, s.words) for s in load_sample()[:3]]


def test_limit_takes_the_first(run: Parse, gold: Path) -> None:
    whole = run("--data", gold, "--format", "conllu").out
    first = run("--data", gold, "--format", "conllu", "--limit", "2").out
    assert whole.startswith(first) and len(heads_of(first)) == 2
    assert run("--data", gold, "--format", "conllu", "--limit", "99").out == whole


# --- trees


@pytest.mark.parametrize(
    "options",
    [
        *(["--metric", metric] for metric in METRICS),
        *(["--pool", pool] for pool in POOLS),
        *(["--perturb", perturb] for perturb in PERTURBATIONS),
        *(["--decoder", decoder] for decoder in [*DECODERS, *BASELINES]),
        *(["--decoder", decoder, "--root", "gold"] for decoder in ("eisner", "cle")),
        ["--layer", "0"],
        ["--layer", "-2", "--metric", "cos", "--pool", "max", "--perturb", "single", "--decoder", "cle"],
    ],
    ids=" ".join,
)
def test_every_option_gives_a_tree(options: list[str], run: Parse, gold: Path) -> None:
    done = run("--data", gold, "--format", "conllu", *options)
    assert done.code == 0
    sentences = list(parse_conllu(done.out.splitlines(), name="output"))
    assert len(sentences) == 3
    for sentence, source in zip(sentences, parse_conllu(GOLD.splitlines(), name="gold"), strict=True):
        check_tree(sentence)
        assert sentence.heads is not None and source.heads is not None
        if "gold" in options:
            assert sentence.heads.index(0) == source.heads.index(0)


def test_conllu_has_one_root_where_the_published_protocol_leaves_several(run: Parse, gold: Path) -> None:
    for decoder in ("left-chain", "right-chain", "eisner"):
        done = run("--data", gold, "--format", "conllu", "--decoder", decoder, "--protocol", "wu2020")
        for sentence in parse_conllu(done.out.splitlines(), name="output"):
            check_tree(sentence)


@pytest.mark.parametrize("protocol", ["fair", "wu2020"])
@pytest.mark.parametrize("decoder", ["eisner", "cle"])
def test_trees_are_those_of_the_library(
    decoder: Any, protocol: Any, run: Parse, gold: Path, model_folder: ModelFolder
) -> None:
    options = {"metric": "cos", "layer": 2, "pool": "max", "perturb": "single"}
    flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    flags += ["--method", "paper"]
    done = run("--data", gold, "--format", "json", "--decoder", decoder, "--protocol", protocol, *flags)
    sentences = list(parse_conllu(GOLD.splitlines(), name="gold"))
    loaded: Any = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    roots = [s.heads.index(0) + 1 for s in sentences if s.heads] if protocol == "wu2020" else None
    matrices = loaded.impact_many([s.words for s in sentences], **options)
    expected = decode(matrices, protocol=protocol, decoder=decoder, roots=roots)
    assert [s["heads"] for s in json.loads(done.out)["sentences"]] == [heads.tolist() for heads in expected]


def test_batches_change_no_tree(run: Parse) -> None:
    small = run("--limit", "20", "--format", "conllu", "--batch-tokens", "1").out
    assert small == run("--limit", "20", "--format", "conllu", "--batch-tokens", "4096").out
    assert len(heads_of(small)) > 10


@pytest.mark.parametrize("name", ["roberta", "xlm_roberta", "bert_without_head"])
def test_other_models(name: str, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    done = parse(capsys, "--model", model_folder(name), "--format", "conllu", "Nobody slept .")
    assert done.code == 0
    check_tree(next(parse_conllu(done.out.splitlines(), name="output")))


# --- output


def test_conllu_keeps_all_but_the_arcs(run: Parse, tmp_path: Path) -> None:
    (tmp_path / "rich.conllu").write_text(RICH, encoding="utf-8")
    done = run("--data", tmp_path / "rich.conllu", "--format", "conllu")
    check_tree(next(parse_conllu(done.out.splitlines(), name="output")))
    assert done.out.endswith("\n\n")
    before, after = RICH.splitlines(), done.out.splitlines()
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        if re.match(r"\d+\t", old):
            kept = [column for column in range(10) if column not in (6, 7)]
            assert [old.split("\t")[k] for k in kept] == [new.split("\t")[k] for k in kept]
            assert new.split("\t")[7] == ("root" if new.split("\t")[6] == "0" else "dep")
        else:
            assert old == new


def test_comments_that_ud_requires_are_added_and_said(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "bare.conllu"
    path.write_text(re.sub("# text.*\n", "", RICH), encoding="utf-8")
    done = run("--data", path, "--format", "conllu")
    assert "# text added to 1 sentence without it, as UD requires\n" in done.err
    assert "# sent_id added" not in done.err
    assert "added" not in run("hello world", "--format", "conllu").err


def test_a_text_that_is_not_there_is_refused(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "masked.conllu"
    path.write_text(conllu(("_ _ _", [2, 0, 2])), encoding="utf-8")
    done = run("--data", path, "--evaluate", "--decoder", "left-chain")
    assert done.code == 1
    assert not done.out
    assert "the text is missing" in done.err


def test_running_text_is_tokenised(run: Parse, tmp_path: Path) -> None:
    text = "The cat didn't sit. It slept!"
    done = run(text, "--tokenize", "--format", "conllu")
    assert [s.words for s in parse_conllu(done.out.splitlines(), name="output")] == [
        ("The", "cat", "did", "n't", "sit", "."),
        ("It", "slept", "!"),
    ]
    assert "# text = The cat didn't sit.\n" in done.out
    assert "hint" not in done.err
    (tmp_path / "in.txt").write_text(text, encoding="utf-8")
    assert run("--data", tmp_path / "in.txt", "--tokenize", "--format", "conllu").out == done.out


def test_running_text_that_is_not_tokenised_gets_a_hint(run: Parse) -> None:
    done = run("It sat .", "The cat sat.", "--decoder", "left-chain")
    assert done.code == 0
    hint = "text:2: hint: 'sat.' is read as one word; --tokenize splits words and punctuation\n"
    assert done.err.startswith(hint)
    assert "hint" not in run("Mr. Cat sat .", "--decoder", "left-chain").err


@pytest.mark.parametrize("arguments", [(), ("--data", "x.conllu")])
def test_only_text_is_tokenised(run: Parse, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--tokenize")
    assert done.code == 2 and not done.out
    assert "--tokenize" in done.err and done.err.count("\n") == 1


def test_conllu_of_text_has_what_ud_requires(run: Parse) -> None:
    lines = run("10\u00a0000 cats .", "--format", "conllu").out.splitlines()
    assert lines[:2] == ["# sent_id = 1", "# text = 10 000 cats ."]
    assert [line.split("\t")[3] for line in lines[2:5]] == ["X", "X", "X"]


def test_json_holds_the_whole_run(run: Parse, model_folder: ModelFolder) -> None:
    done = run("Nobody slept .", TOO_LONG, "--format", "json")
    found = json.loads(done.out)
    assert found["version"] == probe.__version__
    assert (found["protocol"], found["root"], found["evaluation"]) == ("fair", "predicted", [])
    assert found["settings"] == {
        "decoder": "eisner",
        "model": str(model_folder("bert")),
        "metric": "dist",
        "layer": 3,
        "pool": "mean",
        "perturb": "knockout",
        "adjust": METHODS["openness"].adjust,
        "text": "spaced",
        "dtype": "float32",
    }
    (sentence,) = found["sentences"]
    assert (sentence["id"], sentence["words"]) == ("1", ["Nobody", "slept", "."])
    assert sentence["heads"].count(0) == 1
    (skipped,) = found["skipped"]
    assert (skipped["id"], skipped["where"]) == ("2", "text:2")
    assert "more than the model's window of 32" in skipped["reason"]


@pytest.mark.parametrize(
    ("suffix", "form"), [("conllu", "conllu"), ("json", "json"), ("txt", "tree"), ("out", "conllu")]
)
def test_the_suffix_of_the_output_chooses_the_form(
    suffix: str, form: str, run: Parse, tmp_path: Path
) -> None:
    path = tmp_path / f"trees.{suffix}"
    done = run("Nobody slept .", "--out", path)
    assert (done.code, done.out) == (0, "")
    assert path.read_text(encoding="utf-8") == run("Nobody slept .", "--format", form).out
    run("Nobody slept .", "--out", path, "--format", "tree")
    assert "◄" in path.read_text(encoding="utf-8")


def test_matrices_are_those_of_the_sentences(run: Parse, tmp_path: Path, model_folder: ModelFolder) -> None:
    folder = tmp_path / "new" / "matrices"
    assert run("Nobody slept .", TOO_LONG, "A cat", "--save-matrices", folder, "--metric", "cos").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["000001.safetensors", "000003.safetensors"]
    saved = probe.ImpactMatrix.load(folder / "000001.safetensors")
    loaded = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    fresh = loaded.impact(["Nobody", "slept", "."], metric="cos", perturb="knockout", openness=True)
    assert (saved.units, saved.metric, saved.layer, saved.model) == (fresh.units, "cos", 3, fresh.model)
    np.testing.assert_allclose(saved.values, fresh.values, atol=1e-5)
    np.testing.assert_allclose(saved.on_cls, fresh.on_cls, atol=1e-5)
    assert saved.openness is not None and fresh.openness is not None
    np.testing.assert_allclose(saved.openness, fresh.openness, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ([], "openness"),
        (["--protocol", "wu2020"], "paper"),
        (["--metric", "prob"], "paper"),
        (["--protocol", "wu2020", "--method", "openness"], "openness"),
        (["--decoder", "right-chain"], None),
        (["--matrices", "folder"], None),
    ],
)
def test_the_method_where_none_is_given(given: list[str], method: str | None) -> None:
    args = build_parser().parse_args(given)
    assert args.method == method
    assert args.perturb == ("knockout" if method == "openness" else "pair")


def test_a_model_that_predicts_nothing_is_read_without_openness(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", str(model_folder("bert_without_head")), "a b", "--format", "json"]
    assert main(given) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["settings"]["adjust"] == "log+offset+symmetric+root+early"
    assert "predicts no masked words: trees without adjustment content, summary" in found.err
    assert main([*given, "--method", "openness"]) == 2
    assert "no masked-LM head" in capsys.readouterr().err


# --- skipped sentences and what is said


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_a_skipped_sentence_is_reported(strict: list[str], code: int, run: Parse) -> None:
    done = run("Nobody slept .", TOO_LONG, "--format", "conllu", *strict)
    assert done.code == code
    assert len(heads_of(done.out)) == 1
    report, summary = done.err.splitlines()
    assert report == "text:2: sentence 2 skipped: 62 pieces are more than the model's window of 32"
    assert re.fullmatch(r"1 sentence parsed, 1 skipped in \d+\.\d s: model = .*, method = openness", summary)


def test_strict_without_a_skipped_sentence(run: Parse) -> None:
    assert run("Nobody slept .", "--strict").code == 0


def test_quiet(run: Parse, gold: Path) -> None:
    assert run("Nobody slept .", "--quiet").err == ""
    assert run("--data", gold, "--evaluate", "--quiet").err == ""
    assert "skipped" in run(TOO_LONG, "--quiet").err, "a sentence is never left out in silence"


@posix
def test_the_progress_bar_is_for_terminals(model_folder: ModelFolder, tmp_path: Path) -> None:
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    asked = ["--model", str(model_folder("bert")), "--limit", "3"]
    with forked(lambda: start("parse", asked), tmp_path, err=theirs) as process:
        pass
    assert process.exitcode == 0
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"parsing .* 28/28 passes, .*pass/s.*left", shown)
    assert "3/3 sentences" in shown and "3 sentences parsed" in shown
