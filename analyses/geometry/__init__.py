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
            name="geometry",
            title="Geometry of the states (Ethayarajh 2019)",
            command="geometry",
            needs=(STS,),
            uses=(CURVES,),
            options=lambda run, found, out: [
                *("--data", found[STS.name], *run.options(), "--figures"),
                *(["--curves", found[CURVES.name]] if CURVES.name in found else []),
                *("--out", out / "geometry"),
            ],
        ),
    ),
    figures=(Drawing(name="geometry", draw=_draw),),
    sections=(ReportSection(kind="geometry", title="geometry of the states", steps=("geometry",), data=STS),),
)
