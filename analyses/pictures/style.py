"""The look of all figures, and how they are written: print-ready, the same bytes every time.

>>> from pathlib import Path
>>> from analyses.pictures.style import COLUMN_WIDTH, look, save, style
>>> from matplotlib.figure import Figure
>>> with style():
...     figure = Figure(figsize=(COLUMN_WIDTH, 2.0))
...     lines = figure.subplots().plot([1, 2, 4], **look(0))
>>> [path.name for path in save(figure, Path("growth"))]
['growth.pdf', 'growth.svg', 'growth.png']

Figures are made without pyplot: no display, no state shared between them.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from analyses.pictures.fonts import families, make_drawable
from probe.files import file_stem, whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FigureFormat: TypeAlias = Literal["pdf", "svg", "png"]
FORMATS: tuple[FigureFormat, ...] = ("pdf", "svg", "png")

COLUMN_WIDTH, TEXT_WIDTH = 3.3, 6.9
"""Inches: a column and the text of a page in two columns."""

DPI = 300

SIGNATURE_SIZE = 6
"""Points."""

BLACK, BLUE, VERMILION, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, GREY = "#CC79A7", "#E69F00", "#56B4E9", "#767676"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, BLACK, ORANGE, SKY)
"""Okabe and Ito (2008, "Color Universal Design") without yellow, which is too pale on white."""
_LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


def look(index: int) -> dict[str, Any]:
    """Colour, line and marker of the ``index``-th series, as options of ``Axes.plot``; they repeat after 7.

    Each of the three tells the series apart without the others.
    """
    place = index % len(PALETTE)
    return {"color": PALETTE[place], "linestyle": _LINES[place], "marker": _MARKERS[place]}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the common look; matplotlib's settings are as before afterwards.

    Text of 7 and 8 points stays readable when a figure is printed at its own size; ``$`` is an ordinary
    character, since words may have it.
    """
    import matplotlib

    rc: dict[Any, Any] = {
        "font.family": list(families()),
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "axes.grid": False,
        "grid.color": "0.88",
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "text.parse_math": False,
    }
    with matplotlib.rc_context(rc):
        yield


def sign(figure: Figure, signature: str) -> None:
    """Put a signature, how to repeat the figure, in small print below its axes; lines are broken to fit."""
    figure.supxlabel(wrapped(signature, figure.get_figwidth()), fontsize=SIGNATURE_SIZE, color=GREY)


def set_height(figure: Figure, axes: float, *, legend: int = 0, signature: str = "") -> None:
    """Make a figure so high that its axes have `axes` inches beside a legend of so many lines and a signature.

    The labels of the axes have two lines of room.
    """
    lines = wrapped(signature, figure.get_figwidth()).count("\n") + 1 if signature else 0
    figure.set_figheight(axes + 0.5 + 0.155 * legend + 0.105 * lines)


def wrapped(text: str, inches: float) -> str:
    """Break a signature between its parts into lines of about this width; only longer parts are broken."""
    letters = max(20, int(72 * inches / (0.58 * SIGNATURE_SIZE)))
    lines: list[str] = []
    for part in text.split(" | "):
        if lines and len(lines[-1]) + len(part) + 3 <= letters:
            lines[-1] += f" | {part}"
        else:
            lines += textwrap.wrap(part, width=letters)
    return "\n".join(lines)


def render(figure: Figure, form: FigureFormat) -> bytes:
    """The figure as a file of this form: the same bytes for the same figure, fonts and matplotlib.

    PDF has its font in it as TrueType (publishers refuse Type 3), SVG has letters as outlines; so has PDF
    where they come from a fallback font. Characters that no installed font has are written as their code
    points, which a warning says. The layout is that of the first time: it is not made again.
    """
    import matplotlib

    make_drawable(figure)
    _settle(figure)
    rc: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "perturbed-probe"}
    dates: dict[FigureFormat, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    content = io.BytesIO()
    with matplotlib.rc_context(rc):
        figure.savefig(content, format=form, dpi=DPI, metadata=dates.get(form, {}))
    return content.getvalue()


def _settle(figure: Figure) -> None:
    """Lay a figure out once: every drawing moves its axes a little, and files would depend on those before."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def save(figure: Figure, stem: Path, *, formats: Sequence[FigureFormat] = FORMATS) -> list[Path]:
    """Write ``stem.pdf``, ``stem.svg`` and ``stem.png``, each whole or not at all; returns the paths.

    Args:
        figure: best drawn inside :func:`style`.
        stem: path without suffix; its folder is made.
        formats: which of ``pdf``, ``svg`` and ``png``.

    Raises:
        OSError: a file cannot be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    contents = []
    for form in formats:
        contents.append(render(figure, form))
    paths = []
    for form, content in zip(formats, contents, strict=True):
        path = stem.with_name(f"{file_stem(stem.name)}.{form}")
        with whole_file(path) as file:
            file.buffer.write(content)
        paths.append(path)
    return paths
