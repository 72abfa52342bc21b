"""Rows of a table that a command printed as JSON."""

from typing import Any


def rows_of(table: dict[str, Any], kind: str) -> dict[str, dict[str, float | None]]:
    """Names and figures of the rows of a kind."""
    return {
        row["name"]: {column: cell and cell["value"] for column, cell in row["cells"].items()}
        for row in table["rows"]
        if row["kind"] == kind
    }
