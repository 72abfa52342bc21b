"""How impact matrices become trees: the registries of dependency decoders, constituency decoders and baselines.

A decoder of the user's own is added by ``DECODERS.register(Decoder(...))``, or by an entry point of the group
``perturbed_probe.decoders`` (``perturbed_probe.constituent_decoders`` for constituents); all commands know it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import parsers
from analyses.trees.arc_scores import (
    Floats,
    log_scores,
    plain_scores,
    wu2020_cle_scores,
    wu2020_eisner_scores,
)
from parsers import Bracketing, span_scores
from probe.registry import Registry, check_name

Heads: TypeAlias = NDArray[np.int64]
"""[n], heads of the words 1 to n; 0 = ROOT."""


class DecodeMany(Protocol):
    """Trees of many score matrices, such as ``parsers.eisner_many``."""

    def __call__(
        self,
        matrices: Sequence[ArrayLike],
        roots: Sequence[int | None] | None = None,
        *,
        single_root: bool = True,
    ) -> list[Heads]:
        """Decode ``matrices[k][head, dependent]``, [n + 1, n + 1], into heads [n].

        Args:
            matrices: of any sizes; index 0 is ROOT.
            roots: for each matrix the only child of ROOT, or None; without ``roots`` the decoder finds them.
            single_root: exactly one word attaches to ROOT; if false, at least one does.
        """


@dataclass(frozen=True, kw_only=True)
class PublishedScores:
    """The arc scores that the evaluation of Wu et al. (ACL 2020) gives to a decoder, its gold root known.

    Attributes:
        of_words: values [n, n], on_cls [n] and the gold root -> ``scores[head, dependent]`` [n + 1, n + 1].
        of_edus: impacts of [CLS] and discourse units, M[dependent, head], the root written in -> their scores.
        takes_negative: whether an impact may be below 0.
    """

    of_words: Callable[[ArrayLike, ArrayLike, int], Floats]
    of_edus: Callable[[ArrayLike], Floats]
    takes_negative: bool


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A decoder of dependency trees.

    Attributes:
        name: what it is chosen by.
        projective: whether none of its arcs cross.
        decode: many score matrices -> trees.
        published: its scores under protocol ``wu2020``; None for a decoder that the paper does not have.
    """

    name: str
    projective: bool
    decode: DecodeMany
    published: PublishedScores | None = None


DECODERS: Registry[Decoder] = Registry(
    "decoder",
    [
        Decoder(
            name="eisner",
            projective=True,
            decode=parsers.eisner_many,
            published=PublishedScores(
                of_words=wu2020_eisner_scores, of_edus=plain_scores, takes_negative=True
            ),
        ),
        Decoder(
            name="cle",
            projective=False,
            decode=parsers.chu_liu_edmonds_many,
            published=PublishedScores(of_words=wu2020_cle_scores, of_edus=log_scores, takes_negative=False),
        ),
    ],
    group="perturbed_probe.decoders",
)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Dependency trees that look at no model.

    Attributes:
        name: what it is chosen by.
        tree: number of words, the gold root (1-based) or None, and a generator -> heads [n].
        random: whether the trees are drawn, so that a row shows the mean over several of them.
    """

    name: str
    tree: Callable[[int, int | None, np.random.Generator], Heads]
    random: bool = False


BASELINES: Registry[Baseline] = Registry(
    "baseline",
    [
        Baseline(name="left-chain", tree=lambda n, root, rng: parsers.baselines.left_chain(n, root)),
        Baseline(name="right-chain", tree=lambda n, root, rng: parsers.baselines.right_chain(n, root)),
        Baseline(name="adjacent", tree=lambda n, root, rng: parsers.baselines.adjacent(n, root)),
        Baseline(
            name="random",
            tree=lambda n, root, rng: parsers.baselines.random_projective(n, seed=rng, root=root),
            random=True,
        ),
    ],
)


def tree_maker(name: str) -> str:
    """The name of a decoder or of a baseline, for commands that take both.

    Raises:
        probe.OptionError: it is neither; says the nearest known one.
    """
    return check_name("decoder", name, [*DECODERS, *BASELINES])


@dataclass(frozen=True, kw_only=True)
class ConstituentDecoder:
    """A decoder of binary constituency trees. Whether it prefers a side is measured: ``analyses.bias``.

    Attributes:
        name: what it is chosen by.
        decode: impact matrices [n, n], ``impact[i, j]`` = influence of word j on word i -> trees.
        score: the span score that it maximises, which is chosen on development data; None if it has no choice.
        left_word_rest: whether all its spans are of the form (left (word rest)), as those of the published code.
    """

    name: str
    decode: Callable[[Sequence[Floats]], list[Bracketing]]
    score: str | None = None
    left_word_rest: bool = False


SPAN_SCORES: dict[str, Callable[[ArrayLike], Floats]] = {
    "block": span_scores.block_contrast,
    "neighbour": span_scores.neighbour_contrast,
    "row": span_scores.row_similarity,
}


def _of_span_scores(
    impacts: Sequence[Floats],
    *,
    decode: Callable[[Sequence[Floats]], list[Bracketing]],
    score: Callable[[ArrayLike], Floats],
) -> list[Bracketing]:
    return decode([score(impact) for impact in impacts])


CONSTITUENT_DECODERS: Registry[ConstituentDecoder] = Registry(
    "constituent decoder",
    [
        ConstituentDecoder(
            name="mart-released", decode=partial(parsers.mart_many, variant="released"), left_word_rest=True
        ),
        ConstituentDecoder(name="mart-paper", decode=partial(parsers.mart_many, variant="paper")),
        *(
            ConstituentDecoder(
                name=f"{search}-{name}",
                decode=partial(_of_span_scores, decode=decode, score=score),
                score=name,
            )
            for search, decode in (("chart", parsers.chart_many), ("top-down", parsers.top_down_many))
            for name, score in SPAN_SCORES.items()
        ),
    ],
    group="perturbed_probe.constituent_decoders",
)
