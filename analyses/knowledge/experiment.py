"""Facts that a model can fill in (LAMA, Petroni et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Settings, Step
from data.sources import LAMA


def _draw(job: Job) -> Drawn:
    from analyses.knowledge.figures import draw_relations

    return draw_relations(job)


def _one_seed(run: Settings, out: Path) -> Sequence[object]:
    return [*run.options(), "--seeds", min(run.seeds, 1)]


def _figures(run: Settings, out: Path) -> Sequence[object]:
    return ["lama", "--results", out / "knowledge", *run.options(limit=False)]


EXPERIMENT = Experiment(
    name="knowledge",
    title="Facts that a model can fill in (LAMA, Petroni et al. 2019)",
    module="analyses.knowledge.command",
    command="knowledge",
    steps=(
        Step(
            "knowledge",
            "Knowledge (LAMA, Petroni et al. 2019)",
            command="knowledge",
            data={"--data": LAMA},
            options=_one_seed,
        ),
        Step(
            "knowledge-figures",
            "Knowledge by relation",
            command="figures",
            after=("knowledge",),
            options=_figures,
        ),
    ),
    figures=(Drawing(name="lama", draw=_draw),),
    sections=(
        ReportSection(
            kind="knowledge", title="knowledge", steps=("knowledge", "knowledge-figures"), data=LAMA
        ),
    ),
)
