"""Which words see which: patterns of attention by name, and matrices over words, as masks over pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError, SentenceError, quoted
from probe.registry import check_name
from probe.structure import Structure, is_structure

if TYPE_CHECKING:
    from probe.model import Probe

FULL = "full"
"""Every position sees every other, but for what the model itself hides."""
CAUSAL = "causal"
"""Every position sees itself and those before it."""
GIVEN = "given"
"""What a matrix of the caller's own is called in settings."""

PATTERNS = (FULL, CAUSAL, "prefix:N")
"""Names of patterns. Under ``prefix:N`` the first N words and the special tokens before them see each other, later
positions see themselves and those before them (UniLM, Dong et al. 2019, section 2.2; GLM, Du et al. 2022)."""

Mask: TypeAlias = NDArray[np.bool_]
AttentionChoice: TypeAlias = "str | Mask"
"""A pattern, or for one sentence of n words bool [n, n]: whether word i (row) sees word j (column)."""
AttentionsChoice: TypeAlias = "str | Structure | Iterable[Mask]"
"""A pattern for all sentences, or a tree or a matrix for each."""

_PREFIX = re.compile(r"prefix:([1-9][0-9]{0,5})")


def attention_name(name: str) -> str:
    """The pattern itself, or what a ``Structure`` is called, if there is such a one.

    Raises:
        OptionError: there is not; says which there are.
    """
    if _PREFIX.fullmatch(name) or is_structure(name):
        return name
    if name == PATTERNS[-1] or name.partition(":")[0] == "prefix":
        raise OptionError(
            f"attention prefix:N: a number of words from 1 is expected for N, found {quoted(name)}"
        )
    return check_name("attention", name, PATTERNS)


def is_pattern(name: str) -> bool:
    """Whether settings that say this mean a pattern, not masks that each sentence has of its own."""
    return name != GIVEN and not is_structure(name)


def setting_of(attention: object) -> str:
    """What settings say of a pattern, or of a tree or a matrix for each sentence.

    Raises:
        OptionError: there is no such pattern.
    """
    if isinstance(attention, Structure):
        return attention.name
    return attention_name(attention) if isinstance(attention, str) else GIVEN


def asked_of(model: Probe, attention: AttentionsChoice) -> AttentionsChoice:
    """What a model is asked for: nothing, where it is causal anyway.

    Raises:
        OptionError: a name of trees, which only a run directory can be asked for.
    """
    if isinstance(attention, str) and is_structure(attention):
        raise OptionError(f"attention {attention}: the trees themselves are expected, not their name")
    return (
        FULL if isinstance(attention, str) and attention == CAUSAL and model.attention.causal else attention
    )


def seen_by(attention: AttentionChoice, ends: NDArray[np.int64], length: int) -> Mask | None:
    """Which positions each one attends to: bool [length, length], query by key; None: all of them.

    Under a matrix, the pieces of a word see each other and what the word sees. Special tokens see each other only,
    and are seen by all, so that nothing passes between words through them.

    Args:
        attention: a pattern that :func:`attention_name` knows, or bool [n, n].
        ends: int64 [n + 1], where the first of n words begins, then where each one ends.
        length: number of pieces, special tokens included.

    Raises:
        SentenceError: the matrix is not one of this sentence, or a word does not see itself.
    """
    if not isinstance(attention, str):
        return _of_words(np.asarray(attention), np.diff(ends), int(ends[0]), length)
    if attention == FULL:
        return None
    prefix = _PREFIX.fullmatch(attention)
    inside = np.arange(length) < (ends[min(int(prefix[1]), len(ends) - 1)] if prefix else 0)
    return np.tri(length, dtype=bool) | (inside[:, None] & inside)


def _of_words(sees: Mask, sizes: NDArray[np.int64], first: int, length: int) -> Mask:
    n = len(sizes)
    if sees.dtype != np.bool_ or sees.shape != (n, n):
        raise SentenceError(
            f"attention: bool {[n, n]} is expected for {n} words, found {sees.dtype} {list(sees.shape)}"
        )
    if blind := np.flatnonzero(~np.diagonal(sees)).tolist():
        raise SentenceError(f"attention: word {blind[0] + 1} does not see itself")
    word = np.full(length, -1)
    word[first : first + sizes.sum()] = np.repeat(np.arange(n), sizes)
    special = word < 0
    found: Mask = sees[word[:, None], word]
    found[special] = special
    found[:, special] = True
    return found


def reach(sees: Mask) -> Mask:
    """Which positions can move the state of each one through any number of layers: bool [length, length]."""
    found = sees | np.eye(len(sees), dtype=bool)
    while True:
        further = found.astype(np.float32) @ found.astype(np.float32) > 0
        if (further == found).all():
            return found
        found = further
