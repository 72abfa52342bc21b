"""Two cues of the root beside those of method ``openness``: the middle of the tree, and verbs the model expects.

    probe run --data en_ewt-ud-dev.conllu --perturb knockout --layer 4 --openness --out RUN
    python -m bench.root_cues --data en_ewt-ud-dev.conllu --matrices RUN --model bert

*Depth*: the tree is decoded, its arcs lose their directions, and word j is worth the more the nearer it is to all
others along them; then the tree is decoded again. *Verbs*: the probability of common verb forms at word j when j
is masked, which takes n passes of the model for a sentence of n words. Every cue is standardised within the
sentence and added to the score of the arc from ROOT, in mean impacts, at several weights: UAS, UUAS and the share
of roots found under ``fair``, in percent, with the paired differences to the method, 95% bootstrap over sentences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import networkx as nx
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

import probe
from analyses import decode
from analyses.trees.adjust import AdjustedMatrix, adjust, standardised
from analyses.trees.methods import METHODS
from bench.ablation import Counts, counts_of, head, line
from bench.method_search import Sample, texts
from bench.stored import add_stored_options, read_stored
from data import DataError
from probe.openness import MaskedUnits

WEIGHTS = (-0.2, -0.1, 0.1, 0.2, 0.5)
"""At which a cue is tried."""

VERBS = (
    *("is", "are", "was", "were", "be", "been", "has", "have", "had", "do", "does", "did", "will", "would"),
    *("can", "could", "may", "might", "should", "must", "said", "says", "say", "made", "make", "makes"),
    *("took", "take", "takes", "went", "go", "goes", "came", "come", "comes", "got", "get", "gets", "gave"),
    *("give", "gives", "found", "find", "finds", "knew", "know", "knows", "saw", "see", "sees", "told"),
    *("became", "become", "becomes", "began", "wanted", "want", "wants", "need", "needs", "seems", "felt"),
    *("thought", "think", "thinks", "kept", "held", "wrote", "won", "lost", "led", "used", "called"),
)
"""Common forms of verbs; those that are no single piece of a model's vocabulary are left out."""

Floats = NDArray[np.float64]


def depth_cue(tree: ArrayLike) -> Floats:
    """How near each word is to all others along a tree's arcs, either way: minus the mean distance, [n].

    Args:
        tree: the head of each word, from 1, 0 for the root.
    """
    heads = np.asarray(tree)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(1, len(heads) + 1))
    graph.add_edges_from((word, int(head)) for word, head in enumerate(heads, start=1) if head)
    distances = dict(nx.all_pairs_shortest_path_length(graph))
    return -np.array([np.mean(list(distances[word].values())) for word in sorted(graph)])


def verb_cues(model: probe.Probe, sentences: Sequence[probe.Words]) -> Iterator[Floats]:
    """The probability of ``VERBS`` at each masked word, the mean over its pieces, of each sentence: [n].

    Raises:
        probe.ProbeError: the model fills no masks, or knows none of the verbs.
    """
    masked = MaskedUnits(model)
    vocabulary = model.tokenizer.get_vocab()
    known = [vocabulary[verb] for verb in VERBS if verb in vocabulary]
    if not known:
        raise probe.OptionError("no common English verb is a piece of this model's vocabulary")
    numbers = torch.tensor(known, device=model.device)
    for words in sentences:
        alignment = model.align(words)
        of_pieces = np.zeros(len(alignment.positions))
        for pieces, logs in masked([alignment], rows=64, on_passes=lambda passes: None):
            of_pieces[pieces] = logs[:, numbers].exp().sum(-1).double().cpu().numpy()
        yield np.bincount(alignment.unit_of, weights=of_pieces) / np.bincount(alignment.unit_of)


def with_cue(
    matrices: Sequence[AdjustedMatrix], cues: Sequence[Floats], weight: float
) -> list[AdjustedMatrix]:
    """The matrices with a cue, standardised within the sentence, added to the scores of ROOT's arcs."""
    return [
        matrix.with_root(weight * matrix.scale * standardised(cue))
        for matrix, cue in zip(matrices, cues, strict=True)
    ]


def report(sample: Sample, model: probe.Probe | None) -> Iterator[str]:
    """The table, a line at a time; without a model, without verbs."""
    name = METHODS["openness"].adjust
    matrices = [AdjustedMatrix.of(adjust(matrix, name)) for matrix in sample.matrices]
    trees = decode(matrices, protocol="fair", decoder="eisner")
    whole = counts_of(sample.sentences, trees)
    yield from head("the method", of="cue, weight")
    yield line("the method", whole, None)
    yield from _rows("depth", sample, matrices, [depth_cue(tree) for tree in trees], whole)
    if model is not None:
        found = list(verb_cues(model, texts(sample.sentences)))
        yield from _rows("verbs", sample, matrices, found, whole)
        yield from _rows("log verbs", sample, matrices, [np.log(cue + 1e-9) for cue in found], whole)


def _rows(
    name: str, sample: Sample, matrices: Sequence[AdjustedMatrix], cues: Sequence[Floats], whole: Counts
) -> Iterator[str]:
    for weight in WEIGHTS:
        trees = decode(with_cue(matrices, cues, weight), protocol="fair", decoder="eisner")
        yield line(f"{name}, {weight:+g}", counts_of(sample.sentences, trees), whole)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.root_cues", description=__doc__)
    add_stored_options(parser)
    parser.add_argument(
        "--model", help="masked language model that expects verbs; without one only depth is tried"
    )
    args = parser.parse_args(argv)
    try:
        sample, about = read_stored(args)
        model = None if args.model is None else probe.load(args.model)
        print(about, flush=True)
        for one in report(sample, model):
            print(one, flush=True)
    except (OSError, DataError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
