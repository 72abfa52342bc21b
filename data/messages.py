"""How messages show what was found in an input: in a few characters, whatever it is."""

import reprlib
from collections.abc import Iterable

__all__ = ["QUOTED", "listed", "quoted"]

QUOTED = 60
"""Characters of an input that a message shows at most."""

_LISTED = 160


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


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = QUOTED
