"""A table as HTML, for notebooks and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.display import escape

if TYPE_CHECKING:
    from analyses.tables import Row, Table


def table_html(table: Table) -> str:
    """The table with a caption, headers for rows and columns, its notes and its signatures; all text is escaped.

    Published rows are marked as such, and every row has its kind as its class:
    ``published``, ``baseline`` or ``model``.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(_row(row) for row in table.rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    signatures = "".join(
        f"<li>{escape(row.name)} | {escape(signature)}</li>"
        for row in table.rows
        for signature in row.signatures
    )
    return (
        f'<div><div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><caption>{escape(table.title)}</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + (f"<details><summary>Signatures</summary><ul>{signatures}</ul></details>" if signatures else "")
        + "</div>"
    )


def _row(row: Row) -> str:
    label = escape(row.name) + (" <em>(published)</em>" if row.kind == "published" else "")
    cells = "".join(f"<td>{'–' if cell is None else escape(str(cell))}</td>" for cell in row.cells)
    return f'<tr class="{row.kind}"><th scope="row">{label}</th>{cells}</tr>'
