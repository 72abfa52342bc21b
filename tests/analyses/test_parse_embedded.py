"""The command line with the embedded model."""

import json

import pytest

from data import check_tree, load_sample, parse_conllu
from tests.command import parse


def test_the_embedded_model_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    done = parse(capsys, "The cat sat on the mat .", "--format", "conllu")
    assert done.code == 0
    check_tree(next(parse_conllu(done.out.splitlines(), name="output")))
    assert parse(capsys, "--model", "bert", "The cat sat on the mat .", "--format", "conllu").out == done.out


def test_the_embedded_model_parses_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    done = parse(capsys, "--strict", "--format", "json")
    assert done.code == 0
    found = json.loads(done.out)
    assert [sentence["id"] for sentence in found["sentences"]] == [sentence.id for sentence in load_sample()]
    assert found["settings"]["model"] == "bert"
