"""The command line with bad input: one clear line on stderr, the right exit code, nothing half-written."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import probe
from data import parse_conllu
from probe.commands import start as start_command
from tests.command import TOO_LONG, Done, Parse, conllu, names, parse, refused
from tests.conftest import ModelFolder
from tests.forks import forked, posix, printed

ROOT = Path(__file__).parents[2]
GOOD = conllu(("Nobody slept .", [2, 0, 2]))
CYCLIC = conllu(("Rivers carry sand", [2, 1, 0]))
TWO_ROOTS = conllu(("Rivers carry sand", [0, 0, 2]))
NO_HEADS = GOOD.replace("\t2\tdep", "\t_\t_").replace("\t0\troot", "\t_\t_")
WITHOUT_TAGS = GOOD.replace("NOUN", "_").replace("PUNCT", "_")


# --- input files


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("missing.conllu", None, 2, "missing.conllu: a file is expected, there is none of this name"),
        (
            "trees.xml",
            "<a/>",
            2,
            "trees.xml: suffix .conllu or .txt or .fasta or .fa is expected, found '.xml'",
        ),
        (
            "noise.conllu",
            b"\x89PNG\r\n\x1a\n\x00\xff",
            1,
            "noise.conllu:1: UTF-8 text is expected, found byte 0x89",
        ),
        ("noise.txt", b"fine\n\xff\xfe\x00", 1, "noise.txt:2: UTF-8 text is expected, found byte 0xff"),
        ("nul.txt", b"a\x00b\n", 1, "nul.txt:1: a line of UTF-8 text is expected, found U+0000"),
        ("empty.conllu", "", 1, "empty.conllu: no sentences"),
        ("empty.txt", "\n \n", 1, "empty.txt: no sentences"),
        (
            "bad.conllu",
            GOOD + "1\tThe\n\n",
            1,
            "bad.conllu:5: 10 columns separated by tabs expected, found 2",
        ),
        (
            "bad.conllu",
            GOOD.replace("\t0\t", "\tx\t"),
            1,
            "bad.conllu:2: HEAD an integer from 0 or _ expected",
        ),
        ("bad.conllu", GOOD.replace("\t0\t", "\t9\t"), 1, "bad.conllu:2: HEAD in 0..3 expected, found 9"),
    ],
)
def test_bad_files(name: str, content: Any, code: int, message: str, run: Parse, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(run("--data", path, "--out", tmp_path / "out.conllu"), code, message)
    assert names(tmp_path) == ([] if content is None else [name])


@pytest.mark.parametrize("name", ["folder", "folder.conllu", "folder.txt"])
def test_a_directory_as_input(name: str, run: Parse, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    refused(run("--data", tmp_path / name), 2, f"{name}: a file is")


@pytest.mark.parametrize(
    ("stream", "message"),
    [(b"", "standard input: no sentences"), (b"\xff\xfe", "standard input:1: UTF-8 text is expected")],
)
def test_bad_standard_input(stream: bytes, message: str, run: Parse, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stream)))
    refused(run("--data", "-"), 1, message)


@pytest.mark.parametrize(
    ("content", "options", "code", "message"),
    [
        (
            CYCLIC,
            ["--evaluate"],
            1,
            "gold.conllu:1: sentence 1: the heads form a cycle: 1 'Rivers' -> 2 'carry'",
        ),
        (CYCLIC, ["--root", "gold"], 1, "gold.conllu:1: sentence 1: the heads form a cycle"),
        (TWO_ROOTS, ["--evaluate"], 1, "gold.conllu:1: sentence 1: one root is expected, found 2"),
        (GOOD + TWO_ROOTS, ["--protocol", "wu2020"], 1, "gold.conllu:5: sentence 2: one root is expected"),
        (NO_HEADS, ["--evaluate"], 2, "gold.conllu:1: sentence 1 has no gold heads, which --evaluate needs"),
        (
            NO_HEADS,
            ["--root", "gold"],
            2,
            "gold.conllu:1: sentence 1 has no gold heads, which the gold root needs",
        ),
        (NO_HEADS, ["--protocol", "wu2020"], 2, "gold.conllu:1: sentence 1 has no gold heads"),
        (WITHOUT_TAGS, ["--evaluate"], 2, "gold.conllu:1: sentence 1: expected a UPOS tag for every word"),
        (conllu((".", [0])), ["--evaluate"], 2, "no word of the input is scored"),
    ],
)
def test_gold_trees_that_are_none(
    content: str, options: list[str], code: int, message: str, run: Parse, tmp_path: Path
) -> None:
    path = tmp_path / "gold.conllu"
    path.write_text(content, encoding="utf-8")
    refused(run("--data", path, *options, "--out", tmp_path / "out.conllu"), code, message)
    assert names(tmp_path) == ["gold.conllu"]
    assert run("--data", path, "--quiet").code == 0, "without scores and gold roots the heads are not read"


def test_nothing_is_left_to_score(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "gold.conllu"
    path.write_text(conllu((". .", [0, 1]), (TOO_LONG.strip(), list(range(60)))), encoding="utf-8")
    done = run("--data", path, "--evaluate", "--out", tmp_path / "out.conllu")
    assert (done.code, done.out) == (1, "")
    skipped, error = done.err.splitlines()
    assert "sentence 2 skipped" in skipped
    assert (
        error
        == "probe parse: error: no sentence with words to score could be parsed, so there is nothing to score"
    )
    assert names(tmp_path) == ["gold.conllu"]


# --- sentences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text: no sentences"),
        (" \t ", "text: no sentences"),
        ("a\x00b", "text:1: a line of UTF-8 text is expected, found U+0000"),
        ("a\udcffb", "text:1: a line of UTF-8 text is expected, found U+DCFF"),
        ("a \u00a0 b", "text:1: a word with a visible character is expected"),
    ],
)
def test_texts_without_words(text: str, message: str, run: Parse) -> None:
    refused(run(text), 1, message)


@pytest.mark.parametrize("word", ["\u200b", "\x07", "\ufe0f", "\u00ad"])
def test_a_word_without_pieces_is_skipped(word: str, run: Parse) -> None:
    done = run("Nobody slept .", f"a {word} b", "--format", "conllu", "--strict")
    assert done.code == 1
    assert f"text:2: sentence 2 skipped: word 2 ({word!r}) has no pieces" in done.err
    assert len(list(parse_conllu(done.out.splitlines(), name="output"))) == 1


def test_odd_characters_are_words(run: Parse) -> None:
    words = "😀 漢字 שלום cafe\u0301 10\u00a0000 ﬁ \u202eabc"
    done = run(words, "--format", "conllu", "--strict")
    assert done.code == 0
    (sentence,) = parse_conllu(done.out.splitlines(), name="output")
    assert sentence.words == tuple(word.replace("\u00a0", " ") for word in words.split(" "))


# --- models


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "the name of a model is expected"),
        ("./none", "./none: no such model directory"),
        ("two words", "cannot load 'two words'"),
    ],
)
def test_unknown_models(model: str, message: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("probe.loading.hub_answers", lambda name: False)  # no test reaches for the network
    done = parse(capsys, "--model", model, "--out", tmp_path / "out.conllu", "Nobody slept .")
    refused(done, 2, message)
    assert names(tmp_path) == []


def test_models_that_cannot_be_used(model_folder: ModelFolder, tmp_path: Path, capsys: Any) -> None:
    cut = Path(shutil.copytree(model_folder("bert"), tmp_path / "cut"))
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").unlink()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    (tmp_path / "empty").mkdir()
    for folder, message in {
        cut: "a file is missing or damaged",
        tmp_path / "empty": "no config.json in this directory",
        model_folder("gpt2"): "has no mask token",
    }.items():
        given = ["--method", "paper", "--out", tmp_path / "out.conllu"]
        done = parse(capsys, "--model", folder, *given, "Nobody slept .")
        refused(done, 2, f"{folder}")
        assert message in done.err
    assert names(tmp_path) == ["cut", "empty"]


def test_a_metric_that_needs_a_head(model_folder: ModelFolder, tmp_path: Path, capsys: Any) -> None:
    model = model_folder("bert_without_head")
    done = parse(capsys, "--model", model, "--metric", "prob", "--out", tmp_path / "out", "Nobody slept .")
    refused(done, 2, "has no masked-LM head, which metric prob needs")
    assert names(tmp_path) == []


# --- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--decoder", "eisnr"], "unknown decoder 'eisnr': did you mean 'eisner'?"),
        (["--metric", "dst"], "unknown metric 'dst': did you mean 'dist'?"),
        (["--format", "conlu"], "unknown format 'conlu': did you mean 'conllu'?"),
        (["--protocol", "wu2002"], "unknown protocol 'wu2002': did you mean 'wu2020'?"),
        (["--pool", "men"], "unknown pool 'men': did you mean 'mean'?"),
        (["--perturb", "pear"], "unknown perturb 'pear': did you mean 'pair'?"),
        (["--root", "golden"], "unknown root 'golden': did you mean 'gold'?"),
        (["--dtype", "float8"], "unknown dtype 'float8'"),
        (["--device", "gpu"], "no device 'gpu' here: there are auto,"),
        (["--decoder", "xyz"], "unknown decoder 'xyz': known are eisner, cle, left-chain"),
        (["--layer", "4"], "layer 4: the model has layers 0 (embeddings) to 3"),
        (["--layer", "-5"], "layer -5: the model has layers 0 (embeddings) to 3"),
        (["--layer", "bset"], "an index or best is expected, found 'bset'"),
        (["--limit", "0"], "argument --limit: a whole number above 0 is expected, found '0'"),
        (["--batch-tokens", "-1"], "argument --batch-tokens: a whole number above 0 is expected"),
        (["--seed", "-1"], "argument --seed: a whole number from 0"),
        (["--seed", str(2**63)], "argument --seed: a whole number from 0"),
        (["--metric", "kl", "--pool", "state"], "pool 'state' goes with metrics 'dist' and 'cos' only"),
        (["--protocol", "wu2020", "--root", "infer"], "--root infer does not go with --protocol wu2020"),
        (["--matrices", "m", "--openness-from", "bert"], "--openness-from does not go with --matrices"),
        (["--decoder", "adjacent", "--save-matrices", "m"], "--decoder adjacent makes no matrices to save"),
        (["--data", "x.txt"], "sentences are given both as text and with --data"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--evaluate"], "text:1: sentence 1 has no gold heads"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(options: list[str], message: str, run: Parse, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run("Nobody slept .", "--out", "out.conllu", *options), 2, message)
    assert names(tmp_path) == []


# --- output


@pytest.mark.parametrize("option", ["--out", "--save-matrices"])
def test_output_that_cannot_be_written(option: str, run: Parse, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    targets = {"file/out": "(Not a directory)"}
    if option == "--out":
        targets |= {
            "none/out": "(No such file or directory)",
            "folder": "a file name is expected, this is a directory",
        }
    else:
        targets |= {"file": "cannot be made a directory (File exists)"}
    for target, message in targets.items():
        done = run("Nobody slept .", option, tmp_path / target)
        refused(done, 2, f"{tmp_path / target}: ")
        assert message in done.err
    assert names(tmp_path) == ["file", "folder"] and names(tmp_path / "folder") == []
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("form", ["conllu", "tree", "json"])
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (OSError(28, "No space left on device"), 2),
        (KeyboardInterrupt(), 130),
        (probe.ProbeError("broken"), 1),
    ],
    ids=["disk full", "Ctrl-C", "broken"],
)
def test_a_run_that_fails_midway_leaves_the_output_as_it_was(
    failure: BaseException, code: int, form: str, run: Parse, tmp_path: Path, monkeypatch: Any
) -> None:
    whole = probe.Probe.impact_many

    def failing(self: probe.Probe, *args: Any, **options: Any) -> Iterator[Any]:
        found = whole(self, *args, **options)
        yield from (next(found) for _ in range(70))  # more than are decoded at a time
        raise failure

    monkeypatch.setattr(probe.Probe, "impact_many", failing)
    kept = tmp_path / "kept"
    kept.write_text("older", encoding="utf-8")
    for target in (kept, tmp_path / "new"):
        done = run(*["a b"] * 80, "--format", form, "--out", target)
        said = getattr(failure, "strerror", None) or str(failure)
        refused(done, code, "interrupted" if code == 130 else said)
    assert names(tmp_path) == ["kept"]
    assert kept.read_text(encoding="utf-8") == "older"


# --- as a process of its own


def start(*args: object, **options: Any) -> subprocess.Popen[str]:
    """Start the command with pipes for its output; Ctrl-C works in it even if the tests run in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "probe.parse", *map(str, args)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,
        **options,
    )


@posix
@pytest.mark.parametrize(
    ("args", "code"),
    [(["A cat sat ."], 0), (["--strict", "A cat sat .", TOO_LONG], 1), (["--decoder", "none", "A cat ."], 2)],
)
def test_exit_codes(args: list[str], code: int, model_folder: ModelFolder, tmp_path: Path) -> None:
    with forked(
        lambda: start_command("parse", ["--model", str(model_folder("bert")), *args]), tmp_path
    ) as process:
        pass
    out, err = printed(tmp_path)
    assert process.exitcode == code
    assert ("ROOT" in out) == (code < 2) and err
    assert "Traceback" not in err and "\r" not in err, "no progress bar where stderr is no terminal"


def test_the_locale_does_not_change_conllu() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = start("--decoder", "adjacent", "--format", "conllu", "漢字 naïve", "--quiet", env=environment)
    raw, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "1\t漢字\t" in raw


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    unreachable = {**kept, "HF_HOME": str(tmp_path / "cache"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    process = start("--model", "someone/tiny", "--out", tmp_path / "out", "A cat .", env=unreachable)
    out, err = process.communicate(timeout=90)  # the hub's own client would ask for longer
    refused(Done(process.returncode, out, err), 2, "cannot load 'someone/tiny'")
    assert "out" not in names(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_ctrl_c_leaves_nothing_half_written(model_folder: ModelFolder, tmp_path: Path) -> None:
    source, matrices = tmp_path / "in.txt", tmp_path / "matrices"
    source.write_text("Rivers carry sand .\n" * 5_000, encoding="utf-8")
    saving = ["--out", tmp_path / "out.conllu", "--save-matrices", matrices, "--batch-tokens", "1"]
    process = start("--model", model_folder("bert"), "--data", source, *saving)
    deadline = time.monotonic() + 120
    while not (matrices.is_dir() and names(matrices)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "probe parse: error: interrupted\n")
    assert names(tmp_path) == ["in.txt", "matrices"]
    assert all(len(probe.ImpactMatrix.load(path)) == 4 for path in matrices.glob("*.safetensors"))


@pytest.mark.skipif(os.name != "posix", reason="broken pipes are those of POSIX")
@pytest.mark.parametrize("form", ["conllu", "tree", "json"])
def test_a_reader_that_goes_away(form: str, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("Rivers carry sand .\n" * 5_000, encoding="utf-8")  # more than a pipe holds
    process = start("--decoder", "adjacent", "--data", source, "--format", form)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert (process.stderr.read(), process.wait(timeout=120)) == ("", 0)


@pytest.mark.skipif(os.name != "posix", reason="broken pipes are those of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_is_whole_though_nobody_reads_the_scores(unbuffered: str, tmp_path: Path) -> None:
    asked = ["--decoder", "adjacent", "--evaluate", "--out", tmp_path / "trees.conllu", "--limit", "5"]
    process = start(*asked, env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert (process.stderr.read(), process.wait(timeout=120)) == ("", 0)
    text = (tmp_path / "trees.conllu").read_text(encoding="utf-8")
    assert len(list(parse_conllu(text.splitlines(), name="output"))) == 5
    assert names(tmp_path) == ["trees.conllu"]
