"""The page of a report: one HTML file that asks for nothing outside itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from analyses.report.charts import chart_svg
from analyses.report.sentences import sentence_data, sentence_items, verdict
from analyses.report.trees import Part
from analyses.tables.forms import table_html
from analyses.tables.results import Results, pictures_html
from analyses.tables.table import Cell, Row, Table
from probe.svg import escape

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

_METHOD = (
    "<p>Trees are read off impact matrices: mask word i, mask word j as well, and measure how far the model's "
    "state at i moves (Wu et al., ACL 2020). Protocol wu2020 repeats the published evaluation, which gives "
    "the gold root; protocol fair gives nothing and leaves punctuation out. Intervals are 95% bootstrap over "
    "sentences.</p>"
)

_BY_SIGNATURE = "<p>The results were there already: their signatures name the model.</p>"

_SECTIONS = {
    "summary": "Summary",
    "tables": "Tables and figures",
    "sentences": "Sentences",
    "model": "Model card",
    "repeat": "How to repeat it",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is on the page.

    Attributes:
        title: what was probed.
        parts: tables and sentences, one a corpus.
        results: tables and pictures of other analyses.
        facts: about the model, by their names.
        card: the model's own card, or None.
        command: that makes this report again.
        versions: of what it was made with, by their names.
        notes: on what is not there, and why.
    """

    title: str
    parts: tuple[Part, ...]
    facts: Mapping[str, str]
    card: str | None
    command: str
    versions: Mapping[str, str]
    results: tuple[Results, ...] = ()
    notes: tuple[str, ...] = ()


def page(report: Report) -> Iterable[str]:
    """The HTML of the page, piece by piece."""
    title = f"Perturbed masking: {report.title}"
    shown = {key: name for key, name in _SECTIONS.items() if key != "sentences" or report.parts}
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name in shown.items())
    skip = '<a class="skip" href="#sentences">Skip to the sentences</a>' if report.parts else ""
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title>\n<style>{_asset("report.css")}</style>'
        f"</head>\n<body>{skip}<header>"
        f'<h1>{escape(title)}</h1><nav aria-label="Sections"><ul>{links}</ul></nav></header>\n<main>'
    )
    yield _section("summary", _summary(report))
    yield _section("tables", _contents(report))
    if report.parts:
        yield from _sentences(report.parts)
    yield _section("model", _model(report))
    yield _section("repeat", _repeat(report))
    scripts = f"<script>{_asset('draw.js')}{_asset('list.js')}</script>" if report.parts else ""
    yield f"</main>\n{scripts}</body></html>\n"


def _sentences(parts: Sequence[Part]) -> Iterable[str]:
    yield f'<section id="sentences"><h2>{_SECTIONS["sentences"]}</h2>{_filters(parts)}'
    yield '<div id="sentence-list">\n'
    for number, part in enumerate(parts, start=1):
        yield from sentence_items(part, number=number)
    data = sentence_data(parts)
    yield f'</div><script type="application/json" id="sentence-data">{data}</script></section>\n'


def _asset(name: str) -> str:
    return resources.files("analyses.report").joinpath("assets", name).read_text(encoding="utf-8")


def _section(key: str, content: str) -> str:
    return f'<section id="{key}"><h2>{_SECTIONS[key]}</h2>{content}</section>\n'


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{line}</li>" for line in lines)


# --- summary


def _summary(report: Report) -> str:
    found, lines = [], []
    tables = [table for part in report.parts for table in part.tables]
    for table in [*tables, *(table for results in report.results for table in results.tables)]:
        models = [row for row in table.rows if row.kind == "model" and row.signature]
        if models and not _compares_layers(models):
            found += [_finding(table, row) for row in models if any(row.cells) and not row.made.biased]
            lines += [_signature(table, row) for row in models]
    skipped = [reason for part in report.parts for reason in part.skipped]
    signatures = _items(f"<code>{escape(line)}</code>" for line in lines)
    return (
        (f"<ul>{_items(found)}</ul>" if found else "")
        + (_METHOD if report.parts else "")
        + (f"<ul class='notes'>{_items(map(escape, report.notes))}</ul>" if report.notes else "")
        + (f"<h3>Left out</h3><ul>{_items(map(escape, skipped))}</ul>" if skipped else "")
        + (f"<h3>Scores with their signatures</h3><ul class='signatures'>{signatures}</ul>" if lines else "")
    )


def _compares_layers(rows: Sequence[Row]) -> bool:
    """Whether the table is a search: the best layer on the same data would be no finding."""
    return len({row.made.layer for row in rows}) > 1


def _finding(table: Table, row: Row) -> str:
    """A row beside the strongest baseline of the first column that it has a score in."""
    at, cell = _first(row)
    said = f"<strong>{escape(row.name)}</strong>: {escape(table.columns[at])} {escape(str(cell))}"
    baselines = [
        (rival.value, other.name, rival)
        for other in table.rows
        if other.kind == "baseline" and (rival := other.cells[at])
    ]
    if baselines:
        _, name, strongest = max(baselines, key=lambda each: each[0])
        said += f"; strongest baseline {escape(name)} {escape(str(strongest))}"
    return f"{said} <small>({escape(table.title)})</small>"


def _first(row: Row) -> tuple[int, Cell]:
    """The first score of a row that has one, and its column."""
    return next((at, cell) for at, cell in enumerate(row.cells) if cell is not None)


def _signature(table: Table, row: Row) -> str:
    if not any(row.cells):
        return f"no score | {row.signature}"
    at, cell = _first(row)
    return f"{table.columns[at]} = {cell} | {row.signature}"


# --- tables and figures


def _contents(report: Report) -> str:
    """Tables and figures, a heading for each corpus and each analysis, with links to these at the top."""
    names = [
        *(f"{part.name}: {part.kind}" for part in report.parts),
        *(results.title for results in report.results),
    ]
    contents = [
        *("".join(_table(table) for table in part.tables) for part in report.parts),
        *(_results(results) for results in report.results),
    ]
    links = "".join(f'<li><a href="#t{at}">{escape(name)}</a></li>' for at, name in enumerate(names, start=1))
    index = f'<nav aria-label="Tables and figures"><ul>{links}</ul></nav>' if len(names) > 1 else ""
    return index + "".join(
        f'<h3 id="t{at}">{escape(name)}</h3>{content}'
        for at, (name, content) in enumerate(zip(names, contents, strict=True), start=1)
    )


def _results(results: Results) -> str:
    command = f"<pre>{escape(results.command)}</pre>" if results.command else ""
    return command + pictures_html(results) + "".join(map(_table, results.tables))


def _table(table: Table) -> str:
    """A table and, where one can be drawn, its chart, which is open where it shows the scores."""
    picture = chart_svg(table)
    if picture is None:
        return table_html(table)
    scores = any(row.signature for row in table.rows)
    return table_html(table) + (
        f"<details{' open' if scores else ''}><summary>Figure: {escape(table.title)}</summary>"
        f"<figure>{_region(f'Figure: {table.title}', picture)}</figure></details>"
    )


def _region(label: str, content: str) -> str:
    """What may be wider than the page scrolls by itself, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'


# --- filters


def _filters(parts: Sequence[Part]) -> str:
    corpora = [(str(number), f"{part.name}: {part.kind}") for number, part in enumerate(parts, start=1)]
    labels = sorted({label for part in parts for seen in part.seen for label in verdict(seen).labels})
    protocols = [("fair", "fair"), ("wu2020", "wu2020")]
    orders = [
        ("corpus", "as in the corpus"),
        ("worst", "lowest score first"),
        ("best", "highest score first"),
        ("short", "shortest first"),
        ("long", "longest first"),
    ]
    corpus = _select("corpus", "Corpus", [("", "all"), *corpora]) if len(corpora) > 1 else ""
    any_label = [("", "any"), *((label, label) for label in labels)]
    return (
        '<noscript><p>The list of sentences needs JavaScript.</p></noscript><form id="filters" role="search">'
        '<label>Words<input type="search" name="search" autocomplete="off" spellcheck="false"></label>'
        f"{corpus}{_range('Length in words', 'shortest', 'longest')}{_range('Score', 'lowest', 'highest')}"
        f"{_select('protocol', 'Score under protocol', protocols)}"
        f"{_select('label', 'Has relation or label', any_label)}"
        '<label class="check"><input type="checkbox" name="onlywrong">only where the model has it wrong</label>'
        f"{_select('order', 'Order', orders)}"
        '<button type="reset">Show all</button></form><p id="count" role="status" aria-live="polite"></p>'
    )


def _select(name: str, label: str, choices: Iterable[tuple[str, str]]) -> str:
    options = "".join(f'<option value="{escape(key)}">{escape(text)}</option>' for key, text in choices)
    return f'<label>{label}<select name="{name}">{options}</select></label>'


def _range(label: str, low: str, high: str) -> str:
    fields = " to ".join(
        f'<label><span class="vh">{label}, {word}</span><input type="number" min="0" step="any" name="{name}">'
        "</label>"
        for word, name in (("at least", low), ("at most", high))
    )
    return f'<fieldset class="range"><legend>{label}</legend><div>{fields}</div></fieldset>'


# --- model and how to repeat


def _model(report: Report) -> str:
    card = (
        f"<h3>Its own card</h3><pre class='card' tabindex='0' role='region' aria-label='Card'>"
        f"{escape_lines(report.card)}</pre>"
        if report.card is not None
        else "<p>There is no card.</p>"
    )
    return (_facts("Model", report.facts) if report.facts else _BY_SIGNATURE) + card


def escape_lines(text: str) -> str:
    """Text of several lines for HTML, the line ends kept."""
    return "\n".join(map(escape, text.replace("\t", "    ").splitlines()))


def _repeat(report: Report) -> str:
    return (
        f"<p>This command makes the report again:</p><pre>{escape(report.command)}</pre>"
        f"{_facts('Made with', report.versions)}"
    )


def _facts(caption: str, facts: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="text">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return _region(caption, f"<table><caption>{caption}</caption><tbody>{rows}</tbody></table>")
