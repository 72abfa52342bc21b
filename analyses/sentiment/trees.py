"""Where the distances between words and aspect come from: trees of a model, chains, random trees, files."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

import parsers
from analyses.trees.protocols import DecoderName, Heads, decode
from probe.errors import SentenceError
from probe.metrics import Metric
from probe.options import LayerChoice, Perturb, PoolChoice

if TYPE_CHECKING:
    from data.absa import AspectItem
    from probe import ImpactMatrix, Probe, Store

TreeName: TypeAlias = Literal["lstm", "position", "eisner", "cle", "right-chain", "left-chain", "random"]
TREES: tuple[TreeName, ...] = get_args(TreeName)
DECODED: tuple[TreeName, ...] = ("eisner", "cle")
"""The tree sources that need a model's impact matrices."""

Distances: TypeAlias = tuple[float, ...]
Words: TypeAlias = tuple[str, ...]


def tree_distances(heads: Sequence[int], aspect: tuple[int, int]) -> Distances:
    """Length of the shortest path in a tree from each word to the nearest word of the aspect.

    Wu et al. 2020, section 6, after Zhang et al. 2019, section 2.3. ROOT is no word: two words without a head
    are not connected through it. n / 2 where no path leads.

    Args:
        heads: n heads, 1-based, 0 = ROOT.
        aspect: first word and end (exclusive), from 0.

    Returns:
        n distances, 0 for the words of the aspect.

    Raises:
        ValueError: a head or the aspect is outside the sentence, or the aspect is empty.
    """
    n = len(heads)
    if not 0 <= aspect[0] < aspect[1] <= n:
        raise ValueError(f"expected an aspect within 0 and {n}, found {aspect}")
    neighbours: list[list[int]] = [[] for _ in heads]
    for dependent, head in enumerate(heads):
        if not 0 <= head <= n:
            raise ValueError(f"expected heads from 0 to {n}, found {head}")
        if head:
            neighbours[dependent].append(head - 1)
            neighbours[head - 1].append(dependent)
    found: list[float] = [n / 2] * n
    reached = deque(range(*aspect))
    seen = set(reached)
    for word in reached:
        found[word] = 0.0
    while reached:
        word = reached.popleft()
        for other in neighbours[word]:
            if other not in seen:
                seen.add(other)
                found[other] = found[word] + 1
                reached.append(other)
    return tuple(found)


def chain_heads(name: Literal["right-chain", "left-chain"], n: int) -> Heads:
    """Heads of a chain of n words, 1-based."""
    chain = parsers.baselines.right_chain if name == "right-chain" else parsers.baselines.left_chain
    return chain(n)


def random_heads(sentences: Sequence[Words], seed: int) -> dict[Words, Heads]:
    """A projective tree for each sentence, drawn uniformly."""
    rng = np.random.default_rng(seed)
    return {words: parsers.baselines.random_projective(len(words), seed=rng) for words in sentences}


def item_distances(items: Sequence[AspectItem], trees: Mapping[Words, Heads]) -> list[Distances]:
    """Distances of items from the tree of each sentence."""
    lists = {words: heads.tolist() for words, heads in trees.items()}
    return [tree_distances(lists[item.words], item.aspect) for item in items]


def sentences_of(items: Sequence[AspectItem]) -> list[Words]:
    """The sentences of items, each once, in the order of their first item."""
    return list(dict.fromkeys(item.words for item in items))


def fill_store(
    folder: Path,
    model: Probe,
    sentences: Sequence[Words],
    *,
    metric: Metric = "dist",
    layer: LayerChoice = "best",
    pool: PoolChoice = "best",
    perturb: Perturb = "pair",
    batch_tokens: int = 4_096,
    quiet: bool = True,
) -> Store:
    """The impact matrices of sentences, computed where ``folder`` has none from an equal configuration.

    Every configuration (weights, settings, sentences, ...) has a run directory of its own within the folder.

    Raises:
        probe.OptionError, probe.ModelError, probe.StoreError: as ``probe.Store.fill``.
    """
    from probe.manifest import configure
    from probe.plan import n_variants
    from probe.progress import Progress
    from probe.store import SHARD_SENTENCES, Store

    settings = model.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb)
    configuration = configure(
        model, sentences, settings, batch_tokens=batch_tokens, shard_sentences=SHARD_SENTENCES
    )
    described = {key: value for key, value in asdict(configuration).items() if key != "model"}
    name = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    sizes = [n_variants(len(words), pairs=perturb == "pair") for words in sentences]
    with Progress(sentences=len(sizes), passes=sum(sizes), label="impact matrices", quiet=quiet) as progress:

        def on_shard(places: range, made: bool) -> None:
            for place in places:
                progress.sentence(sizes[place], ran=made)

        return Store.fill(
            folder / name,
            model,
            sentences,
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            batch_tokens=batch_tokens,
            on_passes=progress.passes,
            on_shard=on_shard,
        )


def decoded_heads(
    found: Sequence[ImpactMatrix | SentenceError], sentences: Sequence[Words], decoder: DecoderName
) -> dict[Words, Heads]:
    """Trees of the sentences that could be probed; the decoder finds the root, as in protocol ``fair``.

    Raises:
        ValueError: impacts that are not finite.
    """
    probed = [
        (words, matrix)
        for words, matrix in zip(sentences, found, strict=True)
        if not isinstance(matrix, SentenceError)
    ]
    names = [" ".join(words) for words, _ in probed]
    heads = decode([matrix for _, matrix in probed], protocol="fair", decoder=decoder, names=names)
    return {words: tree for (words, _), tree in zip(probed, heads, strict=True)}
