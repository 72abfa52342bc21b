"""The pictures of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analyses.pictures.style import GREY, TEXT_WIDTH, look, style
from bench.page import measured_by, ways
from bench.records import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT = 2.5
_APART = 1.2
"""Ticks of logarithmic axes: each this many times the one before at least."""
_PERTURBS = ("pair", "single", "knockout")


def cost(results: Sequence[Result]) -> Figure:
    """Seconds a sentence by its words, and seconds of a corpus by its sentences; both axes logarithmic."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(TEXT_WIDTH, _HEIGHT), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, kind, x_label, y_label in zip(
            panels,
            ("words", "corpus"),
            ("words of a sentence", "sentences of a corpus"),
            ("processor seconds a sentence", "processor seconds"),
            strict=True,
        ):
            for index, name in enumerate(_PERTURBS):
                found = [one for one in measured_by(kind, results) if name in one["cost"]]
                points = [_point(one, name, kind) for one in found]
                axes.plot([x for x, _ in points], [y for _, y in points], label=name, **look(index))
            axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
            axes.grid(visible=True, which="major")
            _plain_ticks(
                axes, sorted({_point(one, "knockout", kind)[0] for one in results if one["by"] == kind})
            )
        panels[0].legend(loc="upper left")
    return figure


def _point(one: Result, name: str, kind: str) -> tuple[float, float]:
    seconds, sentences = float(one["cost"][name]["processor seconds"]), int(one["sentences"])
    return (one["words"] / sentences, seconds / sentences) if kind == "words" else (float(sentences), seconds)


def _plain_ticks(axes: Any, places: Sequence[float]) -> None:
    """Ticks where something was measured, unless labels would touch, and numbers without powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    apart: list[float] = []
    for place in places:
        if not apart or place >= _APART * apart[-1]:
            apart.append(place)
    axes.xaxis.set_major_locator(FixedLocator(apart))
    axes.xaxis.set_minor_locator(NullLocator())
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(NullFormatter())


def approximations(results: Sequence[Result]) -> Figure:
    """Rank correlation with pairs, with its interval, against seconds as a part of theirs; a panel a model."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    with style():
        figure = Figure(figsize=(TEXT_WIDTH, _HEIGHT), layout="constrained")
        panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
        for axes, result in zip(panels, results, strict=True):
            for index, name in enumerate(ways(result)):
                found = result[name]
                value, (low, high) = found["rank correlation"], found["interval"]
                axes.errorbar(
                    found["of pair"],
                    value,
                    yerr=[[max(value - low, 0)], [max(high - value, 0)]],
                    label=name,
                    capsize=2,
                    **{**look(index), "linestyle": "none"},
                )
            axes.axvline(1, color=GREY, linewidth=0.6, linestyle=":")
            axes.set(xscale="log", xlabel="processor seconds / pair's", title=result["model"])
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.margins(x=0.12)
            axes.grid(visible=True, which="major")
        panels[0].set(ylabel="rank correlation with pair", ylim=(0, 1.05))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


DRAWN = {"cost": cost, "approximations": approximations}
"""By part, what draws its picture from what its commands printed."""
