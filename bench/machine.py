"""What figures were measured on: processor, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "numpy", "transformers")

_ROOT = Path(__file__).parents[1]


def processor() -> str:
    """What the processor is called, without its maker's decorations."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "this processor"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0].replace("(R)", "").replace("(TM)", "") if named else "this processor"


def machine() -> dict[str, str]:
    """Processor, its cores and vector instructions, versions of Python and packages, commit of the project."""
    import torch

    found = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found | {"commit": _commit()}


def _commit() -> str:
    """The commit that is checked out, with a plus sign where files differ from it; a dash outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*", "--abbrev=7"],
            cwd=_ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "-"
    return found.stdout.strip()
