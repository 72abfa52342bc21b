"""Speed of the decoders: ``python -m bench.decoders``.

Milliseconds of processor time per sentence, on random scores, of our decoders on many sentences and on one after
another, and of other implementations of the same, timed in turn; medians are printed. Every result is a tree: what
finds only scores or charts is followed to its heads or spans. Other packages are skipped where they are not
installed (``pip install perturbed-probe[bench]``).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

import parsers
from bench.plain_eisner import plain_eisner

Floats = NDArray[np.float64]
Trees = list[Any]


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to the trees of many matrices.

    Attributes:
        decode: matrices -> heads as lists, or sets of spans.
        needs: the module that it is from, None for ours and plain Python.
        sentences: of how many sentences it decodes at most, for slow ones.
    """

    decode: Callable[[Sequence[Floats]], Trees]
    needs: str | None = None
    sentences: int | None = None


def torch_struct_eisner(matrices: Sequence[Floats]) -> Trees:
    """One-root Eisner of torch-struct, a batch of one size. Shape: scores [n + 1, n + 1] -> heads [n]."""
    torch, library = import_module("torch"), import_module("torch_struct")
    scores = np.stack(matrices)
    arcs = scores[:, 1:, 1:].copy()
    words = np.arange(arcs.shape[1])
    arcs[:, words, words] = scores[:, 0, 1:]  # the arcs from ROOT are on its diagonal
    # It writes into what it is given, which may not be the parameter itself.
    potentials = torch.from_numpy(arcs).requires_grad_() * 1
    best = library.DependencyCRF(potentials, multiroot=False, args={"validate_args": False}).argmax
    heads = best.detach().numpy().argmax(axis=1)
    return list(np.where(heads == words, 0, heads + 1).tolist())


def torch_struct_chart(matrices: Sequence[Floats]) -> Trees:
    """Best binary tree of torch-struct, a batch of one size. Shape: scores [n, n + 1] -> spans."""
    torch, library = import_module("torch"), import_module("torch_struct")
    potentials = torch.from_numpy(np.stack(matrices)[:, :, 1:, np.newaxis].copy()).requires_grad_() * 1
    best = library.TreeCRF(potentials, args={"validate_args": False}).argmax.detach().numpy()[..., 0]
    return [{(i, j + 1) for i, j in np.argwhere(tree > 0.5).tolist() if i < j} for tree in best]


def ufal_tree(matrices: Sequence[Floats]) -> Trees:
    """Chu-Liu/Edmonds of ufal.chu-liu-edmonds, any number of roots."""
    decode = import_module("ufal.chu_liu_edmonds").chu_liu_edmonds
    return [decode(np.ascontiguousarray(scores.T))[0][1:] for scores in matrices]


def networkx_tree(matrices: Sequence[Floats]) -> Trees:
    """Maximum spanning arborescence of networkx, any number of roots."""
    networkx = import_module("networkx")
    trees = []
    for scores in matrices:
        graph = networkx.DiGraph()
        size = len(scores)
        graph.add_weighted_edges_from(
            (h, d, scores[h, d]) for h in range(size) for d in range(1, size) if h != d
        )
        tree = networkx.maximum_spanning_arborescence(graph)
        trees.append([next(iter(tree.pred[d])) for d in range(1, size)])
    return trees


def _heads(trees: Sequence[NDArray[np.int64]]) -> Trees:
    return [heads.tolist() for heads in trees]


def _spans(trees: Sequence[parsers.Bracketing]) -> Trees:
    return [tree.spans for tree in trees]


WAYS: dict[str, dict[str, Way]] = {
    "Eisner, one root": {
        "ours": Way(decode=lambda found: _heads(parsers.eisner_many(found))),
        "ours, one after another": Way(decode=lambda found: _heads([parsers.eisner(s) for s in found])),
        "plain Python": Way(decode=lambda found: [plain_eisner(s) for s in found], sentences=20),
        "torch-struct": Way(decode=torch_struct_eisner, needs="torch_struct"),
    },
    "Chu-Liu/Edmonds, one root": {
        "ours": Way(decode=lambda found: _heads(parsers.chu_liu_edmonds_many(found))),
        "ours, one after another": Way(
            decode=lambda found: _heads([parsers.chu_liu_edmonds(s) for s in found])
        ),
    },
    "Chu-Liu/Edmonds, any roots": {
        "ours": Way(decode=lambda found: _heads(parsers.chu_liu_edmonds_many(found, single_root=False))),
        "ufal.chu-liu-edmonds": Way(decode=ufal_tree, needs="ufal.chu_liu_edmonds"),
        "networkx": Way(decode=networkx_tree, needs="networkx", sentences=10),
    },
    "chart": {
        "ours": Way(decode=lambda found: _spans(parsers.chart_many(found))),
        "ours, one after another": Way(decode=lambda found: _spans([parsers.chart(s) for s in found])),
        "torch-struct": Way(decode=torch_struct_chart, needs="torch_struct"),
    },
    "MART": {
        "ours": Way(decode=lambda found: _spans(parsers.mart_many(found))),
        "ours, one after another": Way(decode=lambda found: _spans([parsers.mart(s) for s in found])),
    },
    "MART, released": {
        "ours": Way(decode=lambda found: _spans(parsers.mart_many(found, "released"))),
        "ours, one after another": Way(
            decode=lambda found: _spans([parsers.mart(s, "released") for s in found])
        ),
    },
}


def draw(decoder: str, words: int, sentences: int) -> list[Floats]:
    """Uniform random scores, of the shape that the decoder takes."""
    shapes = {"chart": (words, words + 1), "MART": (words, words), "MART, released": (words, words)}
    shape = shapes.get(decoder, (words + 1, words + 1))
    return list(np.random.default_rng(words).random((sentences, *shape)))


def compare(decoder: str, matrices: Sequence[Floats], *, repeats: int) -> dict[str, float | str]:
    """Median milliseconds per sentence of all ways to the trees of a decoder.

    Raises:
        ValueError: two ways do not give the same trees.
    """
    report: dict[str, float | str] = {}
    ways: dict[str, tuple[Way, Sequence[Floats]]] = {}
    for name, way in WAYS[decoder].items():
        try:
            if way.needs:
                import_module(way.needs)
        except ImportError:
            report[name] = "skipped: not installed"
            continue
        ways[name] = way, matrices[: way.sentences]
        report[name] = 0.0
    # The first run of each is a warm-up.
    trees = {name: way.decode(found) for name, (way, found) in ways.items()}
    for name, found in trees.items():
        if found != trees["ours"][: len(found)]:
            raise ValueError(f"{decoder}: {name} gives other trees")
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, (way, found_matrices) in ways.items():
            started = time.process_time()
            way.decode(found_matrices)
            times[name].append((time.process_time() - started) / len(found_matrices))
    return report | {name: float(f"{1000 * statistics.median(found):.3g}") for name, found in times.items()}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.decoders", description=__doc__)
    parser.add_argument(
        "--words", type=int, nargs="+", default=[22, 60], help="per sentence (default: 22 60)"
    )
    parser.add_argument("--sentences", type=int, default=300, help="how many of each length (default: 300)")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    try:
        for words in args.words:
            found = {
                decoder: compare(decoder, draw(decoder, words, args.sentences), repeats=args.repeats)
                for decoder in WAYS
            }
            report = {"words": words, "sentences": args.sentences, "processor ms per sentence": found}
            print(json.dumps(report), flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
