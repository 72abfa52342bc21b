"""The figures of dependency trees, from the tables of ``--results`` or from ones made for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from analyses.dependency.figures import by_distance, by_layer, by_relation
from analyses.tables.forms import read_table
from analyses.tables.table import Table, of_layers, shared_signature
from probe.option_groups import ImpactOptions

if TYPE_CHECKING:
    from analyses.experiment import Drawn, Job

_STEP, _COMMAND = "layers", "dependency --layer all --by length relation"


def draw_by_layer(job: Job) -> Drawn:
    """Scores by layer, a figure a corpus."""
    for corpus, table in _tables(job, ""):
        yield f"uas-by-layer-{corpus}", by_layer(table)


def draw_by_distance(job: Job) -> Drawn:
    """Recall by length of the arc, a figure a corpus."""
    for corpus, table, signature in _recall(job, "length"):
        yield f"accuracy-by-distance-{corpus}", by_distance(table, signature=signature)


def draw_by_relation(job: Job) -> Drawn:
    """Recall by relation, a figure a corpus."""
    for corpus, table, signature in _recall(job, "relation"):
        yield f"recall-by-relation-{corpus}", by_relation(table, signature=signature)


def _recall(job: Job, group: str) -> Iterator[tuple[str, Table, str]]:
    """Corpus, recall table and signature; of the model's columns those of the layers asked for.

    Results that lack the model's best layer are shown whole where no layer was asked for.
    """
    scores = dict(_tables(job, ""))
    unasked = job.args.results is not None and ImpactOptions.of(job.args).chosen_layers == "best"
    for corpus, table in _tables(job, f"-by-{group}"):
        signature = shared_signature(scores[corpus]) if corpus in scores else ""
        there = {made.layer for made in table.column_settings if made is not None}
        whole = unasked and there.isdisjoint(job.layers)
        yield corpus, table if whole else of_layers(table, job.layers), signature


def _tables(job: Job, suffix: str) -> list[tuple[str, Table]]:
    """The tables ``dependency-CORPUS-PROTOCOL SUFFIX``, with the name of their corpus."""
    ending = f"-{job.args.protocol}{suffix}"
    if job.args.results is None:
        found = {stem: table for stem, table in job.once("dependency", _run).items() if stem.endswith(ending)}
    else:
        paths = job.written(f"dependency-*{ending}.json", step=_STEP, command=_COMMAND)
        found = {path.stem: read_table(path) for path in paths}
    return [
        (stem.removeprefix("dependency-").removesuffix(ending), table)
        for stem, table in sorted(found.items())
    ]


def _run(job: Job) -> dict[str, Table]:
    """The tables of all layers, by the options of the figures."""
    from analyses.dependency.command import build_parser, run

    args = job.args
    given: list[object] = [
        *("--model", args.model, "--layer", "all", "--metric", args.metric),
        *("--pool", args.pool, "--perturb", args.perturb, "--decoder", args.decoder),
        *("--attention", args.attention, "--adjust", args.adjust),
        *(["--openness-from", args.openness_from] if args.openness_from is not None else []),
        *("--protocol", args.protocol, "--by", "length", "relation", "--seeds", "0"),
        *("--seed", args.seed, "--device", args.device, "--dtype", args.dtype),
        *(["--data", job.treebank] if job.treebank is not None else []),
        *(["--limit", args.limit] if args.limit is not None else []),
        *(["--quiet"] if args.quiet else []),
    ]
    ran = run(build_parser().parse_args([str(value) for value in given]))
    job.some_failed |= ran.failed
    return dict(ran.tables)
