"""Dependency trees, Tables 1 and 2 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import (
    Drawing,
    Drawn,
    Experiment,
    Job,
    ReportSection,
    Settings,
    Step,
    with_seeds,
)
from analyses.trees.adjust import needs_openness
from analyses.trees.methods import METHODS
from data.sources import PUD, WSJ_HEADS


def _by_layer(job: Job) -> Drawn:
    from analyses.dependency.drawings import draw_by_layer

    return draw_by_layer(job)


def _by_distance(job: Job) -> Drawn:
    from analyses.dependency.drawings import draw_by_distance

    return draw_by_distance(job)


def _by_relation(job: Job) -> Drawn:
    from analyses.dependency.drawings import draw_by_relation

    return draw_by_relation(job)


def _one_sentence(run: Settings, out: Path) -> Sequence[object]:
    return ["heatmap", "tree", "arcs", *run.options(limit=False), *run.of_method]


def _with_breakdowns(run: Settings, out: Path) -> Sequence[object]:
    return ["--by", "relation", "length", "sentence-length", *with_seeds(run, out)]


def _all_layers(run: Settings, out: Path) -> Sequence[object]:
    return [*_impacts(run), "--layer", "all", *run.options()]


def _impacts(run: Settings) -> Sequence[object]:
    """What ``probe run`` keeps for the trees of the method."""
    if run.method is None:
        return ["--metric", "dist"]
    method = METHODS[run.method]
    return [
        *("--metric", method.metric, "--pool", method.pool, "--perturb", method.perturb),
        *(["--openness"] if needs_openness(method.adjust) else []),
    ]


def _by_all_layers(run: Settings, out: Path) -> Sequence[object]:
    return [
        *("--matrices", out / "matrices", "--layer", "all"),
        *("--protocol", "fair", "--decoder", "eisner", "--by", "length", "relation", *run.of_method),
        *([] if run.limit is None else ["--limit", run.limit]),
        *(["--quiet"] if run.quiet else []),
    ]


def _curves(run: Settings, out: Path) -> Sequence[object]:
    drawn = ["uas-by-layer", "accuracy-by-distance", "recall-by-relation"]
    return [*drawn, "--results", out / "layers", *run.options(limit=False), *run.of_method]


EXPERIMENT = Experiment(
    name="dependency",
    title="Dependency trees (Wu et al. 2020, Tables 1 and 2)",
    module="analyses.dependency.command",
    command="dependency",
    steps=(
        Step("figures", "Figures 1 and 2: one sentence", command="figures", options=_one_sentence),
        Step(
            "dependency-pud",
            "Tables 1 and 2: dependency trees, PUD",
            command="dependency",
            data={"--data": PUD},
            options=_with_breakdowns,
        ),
        Step(
            "dependency-wsj10",
            "Table 1: dependency trees, WSJ10",
            command="dependency",
            data={"--wsj": WSJ_HEADS},
            options=with_seeds,
        ),
        Step(
            "matrices",
            "Impact matrices of all layers, PUD",
            command="run",
            data={"--data": PUD},
            options=_all_layers,
        ),
        Step(
            "layers",
            "Dependency trees by layer, PUD",
            command="dependency",
            data={"--data": PUD},
            after=("matrices",),
            options=_by_all_layers,
        ),
        Step(
            "curves",
            "Scores by layer, distance and relation, PUD",
            command="figures",
            after=("layers",),
            options=_curves,
        ),
    ),
    figures=(
        Drawing(name="uas-by-layer", draw=_by_layer),
        Drawing(name="accuracy-by-distance", draw=_by_distance),
        Drawing(name="recall-by-relation", draw=_by_relation),
    ),
    sections=(
        ReportSection(
            kind="layers",
            title="trees by layer, distance and relation",
            steps=("matrices", "layers", "curves"),
            data=PUD,
        ),
    ),
)
