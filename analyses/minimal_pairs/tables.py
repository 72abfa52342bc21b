"""The tables of minimal pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.intervals import Interval
from analyses.tables.signature import Signature
from analyses.tables.table import Cell, Row, Table

_CHANCE = 50.0


def pair_tables(document: Mapping[str, Any]) -> list[Table]:
    """Tables of what ``analyses.minimal_pairs --format json`` writes: by phenomenon, and by paradigm."""
    evaluations = document["evaluations"]
    data = evaluations[-1]["signature"]["data"]
    broad = [each for each in evaluations[-1]["accuracies"] if each["level"] != "paradigm"]
    names = [each["name"] for each in sorted(broad, key=lambda each: each["level"] != "overall")]
    rows = [Row(name="chance", kind="baseline", cells=(Cell(_CHANCE),) * len(names))]
    for evaluation in evaluations:
        found = {each["name"]: each for each in evaluation["accuracies"] if each["level"] != "paradigm"}
        rows.append(
            Row(
                name=evaluation["model"],
                kind=_kind(evaluation),
                cells=tuple(_accuracy(found.get(name)) for name in names),
                signature=Signature.from_dict(evaluation["signature"]),
            )
        )
    notes = [
        f"{evaluations[-1]['accuracies'][-1]['pairs']:,} pairs; overall and phenomena: mean over paradigms."
    ]
    if document.get("skipped"):
        notes.append(f"{len(document['skipped']):,} pairs could not be scored.")
    by_phenomenon = Table(
        title=f"Minimal pairs of {data}: accuracy in percent [95% interval]",
        columns=tuple(name.replace("_", " ") for name in names),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return [by_phenomenon, _by_paradigm(evaluations, data)]


def _by_paradigm(evaluations: Sequence[Mapping[str, Any]], data: str) -> Table:
    found = [
        {each["name"]: each for each in evaluation["accuracies"] if each["level"] == "paradigm"}
        for evaluation in evaluations
    ]
    rows = [
        Row(name=name, kind="model", cells=tuple(_accuracy(each.get(name)) for each in found))
        for name in found[-1]
    ]
    return Table(
        title=f"Minimal pairs of {data} by paradigm: accuracy in percent [95% interval]",
        columns=tuple(evaluation["model"] for evaluation in evaluations),
        rows=tuple(rows),
    )


def _kind(evaluation: Mapping[str, Any]) -> Any:
    return "baseline" if "random weights" in evaluation["model"] else "model"


def _accuracy(found: Mapping[str, Any] | None) -> Cell | None:
    return None if found is None else Cell(found["accuracy"], Interval(*found["interval"]))
