"""How hard the fuzzers try, and what no input may do.

``PROBE_FUZZ=100 python -m pytest -m fuzz`` tries a hundred times as many inputs as the suite does.
"""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("PROBE_FUZZ", "1"))
LONGEST_S = 10
MOST_BYTES = 1_000_000_000
HOSTILE = [
    b"", b"\n", b"\xff", b"\0", b"\x1b", b"\r", b'"', b"\t", b"(", b")", b"[" * 3000, b'{"a":' * 3000, b"(" * 3000,
    b"9" * 5000, b"1_0", b"1e400", b"-1", b"NaN", b"Infinity", b"\\ud800", b"\\u0000", b"\\u001b",
    b"null", b"true",
    "\u0663".encode(), "\u2028".encode(), b"../" * 100, b"<text>", b"</sentence>", b"x" * 200_000, b" " * 200_000,
    b"_", b"$T$", b"[MASK]", b"\xef\xbb\xbf", b"1-2", b"0.1", b",", b'"a"b', b"inf", b"0x10", b"{}", b"[]",
]  # fmt: skip
"""What a file may hold in any place."""


def inputs(few: int) -> settings:
    """So many inputs in the suite; the same ones every time, unless there are to be more."""
    return settings(
        max_examples=few * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where the block computes for more than 10 s, or takes beyond 1 GB more memory than was taken before."""
    if os.name != "posix":
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"more than {LONGEST_S} s")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)  # of this process, however busy the machine is
    peak = _peak_bytes()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    assert _peak_bytes() - peak < MOST_BYTES


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1_024 * peak
