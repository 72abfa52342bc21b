"""Scores that print with what they were measured on, as those of sacrebleu do (Post, WMT 2018)."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyses.intervals import TOO_FEW, Interval

if TYPE_CHECKING:
    from data import Sentence

_SHOWN_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score in percent with its confidence interval, measured on ``n`` sentences.

    Of fewer than ``analyses.intervals.MIN_UNITS`` there is no interval.
    """

    name: str
    value: float
    interval: Interval | None
    n: int

    def __str__(self) -> str:
        """Name, value and interval with one decimal: ``UAS = 41.7 [40.9, 42.5]``."""
        few = f" ({TOO_FEW})" if self.interval is None else ""
        return f"{self.name} = {self.cell()}{few}"

    def cell(self) -> str:
        """Value and interval with one decimal: ``41.7 [40.9, 42.5]``; without an interval ``41.7``."""
        if self.interval is None:
            return f"{self.value:.1f}"
        return f"{self.value:.1f} [{self.interval.low:.1f}, {self.interval.high:.1f}]"

    def _repr_html_(self) -> str:
        """The line for a notebook."""
        return f"<code>{html.escape(str(self))}</code>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(str(self))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form, unrounded; the interval is a list of two, or None."""
        interval = None if self.interval is None else [self.interval.low, self.interval.high]
        return {"name": self.name, "value": self.value, "interval": interval, "n": self.n}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the figures of a row were made. What does not apply (a baseline has no model) stays None.

    Attributes:
        decoder: of the trees, or the name of the baseline.
        model: its name.
        metric, layer, pool, perturb, adjust: of its impact matrices.
        attention: who sees whom (``probe.patterns``), where something is hidden.
        text: what the model read: ``running`` text, or words with a space between (``spaced``).
        dtype: the type it computes in.
        data: name of what they were measured on, without a folder.
        protocol: under which trees were made and scored.
        biased: whether the decoder prefers a side, so that the figures are not the model's.
        random_weights: seeds of random weights in the place of those of ``model``: 0 to one less than this number.
    """

    decoder: str | None = None
    model: str | None = None
    metric: str | None = None
    layer: int | None = None
    pool: str | None = None
    perturb: str | None = None
    attention: str | None = None
    adjust: str | None = None
    text: str | None = None
    dtype: str | None = None
    data: str | None = None
    protocol: str | None = None
    biased: bool | None = None
    random_weights: int | None = None

    def signed(self) -> dict[str, str | int | None]:
        """What a signature prints of them, in its order."""
        fields = dataclasses.asdict(self)
        for name in ("data", "protocol", "biased", "random_weights"):
            del fields[name]
        if self.attention is None:
            del fields["attention"]
        if self.random_weights is not None:
            fields["model"] = f"{self.model} (random weights, {seeds_text(self.random_weights)})"
        return fields

    def without_layer(self) -> str:
        """What tells a row from others of its layer: ``bert eisner+dist, mean``."""
        model = f"{self.model} random weights" if self.random_weights is not None else self.model
        impacts = impact_text(
            metric=self.metric,
            layer=None,
            pool=self.pool,
            perturb=self.perturb,
            adjust=self.adjust,
            attention=self.attention,
        )
        biased = " (biased)" if self.biased else ""
        return f"{model} {self.decoder}+{impacts}{biased}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form; absent fields are left out."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Settings:
        """The settings of which :meth:`as_dict` gave these fields.

        Raises:
            TypeError, ValueError: they are not those of settings.
        """
        _check_types(cls, fields)
        return cls(**fields)


def impact_text(
    *,
    metric: str | None,
    layer: int | None,
    pool: str | None,
    perturb: str | None,
    adjust: str | None,
    attention: str | None = None,
) -> str:
    """``dist, layer 12, mean``; perturbation, attention and adjustment only where they are not the paper's."""
    own = [perturb if perturb != "pair" else None, attention, adjust if adjust != "none" else None]
    return ", ".join(filter(None, [metric, None if layer is None else f"layer {layer}", pool, *own]))


def seeds_text(count: int) -> str:
    """The seeds of so many runs: ``seed 0`` or ``seeds 0 to 2``."""
    return "seed 0" if count == 1 else f"seeds 0 to {count - 1}"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a score was measured on and how, so that it can be repeated from its line.

    Attributes:
        data: name of the data, without a folder.
        digest: of the sentences scored, see :func:`digest`.
        root: ``gold`` (given) or ``predicted``; None where there is no root.
        punct: ``scored`` or ``unscored``; None where the question does not arise.
        n: number of sentences scored.
        skipped: number of those that could not be probed, which no score covers; None where there is none.
        version: version of this project.
        protocol: name of the protocol.
        settings: how the trees were made.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap and of random trees.
        about: what else is to be said, as it is printed: ``embeddings:glove``.
    """

    data: str
    digest: str
    root: str | None = None
    punct: str | None = None
    n: int
    skipped: int | None = None
    version: str
    protocol: str | None = None
    settings: Settings = Settings()
    resamples: int | None = None
    seed: int | None = None
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The parts in one line."""
        return " | ".join(self.parts())

    def parts(self) -> list[str]:
        """The values of :meth:`fields`."""
        return list(self.fields().values())

    def fields(self) -> dict[str, str]:
        """The parts as they are printed, by name, in a fixed order; absent ones are left out.

        Data with the first digits of the digest, root, punct, n, skipped, version; then protocol, decoder, model,
        metric, layer, pool, perturb, attention, adjust, text, dtype, the bootstrap (bs) with its seed, the rest.
        """
        size = {"root": self.root, "punct": self.punct, "n": self.n, "skipped": self.skipped}
        bootstrap = " ".join(_pairs({"bs": self.resamples, "seed": self.seed}).values())
        return {
            "data": f"{self.data}@{self.digest[:_SHOWN_DIGITS]}…",
            **_pairs(size),
            "version": f"v{self.version}",
            **_pairs({"protocol": self.protocol, **self.settings.signed()}),
            **({"bs": bootstrap} if bootstrap else {}),
            **{part.partition(":")[0]: part for part in self.about},
        }

    def row_settings(self) -> Settings:
        """The settings with data and protocol, for a row of a table."""
        return dataclasses.replace(self.settings, data=self.data, protocol=self.protocol)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form with the full digest; absent fields are left out."""
        fields = dataclasses.asdict(self)
        fields["settings"] = self.settings.as_dict()
        fields["about"] = list(self.about) or None
        return {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Signature:
        """The signature of which :meth:`as_dict` gave these fields.

        Raises:
            TypeError, ValueError: they are not those of a signature.
        """
        settings = Settings.from_dict(fields.get("settings", {}))
        about = tuple(map(str, fields.get("about", ())))
        _check_types(
            cls, {name: value for name, value in fields.items() if name not in ("settings", "about")}
        )
        return cls(**{**fields, "settings": settings, "about": about})


def shared_parts(signatures: Iterable[Signature]) -> str:
    """What signatures have in common: data, protocol, bootstrap, ..."""
    lines = [signature.parts() for signature in signatures]
    return " | ".join(part for part in lines[0] if all(part in line for line in lines)) if lines else ""


def _check_types(kind: type, fields: Mapping[str, Any]) -> None:
    """See that every value is of the type that the dataclass writes for its field: ``str``, ``int | None``."""
    annotations = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    for name, value in fields.items():
        if name not in annotations:
            raise ValueError(f"{kind.__name__.lower()}: unknown field {name!r}")
        if type(value).__name__ not in annotations[name].split(" | "):
            raise TypeError(f"{name}: {annotations[name]} is expected, found {value!r}")


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


def _pairs(fields: dict[str, str | int | None]) -> dict[str, str]:
    """Write the fields that are present as ``key:value``, by key."""
    return {key: f"{key}:{value}" for key, value in fields.items() if value is not None}
