"""Facts that a model can fill in (LAMA, Petroni et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.experiment import Drawing, Drawn, Experiment, Job, ReportSection, Settings, Step
from data.sources import LAMA


def _draw(job: Job) -> Drawn:
    from analyses.knowledge.figures import draw_relations

    return draw_relations(job)


def _draw_triples(job: Job) -> Drawn:
    from analyses.knowledge.figures import draw_triples

    return draw_triples(job)


def _has_triples(folder: Path) -> bool:
    from analyses.knowledge.triples import Triples
    from data.errors import DataError, InputError
    from data.lama import list_relations

    try:
        return Triples(list_relations(folder)[0]).any_related
    except (DataError, InputError):  # the command says what is wrong
        return True


def _triple_figures(run: Settings, out: Path) -> Sequence[object]:
    return ["triples", "--results", out / "triples", *run.options(limit=False)]


def _one_seed(run: Settings, out: Path) -> Sequence[object]:
    return [*run.options(), "--seeds", min(run.seeds, 1)]


def _figures(run: Settings, out: Path) -> Sequence[object]:
    return ["lama", "--results", out / "knowledge", *run.options(limit=False)]


EXPERIMENT = Experiment(
    name="knowledge",
    title="Facts that a model can fill in (LAMA, Petroni et al. 2019)",
    module="analyses.knowledge.command",
    command="knowledge",
    steps=(
        Step(
            "knowledge",
            "Knowledge (LAMA, Petroni et al. 2019)",
            command="knowledge",
            data={"--data": LAMA},
            options=_one_seed,
        ),
        Step(
            "knowledge-figures",
            "Knowledge by relation",
            command="figures",
            after=("knowledge",),
            options=_figures,
        ),
        Step(
            "triples",
            "Facts with another fact inserted (after K-BERT, Liu et al. 2020)",
            command="triples",
            data={"--data": LAMA},
            options=_one_seed,
        ),
        Step(
            "triples-figures",
            "Facts with another fact inserted, by what is inserted",
            command="figures",
            after=("triples",),
            options=_triple_figures,
        ),
    ),
    figures=(Drawing(name="lama", draw=_draw), Drawing(name="triples", draw=_draw_triples)),
    sections=(
        ReportSection(
            kind="knowledge", title="knowledge", steps=("knowledge", "knowledge-figures"), data=LAMA
        ),
        ReportSection(
            kind="triples",
            title="facts with another fact inserted",
            steps=("triples", "triples-figures"),
            data=LAMA,
            allowed=_has_triples,
        ),
    ),
)
