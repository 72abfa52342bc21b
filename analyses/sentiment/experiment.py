"""Aspect sentiment with induced trees, Table 5 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, Settings, Step
from data.sources import ABSA


def _draw(job: Job) -> Drawn:
    from analyses.sentiment.figure import draw_seeds

    return draw_seeds(job)


def _options(run: Settings, out: Path) -> Sequence[object]:
    run_folder = out / "sentiment" / "run"
    return ["--table", *run.trees, "--networks", run.networks, "--run", run_folder]


EXPERIMENT = Experiment(
    name="sentiment",
    title="Aspect sentiment with induced trees (Wu et al. 2020, Table 5)",
    module="analyses.sentiment.command",
    command="sentiment",
    steps=(
        Step(
            "sentiment",
            "Table 5: aspect sentiment",
            command="sentiment",
            data={"--data": ABSA},
            options=_options,
        ),
    ),
    figures=(Drawing(name="sentiment", draw=_draw),),
)
