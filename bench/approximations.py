"""Cheaper perturbations against pairs: ``python -m bench.approximations --input FILE.conllu``.

Rank correlations with ``pair`` (Spearman's, over the cells beside the diagonal, the mean over sentences with a 95%
bootstrap interval) of impacts on the last layer's states (``dist``), with the cost of each:

- ``single`` and ``knockout``, as ``Probe.impact_many`` has them;
- ``first-order, i masked``: ``|J_ij (e_mask - e_j)|``, J the Jacobian of the states of i by the embedding of j, in
  the sentence that masks i: the first-order term of ``pair``;
- ``first-order``: the same in the sentence as it is: the first-order term of ``single``.

Printed as JSON, one object a model. Sequences are those of the forward passes; a sequence of a Jacobian-vector
product is run together with its derivative and counts once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel

import probe
from analyses.intervals import bootstrap
from analyses.vectors.scores import spearman
from bench.corpus import words_of
from bench.in_turn import medians
from probe.forward import inputs_of

Floats = NDArray[np.floating[Any]]
Way = Callable[[], "list[Floats]"]

_ROWS = 64
"""Jacobian-vector products in one pass."""


def first_order(p: probe.Probe, words: Sequence[str], *, masked: bool) -> Floats:
    """Impacts to first order in the change of embeddings, of states of the last layer.

    Args:
        p: a model that takes embeddings of pieces for its input.
        words: n words.
        masked: derive in the sentence that masks the word acted on, as in ``pair``, or in the sentence as it is.

    Returns:
        [n, n]; ``[i, j]`` is the mean over the pieces of i of the length of the first-order change of their states
        as the pieces of j become masks; 0 on the diagonal.
    """
    alignment = p.align(words)
    places = [torch.from_numpy(alignment.positions[alignment.unit_of == i]) for i in range(len(words))]
    base: Any = p.model.base_model
    embed = base.get_input_embeddings()
    ids = torch.from_numpy(alignment.ids).to(p.device)
    with torch.no_grad():
        given = embed(ids)
        mask = embed(torch.tensor(p.tokenizer.mask_token_id, device=p.device))
    towards = given.new_zeros(len(words), *given.shape)
    for j, own in enumerate(places):
        towards[j, own] = mask - given[own]
    values = np.zeros((len(words), len(words)))
    if not masked:
        changes = _pushed(p, ids, given, towards).norm(dim=-1)
        values[:] = np.stack([changes[:, own].mean(dim=1).cpu().numpy() for own in places])
    else:
        for i, own in enumerate(places):
            at = given.clone()
            at[own] = mask
            values[i] = _pushed(p, ids, at, towards)[:, own].norm(dim=-1).mean(dim=1).cpu().numpy()
    np.fill_diagonal(values, 0)
    return values


def _pushed(p: probe.Probe, ids: torch.Tensor, at: torch.Tensor, towards: torch.Tensor) -> torch.Tensor:
    """Derivatives of the last states in each direction: [length, width], [rows, length, width] -> [rows, ...]."""
    base = p.model.base_model

    def states(embeddings: torch.Tensor) -> torch.Tensor:
        inputs = inputs_of(base, ids.expand(len(embeddings), -1))
        inputs.pop("input_ids")
        found: torch.Tensor = base(inputs_embeds=embeddings, **inputs).last_hidden_state
        return found

    # Only attention by plain products has a derivative forwards.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        done = [
            torch.func.jvp(states, (at.expand_as(rows).contiguous(),), (rows,))[1]
            for rows in torch.split(towards, _ROWS)
        ]
    return torch.cat(done)


def ways(p: probe.Probe, sentences: Sequence[Sequence[str]]) -> dict[str, Way]:
    """All ways to matrices of these sentences, pairs first."""

    def run(perturb: str) -> list[Floats]:
        options: dict[str, Any] = {"perturb": perturb, "layer": -1, "pool": "mean", "metric": "dist"}
        return [matrix.values for matrix in p.impact_many(sentences, **options)]

    def derived(masked: bool) -> list[Floats]:
        return [first_order(p, words, masked=masked) for words in sentences]

    found: dict[str, Way] = {name: partial(run, name) for name in ("pair", "single", "knockout")}
    return {
        **found,
        "first-order, i masked": partial(derived, True),
        "first-order": partial(derived, False),
    }


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, over the cells beside the diagonal."""
    beside = ~np.eye(len(a), dtype=bool)
    return spearman(a[beside], b[beside])


def sequences(p: probe.Probe, words: Sequence[str], way: str) -> int:
    """How many sequences a way runs for a sentence."""
    if way.startswith("first-order"):
        return len(words) ** 2 if way.endswith("masked") else len(words)
    return p.passes(words, [way])


def compare(p: probe.Probe, sentences: Sequence[Sequence[str]], *, repeats: int) -> dict[str, Any]:
    """By way: rank correlation with pairs and its interval, sequences, and seconds as against pairs."""
    runs = ways(p, sentences)
    made = {name: run() for name, run in runs.items()}
    seconds = medians(p.device, runs, repeats=repeats)
    found: dict[str, Any] = {}
    for name, matrices in made.items():
        each = [rank_correlation(a, b) for a, b in zip(made["pair"], matrices, strict=True)]
        interval = bootstrap(each, np.ones(len(each)))
        found[name] = {
            "rank correlation": round(statistics.fmean(each), 3),
            "interval": [round(interval.low, 3), round(interval.high, 3)],
            "sequences": sum(sequences(p, words, name) for words in sentences),
            "processor seconds": round(seconds[name].processor, 2),
            "of pair": round(seconds[name].processor / seconds["pair"].processor, 3),
        }
    return found


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.approximations", description=__doc__)
    add = parser.add_argument
    add("--model", nargs="+", default=["bert"])
    add("--input", type=Path, help="treebank or text (default: the bundled sample)")
    add("--words", type=int, nargs=2, default=[5, 12], metavar=("FROM", "TO"), help="lengths (default: 5 12)")
    add("--sentences", type=int, default=30, help="how many, the first ones (default: 30)")
    add("--repeats", type=int, default=3)
    add("--device", default="auto")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore", probe.ProbeWarning)
    try:
        low, high = args.words
        of_length = (words for words in words_of(args.input) if low <= len(words) <= high)
        sentences = list(islice(of_length, args.sentences))
        if not sentences:
            raise ValueError(f"no sentence of {low} to {high} words")
        for name in args.model:
            p = probe.load(name, device=args.device, dtype="float32")
            about = {"model": Path(name).name, "sentences": len(sentences), "words": sum(map(len, sentences))}
            about |= {"threads": torch.get_num_threads()}
            print(json.dumps({**about, **compare(p, sentences, repeats=args.repeats)}), flush=True)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
