"""Figures of the geometry of models by layer, with the authors' released curves as dotted references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.figure_style import GREY, TEXT_WIDTH, look, sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.geometry_measures import Floats
    from analyses.geometry_tables import Measured
    from data.geometry_curves import GeometryCurves

PANELS = {
    "anisotropy": "anisotropy",
    "self-similarity adjusted": "self-similarity (adjusted)",
    "intra-sentence adjusted": "intra-sentence similarity (adjusted)",
    "MEV matched": "MEV (matched)",
    "explained as released": "variance explained, as released",
}


def plot_geometry(measured: Sequence[Measured], released: Iterable[GeometryCurves] = ()) -> Figure:
    """Draw anisotropy, self-similarity, intra-sentence similarity and MEV by layer, several models in one plot.

    Bands are 95% intervals. Released curves are dotted and grey, with the model's name at their end.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(TEXT_WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(2, 3).flatten()
    for axes, (measure, title) in zip(panels, PANELS.items(), strict=False):
        for index, model in enumerate(measured):
            curve = model.summary.curves[measure]
            layers = np.arange(len(curve.value))
            style = look(index)
            axes.fill_between(layers, curve.low, curve.high, color=style["color"], alpha=0.2, linewidth=0)
            axes.plot(layers, curve.value, label=model.name, **style)
        axes.set(title=title, xlabel="layer (0: embeddings)")
    curves = tuple(released)
    for reference in curves:
        _references(panels, reference)
    legend = panels[len(PANELS)]
    legend.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    legend.legend(
        handles, labels, loc="upper left", title="dotted: published (Ethayarajh 2019)" if curves else None
    )
    for axes in panels[: len(PANELS)]:
        axes.xaxis.get_major_locator().set_params(integer=True)
    sign(figure, "; ".join(model.signature for model in measured))
    return figure


def _references(panels: Sequence[Axes], model: GeometryCurves) -> None:
    values: dict[str, Floats] = {
        "anisotropy": model.anisotropy,
        "self-similarity adjusted": model.self_similarity - model.anisotropy,
        "intra-sentence adjusted": model.intra_sentence - model.anisotropy,
        "explained as released": model.explained,
    }
    for axes, measure in zip(panels, PANELS, strict=False):
        if (found := values.get(measure)) is not None:
            layers = np.arange(len(found))
            axes.plot(layers, found, linestyle=":", color=GREY, linewidth=1)
            axes.annotate(model.model, (layers[-1], found[-1]), fontsize=6, color=GREY)
