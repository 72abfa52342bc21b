"""What a command keeps in ``--out`` while it runs, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from probe import __version__
from probe.files import file_stem, whole_file
from probe.fingerprint import tokenizer_sha256, weights_sha256
from probe.json_text import parse_json

if TYPE_CHECKING:
    from probe import Probe
    from probe.model import Words
    from probe.source import ImpactSource


class Keepable(Protocol):
    """A value that can be kept in a file."""

    def as_dict(self) -> Mapping[str, Any]:
        """JSON-able form."""

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The inverse of ``as_dict``.

        Raises:
            KeyError, TypeError, ValueError: it is the form of something else.
        """


Value = TypeVar("Value", bound=Keepable)


class KeptResults:
    """What one model gave: each result is read from its file, or made and written.

    Args:
        folder: of the files; None: nothing is kept.
        model: that gave them.
        of: what all of them depend on besides the model: a hash of the input, say.
    """

    def __init__(self, folder: Path | None, model: Probe, of: str) -> None:
        self._folder, self._model, self._of = folder, model, of

    def __call__(self, name: str, kind: type[Value], make: Callable[[], Value], *, of: str = "") -> Value:
        """The result of this name.

        One that an earlier run wrote of another model or another input is made again. One with numbers that are
        not finite is not kept.

        Args:
            name: of its file.
            kind: what it is.
            make: makes it.
            of: what it depends on besides.

        Raises:
            OSError: its file cannot be written.
        """
        if self._folder is None:
            return make()
        path = self._folder / f"{file_stem(name)}.json"
        about = f"{self._about} {of}"
        if (found := _read(path, kind, about)) is not None:
            return found
        made = make()
        try:
            text = json.dumps({"of": about, **made.as_dict()}, allow_nan=False)
        except ValueError:
            return made
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text)
        return made

    @cached_property
    def _about(self) -> str:
        model = self._model
        hashes = weights_sha256(model.model), tokenizer_sha256(model.tokenizer)
        # The window is told by the tokenizer's configuration, which no hash of its pieces has.
        return " ".join((*hashes, str(model.window), model.device.type, __version__, self._of))


def _read(path: Path, kind: type[Value], about: str) -> Value | None:
    """What an earlier run wrote, if its file is there, whole and of the same."""
    try:
        found = parse_json(path.read_bytes())
        return kind.from_dict(found) if found["of"] == about else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kept_impacts(
    out: Path | None, stem: str, model: Probe, sentences: Sequence[Words], **options: Any
) -> ImpactSource:
    """Where impacts come from: a run directory in ``--out``, which is filled first, or the model itself.

    Args:
        out: the folder of the command; None: the model itself.
        stem: of the run directory, ``out/impacts/STEM``.
        model: whose impacts they are.
        sentences: the words of all sentences.
        options: of ``probe.store.Store.fill``.

    Raises:
        probe.store.StoreError: the directory has impacts of another run, or cannot be written.
    """
    from probe.store import Store

    if out is None:
        return model
    return Store.fill(out / "impacts" / file_stem(stem), model, sentences, **options)
