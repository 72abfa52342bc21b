"""Discourse trees, Table 4 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from analyses.experiment import Experiment, ReportSection, Step, same_trees
from data.sources import SCIDTB, SCIDTB_HUMAN

EXPERIMENT = Experiment(
    name="discourse",
    title="Discourse trees (Wu et al. 2020, Table 4)",
    module="analyses.discourse.command",
    command="discourse",
    steps=(
        Step(
            name="discourse",
            title="Table 4: discourse trees, SciDTB",
            command="discourse",
            needs=(SCIDTB,),
            uses=(SCIDTB_HUMAN,),
            options=lambda run, found, out: [
                *("--data", found[SCIDTB.name], *run.options(), "--seeds", run.seeds),
                *(["--human", found[SCIDTB_HUMAN.name]] if SCIDTB_HUMAN.name in found else []),
                *("--out", out / "discourse"),
            ],
        ),
    ),
    sections=(ReportSection(kind="discourse", title="discourse trees", steps=("discourse",), data=SCIDTB),),
    answers=(same_trees,),
)
