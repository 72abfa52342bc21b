"""Running a command in this process, and inputs for it, for the tests of the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyses.parse import main
from data import parse_conllu

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """What a run of the command returned and wrote."""

    code: object
    out: str
    err: str


Main = Callable[[Sequence[str] | None], int]
"""Of a command."""
Parse = Callable[..., Done]
"""``probe parse`` with a tiny BERT."""


def ran(capsys: pytest.CaptureFixture[str], main: Main, *args: object) -> Done:
    """Run a command in this process; what was written before does not count."""
    capsys.readouterr()
    try:
        code: object = main(list(map(str, args)))
    except SystemExit as ended:
        code = ended.code
    written = capsys.readouterr()
    return Done(code, written.out, written.err)


PLAIN = ("--device", "cpu", "--dtype", "float32")
"""Options of commands that run a model."""


def parse(capsys: pytest.CaptureFixture[str], *args: object) -> Done:
    """Run ``probe parse`` on the CPU in float32."""
    return ran(capsys, main, *PLAIN, *args)


def python(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with this repository on its path."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refused(done: Done, code: int, message: str) -> None:
    """Assert that the command failed as it should: one line of error, after warnings at most, and no output."""
    assert (done.code, done.out) == (code, "")
    *warned, last = done.err.splitlines()
    assert last.startswith("probe parse: error: ") and done.err.endswith("\n")
    assert message in last
    assert all(line.startswith("probe parse: warning: ") for line in warned)


def names(folder: Path) -> list[str]:
    """What a folder holds, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def conllu(*sentences: tuple[str, list[int]]) -> str:
    """CoNLL-U of sentences given as their words and gold heads; full stops are punctuation."""
    blocks = []
    for words, heads in sentences:
        rows = []
        for i, (word, head) in enumerate(zip(words.split(), heads, strict=True), start=1):
            tag, relation = "PUNCT" if word == "." else "NOUN", "dep" if head else "root"
            rows.append(f"{i}\t{word}\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_\n")
        blocks.append("".join(rows) + "\n")
    return "".join(blocks)


def heads_of(text: str) -> list[tuple[int, ...] | None]:
    """Heads in CoNLL-U output."""
    return [sentence.heads for sentence in parse_conllu(text.splitlines(), name="output")]


TOO_LONG = "a " * 60
"""A sentence of more pieces than the window of the tiny BERT."""
GOLD = conllu(
    ("The gardener watered tulips .", [2, 3, 0, 3, 3]),
    ("Nobody slept .", [2, 0, 2]),
    ("Rivers carry sand .", [2, 0, 2, 2]),
)
RICH = """\
# newdoc id = one
# sent_id = a-1
# text = The cats didn't sleep.
# note = kept  as it is
1\tThe\tthe\tDET\tDT\tDefinite=Def\t2\tdet\t2:det\t_
2\tcats\tcat\tNOUN\tNNS\tNumber=Plur\t5\tnsubj\t5:nsubj\t_
3-4\tdidn't\t_\t_\t_\t_\t_\t_\t_\t_
3\tdid\tdo\tAUX\tVBD\t_\t5\taux\t5:aux\t_
4\tn't\tnot\tPART\tRB\t_\t5\tadvmod\t5:advmod\t_
4.1\tever\tever\tADV\tRB\t_\t_\t_\t5:advmod\tCopyOf=-1
5\tsleep\tsleep\tVERB\tVB\t_\t0\troot\t0:root\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t5\tpunct\t5:punct\t_

"""
