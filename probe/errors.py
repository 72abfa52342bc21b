"""The errors of the toolkit; each message is one line that says what to do."""

from __future__ import annotations

import re
import warnings
from typing import ClassVar

_LONGEST, _END = 300, 80
"""Letters of a message, and those of them that are kept of its end, where it is cut."""
_QUOTED = 60
"""Letters of a value that a message quotes."""
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class ProbeError(Exception):
    """Base of all errors this package raises on purpose."""

    exit_code: ClassVar[int] = 1
    """Of a command that ends with it: 1, some input failed; 2, wrong use."""

    def __str__(self) -> str:
        """One line of a readable length, whatever of the input was quoted."""
        return one_line(super().__str__())


class ModelError(ProbeError):
    """A model that cannot be loaded, or cannot do what is asked of it."""

    exit_code = 2


class OptionError(ProbeError, ValueError):
    """An option with a value that is not known, or that does not go with another."""

    exit_code = 2


class SentenceError(ProbeError, ValueError):
    """A sentence that cannot be probed: no words, a word without pieces, longer than the model's window."""


class ProbeWarning(UserWarning):
    """Something about a model that its figures do not show; a command says it on stderr."""


def warn(message: str) -> None:
    """Say something about a model, once a text."""
    warnings.warn(message, ProbeWarning, stacklevel=3)


def one_line(text: str) -> str:
    """The text as one line of at most some 300 letters: what is longer loses its middle."""
    shown = _BREAKS.sub(lambda found: repr(found[0])[1:-1], text)
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[: _LONGEST - _END]} \u2026 {shown[-_END:]}"


def quoted(value: object) -> str:
    """A value as Python writes it, for a message; of a long text the beginning."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _QUOTED else f"{value[:_QUOTED]!r}\u2026"
    shown = repr(value)
    return shown if len(shown) <= _QUOTED else f"{shown[:_QUOTED]}\u2026"
