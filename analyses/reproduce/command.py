"""All tables and figures of the paper: ``probe reproduce --model bert --data DIR --out DIR``.

One command after another, each with a marker when it is done, so that a killed run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analyses.experiment import Found, Settings, Step
from analyses.experiments import steps
from analyses.reproduce.outcome import Outcome
from analyses.reproduce.steps import command_line, is_empty, path_sha256, perform
from analyses.tables.results import CONFIGURATION, MARKERS, read_json
from analyses.trees.methods import METHODS
from probe import __version__
from probe.command_line import (
    DONE,
    INTERRUPTED,
    SOME_FAILED,
    Parser,
    UsageError,
    command_main,
    positive,
)
from probe.files import whole_file
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions, one_of
from probe.options import Best
from probe.source import EMBEDDED

PAGE = "index.html"


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe reproduce",
        description="Every table and figure of Wu et al. (ACL 2020) that the data at hand allow, and a page "
        "that sets published against measured. A run that was interrupted goes on when it is started again.",
        epilog="Data that are missing are no failure.",
        failures="a step or some of its input failed",
    )
    known = [step.name for step in steps()]
    add = parser.add_argument
    what = "sentences, documents, facts, items"
    InputOptions.add(parser, help="folder of the data sets", metavar="DIR", required=True, limit=what)
    add("--steps", nargs="+", choices=known, default=known, metavar="NAME", help=f"of {', '.join(known)}")
    add("--networks", type=positive, default=5, metavar="N", help="sentiment networks a row (default: 5)")
    text = f"how trees are made: {', '.join(METHODS)} (default: as each command does)"
    add("--method", help=text, **one_of(METHODS))
    ModelOptions.add(parser, default=EMBEDDED, batch_tokens=False)
    RandomOptions.add(parser, of=None, seeds=3)
    OutputOptions.add(parser, out="folder of the results", required=True)
    return parser


def _run(args: argparse.Namespace) -> int:
    from analyses.reproduce.page import page

    if not args.data.is_dir():
        raise UsageError(f"--data: a folder is expected, found {args.data}")
    settings = Settings(
        model=args.model,
        limit=args.limit,
        seeds=args.seeds,
        networks=args.networks,
        device=args.device,
        dtype=args.dtype,
        quiet=args.quiet,
        method=args.method,
    )
    configuration = _configuration(settings)
    with _claimed(args.out, configuration):
        outcomes: list[Outcome] = []
        for step in steps():
            if step.name in args.steps:
                outcomes.append(_outcome(step, settings, args.data, args.out))
                print(_line(outcomes[-1], args.data), flush=True)
            elif marker := read_json(args.out / MARKERS / f"{step.name}.json"):
                outcomes.append(_earlier(step, marker))
        with whole_file(args.out / PAGE) as file:
            file.write(page(outcomes, configuration, out=args.out, data=args.data))
    print(args.out / PAGE)
    fine = all(outcome.state != "failed" and outcome.complete for outcome in outcomes)
    return DONE if fine else SOME_FAILED


def _line(outcome: Outcome, data: Path) -> str:
    """What is said of a step when it is over."""
    name = outcome.step.name
    if outcome.state == "missing":
        lacking = "; ".join(f"{source.name}: {source.get.format(data=data)}" for source in outcome.missing)
        return f"{name}: missing: {lacking or ', '.join(outcome.step.after)}"
    if outcome.state == "refused":
        return f"{name}: not with this model: {outcome.refusal}"
    if outcome.state == "done":
        return f"{name}: done in {outcome.seconds:.1f} s" + (
            "" if outcome.complete else ", some input failed"
        )
    return f"{name}: {outcome.state}"


# --- configuration


def _configuration(settings: Settings) -> dict[str, Any]:
    """What all steps depend on besides their data; the model is known by its weights and its tokenizer."""
    from probe.fingerprint import tokenizer_sha256, weights_sha256
    from probe.loading import load

    model = load(settings.model, device=settings.device, dtype=settings.dtype)
    read: Any = model.model if model.has_head else model.model.base_model
    return {
        "model": model.name,
        "weights": weights_sha256(read),
        "tokenizer": tokenizer_sha256(model.tokenizer),
        "window": model.window,
        "best": _shown(model.best),
        "device": model.device.type,
        "dtype": str(model.dtype).removeprefix("torch."),
        "limit": settings.limit,
        "seeds": settings.seeds,
        "networks": settings.networks,
        "version": __version__,
        "method": settings.method,
    }


def _shown(best: Best) -> str:
    """The layers and the pool that a model recommends."""
    listed = {
        "layer": best.layer,
        "pool": best.pool,
        **{f"layer of {n}": at for n, at in best.layers.items()},
    }
    return ", ".join(f"{name} {value}" for name, value in listed.items())


@contextmanager
def _claimed(out: Path, configuration: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder, or see that it holds a run of the same configuration; one process at a time.

    Raises:
        UsageError: it holds another run or something else, or another process fills it.
        OSError: it cannot be made.
    """
    from filelock import FileLock, Timeout

    path = out / CONFIGURATION
    out.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _check_same(path, configuration)
    elif any(not each.name.startswith(".") for each in out.iterdir()):
        raise UsageError(
            f"--out: a new folder or that of an earlier run is expected, {out} holds other files"
        )
    lock = FileLock(out / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"{out}: another process is filling this folder") from None
    try:
        _write(path, configuration)
        yield
    finally:
        lock.release()


def _check_same(path: Path, configuration: Mapping[str, Any]) -> None:
    there = read_json(path)
    different = [
        f"{name}: {there.get(name)} there, {value} here"
        for name, value in configuration.items()
        if name != "model" and there.get(name) != value
    ]
    if different:
        raise UsageError(f"{path.parent}: holds a run of another configuration: {'; '.join(different)}")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


# --- steps


def _outcome(step: Step, settings: Settings, data: Path, out: Path) -> Outcome:
    """Run a step, unless it is done or cannot be run."""
    missing = tuple(source for source in step.needs if source.find(data) is None)
    before = [read_json(out / MARKERS / f"{name}.json") for name in step.after]
    if missing or not all(before):
        return Outcome(step=step, state="missing", missing=missing)
    places = {source.name: source.find(data) for source in (*step.needs, *step.uses)}
    found: Found = {name: path for name, path in places.items() if path is not None}
    inputs = {name: path_sha256(path) for name, path in found.items()}
    inputs |= {
        f"step {name}": str(marker.get("files")) for name, marker in zip(step.after, before, strict=True)
    }
    options = step.arguments(settings, found, out)
    command = command_line(step, options)
    marker = read_json(out / MARKERS / f"{step.name}.json")
    if marker and marker.get("inputs") != inputs and (out / step.name).exists():
        shutil.rmtree(out / step.name)  # files of other data, which would stand beside the new ones
    elif marker and marker.get("files") == _files(out / step.name):
        return Outcome(step=step, state="kept", complete=marker.get("code") == DONE, command=command)
    started = time.monotonic()
    ended = perform(step, options, out)
    code = ended.code
    if code == INTERRUPTED:
        raise KeyboardInterrupt(f"in step {step.name}; the same command goes on from there")
    seconds = time.monotonic() - started
    if ended.refusal:
        return Outcome(step=step, state="refused", refusal=ended.refusal)
    if code not in (DONE, SOME_FAILED) or is_empty(out / step.name):
        return Outcome(step=step, state="failed", complete=False, seconds=seconds, command=command)
    done = {"command": command, "code": code, "inputs": inputs, "files": _files(out / step.name)}
    (out / MARKERS).mkdir(exist_ok=True)
    _write(out / MARKERS / f"{step.name}.json", done)
    return Outcome(step=step, state="done", complete=code == DONE, seconds=seconds, command=command)


def _earlier(step: Step, marker: Mapping[str, Any]) -> Outcome:
    """A step that is not asked for now: the page shows what it made before."""
    complete, command = marker.get("code") == DONE, str(marker.get("command", ""))
    return Outcome(step=step, state="kept", complete=complete, command=command)


def _files(folder: Path) -> str:
    """Hash of what a step wrote."""
    return path_sha256(folder) if folder.exists() else ""


main = command_main(build_parser, _run)
