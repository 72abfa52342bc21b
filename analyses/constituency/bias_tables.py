"""Tables, files and the figure of ``analyses.bias``."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.intervals import Interval
from analyses.pictures.style import TEXT_WIDTH, look, save, sign, style
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table, interval_notes
from analyses.tables.text import ROOM, aligned, filled
from analyses.trees.decoders import CONSTITUENT_DECODERS
from probe import __version__
from probe.command_line import UsageError
from probe.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.constituency.bias import Bias, Estimate, Reach
    from analyses.experiment import Drawn, Job

FORMATS = ("table", "json", "csv")

_SPANS = {"fair": "sentence span not counted", "wu2020": "sentence span counted"}


def text(rows: Sequence[Bias], reaches: Sequence[Reach], *, form: str, settings: Mapping[str, object]) -> str:
    """The report in one of the ``FORMATS``; as CSV, the biases alone."""
    if form == "csv":
        return _csv([_flat(row) for row in rows])
    if form == "json":
        biases = [dataclasses.asdict(row) for row in rows]
        reached = [dataclasses.asdict(reach) for reach in reaches]
        return json.dumps({"settings": dict(settings), "bias": biases, "reach": reached}, indent=2) + "\n"
    return _tables(rows, reaches, settings)


def draw_bias(job: Job) -> Drawn:
    """The figure of ``probe figures``: its random matrices are drawn anew."""
    from analyses.constituency.bias import measure_bias

    settings: dict[str, Any] = {"matrices": job.args.random_matrices, "scale": 1.0, "seed": job.args.seed}
    rows = [
        row
        for n in (5, 10, 20, 40)
        for decoder in CONSTITUENT_DECODERS
        for row in measure_bias(decoder, n, **settings)
    ]
    yield "bias", figure(rows, signature=signature(settings))


def check_folder(folder: Path) -> None:
    """Make the folder, and see that there is something to draw with, before anything is computed.

    Raises:
        UsageError: matplotlib is not installed.
        OSError: the folder cannot be made.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("--out: figures need matplotlib: pip install matplotlib") from error
    folder.mkdir(parents=True, exist_ok=True)


def signature(settings: Mapping[str, object]) -> str:
    """How the figure was made: ``matrices``, ``scale`` and ``seed`` of the random matrices."""
    drawn = " ".join(f"{name}:{value}" for name, value in settings.items())
    return f"random impact matrices | {drawn} | v{__version__} | protocol:fair | bs:1000"


def write(
    rows: Sequence[Bias], reaches: Sequence[Reach], folder: Path, *, settings: Mapping[str, object]
) -> None:
    """Write bias.csv, bias.pdf, bias.png, bias.svg and, unless there is none, reach.csv into a folder.

    Args:
        rows: as ``analyses.constituency.bias.measure_bias`` gives them.
        reaches: as ``analyses.constituency.bias.measure_reach`` gives them.
        folder: where to.
        settings: of the random matrices, for the signature of the figure.

    Raises:
        OSError: a file cannot be written.
    """
    tables = {"bias.csv": [_flat(row) for row in rows], "reach.csv": [_flat(reach) for reach in reaches]}
    for name, table in tables.items():
        if table:
            with whole_file(folder / name) as file:
                file.write(_csv(table))
    with style():
        save(figure(rows, signature=signature(settings)), folder / "bias")


def figure(rows: Sequence[Bias], *, signature: str | None = None) -> Figure:
    """Draw right- and left-branching F1 of every decoder, one panel a length, the sentence span not counted.

    Args:
        rows: as ``analyses.constituency.bias.measure_bias`` gives them.
        signature: small print below.
    """
    from matplotlib.figure import Figure

    fair = [row for row in rows if row.protocol == "fair"]
    lengths = sorted({row.n for row in fair})
    decoders = list(dict.fromkeys(row.decoder for row in fair))
    width = min(TEXT_WIDTH, 1.8 + 1.3 * len(lengths))
    drawing = Figure(figsize=(width, 1.0 + 0.25 * len(decoders)), layout="constrained")
    panels = drawing.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    for panel, n in zip(panels, lengths, strict=True):
        own = {row.decoder: row for row in fair if row.n == n}
        _points(panel, [own[decoder].right for decoder in decoders], "right-branching", look(0), -0.12)
        _points(panel, [own[decoder].left for decoder in decoders], "left-branching", look(1), 0.12)
        panel.set(title=f"{n} words", xlim=(-0.03, 1.03), xticks=[0, 0.5, 1], xlabel="F1")
        panel.grid(axis="y")
        panel.set_axisbelow(True)
    panels[0].set_yticks(range(len(decoders)), labels=decoders)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=2)
    if signature is not None:
        sign(drawing, signature)
    return drawing


def _points(
    panel: Axes, estimates: Sequence[Estimate], label: str, own: dict[str, Any], shift: float
) -> None:
    """Draw one estimate a row with its interval."""
    values = [estimate.value for estimate in estimates]
    # A percentile interval need not hold the mean, and a bar has no negative length.
    below = [max(e.value - e.interval.low, 0.0) if e.interval else 0.0 for e in estimates]
    above = [max(e.interval.high - e.value, 0.0) if e.interval else 0.0 for e in estimates]
    places = [place + shift for place in range(len(values))]
    panel.errorbar(values, places, xerr=[below, above], label=label, **own | {"linestyle": ""})


def _flat(row: Bias | Reach) -> dict[str, object]:
    """One level of columns: an estimate gives ``right``, ``right_low`` and ``right_high``."""
    columns: dict[str, object] = {}
    for name, value in dataclasses.asdict(row).items():
        if isinstance(value, dict):
            columns[name] = value["value"]
            ends = value["interval"] or {"low": None, "high": None}
            columns |= {f"{name}_{end}": bound for end, bound in ends.items()}
        else:
            columns[name] = value
    return columns


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same columns as CSV with a header."""
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _tables(rows: Sequence[Bias], reaches: Sequence[Reach], settings: Mapping[str, object]) -> str:
    """The report for a terminal."""
    notes = interval_notes(Cell.measured(row.right.value, row.right.interval) for row in rows)
    parts = ["\n".join(filled(note, ROOM) for note in (_drawn(settings), *notes))]
    for protocol, spans in _SPANS.items():
        lines = [["", "right-branching", "left-branching", "right - left"]]
        own = [row for row in rows if row.protocol == protocol]
        for n, group in groupby(own, key=lambda row: row.n):
            lines.append([f"{n} words", "", "", ""])
            lines += [
                [row.decoder, _cell(row.right), _cell(row.left), _cell(row.difference)] for row in group
            ]
        parts.append(f"Sentence-level F1, {spans}\n{aligned(lines)}")
    if reaches:
        header = ["n", "decoder", "found", "allowed", "all trees"]
        lines = [[str(r.n), r.decoder, str(r.found), str(r.allowed), str(r.trees)] for r in reaches]
        title = "Binary trees found in a search (a lower bound), of the decoder's form, and all"
        parts.append(f"{title}\n{aligned([header, *lines], names=1)}")
    return "\n\n".join(parts) + "\n"


def _cell(estimate: Estimate) -> str:
    return str(Cell(estimate.value, estimate.interval, decimals=2))


def bias_tables(rows: Sequence[Bias], settings: Mapping[str, object]) -> list[tuple[str, Table]]:
    """A table a protocol, F1 in percent, each with the stem of its file names.

    Args:
        rows: as ``analyses.constituency.bias.measure_bias`` gives them.
        settings: of the random matrices.
    """
    return [
        (
            f"bias-{protocol}",
            Table(
                title=f"Decoders on random impact matrices: F1 in percent [95% interval], protocol {protocol}",
                columns=("right-branching", "left-branching", "right - left"),
                rows=tuple(_bias_row(row) for row in rows if row.protocol == protocol),
                notes=(
                    "A decoder that has no preference finds both branchings equally often.",
                    _drawn(settings),
                ),
            ),
        )
        for protocol in dict.fromkeys(row.protocol for row in rows)
    ]


def _bias_row(row: Bias) -> Row:
    def cell(estimate: Estimate) -> Cell:
        found = estimate.interval
        percent = None if found is None else Interval(100 * found.low, 100 * found.high)
        return Cell.measured(100 * estimate.value, percent)

    return Row(
        name=f"{row.decoder}, {row.n} words",
        kind="baseline",
        cells=tuple(map(cell, (row.right, row.left, row.difference))),
        settings=Settings(decoder=row.decoder, protocol=row.protocol),
    )


def _drawn(settings: Mapping[str, object]) -> str:
    drawn = " ".join(f"{name}:{value}" for name, value in settings.items())
    return f"Random impact matrices | {drawn} | 95% bootstrap intervals, bs:1000"
