"""The pass over a corpus against direct definitions, and the command."""

import json
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import probe
from analyses.geometry import command as geometry
from analyses.geometry.measures import explained
from analyses.geometry.stream import measure
from analyses.geometry.summary import VARIANCE, by_group, frequency_bands, summarize, tags_of
from analyses.states.occurrences import Occurrences, Store, find_occurrences
from data import Sentence, load_sample
from probe.word_states import Encoder, WordStates, encoder_of, load_encoder, word_states
from tests.conftest import ModelFolder
from tests.tiny import SENTENCES

WORDS = [[*sentence.split()[:5], "the", "."] for sentence in SENTENCES]
"""Short enough for the windows of the tiny models."""


def states_one_by_one(
    encoder: object, sentences: list[list[str]], *, first: bool = False
) -> list[np.ndarray]:
    """States of the words of each sentence, [words, layers, size], by one forward pass each."""
    found = []
    for words in sentences:
        alignment = probe.alignment.align(encoder.tokenizer, words, window=encoder.window)
        with torch.no_grad():
            output = encoder.model.base_model(
                torch.from_numpy(alignment.ids)[None], output_hidden_states=True
            )
        hidden = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])[:, 0].numpy()
        pieces = [alignment.positions[alignment.unit_of == word] for word in range(len(words))]
        found.append(np.stack([hidden[:, at[:1] if first else at].mean(axis=1) for at in pieces]))
    return found


def units(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def occurrences_of(words: list[list[str]], states: list[np.ndarray]) -> dict[str, np.ndarray]:
    found: dict[str, list[np.ndarray]] = {}
    for sentence, vectors in zip(words, states, strict=True):
        for word, vector in zip(sentence, vectors, strict=True):
            found.setdefault(word.lower(), []).append(vector)
    return {word: np.stack(vectors) for word, vectors in found.items()}


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2", "xlm_roberta"])
@pytest.mark.parametrize("pieces", ["mean", "first"])
def test_states_are_those_of_single_sentences(model_folder: ModelFolder, name: str, pieces: str) -> None:
    encoder = load_encoder(str(model_folder(name)), device="cpu", dtype="float32")
    expected = states_one_by_one(encoder, WORDS, first=pieces == "first")
    seen = set()
    layers = range(encoder.n_layers + 1)
    for batch in word_states(encoder, WORDS, layers=layers, pieces=pieces, batch_tokens=64):
        assert isinstance(batch, WordStates)
        for row, place in enumerate(batch.sentences):
            found = torch.stack(batch.states, dim=1)[batch.sentence_of == row]
            np.testing.assert_allclose(found.numpy(), expected[place], atol=1e-4)
            seen.add(int(place))
    assert seen == set(range(len(WORDS)))


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_measures_are_those_of_the_definitions(model_folder: ModelFolder, name: str) -> None:
    encoder = load_encoder(str(model_folder(name)), device="cpu", dtype="float32")
    expected = states_one_by_one(encoder, WORDS)
    by_word = occurrences_of(WORDS, expected)
    found = measure(encoder, WORDS, find_occurrences(WORDS, min_count=3, most=99), min_count=3)
    assert set(found.words) == {word for word, states in by_word.items() if len(states) >= 3}
    for row, word in enumerate(found.words):
        states = by_word[word]
        assert found.counts[row] == found.drawn[row] == len(states)
        pairs = [(a * b).sum(axis=-1) for a, b in combinations(units(states), 2)]
        np.testing.assert_allclose(found.self_similarity[row], np.mean(pairs, axis=0), atol=1e-4)
        s = np.linalg.svd(states.transpose(1, 0, 2), compute_uv=False)
        np.testing.assert_allclose(found.mev[row], s[:, 0] ** 2 / (s**2).sum(axis=1), atol=1e-4)
    intra = [(units(x) * units(x.mean(axis=0))).sum(axis=-1).mean(axis=0) for x in expected]
    np.testing.assert_allclose(found.intra_sentence, intra, atol=1e-4)
    across = [
        np.mean([(a * b).sum(axis=-1) for a in units(x) for b in units(y)], axis=0)
        for x, y in combinations(expected, 2)
    ]
    np.testing.assert_allclose(found.anisotropy(), np.mean(across, axis=0), atol=1e-4)
    np.testing.assert_allclose(found.contributions.sum(axis=-1), found.anisotropy(), atol=1e-6)
    states = np.concatenate(expected)
    np.testing.assert_allclose(found.mean, states.mean(axis=0), atol=1e-3)
    for layer in range(found.n_layers):
        covariance = np.cov(states[:, layer].T, bias=True)
        np.testing.assert_allclose(found.covariance[layer], covariance, atol=1e-3 * np.abs(covariance).max())


def test_windows_and_batches_change_nothing(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    whole = measure(encoder, WORDS, find_occurrences(WORDS, min_count=2, most=3), min_count=2)
    monkeypatch.setattr("analyses.states.occurrences.WINDOW", 5)
    parts = measure(
        encoder, WORDS, find_occurrences(WORDS, min_count=2, most=3), min_count=2, batch_tokens=20
    )
    np.testing.assert_allclose(parts.self_similarity, whole.self_similarity, atol=1e-5)
    np.testing.assert_allclose(parts.mev, whole.mev, atol=1e-5)
    np.testing.assert_allclose(parts.sample, whole.sample, atol=1e-4)


def test_a_sentence_that_cannot_be_run_is_left_out(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    words = [*WORDS[:8], ["the"] * 40, *WORDS[8:]]
    found = measure(encoder, words, find_occurrences(words, min_count=3, most=99), min_count=3)
    clean = measure(encoder, WORDS, find_occurrences(WORDS, min_count=3, most=99), min_count=3)
    assert [place for place, _ in found.skipped] == [8]
    assert "window" in str(found.skipped[0][1])
    assert found.counts[found.words.index("the")] == clean.counts[clean.words.index("the")]
    np.testing.assert_allclose(found.anisotropy(), clean.anisotropy(), atol=1e-6)
    np.testing.assert_allclose(
        found.self_similarity[found.words.index("the")],
        clean.self_similarity[clean.words.index("the")],
        atol=1e-5,
    )


def test_nothing_to_measure_is_an_error(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    with pytest.raises(probe.ProbeError, match=r"found 1 sentences that .* and 0 such words"):
        measure(encoder, WORDS[:1], find_occurrences(WORDS[:1], most=5))


def test_drawn_occurrences() -> None:
    words = [["a", "b", "A"], ["a", "c", "a", "b"]]
    found = find_occurrences(words, min_count=2, most=3, seed=1)
    assert found.words == ("a", "b")
    assert found.word_of.tolist() == [0, 1, 0, 0, -1, 0, 1]
    assert found.drawn[found.word_of == 0].sum() == 3
    assert found.drawn[found.word_of == 1].all() and not found.drawn[4]
    assert find_occurrences(words, most=3, cased=True, words=["A"]).words == ("A",)


def noise(
    store: Store, occurrences: Occurrences, values: torch.Tensor, windows: int
) -> dict[int, np.ndarray]:
    found = {}
    for window, (begin, end) in enumerate(occurrences.windows()):
        for sentence in range(begin, end):
            places = occurrences.of_sentences(np.array([sentence]))
            store.put(places, list(values[places].unbind(1)))
        for words, states in store.complete(window):
            found |= dict(zip(words.tolist(), states.numpy(), strict=True))
    assert window + 1 == windows
    return found


def test_rows_of_the_store_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyses.states.occurrences.WINDOW", 2)
    words = [[f"w{i // 2}", f"w{i // 2}", "x"] for i in range(8)]
    occurrences = find_occurrences(words, most=4)
    values = torch.randn(len(occurrences.word_of), 2, 3, generator=torch.Generator().manual_seed(0))
    store = Store(occurrences, n_layers=2, size=3)
    found = noise(store, occurrences, values, windows=4)
    assert store.rows == 4 + 4  # the rows of "x", and of one of the others at a time
    for word in range(len(occurrences.words)):
        mine = values[(occurrences.word_of == word) & occurrences.drawn].numpy()
        assert sorted(found[word].reshape(len(mine), -1).tolist()) == sorted(
            mine.reshape(len(mine), -1).tolist()
        )


class _Noise(torch.nn.Module):
    """In place of a model: isotropic noise at every piece of every layer."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.config = SimpleNamespace(num_hidden_layers=1, hidden_size=size)
        self._random, self._size = torch.Generator().manual_seed(0), size

    @property
    def base_model(self) -> "_Noise":
        return self

    def forward(self, input_ids: torch.Tensor, output_hidden_states: bool) -> object:
        states = [torch.randn(*input_ids.shape, self._size, generator=self._random) for _ in range(2)]
        return SimpleNamespace(hidden_states=tuple(states), last_hidden_state=states[-1])


def test_adjusted_values_of_isotropic_noise_are_near_0(model_folder: ModelFolder) -> None:
    tokenizer = encoder_of(probe.load(model_folder("bert"), device="cpu")).tokenizer
    encoder = Encoder(name="noise", model=_Noise(64), tokenizer=tokenizer, window=99)  # type: ignore[arg-type]
    words = [sentence for sentence in WORDS for _ in range(12)]
    # The mean of several pieces would be shorter, so that words would differ by their length.
    occurrences = find_occurrences(words, min_count=10, most=12)
    found = measure(encoder, words, occurrences, min_count=10, pieces="first")
    curves = summarize(found).curves
    for name in ("anisotropy", "self-similarity adjusted", "intra-sentence matched", "MEV matched"):
        assert np.abs(curves[name].value).max() < 0.02, name
    # What is left where the size of the set is not taken into account.
    assert curves["intra-sentence adjusted"].value.min() > 0.2
    assert summarize(found).isotropy["IsoScore"].min() > 0.8


def test_identical_occurrences(model_folder: ModelFolder) -> None:
    """Without positions and context, at layer 0 of a model with rotary positions, all occurrences are alike."""
    encoder = load_encoder(str(model_folder("modernbert")), device="cpu", dtype="float32")
    found = measure(encoder, WORDS, find_occurrences(WORDS, min_count=3, most=9, cased=True), min_count=3)
    np.testing.assert_allclose(found.self_similarity[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(found.mev[:, 0], 1, atol=1e-5)
    assert np.isnan(summarize(found).curves["explained as released"].value[0])


def test_summary_takes_baselines_off(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    found = measure(encoder, WORDS, find_occurrences(WORDS, min_count=3, most=9), min_count=3)
    summary = summarize(found)
    curves = summary.curves
    own = found.self_similarity.mean(axis=0)
    np.testing.assert_allclose(curves["self-similarity"].value, own)
    np.testing.assert_allclose(curves["self-similarity adjusted"].value, own - found.anisotropy())
    random_mev = explained(torch.from_numpy(found.sample).transpose(0, 1)).mev
    np.testing.assert_allclose(curves["MEV adjusted"].value, found.mev.mean(axis=0) - random_mev)
    of_words = {"self-similarity", "self-similarity adjusted", *VARIANCE}  # of fewer than ten words
    assert {name for name, curve in curves.items() if curve.too_few} == of_words
    for curve in (curve for curve in curves.values() if not curve.too_few):
        there = np.isfinite(curve.value)
        assert (curve.low[there] <= curve.value[there]).all() or curve is curves["anisotropy"]
        assert (curve.low[there] <= curve.high[there]).all()
    order = -np.sort(-found.contributions, axis=1)
    np.testing.assert_allclose(summary.isotropy["top 3"], order[:, :3].sum(axis=1) / found.anisotropy())
    frame = summary.to_frame().set_index(["measure", "layer"])
    assert frame.index.is_unique and set(frame.index.get_level_values("measure")) == {
        *curves,
        *summary.isotropy,
    }
    assert frame.loc["self-similarity", "value"].tolist() == curves["self-similarity"].value.tolist()
    assert frame.loc["anisotropy", "high"].tolist() == curves["anisotropy"].high.tolist()
    assert frame.loc["IsoScore"][["low", "high"]].isna().all(axis=None)


def test_groups() -> None:
    assert frequency_bands([4, 5, 9, 10, 5_000]) == ["1-4", "5-9", "5-9", "10-49", "1000+"]
    sentence = Sentence(id="1", words=("Run", "run", "far"), upos=("NOUN", "NOUN", "ADV"))
    other = Sentence(id="2", words=("run",), upos=("VERB",))
    assert tags_of(("run", "far"), [sentence, other]) == ["NOUN", "ADV"]
    with pytest.raises(ValueError, match="parts of speech"):
        tags_of(("run",), [Sentence(id="1", words=("run",))])
    values = np.array([[1.0], [3.0], [5.0]])
    found = by_group(values, ["10-49", "5-9", "10-49"])
    assert list(found) == ["5-9", "10-49"]
    assert found["10-49"][0] == 2 and found["10-49"][1].value == pytest.approx(3)
    assert np.isnan(found["5-9"][1].low).all() and found["5-9"][1].too_few
    (_, ten), (_, nine) = by_group(np.arange(19.0)[:, None], ["a"] * 10 + ["b"] * 9).values()
    assert np.isfinite(ten.low).all() and not ten.too_few and nine.too_few


# --- command


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = geometry.main(["--device", "cpu", *map(str, args)])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_command_with_two_models(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [model_folder("bert"), model_folder("gpt2")]
    path = tmp_path / "short.conllu"
    lines = [
        f"{i}\t{word}\t_\tX\t_\t_\t{i - 1}\t_\t_\t_\n" if word else "\n"
        for words in WORDS
        for i, word in enumerate([*words, ""], start=1)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    options = ["--data", path, "--min-count", 3, "--by", "pos", "--format", "json", "--figures"]
    code, out, _ = run(capsys, "--model", *models, *options, "--out", tmp_path / "out")
    assert code == 0
    found = json.loads(out)
    titles = [table["title"] for table in found]
    assert titles[:3] == ["Geometry of bert", "Explained variance of bert", "Isotropy of bert"]
    assert "self-similarity adjusted of gpt2 by pos" in titles
    assert len(found[0]["rows"]) == 4
    assert "layer:3" in found[0]["rows"][3]["signatures"][0]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"geometry.svg", "geometry-gpt2.csv", "self-similarity-bert.csv", "mev-gpt2.csv"} <= names


def test_command_reports_what_it_skips(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join([*map(" ".join, WORDS), "the " * 40]) + "\n", encoding="utf-8")
    code, out, err = run(capsys, "--model", model_folder("bert"), "--data", path, "--min-count", 3)
    assert code == 1
    assert f"{path}:25: sentence 25 skipped" in err
    assert "24 sentences, 1 skipped" in out and "n:24 | skipped:1 |" in " ".join(out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--figures"], "--figures needs --out"),
        (["--model", "a", "b/a"], "--model: each name once"),
        (["--data", "none.txt"], "none.txt: a file is expected"),
        (["--min-count", "9999"], "no word has 9999 occurrences"),
        (["--curves", "none"], "none: a folder is expected"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    code, out, err = run(capsys, *options)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_parts_of_speech_need_a_treebank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cat saw the dog\n" * 5, encoding="utf-8")
    code, _, err = run(capsys, "--data", path, "--by", "pos")
    assert code == 2
    assert f"--by pos: {path}:1: parts of speech are expected" in err


def test_the_default_corpus_has_enough_words() -> None:
    words = [sentence.words for sentence in load_sample()]
    assert len(find_occurrences(words, min_count=5, most=2).words) >= 10


def test_a_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(probe.ModelError, match="no such model directory"):
        load_encoder(str(tmp_path / "none"))
