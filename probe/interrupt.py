"""Ctrl-C ends a command within two seconds, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

INTERRUPTED = 130
"""Exit code, as shells have it."""
GRACE_S = 1.5
"""How long a command may take to put its files in order."""


def run_interruptible(prog: str, command: Callable[[], int]) -> int:
    """Run a command and return its exit code; if Ctrl-C comes, the process ends with 130.

    In the background of a shell Ctrl-C is ignored, and stays so.
    """
    watch = _Watch(prog)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, watch.handle)
    try:
        code = command()
    except BaseException:
        if not watch.came:
            raise
        code = 0
    if watch.came:
        watch.end(told=code == INTERRUPTED)
    return code


class _Watch:
    """Whether Ctrl-C came, and what follows."""

    def __init__(self, prog: str) -> None:
        self.prog, self.came = prog, False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, and end the process if that does not.

        A library may swallow the exception while it is imported, and a thread may go on. At the second Ctrl-C
        nothing is waited for.
        """
        if self.came:
            self.end()
        self.came = True
        timer = threading.Timer(GRACE_S, self.end)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    def end(self, *, told: bool = False) -> None:
        """End the process at once: neither a thread nor what is undone at exit is waited for."""
        if not told:
            os.write(2, f"{self.prog}: error: interrupted\n".encode())
        else:
            sys.stderr.flush()
        os._exit(INTERRUPTED)
