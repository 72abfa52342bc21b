"""Discourse trees, Table 4 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from analyses.experiment import Experiment, ReportSection, Step, with_seeds
from data.sources import SCIDTB, SCIDTB_HUMAN

EXPERIMENT = Experiment(
    name="discourse",
    title="Discourse trees (Wu et al. 2020, Table 4)",
    module="analyses.discourse.command",
    command="discourse",
    steps=(
        Step(
            "discourse",
            "Table 4: discourse trees, SciDTB",
            command="discourse",
            data={"--data": SCIDTB},
            extras={"--human": SCIDTB_HUMAN},
            options=with_seeds,
        ),
    ),
    sections=(ReportSection(kind="discourse", title="discourse trees", steps=("discourse",), data=SCIDTB),),
)
