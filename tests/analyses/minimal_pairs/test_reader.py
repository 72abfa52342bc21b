"""Minimal pairs: the reader."""

import os
from collections import Counter
from pathlib import Path

import pytest

import analyses
import data
from analyses.minimal_pairs.accuracy import first_pairs
from tests.analyses.minimal_pairs.blimp import record


class TestReader:
    def test_records(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text("\ufeff" + record("A b.", "A c.") + "\n" + record("D é.", "D."), encoding="utf-8")
        first, second = data.read_minimal_pairs(path)
        assert first == data.MinimalPair(
            good="A b.",
            bad="A c.",
            phenomenon="binding",
            paradigm="p",
            field="syntax",
            where=f"{path}:1",
        )
        assert (second.good, second.where) == ("D é.", f"{path}:3")

    def test_a_folder_is_read_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "b.jsonl").write_text(record("B.", "b."), encoding="utf-8")
        (tmp_path / "a.jsonl").write_text(record("A.", "a."), encoding="utf-8")
        (tmp_path / "README.md").write_text("no pairs", encoding="utf-8")
        assert [found.good for found in data.read_minimal_pairs(tmp_path)] == ["A.", "B."]

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("good bad\n", "JSON is expected, found Expecting value at column 1"),
            ("[" * 100_000 + "\n", "JSON is expected, found brackets nested too deeply"),
            ("[1]\n", "a JSON object is expected, found list"),
            ("{}\n", "key 'sentence_good' is expected, found none"),
            (record("A.", "B.").replace("UID", "uid"), "key 'UID' is expected, found sentence_good, "),
            (record("A.", " "), "a text that is not empty is expected as 'sentence_bad', found ' '"),
            (
                record("A.", "B.").replace('"p"', "7"),
                "a text that is not empty is expected as 'UID', found 7",
            ),
            (
                record("A\ud800.", "B."),
                "Unicode text is expected, found half a surrogate pair in 'A\\ud800.'",
            ),
        ],
    )
    def test_malformed_line(self, tmp_path: Path, line: str, expected: str) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text(record("A b.", "A c.") + line, encoding="utf-8")
        with pytest.raises(data.DataError) as caught:
            list(data.read_minimal_pairs(path))
        assert str(caught.value).startswith(f"{path}:2: {expected}")
        assert "\n" not in str(caught.value)

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_bytes(b'{"sentence_good": "\xff"}\n')
        with pytest.raises(data.DataError, match=r"p\.jsonl:1: UTF-8 text is expected"):
            list(data.read_minimal_pairs(path))

    def test_nothing_to_read(self, tmp_path: Path) -> None:
        with pytest.raises(data.InputError, match=r"a folder with \.jsonl files is expected"):
            data.read_minimal_pairs(tmp_path)
        with pytest.raises(data.InputError, match="a file is expected, there is none"):
            data.read_minimal_pairs(tmp_path / "p.jsonl")
        (tmp_path / "p.jsonl").write_text("\n", encoding="utf-8")
        with pytest.raises(data.DataError, match="no minimal pairs"):
            list(data.read_minimal_pairs(tmp_path))

    @pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
    def test_blimp(self) -> None:
        pairs = list(data.read_minimal_pairs(Path(os.environ["PROBE_DATA"]) / "blimp"))
        assert set(Counter(found.paradigm for found in pairs).values()) == {1_000}
        assert len({found.paradigm for found in pairs}) == 67
        right = [analyses.ScoredPair(pair=found, good=1.0, bad=0.0) for found in first_pairs(iter(pairs), 2)]
        found = analyses.evaluate_pairs(
            right, model="m", data="blimp", version="1", score="original", resamples=2
        )
        # The phenomena of the paper's table, with their numbers of paradigms.
        assert {row.name: row.score.n // 2 for row in found.phenomena} == {
            "anaphor_agreement": 2,
            "argument_structure": 9,
            "binding": 7,
            "control_raising": 5,
            "determiner_noun_agreement": 8,
            "ellipsis": 2,
            "filler_gap_dependency": 7,
            "irregular_forms": 2,
            "island_effects": 8,
            "npi_licensing": 7,
            "quantifiers": 4,
            "subject_verb_agreement": 6,
        }
