"""Commands in a fork of this process, for tests of how a process ends: what takes seconds to import is there."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@contextmanager
def forked(command: Callable[[], object], folder: Path, *, err: int | None = None) -> Iterator[BaseProcess]:
    """Run a command in a fork, which is over when the block is; what it prints goes to files in the folder.

    Args:
        command: what it returns is the exit code.
        folder: of the files ``out`` and ``err``.
        err: where errors go instead.
    """

    def child() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell
        for own, name, other in ((1, "out", None), (2, "err", err)):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT) if other is None else other, own)
        sys.stdout, sys.stderr = (os.fdopen(own, "w", encoding="utf-8", closefd=False) for own in (1, 2))
        sys.exit(command())  # type: ignore[arg-type]

    process = get_context("fork").Process(target=child)
    process.start()
    try:
        yield process
        process.join(timeout=300)
        assert process.exitcode is not None, "it goes on"
    finally:
        process.kill()


def printed(folder: Path) -> tuple[str, str]:
    """What a command in a fork wrote to its output and to its errors."""
    out, err = ((folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
    return out, err
