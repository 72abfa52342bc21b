"""The table of architectures: equal where it says so, and the reason where a model is refused."""

import pytest

from bench.architectures import Row, rows


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("bert", "equal"),
        ("mra", "refused: no state depends on another word: its attention does not run here"),
    ],
)
def test_a_row(kind: str, outcome: str) -> None:
    (row,) = rows([kind])
    assert isinstance(row, Row) and row.kind == kind
    assert row.outcome.startswith(outcome)
