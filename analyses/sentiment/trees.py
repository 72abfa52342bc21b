"""Where the distances between words and aspect come from: trees of a model, chains, random trees, files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from analyses.trees.adjust import NONE, adjust
from analyses.trees.decoders import BASELINES, DECODERS, Heads
from analyses.trees.protocols import decode
from probe.errors import SentenceError
from probe.options import ImpactChoice
from probe.registry import check_name

if TYPE_CHECKING:
    from data.absa import AspectItem
    from probe import ImpactMatrix, Probe, Store
    from probe.model import OpennessChoice

Distances: TypeAlias = tuple[float, ...]
Words: TypeAlias = tuple[str, ...]

_WITHOUT_TREE = ("lstm", "position")
_BASELINES = ("right-chain", "left-chain", "random")


def tree_sources() -> tuple[str, ...]:
    """The names of the sources in the order of a table: those of ``DECODERS`` need a model's impact matrices."""
    return (*_WITHOUT_TREE, *DECODERS, *_BASELINES)


def tree_source(name: str) -> str:
    """The name itself, if it is that of a source.

    Raises:
        probe.OptionError: it is not; says the nearest known one.
    """
    return check_name("source of trees", name, tree_sources())


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
    from scipy.sparse import csr_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import dijkstra  # type: ignore[import-untyped]

    n = len(heads)
    if not 0 <= aspect[0] < aspect[1] <= n:
        raise ValueError(f"expected an aspect within 0 and {n}, found {aspect}")
    if outside := [head for head in heads if not 0 <= head <= n]:
        raise ValueError(f"expected heads from 0 to {n}, found {outside[0]}")
    arcs = [(word, head - 1) for word, head in enumerate(heads) if head]
    dependents, governors = zip(*arcs, strict=True) if arcs else ((), ())
    graph = csr_array((np.ones(len(arcs)), (dependents, governors)), shape=(n, n))
    found = dijkstra(graph, directed=False, unweighted=True, indices=range(*aspect), min_only=True)
    return tuple(np.where(np.isinf(found), n / 2, found).tolist())


def baseline_heads(name: str, sentences: Sequence[Words], *, seed: int = 0) -> dict[Words, Heads]:
    """The tree of a baseline for each sentence, the root not given; ``seed`` is that of random trees."""
    rng = np.random.default_rng(seed)
    return {words: BASELINES[name].tree(len(words), None, rng) for words in sentences}


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
    choice: ImpactChoice,
    *,
    openness: OpennessChoice = False,
    batch_tokens: int = 4_096,
    quiet: bool = True,
) -> Store:
    """The impact matrices of sentences, computed where ``folder`` has none from an equal configuration.

    Every configuration (weights, settings, sentences, ...) has a run directory of its own within the folder.

    Raises:
        probe.OptionError, probe.ModelError, probe.StoreError: as ``probe.Store.fill``.
    """
    from probe.manifest import configure
    from probe.progress import Progress
    from probe.shards import SHARD_SENTENCES
    from probe.store import Store

    settings = model.resolve(**choice.impact)
    configuration = configure(
        model,
        sentences,
        settings,
        batch_tokens=batch_tokens,
        shard_sentences=SHARD_SENTENCES,
        openness=openness,
    )
    described = {key: value for key, value in configuration.as_dict().items() if key != "model"}
    name = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    sizes = [model.passes(words, [choice.perturb], openness=openness) for words in sentences]
    with Progress(sentences=len(sizes), passes=sum(sizes), label="impact matrices", quiet=quiet) as progress:

        def on_shard(places: range, made: bool) -> None:
            for place in places:
                progress.sentence(sizes[place], ran=made)

        return Store.fill(
            folder / name,
            model,
            sentences,
            **choice.impact,
            openness=openness,
            batch_tokens=batch_tokens,
            on_passes=progress.passes,
            on_shard=on_shard,
        )


def decoded_heads(
    found: Sequence[ImpactMatrix | SentenceError],
    sentences: Sequence[Words],
    decoder: str,
    *,
    adjustment: str = NONE,
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
    adjusted = [adjust(matrix, adjustment) for _, matrix in probed]
    heads = decode(adjusted, protocol="fair", decoder=decoder, names=names)
    return {words: tree for (words, _), tree in zip(probed, heads, strict=True)}
