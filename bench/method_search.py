"""The search for the weights of method ``openness``: every weight in turn, as long as one of them helps.

    python -m bench.method_search --data en_ewt-ud-dev.conllu --model bert --layer 4 --out RUN

Impacts, openness and cues are computed once, into the run directory RUN; after that no model runs. Every third
sentence is held out: the climb does not see it. What it climbs is UAS + UUAS under ``fair`` on the others. In the
end stand the figures on both parts, with paired 95% bootstrap intervals on the held-out one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import probe
from analyses import decode
from analyses.intervals import paired_bootstrap
from analyses.scores.attachment import ArcCounts, count_arcs
from analyses.trees.adjust import WEIGHTS, Weights, adjust
from analyses.trees.methods import METHODS
from analyses.trees.protocols import scored_words, text_read
from data import DataError, Sentence, read_conllu
from probe.spaces import as_text, running
from probe.store import Store

ADJUST = "log+offset+symmetric+openness+content+root+summary+early"
"""Every adjustment that has a weight; one of weight 0 changes nothing."""

START = Weights(openness=0, frequent=0, norm=0, seen=0, summary=0, early=0)
METHOD = replace(WEIGHTS, openness=0)
"""What the method weighs: it reads cues in the place of openness."""
BEFORE = replace(START, openness=0.5)
"""What the method was before it knew cues."""

CLIMBED = ("openness", "frequent", "norm", "seen", "root", "summary", "early")
GRID = (-0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5)
GAIN = 0.03
"""What a step must bring, in points of UAS + UUAS."""


@dataclass(frozen=True)
class Sample:
    """Sentences with gold heads, their impacts with openness and cues, and their places in the treebank."""

    sentences: list[Sentence]
    matrices: list[probe.ImpactMatrix]
    places: list[int] = field(default_factory=list)

    def counts(self, weights: Weights | None = None, *, decoder: str = "eisner") -> ArcCounts:
        """Arcs of the trees under these weights, or those of the method."""
        name, own = (METHODS["openness"].adjust, WEIGHTS) if weights is None else (ADJUST, weights)
        adjusted = [adjust(matrix, name, weights=own) for matrix in self.matrices]
        trees = decode(adjusted, protocol="fair", decoder=decoder)
        scored = [scored_words(one, "fair") for one in self.sentences]
        return count_arcs([one.heads or () for one in self.sentences], trees, scored=scored)


def read(
    source: Path, model: probe.Probe, *, layer: int, out: Path, limit: int | None = None
) -> tuple[Sample, Sample]:
    """What is searched and what is held out, every third sentence, from a run directory that is filled first.

    Sentences that cannot be probed are in neither.
    """
    sentences = list(read_conllu(source))[:limit]
    settings = replace(METHODS["openness"], layer=layer).impact
    store = Store.fill(out, model, texts(sentences), **settings, openness=True)
    return split(stored_sample(source, store, layer=layer, limit=limit))


def stored_sample(
    source: Path, store: Store, *, layer: int, limit: int | None = None, **settings: Any
) -> Sample:
    """The sentences of a treebank with their matrices in a run directory; ``settings`` as of the method.

    Sentences that could not be probed are left out.

    Raises:
        probe.ProbeError: the run directory is not one of this treebank, or has no such matrices.
    """
    sentences = list(read_conllu(source))[:limit]
    chosen = replace(METHODS["openness"], layer=layer, **settings).impact
    store.check_words(texts(sentences))
    found = list(store.matrices(**chosen, errors="return"))[: len(sentences)]
    sample = Sample([], [])
    for place, (sentence, one) in enumerate(zip(sentences, found, strict=True)):
        if isinstance(one, probe.ImpactMatrix):
            _append(sample, sentence, one, place)
    return sample


def texts(sentences: list[Sentence]) -> list[probe.Words]:
    """The sentences as a model reads them under ``fair``."""
    text = text_read("fair", sentences)
    return [as_text(running(one.words, one.spaces), text) for one in sentences]


def split(sample: Sample) -> tuple[Sample, Sample]:
    """What is searched, and what is held out: every third sentence."""
    searched, held = Sample([], []), Sample([], [])
    for sentence, matrix, place in zip(sample.sentences, sample.matrices, sample.places, strict=True):
        _append(held if place % 3 == 2 else searched, sentence, matrix, place)
    return searched, held


def _append(sample: Sample, sentence: Sentence, matrix: probe.ImpactMatrix, place: int) -> None:
    sample.sentences.append(sentence)
    sample.matrices.append(matrix)
    sample.places.append(place)


def climb(score: Callable[[Weights], float], weights: Weights) -> Iterator[tuple[str, Weights, float]]:
    """Each step that helps: the weight, all weights, and the score; ends after a round without one."""
    best, before = score(weights), -np.inf
    while best > before:
        before = best
        for name in CLIMBED:
            tried = [replace(weights, **{name: value}) for value in GRID]
            scores = [score(one) for one in tried]
            if max(scores) > best + GAIN:
                best, weights = max(scores), tried[int(np.argmax(scores))]
                yield name, weights, best


def report(searched: Sample, held: Sample, found: Weights) -> Iterator[str]:
    """The figures of what was found, of the method's own weights, and without each of the weights found."""
    rows = {"found": found, "method openness": METHOD, "before cues": BEFORE}
    rows |= {f"found, {name} 0": replace(found, **{name: 0}) for name in CLIMBED if getattr(found, name)}
    first = held.counts(found)
    yield f"{'UAS / UUAS':24}{'searched':>14}{'held out':>14}   held out, less found [95%]"
    for name, weights in rows.items():
        own = held.counts(weights)
        text = f"{name:24}{scores_text(searched.counts(weights)):>14}{scores_text(own):>14}"
        yield text if weights is found else f"{text}   {differences(own, first)}"


def scores_text(counts: ArcCounts) -> str:
    """UAS / UUAS, in percent."""
    total = counts.total.sum()
    return f"{100 * counts.directed.sum() / total:.1f} / {100 * counts.undirected.sum() / total:.1f}"


def differences(own: ArcCounts, other: ArcCounts) -> str:
    """UAS and UUAS of ``own`` less those of ``other``, with intervals."""
    shown = []
    for name in ("directed", "undirected"):
        found = paired_bootstrap(getattr(own, name), getattr(other, name), own.total)
        low, high = 100 * found.interval.low, 100 * found.interval.high
        shown.append(f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]")
    return " / ".join(shown)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.method_search", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a treebank to choose on, CoNLL-U")
    parser.add_argument("--limit", type=int, help="its first sentences only")
    parser.add_argument("--model", default="bert")
    parser.add_argument("--layer", type=int, required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="the run directory to fill")
    where.add_argument("--matrices", type=Path, help="or one that is there, with openness: no model runs")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args(argv)
    try:
        if args.matrices is not None:
            store = Store.open(args.matrices)
            searched, held = split(stored_sample(args.data, store, layer=args.layer, limit=args.limit))
        else:
            model = probe.load(args.model, device=args.device, dtype=args.dtype)
            searched, held = read(args.data, model, layer=args.layer, out=args.out, limit=args.limit)
    except (OSError, DataError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(searched.sentences)} sentences searched, {len(held.sentences)} held out", flush=True)
    found = START
    for name, found, score in climb(lambda weights: objective(searched.counts(weights)), START):
        print(f"{name} {getattr(found, name):g}: UAS + UUAS {score:.2f}", flush=True)
    print(", ".join(f"{name} {value:g}" for name, value in asdict(found).items()), end="\n\n")
    for line in report(searched, held, found):
        print(line, flush=True)
    return 0


def objective(counts: ArcCounts) -> float:
    """UAS + UUAS in percent."""
    return float(100 * (counts.directed.sum() + counts.undirected.sum()) / counts.total.sum())


if __name__ == "__main__":
    sys.exit(main())
