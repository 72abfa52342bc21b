"""Importing is cheap, goes in one direction, and finds what it promises."""

import shutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "nltk",
    "matplotlib",
    "scipy",
}
PACKAGES = ("analyses", "data", "parsers", "probe")
ROOT = Path(__file__).parents[1]


def modules_after(code: str) -> set[str]:
    """Top-level modules of a fresh interpreter that has run this code."""
    report = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert not HEAVY & modules_after(f"import {package}")


def test_reading_the_options_loads_nothing_heavy() -> None:
    assert not HEAVY & modules_after(
        "import analyses.parse; analyses.parse.build_parser().parse_args(['--metric', 'cos'])"
    )


def test_a_baseline_parses_without_torch() -> None:
    given = ["--decoder", "adjacent", "--quiet", "Dogs bark ."]
    assert "torch" not in modules_after(f"import analyses.parse; analyses.parse.main({given})")


@pytest.mark.parametrize(
    ("package", "others"),
    [("data", {"analyses", "parsers", "probe"}), ("parsers", {"analyses", "data", "probe"})],
)
def test_data_and_parsers_stand_alone(package: str, others: set[str]) -> None:
    assert not others & modules_after(f"import {package}")


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted_and_there(package: str) -> None:
    module = import_module(package)
    names = list(module.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(getattr(module, name) is not None for name in names)
    assert set(names) <= set(dir(module))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'probe' has no attribute 'lod'"):
        import_module("probe").lod  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_direction_of_imports() -> None:
    command = shutil.which("lint-imports", path=sysconfig.get_path("scripts"))
    if command is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_little_is_imported_before_ctrl_c_is_caught() -> None:
    """Until ``start`` runs, Ctrl-C is Python's own, with a traceback: nothing slow may come before it."""
    code = "import sys, analyses, probe.commands; print(*({'importlib.metadata', 'numpy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
