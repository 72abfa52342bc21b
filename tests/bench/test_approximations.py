"""First-order impacts are the limits of finite differences, and the report has all ways."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from bench import approximations
from tests.conftest import ModelFolder

WORDS = "an owl called twice .".split()
STEP = 1e-5


@pytest.mark.parametrize("masked", (True, False))
def test_first_order_equals_finite_differences(masked: bool, model_folder: ModelFolder) -> None:
    p = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    p.model.double()
    found = approximations.first_order(p, WORDS, masked=masked)
    alignment, base = p.align(WORDS), p.model.base_model
    embed = base.get_input_embeddings()
    places = [alignment.positions[alignment.unit_of == i] for i in range(len(WORDS))]
    mask = embed(torch.tensor(p.tokenizer.mask_token_id)).detach()
    for i, own in enumerate(places):
        for j, other in enumerate(places):
            if i == j:
                assert found[i, j] == 0
                continue
            given = embed(torch.from_numpy(alignment.ids)).detach()
            towards = torch.zeros_like(given)
            towards[other] = mask - given[other]
            if masked:
                given[own] = mask
            with torch.no_grad():
                up, down = (
                    base(inputs_embeds=(given + step * towards)[None]).last_hidden_state[0, own]
                    for step in (STEP, -STEP)
                )
            expected = ((up - down) / (2 * STEP)).norm(dim=-1).mean()
            assert found[i, j] == pytest.approx(float(expected), rel=1e-5)


def test_rank_correlation_leaves_the_diagonal_out() -> None:
    values = np.arange(9.0).reshape(3, 3)
    other = np.exp(values)
    np.fill_diagonal(other, -100)
    assert approximations.rank_correlation(values, other) == pytest.approx(1)


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("an owl called twice .\nthe storm\nrivers carry sand .\n", encoding="utf-8")
    options = ["--model", str(model_folder("bert")), "--input", str(text), "--words", "3", "9"]
    assert approximations.main([*options, "--device", "cpu", "--repeats", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sentences"], found["words"]) == (2, 9)
    assert found["pair"]["rank correlation"] == 1
    assert found["pair"]["of pair"] == 1
    assert found["first-order"]["sequences"] == found["words"]
    assert set(found) > {"single", "knockout", "first-order, i masked"}


def test_no_sentence_of_that_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert approximations.main(["--words", "900", "901"]) == 2
    assert capsys.readouterr().err == "error: no sentence of 900 to 901 words\n"
