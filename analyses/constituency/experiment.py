"""Constituency trees, Table 3 of Wu et al. (ACL 2020), and the bias of their decoders."""

from __future__ import annotations

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Step, with_seeds
from data.sources import WSJ_TREES


def _bias(job: Job) -> Drawn:
    from analyses.constituency.bias_tables import draw_bias

    return draw_bias(job)


EXPERIMENT = Experiment(
    name="constituency",
    title="Constituency trees (Wu et al. 2020, Table 3), and what they owe to their decoders",
    module="analyses.constituency.command",
    command="constituency",
    steps=(
        Step(
            "constituency",
            "Table 3: constituency trees, WSJ sample",
            command="constituency",
            data={"--data": WSJ_TREES},
            options=with_seeds,
        ),
        Step("bias", "What MART's trees owe to MART", command="bias", options=lambda run, out: []),
    ),
    figures=(Drawing(name="bias", draw=_bias),),
    sections=(ReportSection(kind="bias", title="what the trees of a decoder owe to it", steps=("bias",)),),
)
