"""A progress bar on stderr: sentences, passes a second, time left; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm


class Progress:
    """Counts forward passes and sentences; a context manager."""

    def __init__(self, *, sentences: int, passes: int, label: str, quiet: bool) -> None:
        self._bar = tqdm(
            total=passes,
            desc=label,
            unit="pass",
            disable=quiet or not sys.stderr.isatty(),
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format="{desc} {bar} {n_fmt}/{total_fmt} passes, {rate_fmt}, {remaining} left{postfix}",
        )
        self._sentences, self._done = sentences, 0
        self._bar.set_postfix_str(f"0/{sentences} sentences")

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def passes(self, count: int) -> None:
        """Forward passes that were run."""
        self._bar.update(count)

    def sentence(self, expected: int, *, ran: bool) -> None:
        """One more sentence is done; one that could not be run takes its passes off the total."""
        self._done += 1
        if not ran and self._bar.total is not None:
            self._bar.total -= expected
        self._bar.set_postfix_str(f"{self._done}/{self._sentences} sentences", refresh=False)
