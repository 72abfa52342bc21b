"""The order in which a model reads and writes (u-PMLM, Liao et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Settings, Step
from data.sources import PUD

_TEXTS = 50
"""Texts at most: a sentence takes a forward pass for each of its pieces in each order."""
_BLANKS, _WRITTEN = 10, 10
"""Pieces of a text of the model, and such texts of each order at most."""


def _draw(job: Job) -> Drawn:
    from analyses.order.figures import draw_perplexities

    return draw_perplexities(job)


def _perplexity(run: Settings, out: Path) -> Sequence[object]:
    texts = _TEXTS if run.limit is None else min(run.limit, _TEXTS)
    return [*run.options(limit=False), "--limit", texts, "--seeds", min(run.seeds, 1)]


def _generate(run: Settings, out: Path) -> Sequence[object]:
    options = [
        "--length",
        _BLANKS,
        "--limit",
        _WRITTEN if run.limit is None else min(run.limit, _WRITTEN),
        "--top-p",
        0.9,
        "--order",
        "left-to-right",
        "random",
        "confidence",
    ]
    return [*run.options(limit=False), *options, "--seeds", min(run.seeds, 1), "--steps"]


def _figures(run: Settings, out: Path) -> Sequence[object]:
    return ["perplexity", "--results", out / "perplexity", *run.options(limit=False)]


EXPERIMENT = Experiment(
    name="order",
    title="Perplexity by order, and generation (u-PMLM, Liao et al. 2020)",
    module="analyses.order.perplexity_command",
    command="perplexity",
    steps=(
        Step(
            "perplexity",
            "Perplexity by order (u-PMLM, Liao et al. 2020)",
            command="perplexity",
            data={"--data": PUD},
            options=_perplexity,
        ),
        Step(
            "perplexity-figures",
            "Perplexity by the share seen",
            command="figures",
            after=("perplexity",),
            options=_figures,
        ),
        Step(
            "generate",
            "Generation in any order (u-PMLM, Liao et al. 2020)",
            command="generate",
            options=_generate,
        ),
    ),
    figures=(Drawing(name="perplexity", draw=_draw),),
    sections=(
        ReportSection(
            kind="order",
            title="perplexity by order, and texts of the model",
            steps=("perplexity", "perplexity-figures", "generate"),
            data=PUD,
        ),
    ),
)
