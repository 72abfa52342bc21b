"""The two errors that reading can end in."""

__all__ = ["DataError", "InputError"]


class DataError(ValueError):
    """Malformed content. The message reads ``path:line: what was expected, what was found``."""


class InputError(DataError):
    """Wrong use rather than malformed content: a file that is missing, unreadable or of an unknown kind."""
