"""Scores that print with what they were measured on, as those of sacrebleu do (Post, WMT 2018)."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyses.intervals import Interval
from analyses.tables.table import Row, Table

if TYPE_CHECKING:
    from data import Sentence

_SHOWN_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score in percent with its confidence interval, measured on ``n`` sentences."""

    name: str
    value: float
    interval: Interval
    n: int

    def __str__(self) -> str:
        """Name, value and interval with one decimal: ``UAS = 41.7 [40.9, 42.5]``."""
        return f"{self.name} = {self.cell()}"

    def cell(self) -> str:
        """Value and interval with one decimal: ``41.7 [40.9, 42.5]``."""
        return f"{self.value:.1f} [{self.interval.low:.1f}, {self.interval.high:.1f}]"

    def _repr_html_(self) -> str:
        """The line for a notebook."""
        return f"<code>{html.escape(str(self))}</code>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(str(self))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form, unrounded; the interval is a list of two."""
        interval = [self.interval.low, self.interval.high]
        return {"name": self.name, "value": self.value, "interval": interval, "n": self.n}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the scored trees were made. What does not apply (a baseline has no model) stays None."""

    decoder: str | None = None
    model: str | None = None
    metric: str | None = None
    layer: int | None = None
    pool: str | None = None
    perturb: str | None = None
    adjust: str | None = None
    dtype: str | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a score was measured on and how, so that it can be repeated from its line.

    Attributes:
        data: name of the data, without a folder.
        digest: of the sentences scored, see :func:`digest`.
        root: ``gold`` (given) or ``predicted``; None where there is no root.
        punct: ``scored`` or ``unscored``; None where the question does not arise.
        n: number of sentences scored.
        version: version of this project.
        protocol: name of the protocol.
        settings: how the trees were made.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap and of random trees.
    """

    data: str
    digest: str
    root: str | None = None
    punct: str | None = None
    n: int
    version: str
    protocol: str | None = None
    settings: Settings = Settings()
    resamples: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        """Fields in a fixed order, absent ones left out.

        Data with the first digits of the digest, root, punct, n and version; then protocol, decoder, model,
        metric, layer, pool, perturb, adjust, dtype, and the bootstrap (bs) with its seed.
        """
        parts = [f"{self.data}@{self.digest[:_SHOWN_DIGITS]}…"]
        parts += _pairs({"root": self.root, "punct": self.punct, "n": self.n})
        parts.append(f"v{self.version}")
        parts += _pairs({"protocol": self.protocol, **dataclasses.asdict(self.settings)})
        bootstrap = " ".join(_pairs({"bs": self.resamples, "seed": self.seed}))
        return " | ".join([*parts, bootstrap] if bootstrap else parts)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form with the full digest; absent fields are left out."""
        fields = dataclasses.asdict(self)
        fields["settings"] = {key: value for key, value in fields["settings"].items() if value is not None}
        return {key: value for key, value in fields.items() if value is not None}


def score_line(score: Score, signature: Signature) -> str:
    """Join a score and its signature: ``UAS = 41.7 [40.9, 42.5] | pud-wu2020@1f3a… | root:gold | …``."""
    return f"{score} | {signature}"


def digest(sentences: Iterable[Sentence]) -> str:
    """SHA-256, in hexadecimal, over the words and gold heads of the sentences in their order.

    Each sentence enters as one line of JSON, ``[[words], [heads]]`` in ASCII without spaces, so the digest
    depends on no file format, comment or other column. Heads that are absent enter as ``null``.
    """
    sha = hashlib.sha256()
    for sentence in sentences:
        line = json.dumps([sentence.words, sentence.heads], separators=(",", ":"))
        sha.update(line.encode("ascii") + b"\n")
    return sha.hexdigest()


def _pairs(fields: dict[str, str | int | None]) -> list[str]:
    """Write the fields that are present as ``key:value``."""
    return [f"{key}:{value}" for key, value in fields.items() if value is not None]


def settings(row: Row) -> dict[str, str]:
    """The named parts of a row's signature: ``layer``, ``model``, ``decoder``, ... and ``data``."""
    if not row.signatures:
        return {}
    first, *parts = row.signatures[0].split(" | ")
    return {"data": first, **{name: value for name, _, value in (part.partition(":") for part in parts)}}


def shared_signature(table: Table) -> str:
    """What the signatures of all rows have in common: data, protocol, bootstrap, ..."""
    lines = [signature.split(" | ") for row in table.rows for signature in row.signatures]
    return " | ".join(part for part in lines[0] if all(part in line for line in lines)) if lines else ""
