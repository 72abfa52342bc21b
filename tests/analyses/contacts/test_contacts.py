"""Contacts: a Potts model whose couplings are known, corrections by hand, the command."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput

import probe
from analyses.contacts import command
from analyses.contacts.maps import (
    average_product_corrected,
    best_pairs,
    contact_map,
    distance_scores,
    precision,
)
from probe.jacobian import Jacobian, jacobian_passes
from probe.options import Best
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder

LETTERS = "ACDE"
LENGTH = 16
TOUCHING = ((0, 9), (1, 14), (3, 12), (5, 15))
SEQUENCE = tuple("ACDEEDCAACCDDEEA")


class Potts(transformers.PreTrainedModel):
    """A masked LM whose logits are the conditionals of a Potts model; the head is the identity."""

    config_class = transformers.EsmConfig
    _supports_sdpa = True
    base_model_prefix = "potts"

    def __init__(self, config: Any, fields: torch.Tensor, couplings: torch.Tensor, pieces: list[int]) -> None:
        super().__init__(config)
        self.potts = _Conditionals(config, fields, couplings, pieces)
        self.head = torch.nn.Linear(config.vocab_size, config.vocab_size, bias=False).double()
        torch.nn.init.eye_(self.head.weight)

    def forward(self, input_ids: torch.Tensor, **_: Any) -> MaskedLMOutput:
        return MaskedLMOutput(logits=self.head(self.potts(input_ids).last_hidden_state))


class _Conditionals(transformers.PreTrainedModel):
    """h_i(a) + sum_j J_ij(a, x_j); couplings [n, n, k, k], symmetric under exchange of both residues."""

    config_class = transformers.EsmConfig
    _supports_sdpa = True

    def __init__(self, config: Any, fields: torch.Tensor, couplings: torch.Tensor, pieces: list[int]) -> None:
        super().__init__(config)
        self.fields, self.couplings = torch.nn.Parameter(fields), couplings
        self.pieces = torch.tensor(pieces)

    def forward(self, input_ids: torch.Tensor, **_: Any) -> BaseModelOutput:
        inside = input_ids[:, 1:-1]  # without <cls> and <eos>
        letter = (inside[..., None] == self.pieces).double()
        logits = self.fields + torch.einsum("ijab,sjb->sia", self.couplings, letter)
        states = torch.full((*input_ids.shape, self.config.vocab_size), -30.0, dtype=torch.float64)
        states[:, 1:-1, self.pieces] = logits
        return BaseModelOutput(last_hidden_state=states)


def couplings(seed: int = 0) -> torch.Tensor:
    """Couplings of the touching pairs alone."""
    drawn = torch.Generator().manual_seed(seed)
    found = torch.zeros(LENGTH, LENGTH, len(LETTERS), len(LETTERS), dtype=torch.float64)
    for i, j in TOUCHING:
        found[i, j] = torch.randn(len(LETTERS), len(LETTERS), generator=drawn, dtype=torch.float64)
        found[j, i] = found[i, j].T
    return found


@pytest.fixture
def potts(model_folder: ModelFolder) -> probe.Probe:
    """The Potts model with the tokenizer of a tiny ESM."""
    esm = probe.load(str(model_folder("esm")), device="cpu")
    pieces = esm.tokenizer.convert_tokens_to_ids(list(LETTERS))
    fields = torch.randn(LENGTH, len(LETTERS), generator=torch.Generator().manual_seed(1)).double()
    model = Potts(esm.model.config, fields, couplings(), pieces)
    return probe.Probe(
        name="potts", model=model, tokenizer=esm.tokenizer, window=32, has_head=True, best=Best()
    )


def centred(values: Any, axes: tuple[int, ...]) -> Any:
    for axis in axes:
        values = values - values.mean(axis, keepdims=True)
    return values


@pytest.mark.parametrize("batch_tokens", [20, 4096])
def test_the_jacobian_of_a_potts_model_is_its_couplings_up_to_centring(
    potts: probe.Probe, batch_tokens: int
) -> None:
    passes: list[int] = []
    jacobian = Jacobian(potts, LETTERS, batch_tokens=batch_tokens, on_passes=passes.append)
    full = jacobian.full(SEQUENCE)
    assert sum(passes) == jacobian_passes(LENGTH, LETTERS) == 1 + LENGTH * 3
    known = couplings().numpy()  # [i, j, a, b]
    expected = centred(known, (2, 3))
    found = centred(full, (1, 3)).transpose(2, 0, 3, 1)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    norms = np.sqrt(np.square(expected).sum((2, 3)))
    matrix = jacobian.impact(SEQUENCE)
    np.testing.assert_allclose(matrix.values, norms, atol=1e-9)
    assert (matrix.metric, matrix.perturb) == ("jacobian", "substitute:ACDE")


@pytest.mark.parametrize(
    ("letters", "words", "reason"),
    [
        ("a,b,##c", ["a", "bc", "b"], "position 2 ('bc') is 2 pieces, not one of the letters ab##c"),
        ("abc", ["a", "bcb", "m"], "position 2 ('bcb') is 3 pieces, not one of the letters abc"),
        ("abc", ["a", "m", "bc"], "position 2 ('m') is not one of the letters abc"),
    ],
)
def test_the_first_position_that_is_no_letter_is_named(
    model_folder: ModelFolder, letters: str, words: list[str], reason: str
) -> None:
    jacobian = Jacobian(probe.load(model_folder("bert"), device="cpu"), letters)
    with pytest.raises(probe.SentenceError, match=re.escape(reason)):
        jacobian.impact(words)


def test_the_contacts_of_a_potts_model_are_found(potts: probe.Probe) -> None:
    touch = np.zeros((LENGTH, LENGTH), dtype=bool)
    for i, j in TOUCHING:
        touch[i, j] = touch[j, i] = True
    scores = contact_map(Jacobian(potts, LETTERS).impact(SEQUENCE).values)
    assert precision(scores, touch, top=len(TOUCHING)) == 1.0
    assert {(i, j) for i, j, _ in best_pairs(scores, top=len(TOUCHING))} == set(TOUCHING)


def test_the_jacobian_of_esm_equals_a_plain_loop(model_folder: ModelFolder) -> None:
    folder = model_folder("esm")
    found = Jacobian(probe.load(str(folder), device="cpu", dtype="float64"), LETTERS).full([*"CADE"])
    model = transformers.EsmForMaskedLM.from_pretrained(folder, dtype=torch.float64).eval()
    tokenizer = transformers.EsmTokenizer.from_pretrained(folder)
    pieces = tokenizer.convert_tokens_to_ids(list(LETTERS))

    def logs(letters: list[str]) -> torch.Tensor:
        ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(letters), 2]])
        with torch.no_grad():
            return model(ids, attention_mask=torch.ones_like(ids)).logits[0, 1:-1].log_softmax(-1)[:, pieces]

    for j in range(4):
        for b, letter in enumerate(LETTERS):
            changed = [*"CADE"]
            changed[j] = letter
            np.testing.assert_allclose(found[j, b], logs(changed) - logs([*"CADE"]), atol=1e-9)


def test_average_product_correction_by_hand() -> None:
    scores = np.array([[0.0, 1, 2], [1, 0, 6], [2, 6, 0]])
    # means over the two others: 1.5, 3.5, 4; over all: 3
    expected = np.array([[0, 1 - 5.25 / 3, 0], [1 - 5.25 / 3, 0, 6 - 14 / 3], [0, 6 - 14 / 3, 0]])
    np.testing.assert_allclose(average_product_corrected(scores), expected)
    np.testing.assert_allclose(contact_map([[9, 2, 4], [0, 9, 12], [0, 0, 9]]), expected)
    assert not average_product_corrected(np.zeros((3, 3))).any()


def test_precision_by_hand() -> None:
    touch = np.zeros((4, 4), dtype=bool)
    touch[0, 2] = touch[0, 3] = True
    scores = np.array([[0, 9, 3, 1], [9, 0, 9, 2], [3, 9, 0, 9], [1, 2, 9, 0]], dtype=float)
    shares = [precision(scores, touch, top=top, separation=2) for top in (1, 2, 3, 9)]
    assert shares == [1.0, 0.5, pytest.approx(2 / 3), pytest.approx(2 / 3)]
    # 3 pairs are known to be apart; drawn at random, two of three are contacts
    assert precision(np.zeros((4, 4)), touch, top=1, separation=2) == pytest.approx(2 / 3)
    assert precision(distance_scores(4), touch, top=1, separation=2) == 0.5
    known = np.ones((4, 4), dtype=bool)
    known[0, 2] = False
    assert precision(scores, touch, top=1, known=known, separation=2) == 0.0
    with pytest.raises(ValueError, match="pairs 6 residues apart"):
        precision(scores, touch, top=1)


def write(folder: Path, count: int) -> list[object]:
    """Sequences and their contacts, and the options that name them."""
    drawn = np.random.default_rng(0)
    (folder / "known").mkdir()
    records = []
    for at in range(count):
        records.append(f">p{at} of a test\n{''.join(drawn.choice(list('ACDEFGHIKL'), 14))}\n")
        (folder / "known" / f"p{at}.csv").write_text("i,j\n1,9\n2,14\n", encoding="utf-8")
    (folder / "some.fasta").write_text("".join(records), encoding="utf-8")
    return ["--data", folder / "some.fasta", "--contacts", folder / "known"]


def test_the_command(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = write(tmp_path, 2)
    model = ["--model", model_folder("esm"), "--alphabet", "ACDEFGHIKL", *PLAIN]
    metrics = ["--metric", "jacobian", "dist", "--out", tmp_path / "out"]
    done = ran(capsys, command.main, *options, *model, *metrics, "--format", "json")
    assert done.code == 0, done.err
    first, second = json.loads(done.out)
    kinds = [row["kind"] for row in first["rows"]]
    assert kinds == [*["baseline"] * 3, "model", "baseline", "model"]
    assert first["columns"] == ["P@L", "P@L/2", "P@L/5"]
    random = 100 * 2 / sum(range(1, 9))
    assert [cell["value"] for cell in first["rows"][0]["cells"].values()] == [pytest.approx(random)] * 3
    text = (tmp_path / "out" / "contacts.txt").read_text(encoding="utf-8")
    assert "fewer than 10, too few to test" in text
    assert [row["name"] for row in second["rows"]] == ["p0", "p1"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"contacts.json", "pairs-p0.csv", "pairs-p1.csv", "map-p0.svg"} <= written
    assert len((tmp_path / "out" / "pairs-p1.csv").read_text().splitlines()) == 15


def test_a_run_directory_gives_the_same(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from probe import run

    options = write(tmp_path, 10)
    settings = ["--metric", "dist", "--perturb", "substitute:ACDEFGHIKL"]
    model = ["--model", model_folder("esm"), *PLAIN]
    filled = ran(capsys, run.main, *options[:2], *model, *settings, "--out", tmp_path / "run", "--quiet")
    assert filled.code == 0, filled.err
    live = ran(capsys, command.main, *options, *model, *settings, "--seeds", 0, "--format", "csv")
    matrices = ["--matrices", tmp_path / "run", "--alphabet", "ACDEFGHIKL"]
    kept = ran(capsys, command.main, *options, *matrices, "--format", "csv")
    assert (live.code, kept.code) == (0, 0), live.err + kept.err
    assert live.out == kept.out
    assert "too few" not in live.out


def test_without_contacts_the_best_pairs_are_shown(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = write(tmp_path, 1)[:2]
    model = ["--model", model_folder("esm"), "--seeds", 0, *PLAIN]
    done = ran(capsys, command.main, *options, *model, "--alphabet", "ACDEFGHIKL", "--no-apc")
    assert done.code == 0 and "p0 " in done.out and "apc:no" in done.out


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        (">a\nACDXACDACD\n", [], 1, "sequence a skipped: position 4 ('X') is not one of the letters"),
        (">a\nACD\n", [], 1, "no pairs 6 residues apart"),
        (">a\nACD-ACD\n", [], 1, "some.fasta:2: residues, a letter each, are expected, found '-'"),
        (">a\nACDEACDE\n", ["--alphabet", "AC%"], 2, "'%' is no piece of"),
        (">a\nACDEACDE\n", ["--metric", "jacobbian"], 2, "jacobbian"),
    ],
)
def test_what_is_refused(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    code: int,
    message: str,
) -> None:
    (tmp_path / "some.fasta").write_text(text, encoding="utf-8")
    model = ["--model", model_folder("esm"), "--seeds", 0, *PLAIN]
    done = ran(capsys, command.main, "--data", tmp_path / "some.fasta", *model, *options)
    assert done.code == code
    assert message in done.err


@pytest.mark.parametrize("metric", ["jacobian", "dist"])
def test_what_the_model_lacks_is_not_said_of_a_copy(
    metric: str, model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.fasta").write_text(">a\nACDEACDE\n", encoding="utf-8")
    model = ["--model", model_folder("esm"), "--seeds", 1, *PLAIN, "--alphabet", "AC%", "--metric", metric]
    done = ran(capsys, command.main, "--data", tmp_path / "some.fasta", *model)
    assert done.code == 2 and f"'%' is no piece of {model_folder('esm')}" in done.err
    assert "random weights" not in done.err
