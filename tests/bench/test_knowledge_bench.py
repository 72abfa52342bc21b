"""The benchmark of knowledge probes runs both sides on the same prompts."""

import json
from pathlib import Path

import pytest

import probe
from analyses.knowledge.candidates import Candidates
from bench import knowledge
from data.lama import list_relations
from tests.conftest import ModelFolder
from tests.lama_files import write_lama

WORDS = ("the", "and", "of", "to")


def test_both_sides_have_the_same_prompts(model_folder: ModelFolder, tmp_path: Path) -> None:
    relations, _ = list_relations(write_lama(tmp_path, words=WORDS))
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    candidates = Candidates.of(p.tokenizer, WORDS)
    groups = knowledge.prepare_bare(p, relations, candidates, None)
    found = knowledge.ours(p, relations, candidates, None)
    assert sum(len(group) for group in groups) == sum(result.asked for result in found)
    assert max(len(ids) for ids, _ in knowledge.batches(groups, 2)) == 2


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_lama(tmp_path, words=WORDS)
    arguments = ["--model", str(model_folder("bert")), "--data", str(folder), "--device", "cpu"]
    assert knowledge.main([*arguments, "--relations", "P1", "--repeats", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["facts"], report["candidates"]) == (3, 4)
    assert set(report["seconds"]) == set(report["processor seconds"]) == {"ours", "bare"}
    assert knowledge.main([*arguments, "--peak"]) == 0
    assert float(capsys.readouterr().out) > 50
    assert knowledge.main([*arguments, "--relations", "P7"]) == 2
    assert "no facts of relation P7" in capsys.readouterr().err
