"""Static vectors against direct definitions, their scores, and the command."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import probe
from analyses.states.static_vectors import static_vector_sets, static_vectors
from analyses.tables.signature import Signature
from analyses.vectors import command
from analyses.vectors.scores import (
    common_words,
    k_means,
    lower_cased,
    purity,
    score_analogies,
    score_categories,
    score_similarity,
    spearman,
)
from analyses.vectors.tables import Sets, Vectors, evaluation_tables
from data.vectors import WordVectors, read_vectors
from data.word_sets import Analogy, AnalogySet, CategorySet, SimilaritySet
from probe.word_states import Encoder, load_encoder
from tests.analyses.geometry.test_geometry import WORDS, occurrences_of, states_one_by_one
from tests.conftest import ModelFolder

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def encoder(model_folder: ModelFolder) -> Encoder:
    return load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")


@pytest.mark.parametrize("layer", [0, 2, -1])
def test_first_component_and_mean(encoder: Encoder, layer: int) -> None:
    by_word = occurrences_of(WORDS, states_one_by_one(encoder, WORDS))
    pca = static_vectors(encoder, WORDS, layer=layer)
    mean = static_vectors(encoder, WORDS, layer=layer, method="mean")
    assert pca.words == mean.words and set(pca.words) == set(by_word)
    for row, word in enumerate(pca.words):
        states = by_word[word][:, layer]
        np.testing.assert_allclose(mean.values[row], states.mean(axis=0), atol=1e-5)
        _, s, vt = np.linalg.svd(states)
        component = vt[0] * s[0] / len(states) ** 0.5
        if component @ states.mean(axis=0) < 0:
            component = -component
        np.testing.assert_allclose(pca.values[row], component, atol=1e-4)


def test_the_vector_of_a_word_that_occurs_once_is_its_state(encoder: Encoder) -> None:
    words = [["the", "gardener"], ["the", "teacher"]]
    found = static_vectors(encoder, words, layer=1, words=["Teacher", "piano"])
    assert found.words == ("teacher",)
    np.testing.assert_allclose(found.values[0], states_one_by_one(encoder, words)[1][1, 1], atol=1e-5)


def test_kinds_share_a_pass(encoder: Encoder) -> None:
    found = static_vector_sets(encoder, WORDS, kinds=[(1, "pca"), (3, "mean")], min_count=2)
    np.testing.assert_allclose(found[0].values, static_vectors(encoder, WORDS, layer=1, min_count=2).values)
    alone = static_vectors(encoder, WORDS, layer=3, method="mean", min_count=2)
    np.testing.assert_allclose(found[1].values, alone.values)


def test_a_probe_does_as_well_and_skips_are_reported(model_folder: ModelFolder, encoder: Encoder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    skipped = {}
    found = static_vectors(p, [*WORDS, ["the"] * 40], layer=1, on_skipped=skipped.__setitem__)
    assert list(skipped) == [len(WORDS)]
    np.testing.assert_allclose(found.values, static_vectors(encoder, WORDS, layer=1).values, atol=1e-5)


def test_errors(encoder: Encoder) -> None:
    with pytest.raises(probe.OptionError, match="layers 0 to 3"):
        static_vectors(encoder, WORDS, layer=4)
    with pytest.raises(probe.OptionError, match="method"):
        static_vectors(encoder, WORDS, layer=1, method="median")  # type: ignore[arg-type]
    with pytest.raises(probe.ProbeError, match="found none in 24 sentences"):
        static_vectors(encoder, WORDS, layer=1, words=["piano"])


# --- scores


def test_spearman_with_ties() -> None:
    x, y = np.array([1.0, 2, 2, 5, 3]), np.array([2.0, 1, 4, 4, 4])
    ranks = np.array([1, 2.5, 2.5, 5, 4]), np.array([2, 1, 4, 4, 4])
    assert spearman(x, y) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert np.isnan(spearman(x, np.ones(5)))


def vectors_of(**values: list[float]) -> WordVectors:
    return WordVectors(tuple(values), np.array(list(values.values()), dtype=np.float32))


def test_similarity_is_of_covered_pairs() -> None:
    words = [f"w{i}" for i in range(8)]
    vectors = WordVectors(tuple(words), RNG.normal(size=(8, 3)).astype(np.float32))
    pairs = [*combinations(words, 2), ("w0", "absent")]
    scores = RNG.normal(size=len(pairs))
    asked = tuple((a.upper(), b) for a, b in pairs)
    found = score_similarity(vectors, SimilaritySet(name="s", pairs=asked, scores=tuple(scores)), seed=2)
    units = vectors.values / np.linalg.norm(vectors.values, axis=1, keepdims=True)
    cosines = np.array([units[i] @ units[j] for i, j in combinations(range(8), 2)])
    assert (found.covered, found.items) == (28, 29)
    assert found.value == pytest.approx(spearman(cosines, scores[:-1]))
    rng = np.random.default_rng(2)
    draws = [rng.integers(28, size=28) for _ in range(1_000)]
    by_hand = np.quantile([spearman(cosines[d], scores[:-1][d]) for d in draws], (0.025, 0.975))
    assert found.interval is not None
    np.testing.assert_allclose((found.interval.low, found.interval.high), by_hand, atol=1e-6)


def test_nothing_covered_is_no_score() -> None:
    vectors = vectors_of(a=[1, 0])
    similarity = score_similarity(vectors, SimilaritySet(name="s", pairs=(("a", "b"),), scores=(1.0,)))
    analogy = AnalogySet(name="a", questions=(Analogy("a", "b", "c", "d", ""),))
    categories = CategorySet(name="c", words=("b",), categories=("x",))
    for found in (
        similarity,
        score_analogies(vectors, analogy, full=True),
        score_categories(vectors, categories),
    ):
        assert np.isnan(found.value) and found.interval is None and (found.covered, found.items) == (0, 1)


def test_analogies_against_the_definition() -> None:
    words = [f"w{i}" for i in range(12)]
    values = RNG.normal(size=(12, 4)).astype(np.float32)
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    questions = [RNG.permutation(8)[:4] for _ in range(60)]
    asked = AnalogySet(name="a", questions=tuple(Analogy(*(f"W{i}" for i in q), "") for q in questions))
    for full in (False, True):
        right = []
        for a, b, c, target in questions:
            candidates = [i for i in range(12 if full else 8) if i not in (a, b, c)]
            target_vector = units[b] - units[a] + units[c]
            right.append(max(candidates, key=lambda i: units[i] @ target_vector) == target)
        found = score_analogies(WordVectors(tuple(words), values), asked, full=full)
        assert found.value == pytest.approx(np.mean(right))
        assert found.covered == 60


def test_the_words_of_the_question_are_no_answers() -> None:
    vectors = vectors_of(man=[1, 0], woman=[1, 0.1], king=[0, 1], queen=[-0.2, 1])
    asked = AnalogySet(name="a", questions=(Analogy("man", "woman", "king", "queen", ""),))
    assert score_analogies(vectors, asked, full=True).value == 1


def test_purity_by_hand() -> None:
    assert purity(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])) == pytest.approx(3 / 5)


def test_k_means_finds_separate_clusters() -> None:
    centres = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    which = np.repeat(np.arange(4), 9)
    points = centres[which] + RNG.normal(scale=0.1, size=(36, 2))
    assert purity(k_means(points, 4), which) == 1
    assert len(set(k_means(np.zeros((3, 2)), 2))) == 1  # identical points
    words = tuple(f"w{i}" for i in range(36))
    asked = CategorySet(name="c", words=words, categories=tuple(f"c{i}" for i in which))
    directions = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])[which]
    noisy = WordVectors(words, (directions + RNG.normal(scale=0.01, size=(36, 3))).astype(np.float32))
    assert score_categories(noisy, asked).value == 1


def test_vocabularies() -> None:
    vectors = WordVectors(("The", "the", "Of"), np.array([[1], [2], [3]], dtype=np.float32))
    lowered = lower_cased(vectors)
    assert lowered.words == ("the", "of") and lowered.values[:, 0].tolist() == [1, 3]
    assert common_words([lowered, vectors_of(of=[1], a=[2])]) == ["of"]


def test_all_vectors_are_scored_on_their_common_words() -> None:
    made = Signature(data="toy", digest="1234", n=3, version="1")
    own = Vectors(name="own", vectors=vectors_of(a=[1, 0], b=[0, 1], c=[1, 1]), signature=made)
    other = Vectors(name="other", vectors=vectors_of(a=[1], b=[2], d=[3]))
    asked = SimilaritySet(name="s", pairs=(("a", "b"), ("a", "c"), ("b", "a")), scores=(1.0, 2.0, 3.0))
    [(stem, table)] = evaluation_tables(
        [own], [other], Sets(similarity=(asked,), analogy=(), categorization=())
    )
    assert stem == "vectors-similarity"
    assert table.columns == ("own", "other", "random")
    assert table.rows[0].name == "s (2 of 3)"
    assert f"own | {made}" in table.notes


# --- command


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command.main(["--device", "cpu", *map(str, args)])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_command(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "text.txt"
    corpus.write_text("\n".join(map(" ".join, WORDS)) + "\n", encoding="utf-8")
    for kind, text in (("similarity", "sister teacher 3\nthe river 1\nfoxes sailors 2\n"),):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "set.txt").write_text(text, encoding="utf-8")
    out = tmp_path / "v.txt"
    options = ["--model", model_folder("gpt2"), "--data", corpus, "--layer", 2, "--format", "json"]
    code, printed, _ = run(
        capsys, *options, "--vectors", out, "--word-sets", tmp_path, "--out", tmp_path / "t"
    )
    assert code == 0
    encoder = load_encoder(str(model_folder("gpt2")), device="cpu", dtype="float32")
    written = read_vectors(out)
    expected = static_vectors(encoder, WORDS, layer=2)
    assert written.words == expected.words
    np.testing.assert_allclose(written.values, expected.values, atol=1e-5)
    [table] = json.loads(printed)
    assert table["columns"] == ["gpt2 2 pca", "random"]
    assert (tmp_path / "t" / "vectors-similarity.md").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to do"),
        (["--vectors", "v.txt", "--layer", "1", "2"], "--vectors is one file"),
        (["--vectors", "v.txt", "--beside", "w.txt"], "--beside goes with --word-sets"),
        (["--word-sets", "."], "a folder with similarity, analogy, categorization"),
        (["--vectors", "v.txt", "--layer", "99"], "layer 99"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    code, out, err = run(capsys, *options)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
