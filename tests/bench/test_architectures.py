"""The table of architectures: equal where it says so, and the reason where a model is refused."""

import pytest

from bench.architectures import Row, rows


@pytest.mark.parametrize(
    ("name", "kind", "outcome"),
    [
        ("bert", "masked", "equal"),
        ("opt", "causal", "equal"),
        ("t5", "encoder", "equal"),
        ("mra", "masked", "refused: no state depends on another word: its attention does not run here"),
    ],
)
def test_a_row(name: str, kind: str, outcome: str) -> None:
    (row,) = rows([name])
    assert isinstance(row, Row) and (row.name, row.kind) == (name, kind)
    assert row.outcome.startswith(outcome)
