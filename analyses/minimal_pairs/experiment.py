"""Minimal pairs such as BLiMP (Warstadt et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Experiment, ReportSection, Settings, Step
from data.sources import BLIMP


def _options(run: Settings, out: Path) -> Sequence[object]:
    return [*run.options(), "--strict", *([] if run.seeds else ["--no-random-model"])]


EXPERIMENT = Experiment(
    name="minimal-pairs",
    title="Minimal pairs (BLiMP, Warstadt et al. 2020)",
    module="analyses.minimal_pairs.command",
    command="minimal-pairs",
    steps=(
        Step(
            "minimal-pairs",
            "Minimal pairs (BLiMP, Warstadt et al. 2020)",
            command="minimal-pairs",
            data={"--data": BLIMP},
            options=_options,
            file="minimal-pairs.json",
        ),
    ),
    sections=(
        ReportSection(kind="minimal-pairs", title="minimal pairs", steps=("minimal-pairs",), data=BLIMP),
    ),
)
