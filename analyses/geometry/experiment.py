"""How contextual and isotropic states are (Ethayarajh 2019)."""

from __future__ import annotations

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Step
from data.sources import CURVES, STS


def _draw(job: Job) -> Drawn:
    from analyses.geometry.figures import draw_measures

    return draw_measures(job)


EXPERIMENT = Experiment(
    name="geometry",
    title="Geometry of the states (Ethayarajh 2019)",
    module="analyses.geometry.command",
    command="geometry",
    steps=(
        Step(
            "geometry",
            "Geometry of the states (Ethayarajh 2019)",
            command="geometry",
            data={"--data": STS},
            extras={"--curves": CURVES},
            options=lambda run, out: [*run.options(), "--figures"],
        ),
    ),
    figures=(Drawing(name="geometry", draw=_draw),),
    sections=(ReportSection(kind="geometry", title="geometry of the states", steps=("geometry",), data=STS),),
)
