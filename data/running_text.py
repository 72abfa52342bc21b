"""Where white space stands between the words of a sentence: by its ``# text``, else by ``SpaceAfter=No``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["SurfaceToken", "spaces_between"]

_WHITE = re.compile(r"\s*")


@dataclass(frozen=True, kw_only=True)
class SurfaceToken:
    """What stands in the text: a word, or a multiword token with its words.

    Attributes:
        form: As it is written.
        words: The forms of its syntactic words, at least one.
        space_after: Whether MISC lacks ``SpaceAfter=No``.
    """

    form: str
    words: tuple[str, ...]
    space_after: bool


def spaces_between(tokens: Sequence[SurfaceToken], text: str | None) -> tuple[bool, ...] | None:
    """Whether white space follows each word; the last word is followed by none.

    The words of a multiword token follow each other without space if they spell it (``ca n't``), and with one
    if they do not (``de le`` for ``du``): then its text is not made of its words.

    Args:
        tokens: In the order of the text.
        text: The ``# text`` of the sentence, which counts if the forms of the tokens spell it.

    Returns:
        A truth value a word; None where neither the text nor MISC says anything.
    """
    after = None if text is None else _by_text(tokens, text)
    if after is None:
        after = [token.space_after for token in tokens]
        if all(after):
            return None
    spaces: list[bool] = []
    for token, space in zip(tokens, after, strict=True):
        inside = "".join(token.words) != token.form
        spaces += [inside] * (len(token.words) - 1) + [space]
    spaces[-1] = False
    return tuple(spaces)


def _by_text(tokens: Sequence[SurfaceToken], text: str) -> list[bool] | None:
    """Whether the text has white space after each token; None if the tokens do not spell the text."""
    after: list[bool] = []
    at = _end_of_white(text, 0)
    for token in tokens:
        if not text.startswith(token.form, at):
            return None
        end = at + len(token.form)
        at = _end_of_white(text, end)
        after.append(at > end)
    return after if at == len(text) else None


def _end_of_white(text: str, start: int) -> int:
    found = _WHITE.match(text, start)
    assert found is not None
    return found.end()
