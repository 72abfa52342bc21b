"""What a run on masked words along trees keeps in ``--out``, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyses.structure.readings import Reading
from probe import __version__
from probe.files import file_stem, whole_file
from probe.fingerprint import weights_sha256, words_sha256
from probe.json_text import parse_json

if TYPE_CHECKING:
    from probe import Probe
    from probe.model import Words
    from probe.patterns import AttentionChoice

_FIELDS = tuple(field.name for field in fields(Reading))


class KeptReadings:
    """Readings of one model on some sentences: read from its file, or made and written.

    Args:
        folder: of the files; None: nothing is kept.
        model: that reads.
        sentences: words of each.
    """

    def __init__(self, folder: Path | None, model: Probe, sentences: Sequence[Words]) -> None:
        self._folder, self._model, self._sentences = folder, model, sentences

    def __call__(
        self, name: str, attentions: Sequence[AttentionChoice], make: Callable[[], Reading]
    ) -> Reading:
        """The reading of this name under these ways to see.

        One that an earlier run wrote of another model, other words or other masks is made again.

        Raises:
            OSError: its file cannot be written.
        """
        if self._folder is None:
            return make()
        path = self._folder / f"{file_stem(name)}.json"
        of = f"{self._about} {_digest(attentions)}"
        if (found := _read(path, of, len(self._sentences))) is not None:
            return found
        made = make()
        if made.is_finite:
            values = {name: getattr(made, name).tolist() for name in _FIELDS}
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                json.dump({"of": of, **values}, file)
        return made

    @cached_property
    def _about(self) -> str:
        model = self._model
        parts = (weights_sha256(model.model), words_sha256(self._sentences), model.device.type, __version__)
        return " ".join(parts)


def _digest(attentions: Sequence[AttentionChoice]) -> str:
    """SHA-256 over the ways to see all sentences."""
    sha = hashlib.sha256()
    for one in attentions:
        sha.update(
            one.encode() if isinstance(one, str) else np.packbits(one).tobytes() + bytes([len(one) % 256])
        )
        sha.update(b"\n")
    return sha.hexdigest()


def _read(path: Path, of: str, sentences: int) -> Reading | None:
    """What an earlier run wrote, if its file is there, whole and of the same."""
    try:
        found = parse_json(path.read_bytes())
        if found["of"] != of:
            return None
        columns = [np.array(found[name], dtype=np.float64) for name in _FIELDS]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Reading(*columns) if all(column.shape == (sentences,) for column in columns) else None
