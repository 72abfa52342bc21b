"""Results are kept with their commands, and what is kept is read again as it was."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import parts, records
from bench.parts import Command, Settings
from bench.records import BenchError, Record

RECORD = Record(
    part="engine",
    command="python -m bench.engine",
    processor_seconds=1.5,
    machine={"cores": "2"},
    results=[{"a": 1}],
)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    other = Record(part="cost", command="ü", processor_seconds=0.0, machine={}, results=[])
    records.write(path, [RECORD, other])
    assert records.read(path) == [RECORD, other]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def changed(**fields: object) -> str:
    return json.dumps([{**asdict(RECORD), **fields}])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '[{"part": "engine"}]',
        "[{}]",
        "[NaN]",
        changed(part=1),
        changed(machine=[]),
        changed(machine={"cores": 2}),
        changed(processor_seconds="1"),
        changed(results=[[]]),
        changed(results=None),
        changed(other=1),
    ],
)
def test_anything_else_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BenchError, match=r"found\.json: records of bench\.all are expected"):
        records.read(path)


def test_a_part_that_is_measured_anew_stands_for_the_old_one() -> None:
    old = Record(part="engine", command="old", processor_seconds=0.0, machine={}, results=[])
    kept = Record(part="cost", command="kept", processor_seconds=0.0, machine={}, results=[])
    assert records.merged([old, kept], [RECORD]) == [kept, RECORD]


def test_commands_are_shown_without_folders() -> None:
    settings = Settings(input=Path("/data/ud/pud.conllu"), models=("bert", "/models/minilm"))
    for commands in (make(settings) for make in parts.PARTS.values()):
        for command in commands:
            assert "/" not in parts.shown(command)
    assert (
        parts.shown(("engine", "--input", "/data/ud/pud.conllu"))
        == "python -m bench.engine --input pud.conllu"
    )


@pytest.mark.parametrize("name", ["memory", "knowledge"])
def test_parts_without_their_data_have_no_command(name: str) -> None:
    assert parts.PARTS[name](Settings()) == []


def test_each_command_is_run_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Command] = []

    def run(command: Command) -> tuple[list[records.Result], float]:
        asked.append(command)
        return [{"n": len(asked)}], 1.26

    found = records.measure("engine", [("engine",), ("engine", "--words", "3")], run=run)
    assert asked == [("engine",), ("engine", "--words", "3")]
    assert [(one.results, one.processor_seconds) for one in found] == [([{"n": 1}], 1.3), ([{"n": 2}], 1.3)]
    assert found[0].machine.keys() > {"processor", "torch", "commit"}
    assert capsys.readouterr().err.splitlines()[1] == "engine, 2 of 2: python -m bench.engine --words 3"


def test_a_command_runs_in_a_process_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    results, seconds = records.run_command(("decoders", "--words", "3", "--sentences", "1", "--repeats", "1"))
    assert [one["words"] for one in results] == [3]
    assert seconds > 0
    with pytest.raises(BenchError, match=r"bench\.decoders --words x ended with exit code 2"):
        records.run_command(("decoders", "--words", "x"))
    assert "invalid int value" in capfd.readouterr().err
