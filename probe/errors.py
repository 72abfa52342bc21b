"""The errors of the toolkit; each message is one line that says what to do."""

from __future__ import annotations

import warnings
from typing import ClassVar


class ProbeError(Exception):
    """Base of all errors this package raises on purpose."""

    exit_code: ClassVar[int] = 1
    """Of a command that ends with it: 1, some input failed; 2, wrong use."""


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
