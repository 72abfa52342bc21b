"""The page of benchmarks is made of what their commands print: measured, kept, or both."""

import io
import json
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import pytest

from bench import all as bench_all
from bench import page, records
from bench.parts import PARTS, Command
from bench.records import BenchError, Record, Result, results_in
from tests.conftest import ModelFolder

MARKED = "# Benchmarks\n\n<!-- bench:machine -->\n<!-- /bench -->\n" + "".join(
    f"\nBy hand, of {part}.\n\n<!-- bench:{part} -->\nas it was\n<!-- /bench -->\n" for part in PARTS
)


def in_this_process(command: Command) -> tuple[list[Result], float]:
    """As ``run_command``, without the seconds that a new process takes."""
    module, *arguments = command
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = import_module(f"bench.{module}").main(arguments)
    if code:
        raise BenchError(f"{module} ended with exit code {code}")
    return results_in(printed.getvalue()), 1.0


def no_run(command: Command) -> tuple[list[Result], float]:
    raise AssertionError(f"{command} was run")


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(MARKED, encoding="utf-8")
    return path


def test_a_quick_page(marked: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--quick", "--out", str(marked), "--model", str(model_folder("bert"))]
    assert bench_all.main(given, run=in_this_process) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in written] == [
        "page.json",
        "page.md",
        "benchmark-cost.svg",
        "benchmark-approximations.svg",
    ]
    text = marked.read_text(encoding="utf-8")
    assert str(marked.parent) not in text
    assert "as it was" not in text
    assert text.count("\nNot measured.\n") == 2  # memory and knowledge, whose data is not given
    assert text.count("By hand") == len(PARTS)
    assert "| Eisner, one root | ours |" in text
    assert "![Rank correlation with pairs against cost](images/benchmark-approximations.svg)" in text
    before = {path: path.read_bytes() for path in written}
    assert bench_all.main(["--from", str(written[0]), "--out", str(marked)], run=no_run) == 0
    assert {path: path.read_bytes() for path in written} == before


def test_the_published_page_is_what_was_kept() -> None:
    kept = records.read(bench_all.PAGE.with_suffix(".json"))
    text = bench_all.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, kept) == text
    assert {record.part for record in kept} <= PARTS.keys()


def test_a_part_by_itself(marked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(command: Command) -> tuple[list[Result], float]:
        return [{"words": 22, "processor ms per sentence": {"MART": {"ours": 0.04567}}}], 2.0

    given = ["--only", "decoders", "--out", str(marked)]
    assert bench_all.main(given, run=run) == 0
    assert "|  |  | 22 words |\n|---|---|---:|\n| MART | ours | .0457 |" in marked.read_text(encoding="utf-8")

    def fail(command: Command) -> tuple[list[Result], float]:
        raise BenchError("it ended")

    assert bench_all.main(["--only", "engine", "--out", str(marked)], run=fail) == 1
    assert capsys.readouterr().err.endswith("error: it ended\n")
    marked.write_text("# Nothing\n", encoding="utf-8")
    assert bench_all.main(given, run=run) == 0
    assert f"decoders: {marked} has no place for it\n" in capsys.readouterr().err
    kept = json.loads(marked.with_suffix(".json").read_text(encoding="utf-8"))
    assert [record["part"] for record in kept] == ["decoders"]


def test_a_new_page_is_made_from_the_published_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.md"
    assert bench_all.main(["--only", "knowledge", "--out", str(path)], run=no_run) == 0
    assert path.read_text(encoding="utf-8").startswith("# Benchmarks\n")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--quick"], "--quick needs --out"),
        (["--from", "x.json", "--only", "engine"], "--from measures nothing"),
        (["--only", "nothing"], "invalid choice"),
    ],
)
def test_wrong_use(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench_all.main(given, run=no_run)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_missing_or_marked_wrongly(marked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_all.main(["--from", "no-such.json", "--out", str(marked)], run=no_run) == 1
    assert "no-such.json" in capsys.readouterr().err
    other = [Record(part="cost", command="", processor_seconds=1, machine={}, results=[{"by": "words"}])]
    kept = marked.with_name("other.json")
    records.write(kept, other)
    assert bench_all.main(["--from", str(kept), "--out", str(marked)], run=no_run) == 1
    assert capsys.readouterr().err == (
        "error: cost: results as its commands print them are expected (KeyError('words'))\n"
    )
    assert marked.read_text(encoding="utf-8") == MARKED
    with pytest.raises(BenchError, match="bench:speed on the page is no part"):
        page.filled("<!-- bench:speed -->\n<!-- /bench -->", [])


def test_one_column_a_machine() -> None:
    here, there = {"processor": "A", "commit": "1"}, {"processor": "B", "commit": "1"}
    found = [
        Record(part=part, command="", processor_seconds=600, machine=machine, results=[])
        for part, machine in (("engine", here), ("engine", here), ("cost", here), ("decoders", there))
    ]
    lines = page.machines(found)
    assert lines[:3] == ["| measured | engine, cost | decoders |", "|---|---|---|", "| processor | A | B |"]
    assert lines[-2:] == ["| commit | 1 | 1 |", "| processor seconds of all | 1,800 | 600 |"]


def test_types_beside_each_other() -> None:
    seconds = {"naive pair last float32": 4.0}
    for name, value in (("float32", 1.0), ("bfloat16", 2.0)):
        seconds |= {f"bare pair {name}": value, f"ours pair last {name}": value}
    ratios = {"naive / ours, pair last float32": 4.0, "naive / ours, pair last bfloat16": 2.0}
    result = {"model": "m", "length": "9", "sentences": 1, "words": 9, "device": "cpu"}
    lines = page.engine([{**result, "processor seconds": seconds, "ratios": ratios}])
    assert lines[2:4] == [
        "| m | 9 | float32 | 1.00 | 1.00 | 4.00 |",
        "| m | 9 | bfloat16 | 2.00 | 2.00 | 2.00 |",
    ]


def test_numbers() -> None:
    assert [page.number(value) for value in (0.034, 1.0, 12.345, None)] == [".03", "1.00", "12.35", "-"]
    assert [page.significant(value) for value in (0.04567, 232.4, 1.5, "skipped")] == [
        ".0457",
        "232",
        "1.5",
        "skipped",
    ]
