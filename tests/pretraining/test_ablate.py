"""Comparison of recipes: variants are read, trained, judged and kept; a table has a row each."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data import load_sample, to_conllu
from pretraining import ablate, checkpoint
from pretraining.ablate import COLUMNS, read_variants
from tests.tiny_run import STEPS, TOML

VARIANTS = """
[[variants]]
name = "plain"
[[variants]]
name = "single"
data.packed = false
[[variants]]
name = "wide"
model.hidden_size = 32
[[variants]]
name = "few"
model.vocab_size = 60
"""
PAIR = {"field": "syntax", "linguistics_term": "binding", "UID": "made_up", "pairID": "0"}


def write(folder: Path, text: str) -> Path:
    path = folder / "ablate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_variants_differ_in_their_keys_alone(tmp_path: Path) -> None:
    plain, single, wide, few = read_variants(write(tmp_path, TOML + VARIANTS))
    assert (plain.config.data.packed, single.config.data.packed) == (True, False)
    assert single.config.model == plain.config.model and single.config.optim == plain.config.optim
    assert (plain.config.model.hidden_size, wide.config.model.hidden_size) == (16, 32)
    assert wide.config.data == plain.config.data
    assert (plain.name, single.name, wide.name, few.name) == ("plain", "single", "wide", "few")


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ("", "expected at least one"),
        ("[[variants]]\ndata.packed = true", "every variant needs a name"),
        ('[[variants]]\nname = "../a"', "fit for a folder"),
        ('[[variants]]\nname = "a"\n' * 2, "more than one variant is named a"),
        ('[[variants]]\nname = "a"\ndata.pack = true', "variant a: unknown key data.pack"),
        ('[[variants]]\nname = "a"\npacked = true', "variant a: expected keys of a section"),
        ('[[variants]]\nname = "a"\ndata.packed = 1', "variant a: data.packed must be true or false"),
        ("[[variants", "not a TOML file"),
    ],
)
def test_bad_variants(tmp_path: Path, variants: str, message: str) -> None:
    path = write(tmp_path, TOML + variants)
    with pytest.raises(ValueError) as caught:
        read_variants(path)
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)


@pytest.fixture
def arguments(tmp_path: Path, corpora: Path) -> list[str]:
    """What the command needs beside its variants."""
    bank = tmp_path / "bank.conllu"
    bank.write_text("".join(to_conllu(s, s.heads or ()) for s in load_sample()[:3]), encoding="utf-8")
    blimp = tmp_path / "blimp"
    blimp.mkdir()
    pair = PAIR | {"sentence_good": "The old ship rises.", "sentence_bad": "The old rises ship."}
    (blimp / "made_up.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    options = {"corpora": corpora, "out": tmp_path / "out", "dev": bank, "blimp": blimp, "device": "cpu"}
    return [text for key, value in options.items() for text in (f"--{key}", str(value))]


def test_command(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path, TOML + VARIANTS)
    command = ["--config", str(config), "--format", "json", "--pieces", "500", *arguments]
    assert ablate.main(command) == 0
    printed = capsys.readouterr().out
    table = json.loads(printed)
    assert [row["name"] for row in table["rows"]] == ["plain", "single", "wide", "few"]
    out = tmp_path / "out"
    for name in ("plain", "single", "wide"):
        record = json.loads((out / name / "result.json").read_text(encoding="utf-8"))
        assert record["steps"] == STEPS and set(COLUMNS) <= set(record)
        assert 0 <= record["UUAS, wu2020"]["value"] <= 100
    # Variants of as many pieces share a tokenizer, and what is finished is not made again.
    tokenizers = {(out / name / "tokenizer.json").read_bytes() for name in ("plain", "single", "wide")}
    assert len(tokenizers) == 1
    assert (out / "few" / "tokenizer.json").read_bytes() not in tokenizers
    result = out / "plain" / "result.json"
    changed = json.loads(result.read_text(encoding="utf-8")) | {"seconds": 3600}
    result.write_text(json.dumps(changed), encoding="utf-8")
    assert ablate.main(command) == 0
    assert "60 min" in capsys.readouterr().out


def test_begin_with_a_checkpoint(
    tmp_path: Path, arguments: list[str], finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = checkpoint.newest(finished)
    assert start is not None
    out = tmp_path / "out"
    out.mkdir()
    (out / "tokenizer.json").write_bytes((finished / "tokenizer.json").read_bytes())
    one_more = f"steps = {STEPS + 1}\nmatrix_learning_rate = 1e-9"
    text = TOML.replace(f"steps = {STEPS}", one_more).replace("learning_rate = 1e-2", "learning_rate = 1e-9")
    config = write(tmp_path, text + '[[variants]]\nname = "same"\n')
    command = ["--config", str(config), "--begin", str(start), "--pieces", "500", *arguments]
    assert ablate.main(command) == 0
    assert f"from step {STEPS} to {STEPS + 1} " in capsys.readouterr().err
    # One step at next to no learning rate: the model is that of the checkpoint.
    made = load_file(out / "same" / "model" / "model.safetensors")
    for name, value in load_file(start / "model.safetensors").items():
        torch.testing.assert_close(made[name].float(), value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("missing", ["--corpora", "--dev", "--blimp"])
def test_wrong_paths(
    tmp_path: Path, arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments[arguments.index(missing) + 1] = str(tmp_path / "none")
    assert ablate.main(["--config", str(write(tmp_path, TOML + VARIANTS)), *arguments]) == 2
    assert "none" in capsys.readouterr().err
