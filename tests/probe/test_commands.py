"""The command ``probe``: it finds every command, says what is wrong, and stops when it is told to."""

import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from probe import __main__, __version__
from probe.commands import ALIASES, COMMANDS
from tests.command import python

ROOT = Path(__file__).parents[2]


def run(*args: str, cwd: Path = ROOT, module: str = "probe") -> subprocess.CompletedProcess[str]:
    """Run a module of the package from a folder, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        COMMANDS[name].build_parser().parse_args(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith(f"usage: probe {name} ")
    assert re.search(r"Exit codes: 0 done.* 1 .* 2 wrong use, 130 interrupted\.$", out)
    assert "--version" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_version_of_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        COMMANDS[name].build_parser().parse_args(["--version"])
    assert re.fullmatch(
        rf"perturbed-probe ({re.escape(__version__)}|\(not installed\))\n", capsys.readouterr().out
    )


def test_help_lists_all_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.argv = ['probe', '--help']; from probe.__main__ import main\n"
    code += "try: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    modules = set(done.stdout.rpartition("\n")[0].rpartition("\n")[2].split())
    assert all(f"    {name} " in done.stdout for name in COMMANDS)
    assert "probe.commands" in modules and not {"numpy", "torch", "analyses", "shtab"} & modules


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "a command is expected"),
        (["depedency"], "unknown command 'depedency': did you mean 'dependency'?"),
        (["--verson"], "unrecognized arguments"),
    ],
)
def test_what_is_no_command(given: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        __main__.main(given)
    written = capsys.readouterr()
    assert written.out == "" and written.err.startswith("probe: error: ") and message in written.err
    assert written.err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    "given", [["fetch", "--list"], ["--print-completion", "bash"], ["bias", "--lengths", "3", "--reach", "0"]]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written(given: list[str], unbuffered: str) -> None:
    def written_to(output: int) -> tuple[int, bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "probe", *given],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stderr

    reader, writer = os.pipe()
    os.close(reader)  # as of `| true`
    try:
        assert written_to(writer) == (0, b"")
    finally:
        os.close(writer)
    with open("/dev/full", "wb") as full:
        code, said = written_to(full.fileno())
    assert code == 2 and said.endswith(b": error: No space left on device\n") and said.count(b"\n") == 1


def test_aliases_and_module_names() -> None:
    for name in ("bias", *ALIASES):
        done = run(name, "--help")
        assert (done.returncode, done.stderr) == (0, ""), name
    for module in ("probe.parse", "analyses.minimal_pairs", "analyses.static_vectors"):
        done = run("--version", module=module)
        assert (done.returncode, done.stdout) == (0, f"perturbed-probe {__version__}\n"), module


def test_the_modules_are_there() -> None:
    assert all(find_spec(command.module) is not None for command in COMMANDS.values())


@pytest.mark.parametrize("shell", __main__.SHELLS)
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--print-completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, "lengths"))


def test_an_old_script_says_its_new_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/probe-parse", "--version"])
    with pytest.raises(SystemExit, match=r"^0$"):
        __main__.old_script()
    written = capsys.readouterr()
    assert written.out == f"perturbed-probe {__version__}\n"
    assert written.err == "probe-parse: from the next release on it is called: probe parse\n"


# --- neighbours of the same names


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A folder with a user's own data, parsers and analyses."""
    (tmp_path / "data.py").write_text("raise SystemExit('the wrong data')\n")
    for name in ("parsers", "analyses"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    return tmp_path


@pytest.mark.parametrize("module", ["probe", "probe.parse"])
@pytest.mark.parametrize("package", [False, True])
def test_a_command_beside_the_users_own_modules(crowded: Path, module: str, package: bool) -> None:
    if package:
        (crowded / "data").mkdir()
        (crowded / "data.py").rename(crowded / "data" / "__init__.py")
    command = ["--decoder", "left-chain", "--quiet", "a b"]
    done = run(*(["parse"] if module == "probe" else []), *command, cwd=crowded, module=module)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 a" in done.stdout


def test_all_commands_beside_the_users_own_modules(crowded: Path) -> None:
    for name in ("bias", "fetch", "sentiment"):
        done = run(name, "--help", cwd=crowded)
        assert (done.returncode, done.stderr) == (0, ""), name


def test_a_program_in_such_a_folder_is_told_which_file_clashes(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("MINE = 1\n")
    code = "import probe, data; assert data.MINE; probe.load\nimport analyses"
    done = python("-c", code, cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"probe.siblings.ClashError: {tmp_path / 'data.py'}: stands in the way of ")


# --- Ctrl-C


@pytest.mark.parametrize("marker", ["analyses.trees.adjust", "torch._C"])
@pytest.mark.parametrize("module", ["probe.parse", "analyses.dependency"])
def test_an_interrupt_while_modules_are_imported(module: str, marker: str) -> None:
    """Python tells on stderr which import it has done; after that of the marker Ctrl-C comes."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", module],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    while not process.stderr.readline().endswith(f" {marker}\n"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = process.communicate(timeout=60)
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert time.monotonic() - asked < 2.5
    name = module.rpartition(".")[2]
    assert (process.returncode, told) == (130, [f"probe {name}: error: interrupted"])
