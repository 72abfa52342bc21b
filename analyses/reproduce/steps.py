"""The steps of ``analyses.reproduce``: which command makes what, from which data, and where to get these."""

from __future__ import annotations

import hashlib
import os
import shlex
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from analyses.experiment import Step
from data.sources import ABSA, BLIMP, CURVES, LAMA, PUD, SCIDTB, SCIDTB_HUMAN, STS, WSJ_HEADS, WSJ_TREES
from probe.command_line import INTERRUPTED, WRONG_USE
from probe.commands import COMMANDS


def steps() -> tuple[Step, ...]:
    """The steps in their order."""
    return (
        Step(
            name="figures",
            title="Figures 1 and 2: one sentence",
            command="figures",
            options=lambda run, found, out: [
                *("heatmap", "tree", "arcs", *run.options(limit=False), "--out", out / "figures")
            ],
        ),
        Step(
            name="dependency-pud",
            title="Tables 1 and 2: dependency trees, PUD",
            command="dependency",
            needs=(PUD,),
            options=lambda run, found, out: [
                *("--data", found[PUD.name], "--by", "relation", "length", "sentence-length"),
                *(*run.options(), "--seeds", run.seeds, "--out", out / "dependency-pud"),
            ],
        ),
        Step(
            name="dependency-wsj10",
            title="Table 1: dependency trees, WSJ10",
            command="dependency",
            needs=(WSJ_HEADS,),
            options=lambda run, found, out: [
                *("--wsj", found[WSJ_HEADS.name], *run.options(), "--seeds", run.seeds),
                *("--out", out / "dependency-wsj10"),
            ],
        ),
        Step(
            name="matrices",
            title="Impact matrices of all layers, PUD",
            command="run",
            needs=(PUD,),
            options=lambda run, found, out: [
                *("--input", found[PUD.name], "--layer", "all", "--metric", "dist", *run.options()),
                *("--out", out / "matrices"),
            ],
        ),
        Step(
            name="layers",
            title="Dependency trees by layer, PUD",
            command="dependency",
            needs=(PUD,),
            after=("matrices",),
            options=lambda run, found, out: [
                *("--data", found[PUD.name], "--matrices", out / "matrices", "--layers", "all"),
                *("--protocol", "fair", "--decoders", "eisner", "--by", "length", "relation"),
                *([] if run.limit is None else ["--limit", run.limit]),
                *(["--quiet"] if run.quiet else []),
                *("--out", out / "layers"),
            ],
        ),
        Step(
            name="curves",
            title="Scores by layer, distance and relation, PUD",
            command="figures",
            after=("layers",),
            options=lambda run, found, out: [
                *("uas-by-layer", "accuracy-by-distance", "recall-by-relation"),
                *("--results", out / "layers", *run.options(limit=False), "--out", out / "curves"),
            ],
        ),
        Step(
            name="constituency",
            title="Table 3: constituency trees, WSJ sample",
            command="constituency",
            needs=(WSJ_TREES,),
            options=lambda run, found, out: [
                *("--data", found[WSJ_TREES.name], *run.options(), "--seeds", run.seeds),
                *("--out", out / "constituency"),
            ],
        ),
        Step(
            name="bias",
            title="What MART's trees owe to MART",
            command="bias",
            options=lambda run, found, out: ["--out", out / "bias"],
        ),
        Step(
            name="discourse",
            title="Table 4: discourse trees, SciDTB",
            command="discourse",
            needs=(SCIDTB,),
            uses=(SCIDTB_HUMAN,),
            options=lambda run, found, out: [
                *("--data", found[SCIDTB.name], *run.options(), "--seeds", run.seeds),
                *(["--human", found[SCIDTB_HUMAN.name]] if SCIDTB_HUMAN.name in found else []),
                *("--out", out / "discourse"),
            ],
        ),
        Step(
            name="sentiment",
            title="Table 5: aspect sentiment",
            command="sentiment",
            needs=(ABSA,),
            options=lambda run, found, out: [
                *("--table", "--data", found[ABSA.name], *run.options(), "--seeds", run.networks),
                *("--run", out / "sentiment" / "run", "--out", out / "sentiment"),
            ],
        ),
        Step(
            name="geometry",
            title="Geometry of the states (Ethayarajh 2019)",
            command="geometry",
            needs=(STS,),
            uses=(CURVES,),
            options=lambda run, found, out: [
                *("--corpus", found[STS.name], *run.options(), "--figures"),
                *(["--curves", found[CURVES.name]] if CURVES.name in found else []),
                *("--out", out / "geometry"),
            ],
        ),
        Step(
            name="knowledge",
            title="Knowledge (LAMA, Petroni et al. 2019)",
            command="knowledge",
            needs=(LAMA,),
            options=lambda run, found, out: [
                *("--data", found[LAMA.name], *run.options(), "--seeds", min(run.seeds, 1)),
                *("--out", out / "knowledge"),
            ],
        ),
        Step(
            name="knowledge-figures",
            title="Knowledge by relation",
            command="figures",
            after=("knowledge",),
            options=lambda run, found, out: [
                *("lama", "--results", out / "knowledge", *run.options(limit=False)),
                *("--out", out / "knowledge-figures"),
            ],
        ),
        Step(
            name="minimal-pairs",
            title="Minimal pairs (BLiMP, Warstadt et al. 2020)",
            command="minimal-pairs",
            needs=(BLIMP,),
            options=lambda run, found, out: [
                *("--data", found[BLIMP.name], *run.options(), "--strict"),
                *([] if run.seeds else ["--no-random-model"]),
                *("--output", out / "minimal-pairs" / "minimal-pairs.json"),
            ],
        ),
    )


def call(step: Step, options: Sequence[object], out: Path) -> int:
    """Run the command of a step, its standard output left out, since its files have it; returns its exit code.

    Args:
        step: the step.
        options: as ``step.options`` gives them.
        out: folder of all steps.
    """
    (out / step.name).mkdir(parents=True, exist_ok=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            code = COMMANDS[step.command].main(list(map(str, options)))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else WRONG_USE
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception:  # whatever went wrong in one step, the others go on
            traceback.print_exc()
            code = WRONG_USE
    return int(code)


def command_line(step: Step, options: Sequence[object]) -> str:
    """How to run a step by itself."""
    return shlex.join(["probe", step.command, *map(str, options)])


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
