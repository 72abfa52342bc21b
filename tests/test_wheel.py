"""What is released: a source distribution and the wheel built of it. All files are there, and it runs."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

import probe
from probe.commands import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGES = ("analyses", "data", "parsers", "probe")
BESIDE = ("bench", "docs", "pretraining", "tests")
FILES = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md")
MORE = ("constraints.txt", "mkdocs.yml", "pyproject.toml")


class Built(NamedTuple):
    """The two files of a release, and the names of what is in them."""

    sdist: Path
    wheel: Path
    in_sdist: set[str]
    in_wheel: set[str]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that ends well."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built of a copy by what is installed; the wheel out of the source distribution."""
    if missing := [name for name in ("build", "twine") if find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed: the extra dev")
    folder = tmp_path_factory.mktemp("source")
    for name in (*FILES, *MORE):
        shutil.copy(ROOT / name, folder)
    for name in (*PACKAGES, *BESIDE, ".ci"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    run(sys.executable, "-m", "build", "--no-isolation", cwd=folder)
    (sdist,), (wheel,) = folder.glob("dist/*.tar.gz"), folder.glob("dist/*.whl")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as packed:
        return Built(sdist, wheel, names, set(packed.namelist()))


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into, without what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--no-compile", "--quiet", "--target")
    run(sys.executable, "-m", "pip", "install", *options, folder, built.wheel, cwd=folder)
    return folder


def files_of(*folders: str) -> set[str]:
    """The files below folders of the checkout."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }


def test_every_file_of_the_packages_is_in_the_wheel(built: Built) -> None:
    assert files_of(*PACKAGES) == {name for name in built.in_wheel if ".dist-info/" not in name}


def test_the_source_distribution_has_the_checkout(built: Built) -> None:
    assert files_of(*PACKAGES, *BESIDE) | {*FILES, *MORE, ".ci/run"} <= built.in_sdist


def test_a_package_index_takes_both(built: Built) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel, cwd=ROOT)


def test_the_metadata_name_every_extra(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as packed:
        (name,) = (name for name in built.in_wheel if name.endswith(".dist-info/METADATA"))
        lines = packed.read(name).decode().splitlines()
    assert {f"Provides-Extra: {extra}" for extra in ("app", "bench", "cluster", "dev", "docs")} <= set(lines)
    assert f"Version: {probe.__version__}" in lines
    assert "Requires-Python: >=3.11" in lines


def test_the_installed_command_runs_beside_a_data_py(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("raise SystemExit('the data.py of the user was imported')\n")
    where = run(
        sys.executable, "-c", "import probe; print(probe.__file__)", cwd=installed, PYTHONPATH=str(installed)
    )
    assert Path(where.strip()).parent == installed / "probe"
    given = ("parse", "The dog sat on the mat .")
    printed = run(
        sys.executable, installed / "bin" / "probe", *given, cwd=tmp_path, PYTHONPATH=str(installed)
    )
    # What the README's first command is said to print.
    example = (ROOT / "README.md").read_text(encoding="utf-8").partition('"The dog sat on the mat ."\n#')[2]
    assert printed.strip() == f"#{example.partition('```')[0]}".strip()
    assert [path.name for path in tmp_path.iterdir()] == ["data.py"]


def test_every_command_is_installed(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "probe"
    shown = run(sys.executable, script, "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    assert all(f" {name} " in shown for name in COMMANDS)


def test_the_citation_is_of_this_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert found["version"] == probe.__version__
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license"} <= set(found)
