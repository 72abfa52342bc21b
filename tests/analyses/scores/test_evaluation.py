"""Rows of a table: what is counted, the baselines beside them, signatures, digests and the table itself."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from analyses import (
    Interval,
    Score,
    Settings,
    Signature,
    baseline_rows,
    bootstrap,
    digest,
    evaluate,
    gold_roots,
    score_line,
    table,
)
from analyses.trees.decoders import BASELINES
from data import DataError, Sentence, read_conllu


def sentence(heads: tuple[int, ...], upos: tuple[str, ...] | None = None, name: str = "1") -> Sentence:
    """A sentence of made-up words."""
    words = tuple(f"w{position}" for position in range(1, len(heads) + 1))
    return Sentence(id=name, words=words, heads=heads, upos=upos)


TOY = (
    sentence((2, 0, 4, 2, 2), ("PRON", "VERB", "DET", "NOUN", "PUNCT")),
    sentence((0,), ("PUNCT",), "2"),
    sentence((0, 1), ("INTJ", "PUNCT"), "3"),
)
GOLD = [(2, 0, 4, 2, 2), (0,), (0, 1)]


def test_evaluate_counts_what_the_protocol_scores() -> None:
    predicted = [[2, 0, 2, 2, 4], [0], [0, 1]]
    options: dict[str, Any] = {"name": "bert", "data": "toy", "version": "0.1", "resamples": 100}
    wu2020 = evaluate(TOY, predicted, protocol="wu2020", root="gold", **options)
    assert [score.value for score in wu2020.scores] == [75.0, 75.0, 87.5]
    assert wu2020.counts.total.tolist() == [5, 1, 2]
    fair = evaluate(TOY, predicted, protocol="fair", root="predicted", **options)
    assert [score.value for score in fair.scores] == [80.0, 80.0, 100.0]
    assert fair.counts.total.tolist() == [4, 0, 1]
    assert fair.uas.interval is None  # two sentences have something to score
    many = evaluate(5 * TOY, 5 * predicted, protocol="fair", root="predicted", **options)
    drawn = bootstrap(5 * [3, 0, 1], 5 * [4, 0, 1], resamples=100, seed=0)
    assert many.uas.interval == Interval(100 * drawn.low, 100 * drawn.high)
    assert (fair.signature.punct, wu2020.signature.punct) == ("unscored", "scored")
    perfect = evaluate(5 * TOY, 5 * GOLD, protocol="fair", root="predicted", **options)
    assert {(score.value, score.interval) for score in perfect.scores} == {(100.0, Interval(100.0, 100.0))}


def test_frames_have_the_scores_and_the_counts_of_each_sentence() -> None:
    options: dict[str, Any] = {"name": "bert", "data": "toy", "version": "0.1", "resamples": 100}
    found = evaluate(TOY, GOLD, protocol="fair", root="predicted", **options)
    assert found.to_frame()[["low", "high"]].isna().all(axis=None)  # too few to test
    many = evaluate(5 * TOY, 5 * GOLD, protocol="fair", root="predicted", **options)
    assert many.to_frame().to_dict("index") == {
        name: {"value": 100.0, "low": 100.0, "high": 100.0, "n": 15} for name in ("UAS", "UUAS", "NED")
    }
    counts = found.counts.to_frame()
    assert (counts.index.name, list(counts.index)) == ("sentence", [0, 1, 2])
    assert counts.sum().to_dict() == {"total": 5, "directed": 5, "undirected": 5, "ned": 5}


def test_evaluate_refuses() -> None:
    options: dict[str, Any] = {
        "name": "x",
        "data": "toy",
        "version": "0.1",
        "protocol": "fair",
        "root": "gold",
    }
    with pytest.raises(ValueError, match="protocol wu2020 gives it"):
        evaluate(TOY, GOLD, **{**options, "protocol": "wu2020", "root": "predicted"})
    with pytest.raises(ValueError, match=r"unknown root 'none': .*known are gold, predicted"):
        evaluate(TOY, GOLD, **{**options, "root": "none"})
    with pytest.raises(ValueError, match="sentence 4: expected gold heads, found none"):
        evaluate([Sentence(id="4", words=("a",))], [[0]], **options)
    with pytest.raises(ValueError, match="something to score"):
        evaluate(TOY[1:2], [[0]], **options)
    with pytest.raises(DataError, match="sentence 9"):
        gold_roots([sentence((2, 1), name="9")])


@pytest.mark.parametrize(("protocol", "root"), [("wu2020", "gold"), ("fair", "gold"), ("fair", "predicted")])
def test_baseline_rows(protocol: str, root: str) -> None:
    options: dict[str, Any] = {"protocol": protocol, "root": root, "seed": 1, "resamples": 50}
    rows = baseline_rows(TOY, data="toy", version="0.1", **options)
    assert [row.name for row in rows] == list(BASELINES)
    assert rows[-1].counts.total.tolist() == [10 * total for total in rows[0].counts.total]
    for row in rows:
        assert row.signature.settings == Settings(decoder=row.name)
        assert 0 <= row.uas.value <= row.uuas.value <= row.ned.value <= 100
    again = baseline_rows(TOY, data="toy", version="0.1", **options)
    assert [row.as_dict() for row in rows] == [row.as_dict() for row in again]


def test_the_rows_print_one_line_a_score() -> None:
    row = evaluate(
        TOY, GOLD, name="x", data="toy", version="0.1", protocol="wu2020", root="gold", resamples=9
    )
    prefix = f"100.0 (too few to test) | toy@{digest(TOY)[:4]}… | root:gold | punct:scored | n:3 | v0.1"
    lines = [f"{name} = {prefix} | protocol:wu2020 | bs:9 seed:0" for name in ("UAS", "UUAS", "NED")]
    assert str(row).split("\n") == lines
    assert json.loads(json.dumps(row.as_dict()))["scores"][0] == {
        "name": "UAS",
        "value": 100.0,
        "interval": None,
        "n": 3,
    }


def test_score_line_is_the_designs() -> None:
    signature = Signature(
        data="pud-wu2020", digest="1f3a" + 60 * "0", root="gold", punct="scored", n=1000, version="0.1"
    )
    score = Score(name="UAS", value=41.72, interval=Interval(40.91, 42.46), n=1000)
    line = score_line(score, signature)
    assert line == "UAS = 41.7 [40.9, 42.5] | pud-wu2020@1f3a… | root:gold | punct:scored | n:1000 | v0.1"


def test_full_signature() -> None:
    made = Settings(decoder="eisner", model="bert", metric="dist", layer=12, pool="mean", perturb="pair")
    signature = Signature(
        data="pud", digest="ab" * 32, n=3, version="0.1", protocol="fair", settings=made, resamples=50, seed=0
    )
    assert str(signature) == (
        "pud@abab… | n:3 | v0.1 | protocol:fair | decoder:eisner | model:bert | metric:dist | layer:12"
        " | pool:mean | perturb:pair | bs:50 seed:0"
    )
    settings = {"decoder": "eisner", "model": "bert", "metric": "dist", "layer": 12}
    assert json.loads(json.dumps(signature.as_dict())) == {
        "data": "pud",
        "digest": "ab" * 32,
        "n": 3,
        "version": "0.1",
        "protocol": "fair",
        "settings": settings | {"pool": "mean", "perturb": "pair"},
        "resamples": 50,
        "seed": 0,
    }


def test_digest_depends_on_words_and_heads_only() -> None:
    plain = sentence((0, 1))
    assert digest([plain]) == hashlib.sha256(b'[["w1","w2"],[0,1]]\n').hexdigest()
    assert digest([plain]) == digest([sentence((0, 1), ("X", "X"), "another id")])
    other_words = Sentence(id="1", words=("w1", "é"), heads=(0, 1))
    others = [[sentence((2, 0))], [plain, plain], [other_words], []]
    assert len({digest(sentences) for sentences in [[plain], *others]}) == 5


def test_table_is_aligned() -> None:
    options: dict[str, Any] = {"data": "toy", "version": "0.1", "protocol": "wu2020", "root": "gold"}
    perfect = evaluate(4 * TOY, 4 * GOLD, name="gold trees", **options)
    wrong = evaluate(4 * TOY, 4 * [[-1] * 5, [-1], [-1] * 2], name="none", **options)
    assert table([perfect, wrong]).split("\n") == [
        "              UAS [95% interval]   UUAS [95% interval]    NED [95% interval]",
        "gold trees  100.0 [100.0, 100.0]  100.0 [100.0, 100.0]  100.0 [100.0, 100.0]",
        "none              0.0 [0.0, 0.0]        0.0 [0.0, 0.0]        0.0 [0.0, 0.0]",
        "Where the ends of an interval coincide, the figure is the same in every resample.",
    ]
    few = evaluate(TOY, GOLD, name="gold trees", **options)
    assert table([few]).split("\n") == [
        "            UAS [95% interval]  UUAS [95% interval]  NED [95% interval]",
        "gold trees               100.0                100.0               100.0",
        "A figure without an interval is of fewer than 10, too few to test.",
    ]


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_published_chain_rows_on_pud() -> None:
    sentences = list(read_conllu(Path(os.environ["PROBE_DATA"]) / "ud" / "en_pud-wu2020.conllu"))
    rows = baseline_rows(
        sentences, data="pud-wu2020", version="0.1", protocol="wu2020", root="gold", resamples=20
    )
    figures = {row.name: [score.value for score in row.scores] for row in rows}
    assert figures["left-chain"] == pytest.approx([10.74, 37.02, 53.34], abs=0.04)
    assert figures["right-chain"] == pytest.approx([35.04, 39.86, 41.16], abs=0.04)
