"""How messages show what was found in an input: in a few characters, whatever it is."""

import reprlib
from collections.abc import Iterable

__all__ = ["QUOTED", "listed", "one_line", "quoted"]

QUOTED = 60
"""Characters of an input that a message shows at most."""

_LISTED = 160
_LONGEST, _END = 300, 80
"""Characters of a message, and those of them that are kept of its end, where it is cut."""


def quoted(value: object) -> str:
    """The value as Python writes it; of more than `QUOTED` characters, the first ones and an ellipsis.

    Example:
        >>> quoted("no number"), quoted([1, 2])
        ("'no number'", '[1, 2]')
    """
    if isinstance(value, str):
        return repr(value) if len(value) <= QUOTED else f"{value[:QUOTED]!r}…"
    # reprlib stops at a depth and a length, where repr() would follow a value of any size to its end.
    shown = _SHORT.repr(value)
    return shown if len(shown) <= QUOTED else f"{shown[:QUOTED]}…"


def listed(names: Iterable[str]) -> str:
    """Names separated by commas; of more than 160 characters, the first ones and an ellipsis."""
    text = ""
    for name in names:
        text += f"{', ' if text else ''}{name}"
        if len(text) > _LISTED:
            return f"{text[:_LISTED]}…"
    return text or "none"


def one_line(text: str) -> str:
    """The text as one line that can be printed, of at most some 300 characters: what is longer loses its middle.

    Example:
        >>> one_line("no\\nfile")
        'no\\\\nfile'
    """
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - _END]} … {shown[-_END:]}"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = QUOTED
