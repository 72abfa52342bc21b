"""How a step of ``probe reproduce`` is run."""

from __future__ import annotations

import hashlib
import os
import shlex
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from analyses.experiment import Step
from analyses.options import keep
from analyses.tables.results import Ran
from probe.command_line import DONE, INTERRUPTED, SOME_FAILED, WRONG_USE, exit_code
from probe.commands import COMMANDS, own_commands
from probe.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Performed:
    """How a step ended.

    Attributes:
        code: the exit code of its command.
        ran: what it gave; nothing but files for the commands that make no table.
        refusal: why it cannot be done with this model, which is no failure; empty where it can.
    """

    code: int
    ran: Ran
    refusal: str = ""


def perform(step: Step, options: Sequence[str], out: Path) -> Performed:
    """Run a step in this process; its files go to its folder, and nothing to standard output.

    The model is one that can be loaded, so that a ``ModelError`` says what it cannot do.

    Args:
        step: the step.
        options: as ``step.arguments`` gives them.
        out: folder of all steps.
    """
    (out / step.name).mkdir(parents=True, exist_ok=True)
    found, refusal = Ran(), ""

    def run() -> int:
        nonlocal found, refusal
        module = import_module((COMMANDS.get(step.command) or own_commands()[step.command]).module)
        args = module.build_parser().parse_args(options)
        try:
            if not hasattr(module, "run"):  # it makes a run directory, and no table
                return int(module.execute(args))
            found = module.run(args)
        except ModelError as error:
            refusal = str(error)
            return WRONG_USE
        except KeyboardInterrupt as error:
            if error.args:  # says how far it came
                raise
            return INTERRUPTED
        keep(found, args)
        return SOME_FAILED if found.failed else DONE

    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            code = exit_code(f"probe {step.command}", run)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else WRONG_USE
        except Exception:  # whatever went wrong in one step, the others go on
            traceback.print_exc()
            code = WRONG_USE
    return Performed(code=code, ran=found, refusal=refusal)


def command_line(step: Step, options: Sequence[str]) -> str:
    """How to run a step by itself."""
    return shlex.join(["probe", step.command, *options])


def is_empty(folder: Path) -> bool:
    """Whether a step left nothing: its input failed as a whole, which its exit code does not tell from a part."""
    return not any(path.is_file() for path in folder.rglob("*"))


def path_sha256(path: Path) -> str:
    """SHA-256, in hexadecimal, over a file, or over the names and bytes of the files in a folder, sorted."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    sha = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        name = file.relative_to(path).as_posix()
        sha.update(f"{name} {path_sha256(file)}\n".encode())
    return sha.hexdigest()
