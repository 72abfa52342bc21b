"""What can be chosen by name: metrics, perturbations, decoders, experiments.

The list of names and what each name does are one object, so a name that is in no registry is refused and
nothing falls through to something else. A package of the user's own adds entries with ``register``, or by an
entry point of the registry's group, which is loaded when the registry is first asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar

from probe.errors import OptionError, quoted


class Named(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """What it is chosen by."""


Entry = TypeVar("Entry", bound=Named)
Name = TypeVar("Name", bound=str)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by their names, in the order in which they were registered.

    Args:
        kind: what the entries are, for messages: "metric".
        entries: those of this project.
        aliases: other names that people try, with the name that each stands for.
        group: of entry points, each of which is an entry.
    """

    def __init__(
        self,
        kind: str,
        entries: Iterable[Entry] = (),
        *,
        aliases: Mapping[str, str] | None = None,
        group: str | None = None,
    ) -> None:
        self.kind, self.group = kind, group
        self._loaded = False
        self._aliases = dict(aliases or {})
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self._add(entry)

    def register(self, entry: Entry) -> Entry:
        """Add an entry and return it; one that is there already, as of an entry point, is there once.

        Raises:
            OptionError: there is another of that name.
        """
        return self._add(entry)

    def resolve(self, name: str) -> str:
        """The name of an entry, also for an alias.

        Raises:
            OptionError: the name is unknown; says the nearest known one.
        """
        self._load()
        name = self._aliases.get(name, name)
        return check_name(self.kind, name, self._entries.keys())

    def __getitem__(self, name: str) -> Entry:
        return self._entries[self.resolve(name)]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries or name in self._aliases

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _add(self, entry: Entry) -> Entry:
        if self._entries.get(entry.name) is entry:
            return entry
        if entry.name in self._entries or entry.name in self._aliases:
            raise OptionError(f"there is a {self.kind} {entry.name!r} already: choose another name")
        self._entries[entry.name] = entry
        return entry

    def _load(self) -> None:
        """Take the entries of installed packages, once."""
        if self._loaded:
            return
        self._loaded = True
        for point in entry_points(group=self.group) if self.group is not None else ():
            self._add(point.load())


def check_name(option: str, name: str, known: Iterable[Name]) -> Name:
    """The name itself, if it is known; of a registry, the name of the entry that an alias stands for.

    Raises:
        OptionError: it is not; suggests the nearest known one.
    """
    if isinstance(known, Registry):
        return known.resolve(name)  # type: ignore[return-value]
    names = list(known)
    for candidate in names:
        if candidate == name:
            return candidate
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise OptionError(f"unknown {option} {quoted(name)}: {hint}known are {', '.join(names)}")
