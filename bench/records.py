"""Measured results, kept as JSON: which command gave them, on what machine, and how long it took."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.parts import Command, shown
from probe.files import whole_file
from probe.json_text import parse_json

Result = dict[str, Any]
"""What a command printed: one JSON object."""
Runner = Callable[[Command], "tuple[list[Result], float]"]
"""Runs a command: its results, and the processor seconds that it took."""


class BenchError(Exception):
    """A command failed, or what was kept cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One command that was run.

    Attributes:
        part: which part of the page it belongs to.
        command: as one types it, without the folders of paths.
        processor_seconds: that it took in all, loading included.
        machine: as ``bench.machine.machine`` gives it.
        results: what it printed.
    """

    part: str
    command: str
    processor_seconds: float
    machine: dict[str, str]
    results: list[Result]


def run_command(command: Command) -> tuple[list[Result], float]:
    """Run a command in a process of its own, with one thread where it does not choose itself.

    Raises:
        BenchError: it fails.
    """
    module, *arguments = command
    started = _seconds_of_children()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )
    if done.returncode:
        raise BenchError(f"{shown(command)} ended with exit code {done.returncode}")
    return results_in(done.stdout), _seconds_of_children() - started


def results_in(printed: str) -> list[Result]:
    """The JSON objects among the lines that a command printed."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(part: str, commands: Sequence[Command], *, run: Runner) -> list[Record]:
    """Run the commands of a part, one after another."""
    records = []
    for place, command in enumerate(commands, start=1):
        print(f"{part}, {place} of {len(commands)}: {shown(command)}", file=sys.stderr, flush=True)
        results, seconds = run(command)
        records.append(
            Record(
                part=part,
                command=shown(command),
                processor_seconds=round(seconds, 1),
                machine=machine(),
                results=results,
            )
        )
    return records


def merged(old: Iterable[Record], new: Sequence[Record]) -> list[Record]:
    """All records; those of a part that is among the new ones stand for the old ones of it."""
    parts = {record.part for record in new}
    return [*(record for record in old if record.part not in parts), *new]


def write(path: Path, records: Sequence[Record]) -> None:
    """Keep records, a line each, so that a change of one of them is seen as such."""
    lines = ",\n".join(json.dumps(asdict(record), ensure_ascii=False) for record in records)
    with whole_file(path) as file:
        file.write(f"[\n{lines}\n]\n")


def _record(found: Any) -> Record:
    record = Record(**found)
    texts = [record.part, record.command, *record.machine, *record.machine.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("part, command and machine are texts")
    if not isinstance(record.processor_seconds, int | float):
        raise TypeError("processor_seconds is a number")
    if not all(isinstance(result, dict) for result in record.results):
        raise TypeError("results are objects")
    return record


def read(path: Path) -> list[Record]:
    """What ``write`` kept.

    Raises:
        BenchError: it is of another form.
        OSError: it cannot be read.
    """
    try:
        found = parse_json(path.read_bytes())
        if not isinstance(found, list):
            raise TypeError("no list")
        return [_record(one) for one in found]
    except (AttributeError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: records of bench.all are expected ({error})") from None
