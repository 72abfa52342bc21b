"""The errors of the toolkit; each message is one line that says what to do."""

from __future__ import annotations


class ProbeError(Exception):
    """Base of all errors this package raises on purpose."""


class ModelError(ProbeError):
    """A model that cannot be loaded, or cannot do what is asked of it."""


class OptionError(ProbeError, ValueError):
    """An option with a value that is not known, or that does not go with another."""


class SentenceError(ProbeError, ValueError):
    """A sentence that cannot be probed: no words, a word without pieces, longer than the model's window."""
