"""Small inputs of ``probe sentiment``, and its command line on them."""

from pathlib import Path

from data.absa import AspectItem
from tests.command import Done

SMALL = (
    "--hidden",
    "4",
    "--epochs",
    "1",
    "--networks",
    "2",
    "--device",
    "cpu",
    "--dtype",
    "float32",
    "--quiet",
)


def short_items(count: int) -> list[AspectItem]:
    """Sentences of five words, which the window of the tiny models takes."""
    things, opinions = ("screen", "lid", "fan"), {"solid": 1, "dim": -1, "new": 0}
    kinds = [(thing, word) for thing in things for word in opinions]
    return [
        AspectItem(words=("The", thing, verb, word, "."), aspect=(1, 2), polarity=opinions[word])
        for verb in ("is", "was")
        for thing, word in kinds
    ][:count]


def to_seg(items: list[AspectItem]) -> str:
    lines = []
    for item in items:
        start, end = item.aspect
        lines += [" ".join([*item.words[:start], "$T$", *item.words[end:]]), item.term, str(item.polarity)]
    return "\n".join(lines) + "\n"


def options(folder: Path, *args: object, files: bool = True, vectors: bool = True) -> list[str]:
    """A command line; what is given stands last, and so above all."""
    found: list[object] = [*SMALL, "--run", folder / "run"]
    if files:
        found += ["--train", folder / "train.seg", "--test", folder / "test.seg"]
    if vectors:
        found += ["--embeddings", folder / "vectors.txt"]
    return [str(value) for value in (*found, *args)]


def refused(done: Done, code: int, message: str) -> None:
    """Assert that a run ended with one line of an error."""
    assert (done.code, done.out) == (code, "")
    assert (
        done.err.startswith("probe sentiment: error: ") and message in done.err and done.err.count("\n") == 1
    )
