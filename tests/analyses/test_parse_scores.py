"""The command line: scores beside their baselines."""

import json
import re
from pathlib import Path

import pytest

import probe
from analyses import evaluate
from analyses.trees.decoders import BASELINES
from analyses.trees.methods import METHODS
from data import parse_conllu
from tests.command import GOLD, TOO_LONG, Parse, conllu, heads_of, parse
from tests.conftest import ModelFolder


def rows_of(text: str) -> dict[str, str]:
    """Rows of the table of scores by name, in their order."""
    table = text[text.index("UAS [95% interval]") :].split("\n\n")[0].splitlines()[1:]
    return {re.split("  +", line)[0]: line for line in table}


@pytest.mark.parametrize(
    ("protocol", "root", "punct"), [("fair", "predicted", "unscored"), ("wu2020", "gold", "scored")]
)
def test_scores_stand_beside_their_baselines(
    protocol: str, root: str, punct: str, run: Parse, gold: Path, model_folder: ModelFolder
) -> None:
    done = run("--data", gold, "--evaluate", "--protocol", protocol)
    assert done.code == 0
    model = str(model_folder("bert"))
    rows = rows_of(done.out)
    few = "A figure without an interval is of fewer than 10, too few to test."
    assert list(rows) == [*BASELINES, "random weights", model, few]
    assert all(len(re.findall(r"\d+\.\d", row)) == 3 for name, row in rows.items() if name != few)
    (block,) = re.findall(r"^Signature: .*(?:\n  .*)*", done.out, re.MULTILINE)
    signature = re.sub(r"\s+", " ", block)
    own = "pair" if protocol == "wu2020" else f"knockout | adjust:{METHODS['openness'].adjust}"
    assert re.sub("@....…", "", signature) == (
        f"Signature: gold | root:{root} | punct:{punct} | n:3 | v{probe.__version__} | protocol:{protocol} | "
        f"decoder:eisner | model:{model} | metric:dist | layer:3 | pool:mean | perturb:{own} | text:spaced | "
        "dtype:float32 | bs:1000 seed:0"
    )
    assert all(len(line) <= 80 for line in block.splitlines() if model not in line)


def test_scores_are_those_of_the_trees(run: Parse, gold: Path) -> None:
    found = json.loads(run("--data", gold, "--evaluate", "--format", "json").out)
    sentences = list(parse_conllu(GOLD.splitlines(), name="gold"))
    row = evaluate(
        sentences,
        [sentence["heads"] for sentence in found["sentences"]],
        name="again",
        data="gold",
        version=probe.__version__,
        protocol="fair",
        root="predicted",
    )
    model = found["evaluation"][-1]
    assert model["scores"] == row.as_dict()["scores"]
    assert model["signature"]["digest"] == row.signature.digest
    assert [one["name"] for one in found["evaluation"][:-1]] == [*BASELINES, "random weights"]


@pytest.mark.parametrize("decoder", ["left-chain", "right-chain", "adjacent"])
@pytest.mark.parametrize("protocol", ["fair", "wu2020"])
def test_a_baseline_as_the_decoder_scores_as_its_row(
    protocol: str, decoder: str, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = parse(
        capsys,
        "--decoder",
        decoder,
        "--data",
        gold,
        "--evaluate",
        "--protocol",
        protocol,
        "--format",
        "json",
    )
    *baselines, own = json.loads(done.out)["evaluation"]
    assert [row["name"] for row in baselines] == list(BASELINES)
    assert own["scores"] == next(row["scores"] for row in baselines if row["name"] == decoder)


def test_random_weights_can_be_left_out_and_follow_the_seed(run: Parse, gold: Path) -> None:
    assert "random weights" not in rows_of(run("--data", gold, "--evaluate", "--no-random-model").out)
    first, again, other = (
        run("--data", gold, "--evaluate", "--protocol", "wu2020", "--seed", seed).out
        for seed in ("1", "1", "2")
    )
    assert first == again != other


def test_scores_leave_conllu_on_standard_output_whole(run: Parse, gold: Path, tmp_path: Path) -> None:
    done = run("--data", gold, "--evaluate", "--format", "conllu")
    assert len(heads_of(done.out)) == 3
    scores = done.err[: done.err.rindex("# sent_id added")]
    assert "UAS [95% interval]" in scores
    done = run("--data", gold, "--evaluate", "--out", tmp_path / "trees.conllu")
    assert done.out == scores
    assert len(heads_of((tmp_path / "trees.conllu").read_text(encoding="utf-8"))) == 3


def test_where_all_is_unknown_the_scores_say_that_there_are_none(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "unknown.conllu"
    path.write_text(conllu(("猫 坐 垫", [2, 0, 2])), encoding="utf-8")
    done = run("--data", str(path), "--evaluate", "--no-random-model")
    assert done.code == 1
    assert done.out.splitlines()[0].endswith("could not be parsed: 1 of 1 sentences.")
    assert done.out.splitlines()[-1] == "No sentence was scored."
    assert "unknown words 3 of 3" in done.err


def test_a_skipped_sentence_is_not_scored(run: Parse, tmp_path: Path) -> None:
    path = tmp_path / "long.conllu"
    path.write_text(GOLD + conllu((TOO_LONG.strip(), list(range(60)))), encoding="utf-8")
    assert "| n:3 |" in run("--data", path, "--evaluate").out
