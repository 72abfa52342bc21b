"""The two dependency protocols: from impact matrices to trees.

``wu2020`` repeats the published evaluation of Wu et al. (ACL 2020, section 3), quirks included: the gold root
is given, every word is scored. ``fair`` is what this project stands behind: the root is found by the decoder,
the tree has one root, arcs whose dependent is punctuation are not scored. Scores: ``analyses.scores.evaluation``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from analyses.trees.adjust import AdjustedMatrix
from analyses.trees.arc_scores import Floats, fair_scores
from analyses.trees.decoders import BASELINES, DECODERS, Decoder, Heads, PublishedScores
from data import root as gold_root
from probe.errors import OptionError
from probe.registry import check_name
from probe.spaces import TextName, running, text_of

if TYPE_CHECKING:
    from data import Sentence
    from probe.source import ImpactSource

ProtocolName: TypeAlias = Literal["wu2020", "fair"]
RootName: TypeAlias = Literal["gold", "predicted"]

PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
ROOTS: tuple[RootName, ...] = get_args(RootName)
TEXT_OF: dict[ProtocolName, TextName] = {"wu2020": "spaced", "fair": "running"}
"""What a model is given to read: the published evaluation joins words by a space."""


class Impact(Protocol):
    """What is decoded: an impact matrix such as ``probe.ImpactMatrix``."""

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """Shape [n, n]: influence of word j on word i."""

    @property
    def on_cls(self) -> NDArray[np.floating[Any]]:
        """Shape [n]: influence of word j on the sentence representation."""


def decode(
    matrices: Iterable[Impact],
    *,
    protocol: ProtocolName,
    decoder: str,
    roots: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Heads]:
    """Decode impact matrices into dependency trees.

    Args:
        matrices: one a sentence.
        protocol: ``wu2020`` (gold roots required) or ``fair`` (gold roots optional).
        decoder: a name in ``DECODERS``: ``eisner`` (projective), ``cle`` (any tree), ...
        roots: the gold root of each sentence, 1-based.
        names: of the matrices, for messages; "matrix 0", ... without.

    Returns:
        Heads of each sentence, int64 [n], 1-based, 0 = ROOT.

    Raises:
        ValueError: for an unknown name, a decoder that ``wu2020`` has no scores for, missing roots, another number
            of roots than of matrices, or a matrix that the protocol's scores refuse; then the message names it.
    """
    check_name("protocol", protocol, PROTOCOLS)
    entry = DECODERS[decoder]
    impacts = list(matrices)
    given = _given_roots(roots, len(impacts), protocol)
    scores = []
    for index, (impact, root) in enumerate(zip(impacts, given, strict=True)):
        try:
            scores.append(_arc_scores(impact, entry, protocol, root))
        except ValueError as error:
            name = names[index] if names else f"matrix {index}"
            raise ValueError(f"{name}: {error}") from error
    # Under wu2020 the gold root is written into the scores, and further words may attach to ROOT.
    if protocol == "wu2020":
        return entry.decode(scores, single_root=False)
    return entry.decode(scores, roots)


def baseline_trees(
    lengths: Sequence[int],
    *,
    protocol: ProtocolName,
    name: str,
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
    baseline = BASELINES[name]
    rng = np.random.default_rng(seed)
    given = _given_roots(roots, len(lengths), protocol)
    return [baseline.tree(n, root, rng) for n, root in zip(lengths, given, strict=True)]


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


def published_scores(decoder: Decoder) -> PublishedScores:
    """The scores of a decoder under ``wu2020``.

    Raises:
        OptionError: the paper does not have the decoder.
    """
    if decoder.published is None:
        known = ", ".join(name for name, entry in DECODERS.items() if entry.published is not None)
        raise OptionError(
            f"decoder {decoder.name} has no scores under protocol wu2020, which are those of {known}: use fair"
        )
    return decoder.published


def text_read(
    protocol: ProtocolName, sentences: Iterable[Sentence], source: ImpactSource | None = None
) -> TextName:
    """What a model reads of these sentences under a protocol; a run directory has its own text.

    It is ``running`` only where the running text of a sentence is known.
    """
    from probe.store import Store

    asked = text_asked(protocol, source)
    if isinstance(source, Store) or asked == "spaced":
        return asked
    return text_of(running(one.words, one.spaces) for one in sentences)


def text_asked(protocol: ProtocolName, source: ImpactSource | None = None) -> TextName:
    """What a model reads under a protocol where the running text is known; a run directory has its own text."""
    from probe.store import Store

    return source.text if isinstance(source, Store) else TEXT_OF[protocol]


def is_defined(protocol: ProtocolName, decoder: str, *, negative: bool) -> bool:
    """Whether a dependency decoder has scores under a protocol for impacts that are, or are not, negative.

    The published CLE multiplies impacts.
    """
    if protocol == "fair":
        return True
    published = DECODERS[decoder].published
    return published is not None and (published.takes_negative or not negative)


def _arc_scores(impact: Impact, decoder: Decoder, protocol: ProtocolName, root: int | None) -> Floats:
    """Scores [head, dependent] of one sentence under the protocol."""
    if protocol == "fair" or root is None:
        return fair_scores(impact.values, impact.root if isinstance(impact, AdjustedMatrix) else None)
    return published_scores(decoder).of_words(impact.values, impact.on_cls, root)


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


def gold_roots(sentences: Sequence[Sentence]) -> list[int]:
    """The gold root of each sentence, 1-based.

    Raises:
        data.DataError: if the gold heads of a sentence are no tree with one root.
    """
    return [gold_root(sentence) for sentence in sentences]


def root_of(protocol: ProtocolName) -> RootName:
    """Where the root comes from under a protocol, unless one is asked for."""
    return "gold" if protocol == "wu2020" else "predicted"


def decode_sentences(
    matrices: Iterable[Impact],
    sentences: Sequence[Sentence],
    *,
    protocol: ProtocolName,
    decoder: str,
    root: RootName | None = None,
) -> list[Heads]:
    """As :func:`decode`, with the gold roots of the sentences where ``root`` or the protocol asks for them.

    Raises:
        ValueError: as :func:`decode`; the message names the sentence.
        data.DataError: a gold root is needed and the heads are no tree.
    """
    given = gold_roots(sentences) if (root or root_of(protocol)) == "gold" else None
    names = [f"sentence {sentence.id}" for sentence in sentences]
    return decode(matrices, protocol=protocol, decoder=decoder, roots=given, names=names)
