"""Generation: draws by hand, every order against a plain loop, templates, the vocabulary, the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import probe
from analyses.order import generate_command as command
from analyses.order.generation import (
    CONFIDENCE,
    Generated,
    Sampling,
    draw_alone,
    generate,
    pseudo_log_probabilities,
    written,
)
from analyses.order.orders import ORDERS
from analyses.order.template import Template, make_template
from analyses.order.vocabulary import Vocabulary
from probe.errors import ModelError, OptionError
from tests.command import PLAIN, names, ran
from tests.conftest import ModelFolder

NAMES = (*ORDERS, CONFIDENCE)


@pytest.fixture(scope="module")
def tiny(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(str(model_folder("bert")), device="cpu", dtype="float64")


@pytest.fixture(scope="module")
def vocabulary(tiny: probe.Probe) -> Vocabulary:
    return Vocabulary.of(tiny)


def plain_loop(p: probe.Probe, template: Template, order: str | tuple[int, ...], number: int) -> list[int]:
    """The greedy text, one pass at a time with the whole model."""
    ids = torch.from_numpy(template.ids.copy())
    left = template.blanks.tolist()
    drawn: list[int] = []
    if isinstance(order, tuple):
        drawn = [place - 1 for place in order]
    elif order != CONFIDENCE:
        rng = np.random.default_rng([0, number, 0])
        drawn = [left[at] for at in ORDERS[order].draw(len(left), rng)]
    allowed = dict(zip(left, template.allowed, strict=True))
    while left:
        with torch.inference_mode():
            logits = p.model(input_ids=ids[None], attention_mask=torch.ones(1, len(ids))).logits[0]
        logs = logits.log_softmax(-1).numpy()[template.positions]
        logs = {piece: np.where(allowed[piece], logs[piece], -np.inf) for piece in left}
        piece = drawn.pop(0) if drawn else max(left, key=lambda piece: logs[piece].max())
        ids[template.positions[piece]] = int(logs[piece].argmax())
        left.remove(piece)
    return ids.tolist()


@pytest.mark.parametrize("architecture", ["bert", "roberta", "modernbert", "deberta_v3"])
@pytest.mark.parametrize("order", [*NAMES, (3, 1, 2, 4, 6)])
def test_greedy_texts_are_those_of_a_plain_loop(
    model_folder: ModelFolder, architecture: str, order: str | tuple[int, ...]
) -> None:
    p = probe.load(str(model_folder(architecture)), device="cpu", dtype="float64")
    template = make_template(p, Vocabulary.of(p), length=6, fixed={5: "a"})
    for number, text in enumerate(generate(p, template, order, texts=3, sampling=Sampling(temperature=0))):
        assert text.ids.tolist() == plain_loop(p, template, order, number)


@pytest.mark.parametrize("order", NAMES)
def test_texts_are_those_of_the_seed_whatever_the_batch(
    tiny: probe.Probe, vocabulary: Vocabulary, order: str
) -> None:
    template = make_template(tiny, vocabulary, "The _ watered _ .", length=4)

    def texts(seed: int = 0, texts: int = 5, batch_tokens: int = 4_096) -> list[list[int]]:
        found = generate(tiny, template, order, texts=texts, seed=seed, batch_tokens=batch_tokens)
        return [text.ids.tolist() for text in found]

    assert texts() == texts(batch_tokens=1) == texts(batch_tokens=30)
    assert texts(texts=2) == texts()[:2]
    assert texts(seed=1) != texts()


def test_what_is_said_of_a_step_is_what_the_model_predicts(tiny: probe.Probe, vocabulary: Vocabulary) -> None:
    template = make_template(tiny, vocabulary, length=3)
    (text,) = generate(tiny, template, "left-to-right", sampling=Sampling(temperature=0.5, top_k=3))
    ids = torch.from_numpy(template.ids.copy())
    for step in text.steps:
        at = template.positions[step.piece]
        with torch.inference_mode():
            logs = tiny.model(input_ids=ids[None]).logits[0, at].log_softmax(-1)
        assert step.log_probability == pytest.approx(float(logs[step.chosen]))
        assert step.entropy == pytest.approx(float(-(logs.exp() * logs).sum()))
        ids[at] = step.chosen
    assert ids.tolist() == text.ids.tolist()
    assert text.log_probability == pytest.approx(sum(step.log_probability for step in text.steps))
    (pseudo,) = pseudo_log_probabilities(tiny, template, [text])
    total = 0.0
    for at in template.positions:
        masked = ids.clone()
        masked[at] = tiny.tokenizer.mask_token_id
        with torch.inference_mode():
            total += float(tiny.model(input_ids=masked[None]).logits[0, at].log_softmax(-1)[ids[at]])
    assert pseudo == pytest.approx(total)


class TestSampling:
    logs = np.log(np.array([0.4, 0.3, 0.2, 0.06, 0.04]))
    everything = np.ones(5, dtype=bool)

    def drawn(self, sampling: Sampling, allowed: "np.typing.NDArray[np.bool_] | None" = None) -> list[float]:
        kept = self.everything if allowed is None else allowed
        rng = np.random.default_rng(0)
        counts = np.bincount([sampling.choose(self.logs, kept, rng) for _ in range(4_000)], minlength=5)
        return list(counts / counts.sum())

    @pytest.mark.parametrize(
        ("sampling", "expected"),
        [
            (Sampling(), [0.4, 0.3, 0.2, 0.06, 0.04]),
            (Sampling(temperature=0), [1, 0, 0, 0, 0]),
            (Sampling(top_k=2), [4 / 7, 3 / 7, 0, 0, 0]),
            (Sampling(top_p=0.7), [4 / 7, 3 / 7, 0, 0, 0]),
            (Sampling(top_p=0.71), [4 / 9, 3 / 9, 2 / 9, 0, 0]),
            (Sampling(top_p=1e-9), [1, 0, 0, 0, 0]),
            (Sampling(top_k=3, top_p=0.4), [1, 0, 0, 0, 0]),
            (Sampling(top_k=99), [0.4, 0.3, 0.2, 0.06, 0.04]),
            (Sampling(temperature=0.5, top_k=2), [16 / 25, 9 / 25, 0, 0, 0]),
            (Sampling(temperature=1e-300), [1, 0, 0, 0, 0]),
        ],
    )
    def test_shares_by_hand(self, sampling: Sampling, expected: list[float]) -> None:
        assert self.drawn(sampling) == pytest.approx(expected, abs=0.03)

    def test_what_is_not_allowed_is_never_drawn(self) -> None:
        allowed = np.array([False, True, False, True, False])
        assert self.drawn(Sampling(), allowed) == pytest.approx([0, 5 / 6, 0, 1 / 6, 0], abs=0.03)
        assert self.drawn(Sampling(temperature=0), allowed) == [0, 1, 0, 0, 0]
        assert self.drawn(Sampling(top_k=1), allowed) == [0, 1, 0, 0, 0]

    @given(
        st.lists(st.floats(-50, 0), min_size=2, max_size=9),
        st.floats(0.01, 5),
        st.integers(0, 9),
        st.floats(0.01, 1),
        st.integers(0, 99),
    )
    def test_a_draw_is_among_the_likeliest(
        self, logs: list[float], temperature: float, top_k: int, top_p: float, seed: int
    ) -> None:
        values = np.array(logs)
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
        chosen = sampling.choose(values, np.ones(len(logs), dtype=bool), np.random.default_rng(seed))
        better = values > values[chosen]
        assert not top_k or better.sum() < top_k
        shares = np.exp((values - values.max()) / temperature)
        assert shares[better].sum() / shares.sum() < top_p + 1e-9


class TestVocabulary:
    @pytest.mark.parametrize(
        "architecture", ["bert", "roberta", "modernbert", "xlm_roberta", "deberta_v3", "distilbert"]
    )
    def test_special_pieces_are_never_written(self, model_folder: ModelFolder, architecture: str) -> None:
        p = probe.load(str(model_folder(architecture)), device="cpu")
        found = Vocabulary.of(p)
        assert not found.readable[p.tokenizer.all_special_ids].any()
        assert (found.words <= found.readable).all() and found.words.any()
        for piece in np.flatnonzero(found.words)[:50]:
            assert p.pieces.encode([found.texts[piece]], ["after a space"]) == [[piece]]

    def test_words_begin_with_a_letter(self, vocabulary: Vocabulary) -> None:
        for letter in "tT":
            found = [vocabulary.texts[piece] for piece in np.flatnonzero(vocabulary.beginning_with(letter))]
            assert found and all(text.startswith("t") for text in found)
        assert not vocabulary.beginning_with("7").any()

    def test_pieces_that_continue_a_word_begin_none(self, tiny: probe.Probe, vocabulary: Vocabulary) -> None:
        pieces = tiny.tokenizer.convert_ids_to_tokens(list(range(len(vocabulary.texts))))
        assert not any(vocabulary.words[at] for at, piece in enumerate(pieces) if piece.startswith("##"))
        assert any(vocabulary.readable[at] for at, piece in enumerate(pieces) if piece.startswith("##"))


class TestTemplate:
    def test_blanks_stand_where_they_are_written(self, tiny: probe.Probe, vocabulary: Vocabulary) -> None:
        template = make_template(tiny, vocabulary, "a _ b__ _.", length=2)
        assert written(tiny, template.ids, template) == "a _ b _ _ _ . _ _"
        assert template.blanks.tolist() == [1, 3, 4, 5, 7, 8]
        begins = [each is vocabulary.words for each in template.allowed]
        assert begins == [True, False, False, True, False, False]
        words = make_template(tiny, vocabulary, length=3, unit="word")
        assert all(each is vocabulary.words for each in words.allowed)
        pieces = make_template(tiny, vocabulary, length=3)
        assert [each is vocabulary.words for each in pieces.allowed] == [True, False, False]

    def test_words_at_their_places(self, tiny: probe.Probe, vocabulary: Vocabulary) -> None:
        template = make_template(tiny, vocabulary, length=5, fixed={2: "b", -1: "."})
        assert written(tiny, template.ids, template) == "_ b _ _ ."
        (text,) = generate(tiny, template)
        assert text.ids[[2, 5]].tolist() == template.ids[[2, 5]].tolist()
        assert tiny.tokenizer.mask_token_id not in text.ids

    def test_initials(self, tiny: probe.Probe, vocabulary: Vocabulary) -> None:
        template = make_template(tiny, vocabulary, "a _ _", initials="Tb")
        for text in generate(tiny, template, texts=4):
            first, *rest = written(tiny, text.ids, template).split()
            assert (first, [word[0] for word in rest]) == ("a", ["t", "b"])
        assert len(make_template(tiny, vocabulary, initials="abc").blanks) == 3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"text": "a b"}, "a blank is expected"),
            ({"text": ""}, "a blank is expected"),
            ({"length": 31}, "31 pieces: the window of .* takes 30"),
            ({"length": 3, "fixed": {4: "a"}}, "'a' at 4: its 1 pieces do not fit 3"),
            ({"length": 3, "fixed": {-4: "a"}}, "'a' at -4: its 1 pieces do not fit 3"),
            ({"text": "a _", "fixed": {1: "b"}}, "'b' at 1: 1 blanks are expected there, found a word"),
            ({"length": 3, "fixed": {1: "漢"}}, "'漢': .* has no pieces for this word"),
            ({"length": 3, "initials": "ab"}, "a letter for each of 3 blanks"),
            ({"initials": "a7"}, "no word of the vocabulary begins with '7'"),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, tiny: probe.Probe, vocabulary: Vocabulary, options: dict[str, object], message: str
    ) -> None:
        with pytest.raises(OptionError, match=message):
            make_template(tiny, vocabulary, **options)  # type: ignore[arg-type]

    def test_an_order_must_be_of_the_blanks(self, tiny: probe.Probe, vocabulary: Vocabulary) -> None:
        template = make_template(tiny, vocabulary, "a _ _")
        with pytest.raises(OptionError, match="each of the blanks 2,3 once is expected, found 1,2"):
            generate(tiny, template, (1, 2))
        with pytest.raises(OptionError, match="did you mean 'random'"):
            generate(tiny, template, "randon")

    def test_a_model_without_a_head(self, tiny: probe.Probe, model_folder: ModelFolder) -> None:
        p = probe.load(str(model_folder("bert_without_head")), device="cpu")
        with pytest.raises(ModelError, match="no masked-LM head, which text needs"):
            generate(p, make_template(p, Vocabulary.of(p), length=2))


def test_the_baseline_looks_at_nothing(tiny: probe.Probe, vocabulary: Vocabulary) -> None:
    template = make_template(tiny, vocabulary, "a _ b _")
    logs = np.full(len(vocabulary.texts), -np.inf)
    piece = int(np.flatnonzero(vocabulary.words)[-1])
    logs[piece] = 0.0
    with np.errstate(invalid="ignore"):
        found: list[Generated] = draw_alone(template, logs, texts=2)
    assert all([step.chosen for step in text.steps] == [piece, piece] for text in found)
    assert draw_alone(template, None)[0].log_probability == pytest.approx(-2 * np.log(len(vocabulary.texts)))


class TestCommand:
    def test_tables_texts_and_pictures(
        self, model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        options = ["The _ watered _ .", "--model", model_folder("bert"), *PLAIN, "--quiet", "--limit", 2]
        orders = ["--order", "confidence", "random"]
        done = ran(capsys, command.main, *options, *orders, "--out", out, "--steps", 2, "--format", "json")
        assert (done.code, done.err) == (0, "")
        tables = {table["title"]: table for table in json.loads(done.out)}
        writers = next(table for title, table in tables.items() if title.startswith("Texts by the order"))
        kinds = [row["kind"] for row in writers["rows"]]
        assert kinds == ["baseline", "baseline", "model", "baseline", "model"]
        steps = next(table for title, table in tables.items() if title.startswith("Steps of text 1"))
        assert [row["cells"]["step"]["value"] for row in steps["rows"]] == [0, 1, 2]
        assert {"steps-random.svg", "generated.csv", "steps-confidence-2.json"} <= set(names(out))
        texts = ran(capsys, command.main, *options, *orders, "--format", "text", "--batch-tokens", 1)
        lines = texts.out.splitlines()
        assert len(lines) == 4 and all(line.startswith("the ") for line in lines)
        shown = [
            row["name"] for title in tables if title.startswith("Texts: ") for row in tables[title]["rows"]
        ]
        assert set(lines) <= set(shown)
        again = ran(capsys, command.main, *options[:-2], "--texts", 2, *orders, "--format", "text")
        assert again.out == texts.out and "--texts is now called --limit" in again.err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--order", "sidewards"], "unknown order 'sidewards'"),
            (["--order", "1,1"], "each of the blanks"),
            (["--temperature", "-1"], "a number from 0 is expected"),
            (["--temperature", "nan"], "a number from 0 is expected"),
            (["--top-p", "0"], "a number above 0 and at most 1"),
            (["--top-k", "-1"], "a whole number from 0"),
            (["--fix", "fire"], "as fire@3"),
            (["--fix", "fire@0"], "as fire@3"),
            (["--fix", "a@1", "b@1"], "--fix: one word for a place is expected"),
            (["a b"], "a blank is expected"),
            (["--length", "99"], "the window of"),
            (["--model", "nowhere"], "nowhere"),
        ],
    )
    def test_wrong_use_is_one_line(
        self,
        options: list[str],
        message: str,
        model_folder: ModelFolder,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        done = ran(capsys, command.main, "--model", model_folder("bert"), *PLAIN, *options)
        assert (done.code, done.out) == (2, "")
        assert message in done.err and done.err.count("\n") == 1
