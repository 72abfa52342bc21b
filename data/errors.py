"""The two errors that reading can end in."""

from typing import ClassVar

__all__ = ["DataError", "InputError"]


class DataError(ValueError):
    """Malformed content. The message reads ``path:line: what was expected, what was found``."""

    exit_code: ClassVar[int] = 1
    """Of a command that ends with it: 1, some input failed; 2, wrong use."""


class InputError(DataError):
    """Wrong use rather than malformed content: a file that is missing, unreadable or of an unknown kind."""

    exit_code = 2
