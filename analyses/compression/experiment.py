"""What of a model its trees need: width and depth (DynaBERT), maps of layers (TinyBERT), early exit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Settings, Step
from data.sources import BLIMP, PUD, WSJ_TREES

_SENTENCES = 25
"""Of each corpus at most: all models of the grid are measured on them."""


def _draw_exits(job: Job) -> Drawn:
    from analyses.compression.figures import draw_exits

    return draw_exits(job)


def _draw_maps(job: Job) -> Drawn:
    from analyses.compression.figures import draw_maps

    return draw_maps(job)


def _draw_grids(job: Job) -> Drawn:
    from analyses.compression.grid_figure import draw_grids

    return draw_grids(job)


def _exits(run: Settings, out: Path) -> Sequence[object]:
    # Cues of words need a head, which not every model has.
    trees = (
        ["--adjust", "log+offset+symmetric+root+early"] if run.method is None else ["--method", run.method]
    )
    return [*_one_seed(run, out), *trees]


def _grid(run: Settings, out: Path) -> Sequence[object]:
    sentences = _SENTENCES if run.limit is None else min(run.limit, _SENTENCES)
    # The models of all cells are many times the model itself.
    options = [*run.options(limit=False), "--limit", sentences, "--no-models"]
    return [*options, "--seeds", min(1, run.seeds)]


def _one_seed(run: Settings, out: Path) -> Sequence[object]:
    return [*run.options(), "--seeds", min(1, run.seeds)]


EXPERIMENT = Experiment(
    name="compression",
    title="What of a model its trees need (DynaBERT, TinyBERT, DeeBERT)",
    module="analyses.compression.command",
    command="compress",
    steps=(
        Step(
            "early-exit",
            "Early exit: the layer at which trees stop changing, PUD",
            command="early-exit",
            data={"--data": PUD},
            options=_exits,
        ),
        Step(
            "layer-map",
            "Layer maps: which layers are alike, PUD",
            command="layer-map",
            data={"--data": PUD},
            options=_one_seed,
        ),
        Step(
            "compress",
            "Width and depth: what of trees stays in smaller models, PUD",
            command="compress",
            data={"--data": PUD},
            extras={"--trees": WSJ_TREES, "--pairs": BLIMP},
            options=_grid,
        ),
    ),
    figures=(
        Drawing(name="compress", draw=_draw_grids),
        Drawing(name="early-exit", draw=_draw_exits),
        Drawing(name="layer-map", draw=_draw_maps),
    ),
    sections=(
        ReportSection(
            kind="compression",
            title="what of the model its trees need",
            steps=("early-exit", "layer-map"),
            data=PUD,
        ),
    ),
)
