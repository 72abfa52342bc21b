"""What an experiment is: its data, its command, its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from data.sources import Source


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all steps share.

    ``limit`` is that of the commands: the first N sentences, documents, facts, items; ``seeds`` the number of
    random-weight models, ``networks`` that of the sentiment networks of a row.
    """

    model: str
    limit: int | None = None
    seeds: int = 3
    networks: int = 5
    device: str = "auto"
    dtype: str = "auto"
    quiet: bool = False

    def options(self, *, limit: bool = True) -> list[str]:
        """Options that most commands have."""
        given = ["--model", self.model, "--device", self.device]
        given += ["--limit", str(self.limit)] if limit and self.limit is not None else []
        given += ["--quiet"] if self.quiet else []
        # Each command has a dtype of its own by default.
        return given + (["--dtype", self.dtype] if self.dtype != "auto" else [])


Found: TypeAlias = Mapping[str, Path]
"""Where the data sets are, by name."""


Options: TypeAlias = Callable[[Settings, Found, Path], Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command and what it needs.

    Attributes:
        name: of the folder of its files.
        title: for the page.
        command: that runs it, by its name.
        needs: data sets without which it cannot run.
        uses: data sets that it takes if they are there.
        after: steps whose files it reads; without them it does not run.
        options: its options, from the settings, the data sets and the folder of all steps.
    """

    name: str
    title: str
    command: str
    options: Options
    needs: tuple[Source, ...] = ()
    uses: tuple[Source, ...] = ()
    after: tuple[str, ...] = ()
