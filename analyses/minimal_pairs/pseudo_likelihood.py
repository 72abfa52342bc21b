"""Pseudo-log-likelihoods of sentences under a masked language model (Salazar et al., ACL 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from probe.masked_likelihood import piece_log_probabilities, readable_pieces

if TYPE_CHECKING:
    from probe import Probe, SentenceError
    from probe.spaces import TextPieces

ScoreName: TypeAlias = Literal["original", "within-word"]
"""Which pieces are hidden while a piece is predicted; see :func:`pseudo_log_likelihoods`."""
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)


def pseudo_log_likelihoods(
    model: Probe,
    sentences: Sequence[str],
    *,
    score: ScoreName = "original",
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> list[float | SentenceError]:
    """Sum of the log-probabilities of a sentence's pieces, each predicted from the others, in nats.

    With ``original`` only the predicted piece is masked (Salazar et al. 2020, Masked Language Model Scoring,
    equation 1). With ``within-word`` the pieces that follow it in its word are masked as well (PLL-word-l2r
    of Kauf and Ivanova 2023, A Better Way to Do Masked Language Model Scoring): otherwise a rare word of many
    pieces scores high, because each piece gives the others away. Words are what stands between
    white space, each mark of punctuation by itself (``probe.spaces.text_words``). Special tokens that the
    tokenizer adds are neither masked nor summed.

    Equal sentences are scored once, and masked copies that are equal, as the two sentences of a minimal pair
    have where they differ in one piece, are one forward pass. The passes hold sentences of one length, so
    nothing is padded.

    Args:
        model: with a masked-LM head.
        sentences: plain text, not split into words.
        score: ``original`` or ``within-word``.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Returns:
        The value of each sentence, or a SentenceError in its place if it has no pieces, holds a special token
        of the model, or is longer than the window.

    Raises:
        ValueError: an unknown score.
        probe.ModelError: the model has no masked-LM head.
    """
    from probe.errors import SentenceError
    from probe.needs import check_fills_masks

    if score not in SCORES:
        raise ValueError(f"expected a score among {', '.join(SCORES)}, found {score!r}")
    check_fills_masks(model, "a pseudo-log-likelihood")
    encoded = [
        found if isinstance(found, SentenceError) else (found.ids.tobytes(), found)
        for found in readable_pieces(model, sentences)
    ]
    distinct = dict(found for found in encoded if not isinstance(found, SentenceError))
    texts = list(distinct.values())
    scored = piece_log_probabilities(
        model,
        texts,
        lambda at: _masked(texts[at], score),
        batch_tokens=batch_tokens,
        on_passes=on_passes,
    )
    values = {key: float(pieces.sum()) for key, pieces in zip(distinct, scored, strict=True)}
    return [found if isinstance(found, SentenceError) else values[found[0]] for found in encoded]


def _masked(text: TextPieces, score: ScoreName) -> NDArray[np.bool_]:
    """What is masked while each piece is predicted: bool [pieces, pieces]."""
    if score == "within-word":
        return np.triu(text.words[:, None] == text.words)
    return np.eye(len(text.words), dtype=bool)
