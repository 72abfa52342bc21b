"""The page of ``analyses.reproduce``: published beside measured, every table and figure, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.experiments import EXPERIMENTS
from analyses.tables.forms import table_html
from analyses.tables.results import Results, pictures_html, read_results
from analyses.tables.table import Cell, Table
from probe.svg import escape

if TYPE_CHECKING:
    from analyses.experiment import Answer, Step
    from analyses.reproduce.outcome import Outcome


@dataclass(frozen=True)
class Comparison:
    """A published figure and the one measured for it, both in percent."""

    published: str
    measured: str
    column: str
    theirs: Cell
    ours: Cell


def compare(table: Table, answer: Answer | None = None) -> list[Comparison]:
    """Every published figure of a table that one of its own rows answers, in the order of the table.

    Args:
        table: with published rows and own ones.
        answer: whether an own row is what the paper calls by a name; by default, whether any experiment says so.
    """
    answers = [experiment.answer for experiment in EXPERIMENTS.values()] if answer is None else [answer]
    own = [row for row in table.rows if row.kind != "published"]
    found = []
    for row in table.rows:
        if row.kind != "published":
            continue
        ours = next((each for each in own if any(says(each, row.name) for says in answers)), None)
        if ours is None:
            continue
        for column, theirs, cell in zip(table.columns, row.cells, ours.cells, strict=True):
            if theirs is not None and cell is not None:
                found.append(Comparison(row.name, ours.name, column, theirs, cell))
    return found


def _answer(step: Step) -> Answer | None:
    """That of the experiment of a step."""
    return next((each.answer for each in EXPERIMENTS.values() if step in each.steps), None)


def page(outcomes: Sequence[Outcome], configuration: Mapping[str, Any], *, out: Path, data: Path) -> str:
    """One HTML file without references to others.

    Args:
        outcomes: of the steps, in their order.
        configuration: what the run depended on.
        out: folder of the steps' files.
        data: folder of the data sets, for what is missing.
    """
    about = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in configuration.items()
    )
    ran = [outcome for outcome in outcomes if outcome.state in ("done", "kept")]
    found = [(outcome, _results(outcome, out)) for outcome in ran]
    parts = [
        "<h1>Perturbed Masking, published and measured</h1>",
        "<p>Published: Wu et al., Perturbed Masking, ACL 2020, with bert-base-uncased, unless a table says "
        f"otherwise. Measured: this run.</p><dl>{about}</dl>",
        _LIMITED if configuration.get("limit") is not None else "",
        _overview(found),
        _missing(outcomes, data),
        *(_section(results) for _, results in found),
    ]
    return _PAGE.format(body="\n".join(filter(None, parts)))


def _results(outcome: Outcome, out: Path) -> Results:
    title, folder = outcome.step.title, out / outcome.step.name
    made = read_results(folder, title=title, command=outcome.command) if folder.is_dir() else None
    return made or Results(title=title, tables=(), pictures={})


def _overview(found: Sequence[tuple[Outcome, Results]]) -> str:
    groups = [
        (f"{results.title.partition(':')[0]}: {table.title}", pairs)
        for outcome, results in found
        for table in results.tables
        if (pairs := compare(table, _answer(outcome.step)))
    ]
    if not groups:
        return "<p>No published figure has a measured one beside it.</p>"
    names = ("row", "column", "published", "measured [95%]", "difference", "measured row")
    head = "".join(
        f'<th scope="col"{"" if 2 <= at <= 4 else " class=text"}>{name}</th>' for at, name in enumerate(names)
    )
    return (
        '<h2>Published and measured</h2><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Published and measured"><table><thead><tr>{head}</tr></thead>'
        f"{''.join(_group(title, pairs) for title, pairs in groups)}</table></div>"
    )


def _group(title: str, pairs: Sequence[Comparison]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(each.published)}</th><td class="text">{escape(each.column)}</td>'
        f"<td>{each.theirs.value:.1f}</td><td>{escape(str(each.ours))}</td>"
        f'<td>{each.ours.value - each.theirs.value:+.1f}</td><td class="text">{escape(each.measured)}</td></tr>'
        for each in pairs
    )
    return (
        f'<tbody><tr class="group"><th colspan="6" scope="rowgroup">{escape(title)}</th></tr>{lines}</tbody>'
    )


def _missing(outcomes: Sequence[Outcome], data: Path) -> str:
    lines = []
    for outcome in outcomes:
        title = escape(outcome.step.title)
        if outcome.state == "failed":
            lines.append(f"<li>{title}: failed; run <code>{escape(outcome.command)}</code> to see why</li>")
        for source in outcome.missing:
            how = escape(source.get.format(data=data))
            lines.append(f"<li>{title}: {escape(source.name)} is missing: {how}</li>")
        if outcome.state == "missing" and not outcome.missing:
            lines.append(f"<li>{title}: needs the step {escape(', '.join(outcome.step.after))}</li>")
        if outcome.state in ("done", "kept") and not outcome.complete:
            lines.append(f"<li>{title}: some of the input could not be probed; the notes say how much</li>")
    return f"<h2>Missing or incomplete</h2><ul>{''.join(lines)}</ul>" if lines else ""


def _section(results: Results) -> str:
    if not results.pictures and not results.tables:
        return ""
    return (
        f"<h2>{escape(results.title)}</h2><p><code>{escape(results.command or '')}</code></p>"
        f"{pictures_html(results)}{''.join(map(table_html, results.tables))}"
    )


_LIMITED = "<p><strong>A run with a limit: its figures are no results.</strong></p>"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Perturbed Masking, published and measured</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 70rem; margin: auto; padding: 1rem }}
.scroll {{ overflow-x: auto; margin: 1rem 0 }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0 }}
th, td {{ padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap }}
tbody th, .text {{ text-align: left }}
tbody th {{ font-weight: normal }}
tr.group th {{ font-weight: 600; padding-top: .8rem }}
caption {{ max-width: calc(100vw - 2rem) }}
tr.published {{ font-style: italic }}
tr.model th {{ font-weight: 600 }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: .9rem }}
dt {{ font-weight: 600 }} dd {{ margin: 0; overflow-wrap: anywhere }}
code {{ overflow-wrap: anywhere; font-size: .85rem }}
.notes, details {{ font-size: .85rem }}
figure {{ margin: 1rem 1rem 1rem 0; display: inline-block; background: #fff; color: #222; padding: .5rem }}
figure {{ max-width: 100%; vertical-align: top }}
figcaption {{ font-size: .85rem }}
img {{ max-width: 100%; height: auto; display: block }}
@media (max-width: 40rem) {{
  table {{ font-size: .78rem }}
  th, td {{ padding: .2rem .25rem }}
  th {{ white-space: normal }}
  tr.group th {{ max-width: 0 }}
}}
</style></head><body>
{body}
</body></html>
"""
