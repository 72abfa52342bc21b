"""Early exit: settled layers against a plain loop, the command, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from analyses.compression import exit_command
from analyses.compression.exits import agrees, exit_layer, settled_layers
from analyses.compression.figures import exits_by_layer
from analyses.tables.forms import read_table
from tests.command import GOLD, PLAIN, conllu, ran
from tests.conftest import ModelFolder
from tests.figure_tables import texts

DRAWN = np.random.default_rng(0)
HEADS = [DRAWN.integers(3, size=(DRAWN.integers(1, 7), DRAWN.integers(1, 4))) for _ in range(100)]


def test_settled_layers_equal_a_plain_loop() -> None:
    for heads in HEADS:
        for last in range(1, len(heads) + 1):
            expected = []
            for word in range(heads.shape[1]):
                layer = last
                while layer > 1 and heads[layer - 2, word] == heads[last - 1, word]:
                    layer -= 1
                expected.append(layer)
            assert settled_layers(heads, last).tolist() == expected
            assert agrees(heads, last)[last - 1].all()


def test_exit_layer_equals_a_plain_loop() -> None:
    for heads in HEADS:
        for patience in range(1, 4):
            expected = len(heads)
            for layer in range(patience, len(heads)):
                if all((heads[layer - back] == heads[layer]).all() for back in range(patience + 1)):
                    expected = layer + 1
                    break
            assert exit_layer(heads, patience=patience) == expected


def test_what_is_no_heads() -> None:
    with pytest.raises(ValueError, match="found shape"):
        settled_layers([1, 2])
    with pytest.raises(ValueError, match="from 1 to 2, found 3"):
        settled_layers([[1], [1]], 3)
    with pytest.raises(ValueError, match="found 0"):
        agrees([[1], [1]], 0)
    with pytest.raises(ValueError, match="patience"):
        exit_layer([[1]], patience=0)


def test_the_command(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.conllu").write_text(GOLD, encoding="utf-8")
    given = ["--data", tmp_path / "some.conllu", "--model", model_folder("bert"), *PLAIN, "--quiet"]
    done = ran(capsys, exit_command.main, *given, "--out", tmp_path / "out", "--format", "json")
    assert done.code == 0, done.err
    by_layer, patience, by_class = json.loads(done.out)
    assert [row["kind"] for row in by_layer["rows"]] == [*["baseline"] * 3, *["model"] * 3]
    last = by_layer["rows"][-1]["cells"]
    assert last["settled"]["value"] == last["as last"]["value"] == last["trees settled"]["value"] == 100
    settled = [row["cells"]["settled"]["value"] for row in by_layer["rows"][3:]]
    assert settled == sorted(settled)
    assert all(
        row["cells"]["settled"]["value"] <= row["cells"]["as last"]["value"] for row in by_layer["rows"]
    )
    # Nothing but the best layer is like the tree of that layer, where one never stops before.
    assert patience["rows"][-1]["cells"]["UAS"]["value"] == last["UAS"]["value"]
    assert [row["name"] for row in by_class["rows"]] == ["all", "NOUN"]
    table = read_table(tmp_path / "out" / "early-exit-some-fair.json")
    assert "settled, random weights" in texts(exits_by_layer(table))
    assert (tmp_path / "out" / "early-exit-some-fair.svg").is_file()


def test_the_heads_are_those_of_the_dependency_command(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from analyses.dependency import command as dependency

    (tmp_path / "some.conllu").write_text(GOLD, encoding="utf-8")
    given = ["--data", tmp_path / "some.conllu", "--model", model_folder("bert"), *PLAIN, "--quiet"]
    given += ["--method", "paper", "--seeds", "0", "--format", "json"]
    ((own, *_),) = [json.loads(ran(capsys, exit_command.main, *given).out)]
    trees = ["--protocol", "fair", "--decoder", "eisner", "--layer", 1, 2, 3]
    (other,) = json.loads(ran(capsys, dependency.main, *given, *trees).out)
    scores = [
        [[row["cells"][name]["value"] for name in ("UAS", "UUAS")] for row in table["rows"]]
        for table in (own, other)
    ]
    assert scores[0] == scores[1][-3:]


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        ("", [], 1, "some.conllu"),
        (GOLD, ["--layer", 0], 2, "a layer above the embeddings"),
        (GOLD, ["--decoder", "mst"], 2, "mst"),
        (conllu((". .", [0, 1])), [], 2, "no word to score"),
        (conllu(("a " * 60, [0] + [1] * 59)), [], 1, "skipped"),
    ],
)
def test_what_is_refused(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[object],
    code: int,
    message: str,
) -> None:
    (tmp_path / "some.conllu").write_text(text, encoding="utf-8")
    given = ["--data", tmp_path / "some.conllu", "--model", model_folder("bert"), "--seeds", 0, *PLAIN]
    done = ran(capsys, exit_command.main, *given, *options, "--out", tmp_path / "out")
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()
