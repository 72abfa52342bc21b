"""A call that is interrupted, as by Ctrl-C, once it was made so many times."""

from collections.abc import Callable
from typing import Any


class Countdown:
    """A function in its place; the call after the last of ``left`` raises KeyboardInterrupt."""

    def __init__(self, call: Callable[..., Any], left: int) -> None:
        self._call, self.left = call, left

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self._call(*args, **named)
