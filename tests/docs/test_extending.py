"""The file of docs/extending.md: each of its entries gets its row in table, report and reproduce."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from analyses.experiments import steps
from analyses.report.sections import kinds
from analyses.tables.forms import read_table
from data.sources import PUD
from probe import __main__
from tests.command import GOLD, PLAIN, python, ran
from tests.conftest import ModelFolder
from tests.registries import REGISTRIES, restored

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
INDENTED = [
    re.sub("^    ", "", block, flags=re.MULTILINE).strip() + "\n"
    for block in re.findall(r"(?:^    .*\n|^\n)+", PAGE, re.MULTILINE)
]
PIECES = [block for block in INDENTED if block.startswith("# own.py")]
ENTRY_POINTS = next(block for block in INDENTED if block.startswith("[project.entry-points"))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file of the page, imported; forgotten at the end of the test."""
    restored(monkeypatch)
    (tmp_path / "own.py").write_text("\n\n".join(PIECES), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    return importlib.import_module("own")


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    """A folder with a small treebank where PUD is looked for."""
    path = tmp_path / "sets" / PUD.places[0]
    path.parent.mkdir(parents=True)
    path.write_text(GOLD, encoding="utf-8")
    return path


def test_the_table_of_the_page_has_every_registry() -> None:
    rows = re.findall(r"^\| .+? \| `([\w.]+)` \| `[\w.]+` \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted((name, registry.group) for name, registry in REGISTRIES.items())


def test_every_entry_has_its_row_in_a_table(
    own: ModuleType, model_folder: ModelFolder, treebank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(*args: object) -> str:
        model = ("--model", model_folder("bert"), "--seeds", 0, "--quiet", "--format", "json", *PLAIN)
        done = ran(capsys, __main__.main, *args, *model)
        assert (done.code, done.err) == (0, "")
        (table,) = json.loads(done.out)
        return " ".join(row["name"] for row in table["rows"])

    given = ("dependency", "--data", treebank, "--protocol", "fair")
    shown = rows(*given, "--metric", "l1", "--perturb", "full-stop", "--adjust", "square-root")
    assert "short-arcs+l1, layer 3, mean, full-stop, square-root" in shown
    assert "eisner+l1" in shown
    assert "short-arcs+l1, layer 3, mean, full-stop" in rows(*given, "--method", "mine")
    assert "chart-log" in rows("constituency", "--limit", 2, "--protocol", "fair", "--metric", "dist")
    assert rows("neighbours", "--data", treebank) == str(model_folder("bert"))


def test_reproduce_and_report_have_the_steps_of_the_experiment(
    own: ModuleType,
    model_folder: ModelFolder,
    treebank: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [step.name for step in own.NEIGHBOURS.steps]
    assert [step.name for step in steps()][-2:] == names and "neighbours" in kinds()
    model = ("--model", model_folder("bert"), "--seeds", 0, "--quiet", *PLAIN)
    out, page = tmp_path / "out", tmp_path / "report.html"
    given = ("--data", tmp_path / "sets", "--steps", *names, "--out", out)
    done = ran(capsys, __main__.main, "reproduce", *given, *model)
    assert (done.code, done.err) == (0, "")
    assert read_table(out / "neighbours" / "neighbours.json").rows[0].cells[0] is not None
    for text in ((out / "index.html").read_text("utf-8"), (out / "dependency-mine").glob("*.csv")):
        shown = text if isinstance(text, str) else next(text).read_text("utf-8")
        assert "short-arcs+l1" in shown
    given = ("--data", treebank, "--parts", "neighbours", "--out", page)
    assert ran(capsys, __main__.main, "report", *given, *model).code == 0
    shown = page.read_text("utf-8")
    assert "Impact of the words beside, percent" in shown and "short-arcs+l1" in shown


def test_the_file_is_run_in_place_of_the_command(own: ModuleType, tmp_path: Path) -> None:
    done = python("own.py", "neighbours", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: probe neighbours ") and "l1" in done.stdout


def test_an_installed_package_adds_its_entries(own: ModuleType, tmp_path: Path) -> None:
    """Its metadata are what pip makes of the lines of the page."""
    about = tmp_path / "own-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n", encoding="utf-8")
    lines = re.sub(r'\[project\.entry-points\."(.+)"\]', r"[\1]", ENTRY_POINTS).replace('"', "")
    (about / "entry_points.txt").write_text(lines, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "probe", "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"neighbours +Impact of the words beside", done.stdout)


def test_an_unknown_command_is_told_one_of_the_users_own(
    own: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ran(capsys, __main__.main, "neighbour")
    assert done.code == 2 and "did you mean 'neighbours'" in done.err
