"""``probe constituency``: Table 3 of the paper."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data
from analyses import count_brackets, label_recall, score_brackets
from analyses.constituency.command import main
from analyses.constituency.scores import LABELS, Columns, Gold, baseline_hits, count_hits, is_biased
from analyses.trees.decoders import CONSTITUENT_DECODERS
from analyses.trees.protocols import PROTOCOLS, ProtocolName
from data import ConstituencySentence
from parsers import branching
from tests.command import Done, ran
from tests.conftest import ModelFolder
from tests.table_rows import rows_of

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

TREES = """
( (S (NP-SBJ (DT The) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (DT the) (NN mat)))) (. .)) )
( (S (NP (NNS Dogs)) (VP (VBP bark) (ADVP (RB so) (RB loudly)))) )
( (NP (DT A) (NN storm)) )
( (INTJ (UH Yes)) )
"""
LONG = "( (S (NP (NNS Owls)) (VP (VBP see) (NP " + "(NN teapot) " * 40 + "))) )\n"

Run = Callable[..., Done]


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with a tiny BERT, whose window is 32 pieces, and one random-weight model."""

    def command(*args: object) -> Done:
        folder = model_folder("bert")
        capsys.readouterr()
        given = ["--model", str(folder), "--seeds", "1", "--device", "cpu", "--dtype", "float32", "--quiet"]
        return ran(capsys, main, *given, *args)

    return command


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    """Section 0 with three sentences that have a tree, section 1 with one and one that is too long."""
    folder = tmp_path / "wsj"
    folder.mkdir()
    (folder / "wsj_0001.mrg").write_text(TREES, encoding="utf-8")
    (folder / "wsj_0101.mrg").write_text(TREES.splitlines()[1] + "\n" + LONG, encoding="utf-8")
    return folder


def random_sentences(protocol: ProtocolName) -> list[ConstituencySentence]:
    rng = np.random.default_rng(1)
    sentences = []
    for n in rng.integers(2, 16, size=60).tolist():
        spans = {(*span, str(rng.choice(LABELS))) for span in branching.random_binary(n, seed=rng).spans}
        spans = {span for span in spans if rng.random() < 0.7}
        if protocol == "fair":
            spans = {span for span in spans if span[:2] != (0, n)}
        words = tuple("abcdefghijklmnop"[:n])
        sentences.append(ConstituencySentence(id="x", words=words, labelled_spans=frozenset(spans)))
    return sentences


@needs_data
def test_branchings_on_the_sample_of_the_treebank() -> None:
    """Figures of the published evaluation, and those of the fair one, on WSJ 0001 to 0199."""
    trees = tuple(data.read_ptb(Path(os.environ["PROBE_DATA"]) / "wsj-sample"))
    expected = {
        "wu2020": {"right-branching": 66.4, "left-branching": 34.6},
        "fair": {"right-branching": 55.9, "left-branching": 13.9},
    }
    for protocol in PROTOCOLS:
        found = data.constituency_sentences(trees, protocol=protocol, min_length=2, max_length=10)
        gold = Gold.of(list(found), protocol)
        assert len(gold.sentences) == 542
        columns, baselines = Columns(gold, 10), baseline_hits(gold, seed=0)
        for name, value in expected[protocol].items():
            cell = columns.cells(baselines[name], seed=0)[0]
            assert cell is not None and round(cell.value, 1) == value
            assert cell.interval is not None and cell.interval.low < value < cell.interval.high


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_columns_are_the_scores_of_the_library(protocol: ProtocolName) -> None:
    sentences = random_sentences(protocol)
    gold = Gold.of(sentences, protocol)
    trees = [branching.balanced(len(sentence.words)).spans for sentence in sentences]
    columns = Columns(gold, None)
    cells = dict(
        zip(columns.names, columns.cells([count_hits(sentences, trees, protocol)], seed=3), strict=True)
    )
    for suffix, longest in ((" to 10", 10), ("", 99)):
        chosen = [place for place, sentence in enumerate(sentences) if len(sentence.words) <= longest]
        counts = count_brackets(
            [sentences[place].spans for place in chosen],
            [trees[place] for place in chosen],
            lengths=[len(sentences[place].words) for place in chosen],
            protocol=protocol,
        )
        for header, score in zip(("F1", "corpus F1"), score_brackets(counts, seed=3), strict=True):
            cell = cells.get(header + suffix)
            assert (cell is None) == (header == "corpus F1" and protocol == "wu2020")
            assert cell is None or cell.value == pytest.approx(score.value)
            assert cell is None or cell.interval is not None
            assert cell is None or cell.interval.low == pytest.approx(score.interval.low)  # type: ignore[union-attr]
    recall = label_recall(
        [sentence.labelled_spans for sentence in sentences],
        trees,
        lengths=gold.lengths.tolist(),
        protocol=protocol,
    )
    for label in LABELS:
        cell = cells[label]
        assert cell is not None and cell.value == pytest.approx(100 * recall[label].recall)


def test_a_row_of_several_runs_is_their_mean() -> None:
    sentences = random_sentences("fair")
    gold = Gold.of(sentences, "fair")
    columns, runs = Columns(gold, None), baseline_hits(gold, seed=0)["random"]
    single = [columns.cells([hits], seed=0) for hits in runs]
    for place, cell in enumerate(columns.cells(runs, seed=0)):
        values = [cells[place] for cells in single]
        assert cell is not None
        assert cell.value == pytest.approx(np.mean([each.value for each in values if each is not None]))


def test_columns_depend_on_protocol_and_longest_sentence() -> None:
    wu2020, fair = (Gold.of(random_sentences(protocol), protocol) for protocol in ("wu2020", "fair"))
    assert Columns(wu2020, None).f1_names == ("F1 to 10", "F1")
    assert Columns(wu2020, 10).f1_names == ("F1 to 10",)
    assert Columns(wu2020, 40).f1_names == ("F1 to 10", "F1 to 40")
    assert Columns(wu2020, 5).f1_names == ("F1 to 5",)
    assert Columns(fair, 10).f1_names == ("F1 to 10", "corpus F1 to 10")
    assert Columns(fair, None).names[Columns(fair, None).main] == "F1"


def test_the_digest_depends_on_words_spans_and_labels() -> None:
    def digest(words: str, *spans: tuple[int, int, str]) -> str:
        sentence = ConstituencySentence(id="x", words=tuple(words.split()), labelled_spans=frozenset(spans))
        return Gold.of([sentence], "wu2020").digest()

    digests = {digest("a b"), digest("a c"), digest("a b", (0, 2, "S")), digest("a b", (0, 2, "NP"))}
    assert len(digests) == 4
    both = ((0, 2, "S"), (0, 2, "NP"))
    assert digest("a b", *both) == digest("a b", *reversed(both))


def test_only_the_released_mart_is_biased() -> None:
    assert [decoder for decoder in CONSTITUENT_DECODERS if is_biased(decoder)] == ["mart-released"]


def test_tables_of_both_protocols(run: Run, treebank: Path) -> None:
    done = run("--data", treebank, "--sections", 0, "--format", "json")
    assert (done.code, done.err) == (0, "")
    wu2020, fair = json.loads(done.out)
    assert list(rows_of(wu2020, "published"))[-3:] == ["MART", "Right-Branching", "Left-Branching"]
    mart = rows_of(wu2020, "published")["MART"]
    assert (mart["F1 to 10"], mart["F1"], mart["SBAR"], mart["ADVP"]) == (58.0, 42.1, 51.9, None)
    assert rows_of(fair, "published") == {}
    answering = [row["name"] for row in wu2020["rows"] if row.get("published_as") == "MART"]
    assert len(answering) == 1 and "mart-released" in answering[0] and "random" not in answering[0]
    for table in (wu2020, fair):
        assert len(rows_of(table, "model")) == len(CONSTITUENT_DECODERS)
        names = list(rows_of(table, "baseline"))
        assert names[:4] == ["right-branching", "left-branching", "balanced", "random"]
        assert len(names) == 4 + len(CONSTITUENT_DECODERS)
        biased = [name for name in rows_of(table, "model") if name.endswith("(biased)")]
        assert len(biased) == 1 and "mart-released" in biased[0]
        assert table["notes"][-1] == "Differences: too few to test."
        assert table["notes"][0].startswith("3 sentences of 2 words or more")
    # By hand: the right-branching tree lacks NP of the first sentence only.
    right = rows_of(fair, "baseline")["right-branching"]
    assert right["NP"] == pytest.approx(50.0)
    assert (right["VP"], right["PP"], right["S"]) == (100.0, 100.0, None)


def test_a_biased_decoder_is_compared_as_published_only(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wsj_0001.mrg").write_text(6 * TREES, encoding="utf-8")
    done = run("--data", tmp_path, "--decoder", "mart-released", "chart-row", "--format", "json")
    wu2020, of_wu2020, fair, of_fair = json.loads(done.out)
    names = {name for name in rows_of(fair, "model") if "mart-released" not in name}
    assert set(rows_of(of_fair, "model")) == names and len(names) == 1
    assert set(rows_of(of_wu2020, "model")) == set(rows_of(wu2020, "model"))
    measures = ("F1 to 10", "corpus F1 to 10", "F1", "corpus F1")
    assert of_fair["columns"] == [name for measure in measures for name in (measure, f"p of {measure}")]


def test_published_figures_stand_beside_a_treebank_and_its_lengths_only(run: Run, treebank: Path) -> None:
    few = (
        "--protocol",
        "wu2020",
        "--decoder",
        "chart-block",
        "--format",
        "json",
        "--seeds",
        0,
        "--limit",
        4,
    )
    (sample,) = json.loads(run(*few).out)
    assert rows_of(sample, "published") == {}
    assert "Data: the bundled sample trees, since --data is not given." in sample["notes"]
    (short,) = json.loads(run(*few, "--data", treebank, "--sections", 0, "--max-length", 10).out)
    assert rows_of(short, "published")["MART"] == {"F1 to 10": 58.0} | dict.fromkeys(LABELS)
    (tiny,) = json.loads(run(*few, "--data", treebank, "--sections", 0, "--max-length", 5).out)
    assert rows_of(tiny, "published") == {}


def test_brackets_are_the_trees_that_were_scored(run: Run, treebank: Path) -> None:
    one = ("--protocol", "fair", "--decoder", "chart-row", "--seeds", 0, "--format", "json")
    done = run("--data", treebank, "--sections", 0, *one, "--brackets", "-")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 3 and lines[2] == "(X A storm)"
    (table,) = json.loads(done.err)
    assert [line.replace("(X ", "").replace(")", "") for line in lines] == [
        "The cat sat on the mat",
        "Dogs bark so loudly",
        "A storm",
    ]
    sentences = list(
        data.constituency_sentences(data.read_ptb(treebank, sections=[0]), protocol="fair", min_length=2)
    )
    counts = count_brackets(
        [sentence.spans for sentence in sentences],
        [spans_of(line) for line in lines],
        lengths=[len(sentence.words) for sentence in sentences],
        protocol="fair",
    )
    (row,) = rows_of(table, "model").values()
    assert row["F1"] == pytest.approx(100 * counts.sentence_f1)


def spans_of(line: str) -> set[tuple[int, int]]:
    """Spans of a bracketed line of words."""
    spans, starts, words = set(), [], 0
    for token in line.replace("(X", " ( ").replace(")", " ) ").split():
        if token == "(":
            starts.append(words)
        elif token == ")":
            spans.add((starts.pop(), words))
        else:
            words += 1
    return spans


def test_a_sentence_that_does_not_fit_is_left_out_of_every_row(
    run: Run, treebank: Path, tmp_path: Path
) -> None:
    out = tmp_path / "trees"
    one = ("--protocol", "fair", "--decoder", "mart-paper", "--format", "json", "--brackets", out)
    done = run("--data", treebank, "--sections", 1, *one)
    assert done.code == 1
    assert "wsj_0101.mrg:2: sentence wsj_0101.mrg:2 skipped: " in done.err
    (table,) = json.loads(done.out)
    assert table["notes"][0].startswith("1 sentences of")
    assert "1 more sentences could not be probed and are left out of every row." in table["notes"]
    assert all("| n:1 |" in row["signatures"][0] for row in table["rows"])
    lines = out.read_text(encoding="utf-8").split("\n")
    assert len(lines) == 3 and lines[0].startswith("(X ") and lines[1:] == ["", ""]


def test_the_choice_reads_the_development_sections_only(run: Run, treebank: Path) -> None:
    (treebank / "wsj_0101.mrg").write_text("( (S", encoding="utf-8")  # would be an error if it were read
    done = run("--data", treebank, "--dev", 0, "--protocol", "fair", "--format", "json")
    assert (done.code, done.err) == (0, "")
    (table,) = json.loads(done.out)
    assert table["columns"] == ["0", "1", "2", "3"]
    rows = rows_of(table, "model")
    assert [name.partition("+")[0] for name in rows] == [
        name for name in CONSTITUENT_DECODERS if "mart" not in name
    ]
    best = max(value for row in rows.values() for value in row.values() if value is not None)
    name, layer = next((n, k) for n, row in rows.items() for k, value in row.items() if value == best)
    assert f"Best: {name}, layer {layer}: {best:.1f}." in table["notes"][-1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--sections", 0], "--sections and --dev choose from --data"),
        (["--data", "T", "--dev", 0, "--brackets", "-"], "--dev writes no trees"),
        (["--data", "T", "--dev", 0, "--decoder", "mart-paper"], "--dev chooses the span score"),
        (["--data", "T", "--dev", 0, "--sections", 1], "not allowed with argument"),
        (["--data", "T", "--sections", 7], "section 7"),
        (["--data", "T", "--brackets", "-"], "--brackets writes the trees of one row"),
        (["--max-length", 1], "at least 2 words"),
        (["--data", "T", "--dev", 100], "a section from 0 to 99"),
        (["--matrices", "nowhere"], "give --protocol"),
    ],
)
def test_wrong_use(run: Run, treebank: Path, args: list[object], message: str) -> None:
    done = run(*(treebank if arg == "T" else arg for arg in args))
    assert (done.code, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1
