"""What docs/benchmarks.md is measured by: the commands of each part, at full size or for a quick look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Command = tuple[str, ...]
"""A module of ``bench`` and its arguments."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is measured.

    Attributes:
        input: treebank or text; None: the bundled sample.
        models: for the engine and the approximations.
        corpus: sentences of STS, for the geometry; None: the bundled sample.
        facts: in the layout of LAMA, for the knowledge, which is left out without them.
        quick: sizes at which everything takes seconds; figures of that size say little.
    """

    input: Path | None = None
    models: Sequence[str] = ("bert",)
    corpus: Path | None = None
    facts: Path | None = None
    quick: bool = False

    @property
    def source(self) -> Command:
        """The option that names the input."""
        return ("--input", str(self.input)) if self.input else ()


def _engine(settings: Settings) -> list[Command]:
    first, *others = settings.models
    base = ("engine", *settings.source, "--model")
    if settings.quick:
        return [(*base, first, "--words", "mix", "--sentences", "2", "--layers", "last", "--repeats", "1")]
    last, pairs = ("--layers", "last"), ("--perturb", "pair")
    found = [
        (*base, first, "--words", "10", "21", "--sentences", "2"),
        (*base, first, "--words", "mix", "--sentences", "4"),
        (*base, first, "--words", "40", "--sentences", "1", *last),
        (*base, first, "--words", "10", "--sentences", "2", *last, *pairs, "--dtype", "float32", "bfloat16"),
    ]
    if others:
        found.append((*base, *others, "--words", "10", "21", "--sentences", "1", *last))
    shapes = ("bert-base", "modernbert-base", "gpt2")
    found.append((*base, *shapes, "--words", "10", "--sentences", "1", *last))
    return found


def _cost(settings: Settings) -> list[Command]:
    base = ("cost", *settings.source, "--model", settings.models[0])
    if settings.quick:
        return [(*base, "--words", "4", "6", "--corpus", "2", "4", "--threads", "1", "--repeats", "1")]
    return [
        (*base, "--words", "5", "10", "20", "30", "40"),
        (*base, "--words", "21", "--threads", "1", "2"),
        (*base, "--words", "10", "--corpus", "10", "100", "1000"),
    ]


def _approximations(settings: Settings) -> list[Command]:
    base = ("approximations", *settings.source, "--model", *settings.models)
    if settings.quick:
        return [(*base, "--words", "3", "5", "--sentences", "2", "--repeats", "1")]
    return [(*base, "--words", "5", "9", "--repeats", "3")]


def _memory(settings: Settings) -> list[Command]:
    if settings.input is None:
        return []
    counts = ("2", "4") if settings.quick else ("10", "100", "1000")
    base = ("memory", *settings.source, "--model", settings.models[0])
    return [(*base, "--perturb", "knockout", "--layer", "2", "--counts", *counts)]


def _geometry(settings: Settings) -> list[Command]:
    source = ("--input", str(settings.corpus)) if settings.corpus else ()
    size = ("6", "--repeats", "1") if settings.quick else ("4000", "--repeats", "5")
    return [("geometry", *source, "--model", settings.models[0], "--sentences", *size)]


def _knowledge(settings: Settings) -> list[Command]:
    if settings.facts is None:
        return []
    size = ("2", "--repeats", "1") if settings.quick else ("100", "--repeats", "5")
    return [("knowledge", "--data", str(settings.facts), "--model", settings.models[0], "--limit", *size)]


def _decoders(settings: Settings) -> list[Command]:
    small = ("--words", "5", "--sentences", "8", "--repeats", "1")
    return [("decoders", *(small if settings.quick else ()))]


PARTS: Mapping[str, Callable[[Settings], list[Command]]] = {
    "engine": _engine,
    "cost": _cost,
    "approximations": _approximations,
    "memory": _memory,
    "geometry": _geometry,
    "knowledge": _knowledge,
    "decoders": _decoders,
}
"""By name, the commands of a part: none where what it needs is not given."""


def shown(command: Command) -> str:
    """A command as one types it; of paths only the names."""
    module, *arguments = command
    names = [Path(each).name if "/" in each else each for each in arguments]
    return " ".join(["python -m", f"bench.{module}", *names])
