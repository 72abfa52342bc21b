"""What an experiment is: its data, its command, its steps."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from data.sources import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.tables.table import Table


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all steps share.

    ``limit`` is that of the commands: the first N sentences, documents, facts, items; ``seeds`` the number of
    random-weight models, ``networks`` that of the sentiment networks of a row, ``method`` how trees are made.
    """

    model: str
    limit: int | None = None
    seeds: int = 3
    networks: int = 5
    device: str = "auto"
    dtype: str = "auto"
    quiet: bool = False
    method: str | None = None

    @property
    def trees(self) -> list[str]:
        """Options of commands that make trees."""
        return self.options() + self.of_method

    @property
    def of_method(self) -> list[str]:
        """``--method``, where one is chosen."""
        return [] if self.method is None else ["--method", self.method]

    def options(self, *, limit: bool = True) -> list[str]:
        """Options that most commands have."""
        given = ["--model", self.model, "--device", self.device]
        given += ["--limit", str(self.limit)] if limit and self.limit is not None else []
        given += ["--quiet"] if self.quiet else []
        # Each command has a dtype of its own by default.
        return given + (["--dtype", self.dtype] if self.dtype != "auto" else [])


Found: TypeAlias = Mapping[str, Path]
"""Where the data sets are, by name."""


Options: TypeAlias = Callable[[Settings, Path], Sequence[object]]
"""From the settings and the folder of all steps."""


def with_seeds(run: Settings, out: Path) -> Sequence[object]:
    """The options of a command of trees, which has rows of random weights."""
    return [*run.trees, "--seeds", run.seeds]


@dataclass(frozen=True)
class Step:
    """A command and what it needs.

    Attributes:
        name: of the folder of its files.
        title: for the page.
        command: that runs it, by its name.
        options: its options but those of data sets and ``--out``.
        data: data sets without which it cannot run, by the option that names their place.
        extras: data sets that it takes if they are there, likewise.
        after: steps whose files it reads; without them it does not run.
        file: of its folder, where its ``--out`` is a file.
    """

    name: str
    title: str
    _: KW_ONLY
    command: str
    options: Options
    after: tuple[str, ...] = ()
    data: Mapping[str, Source] = field(default_factory=dict)
    extras: Mapping[str, Source] = field(default_factory=dict)
    file: str = ""

    @property
    def needs(self) -> tuple[Source, ...]:
        """The data sets without which it cannot run."""
        return tuple(self.data.values())

    @property
    def uses(self) -> tuple[Source, ...]:
        """The data sets that it takes if they are there."""
        return tuple(self.extras.values())

    def arguments(self, settings: Settings, found: Found, out: Path) -> list[str]:
        """All that stands behind the command's name.

        Args:
            settings: of all steps.
            found: where the data sets are.
            out: folder of all steps.
        """
        arguments: list[object] = []
        for option, source in self.data.items():
            arguments += [option, found[source.name]]
        arguments += self.options(settings, out)
        for option, source in self.extras.items():
            arguments += [option, found[source.name]] if source.name in found else []
        return [*map(str, arguments), "--out", str(out / self.name / self.file)]


class Job(Protocol):
    """What a figure is drawn from: the options of ``probe figures``, and the tables of ``--results``."""

    args: argparse.Namespace
    """Options of the command."""

    some_failed: bool
    """To be set where some of the input could not be used."""

    @property
    def treebank(self) -> Path | None:
        """The file of the treebank; None for the bundled sample."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of ``--layer``."""

    def once(self, name: str, make: Callable[[Job], dict[str, Table]]) -> dict[str, Table]:
        """What several figures of a run are drawn from: made when the first of them asks."""

    def found(self, pattern: str, *, step: str) -> list[Path]:
        """Files of ``--results``, none where it is not given; in the folder of reproduce those of a step."""

    def written(self, pattern: str, *, step: str, command: str) -> list[Path]:
        """The same; refused where there is none, with the command that makes such files."""


Drawn: TypeAlias = "Iterator[tuple[str, Figure]]"
"""File names without suffix, and figures."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure of ``probe figures``: its name, and what draws it."""

    name: str
    draw: Callable[[Job], Drawn]


@dataclass(frozen=True, kw_only=True)
class ReportSection:
    """A section of the report that steps make.

    Attributes:
        kind: its name for ``--parts``.
        title: behind the name of the data.
        steps: of the experiment, by name.
        data: the data set that it is made of, PUD for any treebank in CoNLL-U; None for data of the report's own.
        endings: of the names of files that are such data, where the report does not know them yet.
        allowed: whether data at this path allow it, where not all of their kind do.
    """

    kind: str
    title: str
    steps: tuple[str, ...]
    data: Source | None = None
    endings: tuple[str, ...] = ()
    allowed: Callable[[Path], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """All that one experiment brings: reproduce, figures, report and docs are made of these.

    Attributes:
        name: what it is called by.
        title: what it asks, with its source.
        module: that has ``build_parser()`` and ``run(args)``, which returns an ``analyses.tables.results.Ran``.
        command: that starts the module: ``probe COMMAND``.
        steps: of ``probe reproduce``, in their order.
        figures: of ``probe figures``.
        sections: of the report.
    """

    name: str
    title: str
    module: str
    command: str
    steps: tuple[Step, ...] = ()
    figures: tuple[Drawing, ...] = ()
    sections: tuple[ReportSection, ...] = ()

    @property
    def needs(self) -> tuple[Source, ...]:
        """The data sets of its steps."""
        return tuple(dict.fromkeys(source for step in self.steps for source in (*step.needs, *step.uses)))
