"""The two dependency protocols: from impact matrices to trees.

``wu2020`` repeats the published evaluation of Wu et al. (ACL 2020, section 3), quirks included: the gold root
is given, every word is scored. ``fair`` is what this project stands behind: the root is found by the decoder,
the tree has one root, arcs whose dependent is punctuation are not scored. Scores: ``analyses.scores.evaluation``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

import parsers
from data import root as root_of
from probe.registry import check_name

if TYPE_CHECKING:
    from data import Sentence

ProtocolName: TypeAlias = Literal["wu2020", "fair"]
DecoderName: TypeAlias = Literal["eisner", "cle"]
BaselineName: TypeAlias = Literal["left-chain", "right-chain", "adjacent", "random"]

PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
DECODERS: tuple[DecoderName, ...] = get_args(DecoderName)
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)

Heads: TypeAlias = NDArray[np.int64]


class Impact(Protocol):
    """What is decoded: an impact matrix such as ``probe.ImpactMatrix``."""

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """Shape [n, n]: influence of word j on word i."""

    @property
    def on_cls(self) -> NDArray[np.floating[Any]]:
        """Shape [n]: influence of word j on the sentence representation."""


def wu2020_eisner_scores(values: ArrayLike, on_cls: ArrayLike, root: int) -> NDArray[np.float64]:
    """Arc scores of the published evaluation for the projective decoder.

    M [n + 1, n + 1] holds [CLS] at index 0, M[dependent, head]; the row of the gold root is 0 except
    M[root, 0] = 1. With E = exp(M - max M), S[a, b] = E[a, b] / (sum of row b of E): the published softmax
    divides along the wrong axis, and so does this one. The scores are meant for Eisner's algorithm with any
    number of roots, which may leave the gold root without the arc from ROOT.

    Args:
        values: [n, n], influence of word j on word i.
        on_cls: [n], influence of word j on the sentence representation.
        root: the gold root, 1-based.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``; times a constant where impacts are so far apart,
        by 700 and more, that they would not be finite.

    Raises:
        ValueError: for bad shapes, values that are not finite, or a root outside the sentence.
    """
    matrix = _rooted(values, on_cls, root)
    matrix -= matrix.max()
    exponentials = np.exp(matrix)
    with np.errstate(all="ignore"):
        scores = np.asarray((exponentials / exponentials.sum(axis=1)).T)
    if np.isfinite(scores).all():
        return scores
    # The exponentials of a whole row are 0. The decoder takes any multiple of the scores for the same.
    highest = matrix.max(axis=1, keepdims=True)
    sums = highest[:, 0] + np.log(np.exp(matrix - highest).sum(axis=1))
    logarithms = matrix - sums
    return np.asarray(np.exp(logarithms - logarithms.max()).T)


def wu2020_cle_scores(values: ArrayLike, on_cls: ArrayLike, root: int) -> NDArray[np.float64]:
    """Arc scores of the published evaluation for the non-projective decoder.

    The published decoder maximises the product of M[dependent, head] over the arcs, with the row of [CLS]
    zeroed and the gold root as in :func:`wu2020_eisner_scores`. Here it is the sum of logarithms. In place of
    log 0 stands n (low - high) + high - 1, where low and high are the smallest and the largest logarithm of a
    positive entry: a tree with one such arc scores below n low, the least that a tree of positive arcs can
    have, so a zero product loses to any positive one, and among zero products fewer zeros win. The scores are
    meant for the maximum spanning arborescence with any number of roots.

    Args:
        values: [n, n], influence of word j on word i, not negative.
        on_cls: [n], influence of word j on the sentence representation.
        root: the gold root, 1-based.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``.

    Raises:
        ValueError: for bad shapes, values that are not finite or negative, or a root outside the sentence.
    """
    matrix = _rooted(values, on_cls, root)
    matrix[0] = 0
    matrix[0, 0] = 1
    np.fill_diagonal(matrix[1:, 1:], 0)
    if (matrix < 0).any():
        raise ValueError(
            f"expected impacts >= 0, since the published CLE multiplies them, found {matrix.min():.6g}"
        )
    positive = matrix > 0
    logarithms = np.log(matrix, where=positive, out=np.zeros_like(matrix))
    low, high = logarithms[positive].min(), logarithms[positive].max()
    logarithms[~positive] = (len(matrix) - 1) * (low - high) + high - 1
    return logarithms.T


def fair_scores(values: ArrayLike) -> NDArray[np.float64]:
    """Arc scores of the ``fair`` protocol: the impacts themselves, transposed.

    No impact says which word is the root ([CLS] is never masked, so its column is 0), and every word's arc from
    ROOT is worth the same: the root is the word whose own arc is missed least. The influence on [CLS] as the
    score of ROOT was worse on a development treebank (``docs/parsing.md``).

    Args:
        values: [n, n], influence of word j on word i.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``; row and column 0 are 0.

    Raises:
        ValueError: for a bad shape or values that are not finite.
    """
    impact = _checked_values(values)
    scores = np.zeros((len(impact) + 1, len(impact) + 1))
    scores[1:, 1:] = impact.T
    return scores


def decode(
    matrices: Iterable[Impact],
    *,
    protocol: ProtocolName,
    decoder: DecoderName,
    roots: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Heads]:
    """Decode impact matrices into dependency trees.

    Args:
        matrices: one a sentence.
        protocol: ``wu2020`` (gold roots required) or ``fair`` (gold roots optional).
        decoder: ``eisner`` (projective) or ``cle`` (any tree).
        roots: the gold root of each sentence, 1-based.
        names: of the matrices, for messages; "matrix 0", ... without.

    Returns:
        Heads of each sentence, int64 [n], 1-based, 0 = ROOT.

    Raises:
        ValueError: for an unknown name, missing roots, another number of roots than of matrices, or a matrix
            that the protocol's scores refuse; then the message names it.
    """
    check_name("protocol", protocol, PROTOCOLS)
    check_name("decoder", decoder, DECODERS)
    many = parsers.eisner_many if decoder == "eisner" else parsers.chu_liu_edmonds_many
    impacts = list(matrices)
    given = _given_roots(roots, len(impacts), protocol)
    scores = []
    for index, (impact, root) in enumerate(zip(impacts, given, strict=True)):
        try:
            scores.append(_arc_scores(impact, decoder, protocol, root))
        except ValueError as error:
            name = names[index] if names else f"matrix {index}"
            raise ValueError(f"{name}: {error}") from error
    # Under wu2020 the gold root is written into the scores, and further words may attach to ROOT.
    if protocol == "wu2020":
        return many(scores, single_root=False)
    return many(scores, roots)


def baseline_trees(
    lengths: Sequence[int],
    *,
    protocol: ProtocolName,
    name: BaselineName,
    roots: Sequence[int] | None = None,
    seed: int | np.random.Generator = 0,
) -> list[Heads]:
    """Trees of a baseline for sentences of these lengths, the roots as in :func:`decode`.

    ``random`` draws uniformly from the projective trees, one a sentence.

    Returns:
        Heads of each sentence, int64 [n], 1-based, 0 = ROOT; -1 where a chain gives a word no head.

    Raises:
        ValueError: for an unknown name, missing roots or another number of roots than of lengths.
    """
    check_name("protocol", protocol, PROTOCOLS)
    check_name("baseline", name, BASELINES)
    rng = np.random.default_rng(seed)
    trees: dict[BaselineName, Callable[[int, int | None], Heads]] = {
        "left-chain": parsers.baselines.left_chain,
        "right-chain": parsers.baselines.right_chain,
        "adjacent": parsers.baselines.adjacent,
        "random": lambda n, root: parsers.baselines.random_projective(n, seed=rng, root=root),
    }
    given = _given_roots(roots, len(lengths), protocol)
    return [trees[name](n, root) for n, root in zip(lengths, given, strict=True)]


def scored_words(sentence: Sentence, protocol: ProtocolName) -> NDArray[np.bool_]:
    """Which dependents are scored, bool [n]: all under ``wu2020``, all but UPOS PUNCT under ``fair``.

    Raises:
        ValueError: for an unknown protocol, or under ``fair`` if a word has no UPOS tag.
    """
    check_name("protocol", protocol, PROTOCOLS)
    if protocol == "wu2020":
        return np.ones(len(sentence.words), dtype=bool)
    if sentence.upos is None or "_" in sentence.upos:
        raise ValueError(
            f"{sentence.where}: sentence {sentence.id}: expected a UPOS tag for every word, "
            f"since protocol fair leaves punctuation out, at least one is missing"
        )
    return np.array([tag != "PUNCT" for tag in sentence.upos], dtype=bool)


def _arc_scores(
    impact: Impact, decoder: DecoderName, protocol: ProtocolName, root: int | None
) -> NDArray[np.float64]:
    """Scores [head, dependent] of one sentence under the protocol."""
    if protocol == "fair" or root is None:
        return fair_scores(impact.values)
    if decoder == "eisner":
        return wu2020_eisner_scores(impact.values, impact.on_cls, root)
    return wu2020_cle_scores(impact.values, impact.on_cls, root)


def _given_roots(roots: Sequence[int] | None, n: int, protocol: ProtocolName) -> Sequence[int | None]:
    """The gold roots, or None for each sentence where the protocol lets the decoder find them."""
    if roots is None:
        if protocol == "wu2020":
            raise ValueError(
                "expected gold roots, since protocol wu2020 gives them to the decoder, found none"
            )
        return [None] * n
    if len(roots) != n:
        raise ValueError(f"expected {n} gold roots, one a sentence, found {len(roots)}")
    return roots


def _rooted(values: ArrayLike, on_cls: ArrayLike, root: int) -> NDArray[np.float64]:
    """M [n + 1, n + 1] of protocol wu2020, M[dependent, head], with the gold root written into it."""
    impact, on_root = _checked(values, on_cls)
    n = len(impact)
    if not 1 <= root <= n:
        raise ValueError(f"expected a gold root from 1 to {n}, found {root}")
    matrix = np.zeros((n + 1, n + 1))
    matrix[1:, 1:] = impact
    matrix[0, 1:] = on_root
    matrix[root] = 0
    matrix[root, 0] = 1
    return matrix


def _checked(values: ArrayLike, on_cls: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert an impact matrix [n, n] and its on_cls [n] to float64, refusing bad shapes and values."""
    impact = _checked_values(values)
    on_root = np.asarray(on_cls, dtype=np.float64)
    if on_root.shape != (len(impact),):
        raise ValueError(f"expected impacts [n, n] and on_cls [n], found {impact.shape} and {on_root.shape}")
    if not np.isfinite(on_root).all():
        raise ValueError(
            "expected a finite on_cls, found NaN or infinity: has the model a [CLS] or <s> token?"
        )
    return impact, on_root


def _checked_values(values: ArrayLike) -> NDArray[np.float64]:
    impact = np.asarray(values, dtype=np.float64)
    n = len(impact) if impact.ndim else 0
    if n == 0 or impact.shape != (n, n):
        raise ValueError(f"expected impacts [n, n] with n > 0, found {impact.shape}")
    if not np.isfinite(impact).all():
        raise ValueError("expected finite impacts, found NaN or infinity")
    return impact


RootName: TypeAlias = Literal["gold", "predicted"]


ROOTS: tuple[RootName, ...] = get_args(RootName)


def gold_roots(sentences: Sequence[Sentence]) -> list[int]:
    """The gold root of each sentence, 1-based.

    Raises:
        data.DataError: if the gold heads of a sentence are no tree with one root.
    """
    return [root_of(sentence) for sentence in sentences]
