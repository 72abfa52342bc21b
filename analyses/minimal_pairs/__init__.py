"""Minimal pairs such as BLiMP (Warstadt et al. 2020)."""

from __future__ import annotations

from analyses.experiment import Experiment, ReportSection, Step
from data.sources import BLIMP

EXPERIMENT = Experiment(
    name="minimal-pairs",
    title="Minimal pairs (BLiMP, Warstadt et al. 2020)",
    module="analyses.minimal_pairs.command",
    command="minimal-pairs",
    steps=(
        Step(
            name="minimal-pairs",
            title="Minimal pairs (BLiMP, Warstadt et al. 2020)",
            command="minimal-pairs",
            needs=(BLIMP,),
            options=lambda run, found, out: [
                *("--data", found[BLIMP.name], *run.options(), "--strict"),
                *([] if run.seeds else ["--no-random-model"]),
                *("--out", out / "minimal-pairs" / "minimal-pairs.json"),
            ],
        ),
    ),
    sections=(
        ReportSection(kind="minimal-pairs", title="minimal pairs", steps=("minimal-pairs",), data=BLIMP),
    ),
)
