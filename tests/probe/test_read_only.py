"""A folder that cannot be written to: one line of error, exit 2; what is in it can be read."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyses.figures.command import main as figures
from analyses.parse import main as parse
from analyses.report.command import main as report
from probe.run import main as run
from tests.command import GOLD, PLAIN, Main, names, ran
from tests.conftest import ModelFolder

ASKED: dict[str, tuple[Main, list[str]]] = {
    "run": (run, ["--data", "gold.conllu", "--out", "place/run"]),
    "parse": (parse, ["--data", "gold.conllu", "--out", "place/trees.conllu"]),
    "matrices": (parse, ["--data", "gold.conllu", "--save-matrices", "place/matrices"]),
    "report": (report, ["--data", "gold.conllu", "--parts", "trees", "--out", "place/report.html"]),
    "figures": (figures, ["heatmap", "--sentence", "Owls sleep .", "--out", "place/figures"]),
}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody writes there within the block: a root user is stopped by a mount alone."""
    if os.geteuid():
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    for asked in (["--bind", folder, folder], ["-o", "remount,ro,bind", folder]):
        if subprocess.run(["mount", *asked], capture_output=True, check=False).returncode:
            subprocess.run(["umount", folder], capture_output=True, check=False)
            pytest.skip("a folder cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder within the current one, beside a small treebank."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gold.conllu").write_text(GOLD, encoding="utf-8")
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("name", ASKED)
def test_nothing_can_be_written(
    name: str, place: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    main, asked = ASKED[name]
    model = model_folder("bert")
    with read_only(place):
        done = ran(capsys, main, "--model", model, *PLAIN, *asked)
    assert (done.code, done.out) == (2, "")
    said = done.err.splitlines()[-1]
    assert ": error: " in said and "place/" in said
    assert "Read-only file system" in said or "Permission denied" in said
    assert names(place) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_run_directory_is_read(
    place: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model", model_folder("bert"), *PLAIN]
    assert ran(capsys, run, *common, "--data", "gold.conllu", "--out", "place/run").code == 0
    with read_only(place):
        source = ["--data", "gold.conllu", "--matrices", "place/run", "--method", "paper"]
        done = ran(capsys, parse, *source, "--format", "conllu")
        again = ran(capsys, run, *common, "--data", "gold.conllu", "--out", "place/run")
    assert done.code == 0 and done.out.count("root") == 3
    assert (
        again.code in (0, 2) and "Traceback" not in again.err and again.err.count("error") == again.code // 2
    )
