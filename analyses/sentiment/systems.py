"""From a corpus to trained networks: trees by every source, embeddings, one system a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from analyses.sentiment.checkpoints import experiment_sha256, train_or_load
from analyses.sentiment.corpus import Corpus
from analyses.sentiment.embeddings import Embeddings
from analyses.sentiment.tables import System
from analyses.sentiment.training import Encoded, Recipe, encode
from analyses.sentiment.trees import (
    Distances,
    Words,
    baseline_heads,
    item_distances,
    sentences_of,
    tree_sources,
)
from analyses.tables.signature import Settings
from analyses.trees.decoders import BASELINES, DECODERS

if TYPE_CHECKING:
    from analyses.trees.decoders import Heads
    from data.absa import AspectItem

Rows: TypeAlias = tuple[Sequence[Distances], Sequence[Distances]]
"""The distances of every item of the training and of the test set."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A corpus with all that its networks are trained on.

    Attributes:
        corpus: the items.
        embeddings: vectors of all its words.
        heads: the tree of every sentence, by decoder.
        settings: of the matrices the trees were decoded from.
        device: to train on.
        unknown_words: how many words the model's vocabulary does not know, of how many; None without a model.
    """

    corpus: Corpus
    embeddings: Embeddings
    heads: Mapping[str, Mapping[Words, Heads]]
    settings: Settings
    device: torch.device
    unknown_words: tuple[int, int] | None = None

    @property
    def vectors(self) -> torch.Tensor:
        """The embeddings on the device, [1 + words, size]."""
        return torch.from_numpy(self.embeddings.values).to(self.device)

    def distances(self, source: str, seed: int) -> Rows:
        """Distances in training and test set by a source or from a folder; ``seed`` draws random trees."""
        training, test = self.corpus.training, self.corpus.test
        if source in training.distances:
            return training.distances[source], test.distances[source]
        sentences = sentences_of([*training.items, *test.items])
        trees = source_heads(source, sentences, decoded=self.heads, seed=seed)
        return source_distances(source, training.items, trees), source_distances(source, test.items, trees)

    def encoded(self, rows: Rows) -> tuple[Encoded, Encoded]:
        """Training and test set with these distances."""
        training, test, index = self.corpus.training, self.corpus.test, self.embeddings.index
        return encode(training.items, rows[0], index), encode(test.items, rows[1], index)

    def like_positions(self, rows: Rows) -> float:
        """Share of the words outside the aspects whose distance is that of ``position``, from 0 to 1."""
        same = [
            own == words
            for part, found in zip((self.corpus.training, self.corpus.test), rows, strict=True)
            for item, distances in zip(part.items, found, strict=True)
            for own, words in zip(distances, _positions(item), strict=True)
            if words  # 0 on the aspect only
        ]
        return sum(same) / max(1, len(same))


def source_heads(
    source: str,
    sentences: Sequence[Words],
    *,
    decoded: Mapping[str, Mapping[Words, Heads]],
    seed: int,
) -> Mapping[Words, Heads] | None:
    """The tree of each sentence by a source; None for ``lstm`` and ``position``, which have none.

    Args:
        source: see ``analyses.sentiment.trees.tree_sources``.
        sentences: each once.
        decoded: trees of the decoders.
        seed: of random trees.
    """
    if source in DECODERS:
        return decoded[source]
    return baseline_heads(source, sentences, seed=seed) if source in BASELINES else None


def source_distances(
    source: str, items: Sequence[AspectItem], trees: Mapping[Words, Heads] | None
) -> list[Distances]:
    """Distances of items by a source; ``lstm`` reads none and gets zeros.

    Args:
        source: see ``analyses.sentiment.trees.tree_sources``.
        items: whose distances are asked for.
        trees: of their sentences, from ``source_heads``.
    """
    if trees is not None:
        return item_distances(items, trees)
    if source == "lstm":
        return [(0.0,) * len(item.words) for item in items]
    return [_positions(item) for item in items]


def _positions(item: AspectItem) -> Distances:
    start, end = item.aspect
    return tuple(float(max(start - place, place - end + 1, 0)) for place in range(len(item.words)))


def systems(
    prepared: Prepared,
    sources: Sequence[str],
    *,
    recipe: Recipe,
    seeds: int,
    runs: Path,
    keep_weights: bool = False,
    progress: Training | None = None,
) -> list[System]:
    """Train every source with every seed, or read the checkpoints in ``runs``.

    Args:
        prepared: the data.
        sources: names of ``tree_sources`` and of folders of distances.
        recipe: its architecture stands for every source but ``lstm``.
        seeds: the seeds are 0 to ``seeds`` - 1; ``random`` draws its trees by them, too.
        runs: folder of the checkpoints.
        keep_weights: see ``train_or_load``.
        progress: told of every epoch and network.

    Raises:
        probe.ProbeError, probe.StoreError: as ``train_or_load``.
    """
    vectors = prepared.vectors
    found = []
    for source in sources:
        own = replace(recipe, architecture="lstm") if source == "lstm" else recipe
        rows = prepared.distances(source, 0)
        parts = prepared.encoded(rows)
        key = experiment_sha256(*parts, vectors, own)
        trained = []
        for seed in range(seeds):
            if source == "random" and seed:
                parts = prepared.encoded(prepared.distances(source, seed))
            report = progress.network(f"{source}, seed {seed}") if progress else None
            trained.append(
                train_or_load(
                    *(runs, *parts, vectors),
                    recipe=own,
                    seed=seed,
                    keep_weights=keep_weights,
                    on_epoch=report,
                )
            )
            if progress:
                progress.done()
        model = source in DECODERS
        found.append(
            System(
                name=source,
                kind="model" if model else "baseline",
                distances=key,
                like_positions=None if source == "lstm" else prepared.like_positions(rows),
                runs=tuple(trained),
                settings=replace(prepared.settings, decoder=source) if model else Settings(),
            )
        )
    return found


def ordered(sources: Iterable[str]) -> list[str]:
    """Sources as a table has them, each once: those without a model first, then files, then decoders."""
    names = list(dict.fromkeys(sources))
    known = [name for name in tree_sources() if name in names]
    files = [name for name in names if name not in known]
    return [
        *(name for name in known if name not in DECODERS),
        *files,
        *(name for name in known if name in DECODERS),
    ]


class Training:
    """A progress bar over networks on stderr, which tells the epoch; nothing where stderr is no terminal."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self.networks = 0

    def network(self, name: str) -> Any:
        """What to call with the number of epochs done of this network."""
        self._bar.set_description_str(name)
        return lambda epoch: self._bar.set_postfix_str(f"epoch {epoch}")

    def done(self) -> None:
        """One more network is trained, or was found trained."""
        self.networks += 1
        self._bar.update()


@contextmanager
def training_progress(networks: int, *, quiet: bool) -> Iterator[Training]:
    """A bar over so many networks."""
    import sys

    from tqdm import tqdm

    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=networks, unit="network", disable=hidden, file=sys.stderr, dynamic_ncols=True) as bar:
        yield Training(bar)
