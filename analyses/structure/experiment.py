"""Structure put in: what a model predicts along trees (after Syntax-BERT, Bai et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Settings, Step
from data.sources import PUD

_SENTENCES = 50
"""At most: each takes a forward pass a word for each kind of tree and each relation."""


def _draw(job: Job) -> Drawn:
    from analyses.structure.figures import draw_structure

    return draw_structure(job)


def _structure(run: Settings, out: Path) -> Sequence[object]:
    sentences = _SENTENCES if run.limit is None else min(run.limit, _SENTENCES)
    options = [*run.options(limit=False), *run.of_method, "--limit", sentences]
    return [*options, "--seeds", min(run.seeds, 1), "--draws", 2]


def _figures(run: Settings, out: Path) -> Sequence[object]:
    return ["structure", "--results", out / "structure", *run.options(limit=False)]


EXPERIMENT = Experiment(
    name="structure",
    title="Structure put in: masked words along trees (after Syntax-BERT, Bai et al. 2021)",
    module="analyses.structure.command",
    command="structure",
    steps=(
        Step(
            "structure",
            "Masked words along trees (after Syntax-BERT, Bai et al. 2021)",
            command="structure",
            data={"--data": PUD},
            options=_structure,
        ),
        Step(
            "structure-figures",
            "Masked words along trees, by how many words are seen",
            command="figures",
            after=("structure",),
            options=_figures,
        ),
    ),
    figures=(Drawing(name="structure", draw=_draw),),
    sections=(
        ReportSection(
            kind="structure",
            title="masked words along trees",
            steps=("structure", "structure-figures"),
            data=PUD,
        ),
    ),
)
