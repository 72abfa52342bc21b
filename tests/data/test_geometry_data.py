"""Readers of STS sentences, evaluation sets and the released curves."""

import os
from pathlib import Path

import numpy as np
import pytest

from data import DataError, InputError
from data.geometry_curves import read_geometry_curves
from data.sts import read_sts, split_words
from data.word_sets import Analogy, read_analogies, read_categories, read_similarities


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_words_of_raw_text() -> None:
    assert split_words("We don't know -- do\x12 you\xad?\ufffd") == (
        "We",
        "don't",
        "know",
        "-",
        "-",
        "do",
        "you",
        "?",
    )


def test_each_sentence_once(tmp_path: Path) -> None:
    write(tmp_path / "2012" / "a.tsv", "5\tIt rains.\tIt snows.\n\tIt rains.\tWe left.\n")
    write(tmp_path / "2013" / "b.tsv", "0.8\tWe left.\tAll slept.\n")
    found = list(read_sts(tmp_path))
    assert [" ".join(sentence.words) for sentence in found] == [
        "It rains .",
        "It snows .",
        "We left .",
        "All slept .",
    ]
    assert [sentence.id for sentence in found] == ["1", "2", "3", "4"]
    assert found[-1].where == f"{tmp_path / '2013' / 'b.tsv'}:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5\tIt rains.\n", "found 2 columns"),
        ("6\tIt rains.\tWe left.\n", "a score from 0 to 5"),
        ("5\tIt rains.\t \n", "a sentence with words"),
        ("\n", "no sentences"),
    ],
)
def test_malformed_sts(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "a.tsv", text)
    with pytest.raises(DataError, match=message):
        list(read_sts(path))


def test_similarities(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.txt", "sun\tmoon\t3.5\nsea lake 9\n")
    [found] = read_similarities(path)
    assert (found.name, found.pairs, found.scores) == (
        "pairs",
        (("sun", "moon"), ("sea", "lake")),
        (3.5, 9.0),
    )


@pytest.mark.parametrize("text", ["sun moon\n", "sun moon x\n", "sun moon nan\n", ""])
def test_malformed_similarities(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"pairs\.txt"):
        read_similarities(write(tmp_path / "pairs.txt", text))


def test_analogies(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", ": family\nking queen man woman\n")
    write(tmp_path / "b.csv", ",type,word1,word2,word3,target\n0,JJ,good,better,bad,worse\n")
    first, second = read_analogies(tmp_path)
    assert first.questions == (Analogy("king", "queen", "man", "woman", "family"),)
    assert second.questions == (Analogy("good", "better", "bad", "worse", "JJ"),)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", ": x\na b c\n", "a.txt:2: four words"),
        ("a.txt", ": x\n", "no questions"),
        ("a.csv", "type,word1\nx,y\n", "word2 is missing"),
        ("a.csv", "type,word1,word2,word3,target\nx,a,b,c,\n", "a.csv:2: a text"),
    ],
)
def test_malformed_analogies(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_analogies(write(tmp_path / name, text))


def test_categories_pass_over_rows_without_a_word(tmp_path: Path) -> None:
    [found] = read_categories(write(tmp_path / "c.csv", ",category,word\n0,bird,crow\n1,bird,\n2,tree,oak\n"))
    assert (found.words, found.categories) == (("crow", "oak"), ("bird", "tree"))
    with pytest.raises(DataError, match="no rows"):
        read_categories(write(tmp_path / "c.csv", ",category,word\n"))


def test_curves(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    stats = (
        '{"mean cosine similarity across words": {"layer_0": 0.1, "layer_1": 0.2},'
        ' "mean cosine similarity between sentence and words": {"layer_0": 0.3, "layer_1": 0.4},'
        ' "variance explained for random words": {"layer_0": 0.5, "layer_1": 0.6}}'
    )
    write(folder / "embedding_space_stats.json", stats)
    write(folder / "self_similarity.csv", "word,layer_0,layer_1\na,1.0,0.5\nb,0.5,0.0\n")
    write(folder / "variance_explained.csv", "word,layer_1\na,0.25\nb,0.75\n")
    [found] = read_geometry_curves(tmp_path)
    assert (found.model, found.words) == ("tiny", 2)
    np.testing.assert_allclose(found.self_similarity, [0.75, 0.25])
    np.testing.assert_allclose(found.intra_sentence, [0.3, 0.4])
    np.testing.assert_allclose(found.explained, [np.nan, 0.5])
    write(folder / "self_similarity.csv", "word,layer_0,layer_1\na,1.0,x\n")
    with pytest.raises(DataError, match=r"self_similarity\.csv:2"):
        read_geometry_curves(folder)
    write(folder / "self_similarity.csv", "word,layer_0\na,1.0\n")
    with pytest.raises(DataError, match="embedding_space_stats"):
        read_geometry_curves(folder)
    with pytest.raises(InputError):
        read_geometry_curves(tmp_path / "none")


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_published_counts() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "geometry"
    assert sum(1 for _ in read_sts(folder / "sts")) == 39_404
    assert len(read_similarities(folder / "similarity")) == 13
    analogies = {each.name: len(each.questions) for each in read_analogies(folder / "analogy")}
    assert analogies == {"questions-words": 19_544, "msr": 8_000, "semeval": 10_014}
    assert {each.name: len(each.words) for each in read_categories(folder / "categorization")}["bless"] == 200
    curves = {each.model: each for each in read_geometry_curves(folder / "ethayarajh2019-curves")}
    assert curves["bert"].words == 8_159
    assert curves["bert"].anisotropy[-1] == 0.477
