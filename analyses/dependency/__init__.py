"""Dependency trees, Tables 1 and 2 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Step, same_trees
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


EXPERIMENT = Experiment(
    name="dependency",
    title="Dependency trees (Wu et al. 2020, Tables 1 and 2)",
    module="analyses.dependency.command",
    command="dependency",
    steps=(
        Step(
            name="figures",
            title="Figures 1 and 2: one sentence",
            command="figures",
            options=lambda run, found, out: [
                *("heatmap", "tree", "arcs", *run.options(limit=False), "--out", out / "figures")
            ],
        ),
        Step(
            name="dependency-pud",
            title="Tables 1 and 2: dependency trees, PUD",
            command="dependency",
            needs=(PUD,),
            options=lambda run, found, out: [
                *("--data", found[PUD.name], "--by", "relation", "length", "sentence-length"),
                *(*run.options(), "--seeds", run.seeds, "--out", out / "dependency-pud"),
            ],
        ),
        Step(
            name="dependency-wsj10",
            title="Table 1: dependency trees, WSJ10",
            command="dependency",
            needs=(WSJ_HEADS,),
            options=lambda run, found, out: [
                *("--wsj", found[WSJ_HEADS.name], *run.options(), "--seeds", run.seeds),
                *("--out", out / "dependency-wsj10"),
            ],
        ),
        Step(
            name="matrices",
            title="Impact matrices of all layers, PUD",
            command="run",
            needs=(PUD,),
            options=lambda run, found, out: [
                *("--data", found[PUD.name], "--layer", "all", "--metric", "dist", *run.options()),
                *("--out", out / "matrices"),
            ],
        ),
        Step(
            name="layers",
            title="Dependency trees by layer, PUD",
            command="dependency",
            needs=(PUD,),
            after=("matrices",),
            options=lambda run, found, out: [
                *("--data", found[PUD.name], "--matrices", out / "matrices", "--layer", "all"),
                *("--protocol", "fair", "--decoder", "eisner", "--by", "length", "relation"),
                *([] if run.limit is None else ["--limit", run.limit]),
                *(["--quiet"] if run.quiet else []),
                *("--out", out / "layers"),
            ],
        ),
        Step(
            name="curves",
            title="Scores by layer, distance and relation, PUD",
            command="figures",
            after=("layers",),
            options=lambda run, found, out: [
                *("uas-by-layer", "accuracy-by-distance", "recall-by-relation"),
                *("--results", out / "layers", *run.options(limit=False), "--out", out / "curves"),
            ],
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
    answers=(same_trees,),
)
