"""The one reader of numbers in text: what Python takes beyond plain decimal numbers is refused."""

import math
import re

__all__ = ["DECIMAL", "parse_number"]

DECIMAL = re.compile(r"[0-9eE+.\-]+")
"""The characters of a number. float(), as NumPy, takes underscores, digits of all scripts, inf and nan, too."""

_LONGEST = 400


def parse_number(text: str) -> float | None:
    """Return the finite number that a text spells in ASCII digits, such as ``-1.5e3``; None if there is none.

    Example:
        >>> parse_number("4.75"), parse_number("1_0"), parse_number("nan"), parse_number("1e400")
        (4.75, None, None, None)
    """
    if len(text) > _LONGEST or not DECIMAL.fullmatch(text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
