"""``probe reproduce``: every table and figure that the data allow, killed and started again."""

import argparse
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyses import intervals
from analyses.experiment import Settings
from analyses.experiments import steps
from analyses.published import dependency_rows, tree_name
from analyses.reproduce import command as reproduce
from analyses.reproduce.page import compare
from analyses.reproduce.steps import path_sha256
from analyses.tables.results import Ran
from analyses.tables.signature import Settings as Made
from analyses.tables.table import Cell, Row, Table
from data.sources import PUD
from probe.command_line import INTERRUPTED
from probe.commands import COMMANDS
from probe.errors import ModelError
from tests.analyses.constituency.test_constituency import TREES
from tests.analyses.discourse.test_discourse import EDUS, write
from tests.command import GOLD, Done, ran
from tests.forks import forked, posix, printed
from tests.locks import held

STEPS = ("dependency-wsj10", "matrices", "discourse")
RESAMPLED = intervals.resampled_sums
Run = Callable[..., Done]


def take_few_resamples(columns: Any, *, resamples: int, seed: int) -> Any:
    """The bootstrap with 9 resamples, since its figures play no part here."""
    return RESAMPLED(columns, resamples=9, seed=seed)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all tests of this file."""
    monkeypatch.setattr(intervals, "resampled_sums", take_few_resamples)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with a window for the sentence of Figure 1."""
    from tests import tiny

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "WINDOW", 96)
        return tiny.bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Treebank, dependencies, trees and discourse trees, laid out as the command expects them."""
    folder = tmp_path / "data"
    (folder / "ud").mkdir(parents=True)
    (folder / "ud" / "en_pud-wu2020.conllu").write_text(GOLD, encoding="utf-8")
    (folder / "wsj-sample" / "dependencies").mkdir(parents=True)
    (folder / "wsj-sample" / "wsj_0001.mrg").write_text(TREES, encoding="utf-8")
    dp = "Sales\tNNS\t2\nrose\tVBD\t0\n.\t.\t2\n"
    (folder / "wsj-sample" / "dependencies" / "wsj_0001.dp").write_text(dp, encoding="utf-8")
    (folder / "scidtb").mkdir()
    write(folder / "scidtb" / "test", "A", (0, 1, 2), EDUS)
    return folder


def options(model: Path, data: Path, out: Path) -> list[str]:
    return [
        *("--model", str(model), "--data", str(data), "--out", str(out), "--seeds", "1", "--quiet"),
        *("--device", "cpu", "--dtype", "float32"),
    ]


@pytest.fixture
def run(model: Path, capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> Run:
    """Run the command with a tiny BERT on the data."""

    def command(*args: object, out: Path = tmp_path / "out") -> Done:
        return ran(capsys, reproduce.main, *options(model, data, out), *args)

    return command


def states(done: Done) -> dict[str, str]:
    """What became of every step."""
    lines = [line.split(": ", 1) for line in done.out.splitlines()[:-1]]
    return {name: re.split(r"[:, ]", said)[0] for name, said in lines}


def files(out: Path) -> dict[str, bytes]:
    """The results, without markers and page, which name the folder."""
    paths = [path for step in STEPS for path in (out / step).rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def take_no_time(args: argparse.Namespace) -> Ran:
    """In place of ``analyses.bias``."""
    row = Row(name="mart-paper, 5 words", kind="baseline", cells=(Cell(25.0),))
    return Ran(tables=(("bias-fair", Table(title="Bias", columns=("difference",), rows=(row,))),))


def test_everything_that_the_data_allow(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What takes its time and is tested elsewhere: random matrices, whole grids, and pictures at full size.
    monkeypatch.setattr("analyses.compression.command.WIDTHS", (0.5, 1.0))
    monkeypatch.setattr("analyses.compression.command.DEPTHS", (1.0,))
    monkeypatch.setattr("analyses.constituency.bias_command.run", take_no_time)
    monkeypatch.setattr("analyses.constituency.tables.is_biased", lambda decoder: False)
    monkeypatch.setattr("analyses.pictures.style.DPI", 40)
    done = run()
    assert (done.code, done.err) == (0, "")
    absent = {"sentiment", "geometry", "knowledge", "knowledge-figures", "minimal-pairs"}
    absent |= {"triples", "triples-figures"}
    assert states(done) == {step.name: "missing" if step.name in absent else "done" for step in steps()}
    out = tmp_path / "out"
    assert done.out.splitlines()[-1] == str(out / "index.html")
    assert "mart-paper, 5 words</th><td>25.0</td>" in (out / "index.html").read_text("utf-8")
    assert "LAMA: https://github.com/facebookresearch/LAMA" in done.out
    page = (out / "index.html").read_text(encoding="utf-8")
    for title in ("Tables 1 and 2: dependency trees, PUD", "Table 3", "Table 4", "Published and measured"):
        assert title in page
    # Right-chain of Table 1 stands beside the one of the three sentences.
    cells = re.search(r'Right-chain</th><td class="text">UAS</td><td>35\.0</td><td>([\d.]+)', page)
    table = json.loads((out / "dependency-pud" / "dependency-en_pud-wu2020-wu2020.json").read_text("utf-8"))
    (own,) = [row for row in table["rows"] if row["name"] == "right-chain"]
    assert cells is not None and cells[1] == f"{own['cells']['UAS']['value']:.1f}"
    assert page.count("data:image/svg+xml;base64,") == 3 + 3 + 2 + 1 + 3 + 1 + 1
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert (out / "compress" / "compress-en_pud-wu2020.json").is_file()
    assert not (out / "compress" / "models").exists()
    for suffix in ("pdf", "png", "svg"):
        assert (out / "figures" / f"heatmap.{suffix}").is_file()
        assert (out / "compress" / f"compress.{suffix}").is_file()
        assert (out / "curves" / f"uas-by-layer-en_pud-wu2020.{suffix}").is_file()


@posix
def test_killed_and_started_again(
    run: Run, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    given = ["--steps", *STEPS]
    assert run(*given, out=whole).code == 0

    # The process dies in the middle of the last step, which has written a file by then.
    def die(args: argparse.Namespace) -> None:
        (args.out / "x.part").write_text("", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)

    def dying() -> int:
        monkeypatch.setattr("analyses.discourse.command.run", die)
        return reproduce.main([*options(model, data, killed), *given])

    with forked(dying, tmp_path) as process:
        pass
    assert process.exitcode == -signal.SIGKILL, printed(tmp_path)
    assert sorted(os.listdir(killed / "done")) == ["dependency-wsj10.json", "matrices.json"]
    assert not (killed / "index.html").exists()
    monkeypatch.setattr("analyses.dependency.command.run", None)  # is not called again
    again = run(*given, out=killed)
    assert (again.code, again.err) == (0, "")
    assert states(again) == {"dependency-wsj10": "kept", "matrices": "kept", "discourse": "done"}
    (killed / "discourse" / "x.part").unlink()
    assert files(killed) == files(whole)


def test_what_changed_is_made_again(run: Run, data: Path, tmp_path: Path) -> None:
    given = ["--steps", "dependency-wsj10", "discourse"]
    assert set(states(run(*given)).values()) == {"done"}
    assert set(states(run(*given)).values()) == {"kept"}
    shutil.rmtree(data / "scidtb")
    write(data / "scidtb", "B", (0, 1), EDUS[:2])
    (data / "scidtb").rename(data / "x")
    (data / "scidtb").mkdir()
    (data / "x").rename(data / "scidtb" / "test")
    stale = tmp_path / "out" / "discourse" / "discourse-other-fair.json"
    stale.write_text("{}", encoding="utf-8")
    next((tmp_path / "out" / "dependency-wsj10").glob("*.csv")).write_text("altered", encoding="utf-8")
    assert states(run(*given)) == {"dependency-wsj10": "done", "discourse": "done"}
    assert not stale.exists()  # what was made of other data is gone
    assert set(states(run(*given)).values()) == {"kept"}
    assert states(run("--steps", "discourse")) == {"discourse": "kept"}
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Discourse trees on" in page and "Dependency trees on" in page


def test_another_configuration_is_refused(run: Run, tmp_path: Path) -> None:
    given = ["--steps", "knowledge"]
    assert run(*given).code == 0
    done = run(*given, "--limit", "2")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"probe reproduce: error: {tmp_path / 'out'}: holds a run of another configuration: "
        "limit: None there, 2 here\n"
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("", encoding="utf-8")
    done = run(*given, out=tmp_path / "other")
    assert done.code == 2 and "holds other files" in done.err
    done = run(*given, "--data", tmp_path / "nowhere")
    assert done.code == 2 and "--data: a folder is expected" in done.err
    assert run("--steps", "tea").code == 2 and run("--seeds", "x").code == 2


def test_a_folder_of_another_recommended_layer_is_refused(run: Run, model: Path, tmp_path: Path) -> None:
    own = tmp_path / "model"
    shutil.copytree(model, own)
    given = ["--steps", "knowledge", "--model", own]
    assert run(*given).code == 0
    (own / "probe.json").write_text('{"layer": 1, "pool": "mean"}', encoding="utf-8")
    done = run(*given)
    assert done.code == 2 and "best: layer -1, pool mean there, layer 1, pool mean here" in done.err


def test_two_processes_do_not_share_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("--steps", "knowledge").code == 0
    with held(tmp_path / "out" / ".lock"):
        done = run("--steps", "knowledge")
    assert done.code == 2 and "another process is filling this folder" in done.err
    assert done.err.count("\n") == 1
    assert run("--steps", "knowledge").code == 0


@pytest.mark.parametrize("code", [3, 2, 1, 0, INTERRUPTED])
def test_a_step_that_fails(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(args: argparse.Namespace) -> Ran:
        if code == 2:
            raise SystemExit(2)
        if code == 3:
            raise MemoryError("out of memory")
        if code == 0:
            return Ran(failed=True)  # and nothing was written: all of its input failed
        (args.out / "x.json").write_text("{}", encoding="utf-8")
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return Ran(failed=True)

    monkeypatch.setattr("analyses.discourse.command.run", fail)
    done = run("--steps", "discourse", "dependency-wsj10")
    page = tmp_path / "out" / "index.html"
    if code == INTERRUPTED:
        assert done.code == INTERRUPTED and not page.exists()
        assert done.err == (
            "probe reproduce: error: interrupted: in step discourse; the same command goes on from there\n"
        )
        return
    assert done.code == 1
    assert states(done) == {"dependency-wsj10": "done", "discourse": "done" if code == 1 else "failed"}
    shown = page.read_text(encoding="utf-8")
    assert ("failed; run <code>probe discourse" in shown) == (code != 1)
    assert ("MemoryError: out of memory" in done.err) == (code == 3)
    assert ("some of the input could not be probed" in shown) == (code == 1)
    assert (tmp_path / "out" / "done" / "discourse.json").exists() == (code == 1)


def test_a_step_that_is_none_for_the_model(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(args: argparse.Namespace) -> Ran:
        raise ModelError("m: a BERT with a masked-LM head is expected, found a horse & cart")

    monkeypatch.setattr("analyses.discourse.command.run", refuse)
    done = run("--steps", "discourse", "dependency-wsj10")
    assert done.code == 0 and not done.err
    said = "not with this model: m: a BERT with a masked-LM head is expected, found a horse"
    assert f"discourse: {said} & cart" in done.out.splitlines()
    assert f"{said} &amp; cart" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert not (tmp_path / "out" / "done" / "discourse.json").exists()


def test_options_are_those_of_the_commands(data: Path, tmp_path: Path) -> None:
    """Every step's options are understood by its command."""
    settings = Settings(model="m", limit=3, quiet=True, dtype="float32")
    for step in steps():
        found = {source.name: data / source.places[0] for source in (*step.needs, *step.uses)}
        given = step.arguments(settings, found, tmp_path)
        args = COMMANDS[step.command].build_parser().parse_args(given)
        out = args.file.parent if step.name == "minimal-pairs" else args.out
        assert out == tmp_path / step.name


def test_places_of_data(tmp_path: Path) -> None:
    source = PUD
    assert source.find(tmp_path) is None
    for place in reversed(source.places):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")
        assert source.find(tmp_path) == path
    first = path_sha256(tmp_path)
    assert first == path_sha256(tmp_path) != path_sha256(tmp_path / source.places[0])
    (tmp_path / source.places[0]).rename(tmp_path / "ud" / "other")
    assert path_sha256(tmp_path) != first


def test_published_figures_find_their_rows() -> None:
    def row(name: str, kind: Any, value: float, **about: Any) -> Row:
        made = Made(perturb="pair", **about)
        cells = (Cell(value), None, None)
        return Row(
            name=name, kind=kind, cells=cells, settings=made, published_as=tree_name(made) if about else None
        )

    own = (
        row("right-chain", "baseline", 1.0),
        row(
            "m random weights eisner+dist, layer 1",
            "baseline",
            2.0,
            decoder="eisner",
            metric="dist",
            random_weights=3,
        ),
        row("m eisner+prob, layer 1", "model", 3.0, decoder="eisner", metric="prob"),
        row("m eisner+dist, layer 1", "model", 4.0, decoder="eisner", metric="dist"),
    )
    table = Table(title="T", columns=("UAS", "UUAS", "NED"), rows=(*dependency_rows("PUD"), *own))
    found = {(each.published, each.column): (each.theirs.value, each.ours.value) for each in compare(table)}
    assert found == {
        ("Right-chain", "UAS"): (35.0, 1.0),
        ("Random BERT", "UAS"): (10.2, 2.0),
        ("Eisner+Prob", "UAS"): (34.1, 3.0),
        ("Eisner+Dist", "UAS"): (41.7, 4.0),
    }


def test_a_method_goes_to_the_commands_that_make_trees(tmp_path: Path) -> None:
    settings = Settings(model="bert", method="openness")
    takes = set()
    for step in steps():
        found = {source.name: tmp_path for source in (*step.needs, *step.uses)}
        if "--method" in step.arguments(settings, found, tmp_path):
            takes.add(step.name)
    assert takes == {
        *("figures", "dependency-pud", "dependency-wsj10", "layers", "curves"),
        *("constituency", "discourse", "sentiment", "early-exit", "structure"),
    }
    (matrices,) = (step for step in steps() if step.name == "matrices")
    kept = matrices.arguments(settings, {source.name: tmp_path for source in matrices.needs}, tmp_path)
    assert {"knockout", "--openness", "dist", "mean"} < set(kept)
    assert not takes & {"bias", "geometry", "knowledge", "minimal-pairs"}


def test_a_folder_of_another_method_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("--steps", "knowledge", "--method", "openness").code == 0
    done = run("--steps", "knowledge")
    assert done.code == 2 and "method: openness there, None here" in done.err
