"""The dependency protocols: scores by scalar arithmetic, trees by enumeration."""

import itertools
import math
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyses import (
    NO_HEAD,
    baseline_trees,
    decode,
    fair_scores,
    scored_words,
    wu2020_cle_scores,
    wu2020_eisner_scores,
)
from analyses.trees.decoders import BASELINES, DECODERS
from analyses.trees.protocols import decode_sentences
from data import Sentence

VALUES = [[0.0, 2.0, 0.5], [1.5, 0.0, 1.0], [0.25, 3.0, 0.0]]
ON_CLS = [0.75, 1.25, 0.125]


@dataclass(frozen=True)
class Matrix:
    """The least that can be decoded."""

    values: NDArray[np.float64]
    on_cls: NDArray[np.float64]


def random_matrix(n: int, rng: np.random.Generator) -> Matrix:
    """Positive impacts with a zero diagonal."""
    values = rng.uniform(0.1, 3, size=(n, n))
    np.fill_diagonal(values, 0)
    return Matrix(values, rng.uniform(0.1, 3, size=n))


def is_tree(heads: tuple[int, ...]) -> bool:
    """Whether every word reaches ROOT."""
    for word in range(1, len(heads) + 1):
        for _ in heads:
            word = heads[word - 1] if word else 0
        if word:
            return False
    return True


def is_projective(heads: tuple[int, ...]) -> bool:
    """Whether no two arcs cross, ROOT standing left of the words."""
    arcs = [(min(word, head), max(word, head)) for word, head in enumerate(heads, start=1)]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


def trees(n: int) -> list[tuple[int, ...]]:
    """All trees over n words, with any number of roots."""
    return [heads for heads in itertools.product(range(n + 1), repeat=n) if is_tree(heads)]


def wu2020_matrix(values: list[list[float]], on_cls: list[float], root: int) -> list[list[float]]:
    """M of protocols.md as nested lists."""
    n = len(values)
    matrix = [[0.0] * (n + 1) for _ in range(n + 1)]
    for word in range(1, n + 1):
        matrix[0][word] = on_cls[word - 1]
        for other in range(1, n + 1):
            matrix[word][other] = values[word - 1][other - 1]
    matrix[root] = [1.0] + [0.0] * n
    return matrix


@pytest.mark.parametrize("root", [1, 2, 3])
def test_wu2020_eisner_scores_by_hand(root: int) -> None:
    matrix = wu2020_matrix(VALUES, ON_CLS, root)
    largest = max(max(row) for row in matrix)
    scores = wu2020_eisner_scores(VALUES, ON_CLS, root)
    assert scores.shape == (4, 4) and scores.dtype == np.float64
    for dependent in range(4):
        for head in range(4):
            # The division runs along the wrong axis: the sum is that of the head's row.
            row_sum = sum(math.exp(matrix[head][k] - largest) for k in range(4))
            expected = math.exp(matrix[dependent][head] - largest) / row_sum
            assert scores[head, dependent] == pytest.approx(expected, rel=1e-12)


def test_wu2020_eisner_scores_in_figures() -> None:
    # M with root 2: rows (0, .5, .5), (0, 0, 2), (1, 0, 0); the maximum is 2.
    scores = wu2020_eisner_scores([[0, 2], [3, 0]], [0.5, 0.5], 2)
    e = math.exp
    sum_0, sum_1, sum_2 = e(-2) + 2 * e(-1.5), 2 * e(-2) + 1, e(-1) + 2 * e(-2)
    assert scores[0, 1:].tolist() == pytest.approx([e(-2) / sum_0, e(-1) / sum_0])
    assert scores[1, 1:].tolist() == pytest.approx([e(-2) / sum_1, e(-2) / sum_1])
    assert scores[2, 1:].tolist() == pytest.approx([1 / sum_2, e(-2) / sum_2])


@pytest.mark.parametrize("root", [1, 2, 3])
def test_wu2020_cle_scores_by_hand(root: int) -> None:
    scores = wu2020_cle_scores(VALUES, ON_CLS, root)
    matrix = wu2020_matrix(VALUES, ON_CLS, root)
    for dependent, head in itertools.product(range(1, 4), range(4)):
        if matrix[dependent][head] > 0:
            assert scores[head, dependent] == pytest.approx(math.log(matrix[dependent][head]), abs=1e-12)
        else:
            assert scores[head, dependent] < 3 * math.log(0.25)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("seed", range(40))
def test_wu2020_eisner_finds_the_best_projective_tree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, root = random_matrix(4, rng), int(rng.integers(1, 5))
    scores = wu2020_eisner_scores(matrix.values, matrix.on_cls, root)

    def total(heads: tuple[int, ...]) -> float:
        return math.fsum(scores[head, word] for word, head in enumerate(heads, start=1))

    best = max((heads for heads in trees(4) if is_projective(heads)), key=total)
    (found,) = decode([matrix], protocol="wu2020", decoder="eisner", roots=[root])
    assert tuple(found.tolist()) == best


@pytest.mark.parametrize("seed", range(40))
def test_wu2020_cle_maximises_the_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, root = random_matrix(4, rng), int(rng.integers(1, 5))
    # Zeros and very uneven impacts; some matrices have no tree with a positive product.
    matrix.values[rng.random((4, 4)) < 0.4] = 0
    matrix.values[:] *= 10.0 ** rng.integers(-12, 12, size=(4, 4))
    m = wu2020_matrix(matrix.values.tolist(), matrix.on_cls.tolist(), root)

    def product(heads: tuple[int, ...]) -> float:
        return math.prod(m[word][head] for word, head in enumerate(heads, start=1))

    def zeros(heads: tuple[int, ...]) -> int:
        return sum(m[word][head] == 0 for word, head in enumerate(heads, start=1))

    # [CLS] has no impact except on the gold root.
    for word in range(1, 5):
        m[word][0] = 1.0 if word == root else 0.0
    (found,) = decode([matrix], protocol="wu2020", decoder="cle", roots=[root])
    heads = tuple(found.tolist())
    assert is_tree(heads)
    assert product(heads) == pytest.approx(max(map(product, trees(4))), rel=1e-9)
    assert zeros(heads) == min(map(zeros, trees(4)))


def test_a_zero_product_loses_to_any_positive_one() -> None:
    # Heads 0, 1, 2 have the product 1e-600; heads 0, 3, 1 have a zero beside 1e300.
    values = np.array([[0, 0, 0], [1e-300, 0, 1e300], [0, 1e-300, 0]])
    (heads,) = decode([Matrix(values, np.ones(3))], protocol="wu2020", decoder="cle", roots=[1])
    assert heads.tolist() == [0, 1, 2]


@pytest.mark.parametrize("decoder", ["eisner", "cle"])
@pytest.mark.parametrize("root", [None, 3])
def test_fair_finds_the_best_tree_with_one_root(decoder: str, root: int | None) -> None:
    for seed in range(20):
        matrix = random_matrix(4, np.random.default_rng(seed))

        def total(heads: tuple[int, ...], matrix: Matrix = matrix) -> float:
            return math.fsum(
                matrix.values[word - 1, head - 1] if head else 0.0 for word, head in enumerate(heads, start=1)
            )

        allowed = [heads for heads in trees(4) if heads.count(0) == 1]
        if decoder == "eisner":
            allowed = [heads for heads in allowed if is_projective(heads)]
        if root is not None:
            allowed = [heads for heads in allowed if heads[root - 1] == 0]
        roots = None if root is None else [root]
        (found,) = decode([matrix], protocol="fair", decoder=decoder, roots=roots)
        assert tuple(found.tolist()) == max(allowed, key=total)


def test_fair_scores_are_the_transposed_impacts() -> None:
    scores = fair_scores(np.array(VALUES, dtype=np.float32))
    assert scores.dtype == np.float64
    assert scores.tolist() == [
        [0, 0, 0, 0],
        [0, 0, 1.5, 0.25],
        [0, 2, 0, 3],
        [0, 0.5, 1, 0],
    ]


@pytest.mark.parametrize("decoder", DECODERS)
def test_one_word(decoder: str) -> None:
    one = Matrix(np.zeros((1, 1)), np.array([2.0]))
    assert decode([one], protocol="fair", decoder=decoder)[0].tolist() == [0]
    assert decode([one], protocol="wu2020", decoder=decoder, roots=[1])[0].tolist() == [0]


def test_baseline_trees() -> None:
    for name in BASELINES:
        assert baseline_trees([1], protocol="fair", name=name)[0].tolist() == [0]
        assert baseline_trees([1], protocol="wu2020", name=name, roots=[1])[0].tolist() == [0]
    left, right = (
        baseline_trees([4], protocol="wu2020", name=name, roots=[2])[0].tolist()
        for name in ("left-chain", "right-chain")
    )
    assert (left, right) == ([0, 0, 2, 3], [2, 0, 4, NO_HEAD])
    assert baseline_trees([4], protocol="fair", name="right-chain")[0].tolist() == [2, 3, 4, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "wu2020"}, "expected gold roots"),
        ({"protocol": "wu2020", "roots": [1, 1]}, "expected 1 gold roots, one a sentence, found 2"),
        ({"protocol": "wu2020", "roots": [4]}, "matrix 0: expected a gold root from 1 to 3, found 4"),
        ({"protocol": "wu2021"}, "unknown protocol 'wu2021': .*known are wu2020, fair"),
        ({"protocol": "fair", "decoder": "mst"}, "unknown decoder 'mst': .*known are eisner, cle"),
    ],
)
def test_decode_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode([Matrix(np.array(VALUES), np.array(ON_CLS))], **{"decoder": "eisner", **options})


def test_scores_refuse_bad_matrices() -> None:
    with pytest.raises(ValueError, match=r"on_cls \[n\], found \(3, 3\) and \(2,\)"):
        wu2020_cle_scores(VALUES, [1, 2], 1)
    with pytest.raises(ValueError, match="n > 0"):
        fair_scores(np.zeros((0, 0)))
    with pytest.raises(ValueError, match="finite impacts"):
        wu2020_eisner_scores([[0.0, np.nan], [1.0, 0.0]], [1, 1], 1)
    with pytest.raises(ValueError, match="finite on_cls"):
        wu2020_cle_scores([[0, 1], [1, 0]], [np.nan, np.nan], 1)
    with pytest.raises(ValueError, match="impacts >= 0"):
        wu2020_cle_scores([[0, -1], [-1, 0]], [1, 1], 1)


def test_scores_of_impacts_far_apart_are_a_multiple_of_the_formula() -> None:
    """Beyond the range of a double, the published formula gives infinities; computed in 60 digits it does not."""
    values, on_cls = [[0, 1, 1], [900, 0, 902], [1, 3, 0]], [1, 2, 3]
    rows = [[0, *on_cls], [1, 0, 0, 0], *([0, *row] for row in values[1:])]  # the root is word 1
    with localcontext() as context:
        context.prec = 60
        exact = [[(Decimal(x) - 902).exp() for x in row] for row in rows]
        formula = [[exact[a][b] / sum(exact[b]) for b in range(4)] for a in range(4)]
        highest = max(map(max, formula))
        expected = np.array([[float(x / highest) for x in row] for row in formula]).T
    found = wu2020_eisner_scores(values, on_cls, 1)
    assert np.allclose(found, expected, rtol=1e-9, atol=0)


def test_fair_leaves_punctuation_out() -> None:
    words = Sentence(
        id="7",
        words=("Hello", ",", "you"),
        heads=(0, 1, 1),
        upos=("INTJ", "PUNCT", "PRON"),
        where="toy.conllu:1",
    )
    assert scored_words(words, "fair").tolist() == [True, False, True]
    assert scored_words(words, "wu2020").tolist() == [True, True, True]
    for upos in (None, ("INTJ", "_", "PRON")):
        with pytest.raises(ValueError, match=r"toy.conllu:1: sentence 7: expected a UPOS tag for every word"):
            scored_words(replace(words, upos=upos), "fair")


def test_sentences_are_decoded_with_their_gold_roots_where_the_protocol_gives_them() -> None:
    sentences = [Sentence(id="7", words=("a", "b", "c"), heads=(2, 0, 2), where="f:1")]
    matrix = Matrix(np.array(VALUES), np.array(ON_CLS))
    for protocol, root, roots in (("wu2020", None, [2]), ("fair", None, None), ("fair", "gold", [2])):
        (found,) = decode_sentences([matrix], sentences, protocol=protocol, decoder="eisner", root=root)  # type: ignore[arg-type]
        (expected,) = decode([matrix], protocol=protocol, decoder="eisner", roots=roots)  # type: ignore[arg-type]
        assert (found == expected).all()
    broken = Matrix(np.full((3, 3), np.nan), np.array(ON_CLS))
    with pytest.raises(ValueError, match="sentence 7: expected finite impacts"):
        decode_sentences([broken], sentences, protocol="fair", decoder="cle")
