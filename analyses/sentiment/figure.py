"""One point a seed: how far the sources of trees differ beside how far their seeds do."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.tables.forms import read_table
from analyses.tables.table import shared_signature
from data.errors import InputError
from probe.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job

SCORES = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
_ROW_INCHES = 0.22


@dataclass(frozen=True, kw_only=True)
class SeedScore:
    """The scores of one seed of one row, in percent.

    Attributes:
        data, protocol, row: which row of which table.
        seed: of the network.
        accuracy, macro_f1: on the test set.
    """

    data: str
    protocol: str
    row: str
    seed: int
    accuracy: float
    macro_f1: float


def write_scores(path: Path, scores: Sequence[SeedScore]) -> None:
    """Write CSV, one line a seed, unrounded; whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(SeedScore)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)


def read_scores(path: Path) -> list[SeedScore]:
    """Read what ``write_scores`` wrote.

    Raises:
        ValueError: a line is of another form; names file and line.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        found = []
        reader = csv.DictReader(file)
        for line in reader:
            try:
                found.append(
                    SeedScore(
                        data=line["data"],
                        protocol=line["protocol"],
                        row=line["row"],
                        seed=int(line["seed"]),
                        accuracy=float(line["accuracy"]),
                        macro_f1=float(line["macro_f1"]),
                    )
                )
            except (KeyError, TypeError, ValueError):
                expected = ", ".join(field.name for field in fields(SeedScore))
                raise ValueError(f"{path}:{reader.line_num}: columns {expected} are expected") from None
    return found


def draw_seeds(job: Job) -> Drawn:
    """The figures of ``probe figures``: a data set and protocol each.

    Raises:
        data.InputError: scores or their table are damaged.
    """
    for path in job.written("sentiment-*-seeds.csv", step="sentiment", command="sentiment"):
        try:
            scores = read_scores(path)
        except ValueError as error:
            raise InputError(str(error)) from error
        table = read_table(path.with_name(path.name.replace("-seeds.csv", ".json")))
        yield path.stem, plot(scores, signature=shared_signature(table))


def plot(scores: Sequence[SeedScore], *, signature: str = "") -> Figure:
    """A panel for accuracy and one for macro-F1, a line a row; dots are seeds, the bar is their mean.

    Args:
        scores: of one data set and one protocol, at least one.
        signature: printed below.

    Raises:
        ValueError: there are no scores, or they are of several data sets or protocols.
    """
    from matplotlib.figure import Figure

    from analyses.pictures.style import TEXT_WIDTH, sign, style

    about = {(score.data, score.protocol) for score in scores}
    if len(about) != 1:
        raise ValueError(f"expected scores of one data set and protocol, found {len(about)}")
    rows = list(dict.fromkeys(score.row for score in scores))
    with style():
        figure = Figure(figsize=(TEXT_WIDTH, 0.9 + _ROW_INCHES * len(rows)))
        panels = figure.subplots(1, len(SCORES), sharey=True)
        for axes, (name, title) in zip(panels, SCORES.items(), strict=True):
            _panel(axes, [[getattr(s, name) for s in scores if s.row == row] for row in rows])
            axes.set_xlabel(f"{title}, percent")
        panels[0].set_yticks(range(len(rows)), rows)
        panels[0].invert_yaxis()
        ((data, protocol),) = about
        figure.suptitle(f"{data}, protocol {protocol}: a dot a seed, a bar their mean", fontsize=8)
        if signature:
            sign(figure, signature)
    return figure


def _panel(axes: Axes, values: Sequence[Sequence[float]]) -> None:
    from analyses.pictures.style import BLACK, BLUE

    for place, row in enumerate(values):
        # Seeds of like value lie a little apart, in their own order, so that all can be counted.
        offsets = [0.5 * (at + 0.5) / len(row) - 0.25 for at in range(len(row))]
        axes.plot(row, [place + offset for offset in offsets], "o", color=BLUE, markersize=3, alpha=0.7)
        axes.plot([sum(row) / len(row)] * 2, [place - 0.35, place + 0.35], color=BLACK, linewidth=1.5)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
