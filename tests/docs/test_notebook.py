"""The example notebook runs, and shows what its stored outputs are of."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "example.ipynb"


def kinds(cell: Any) -> list[tuple[str, list[str]]]:
    """What a cell shows: kinds of outputs and their forms, without the figures, which depend on the model."""
    return [
        (output.output_type, sorted(output.get("data", {})))
        for output in cell.outputs
        if output.get("name") != "stderr"
    ]


@pytest.fixture(scope="module")
def stored() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_notebook_is_stored_as_executed_from_top_to_bottom(stored: Any) -> None:
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    assert all(output.get("name") != "stderr" for cell in code for output in cell.outputs)


def test_notebook_runs_and_shows_the_same_kinds_of_outputs(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    expected = [kinds(cell) for cell in stored.cells if cell.cell_type == "code"]
    fresh = stored.copy()
    client.NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [kinds(cell) for cell in fresh.cells if cell.cell_type == "code"] == expected
