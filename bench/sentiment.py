"""Speed of the sentiment training: ``python -m bench.sentiment --data DIR``.

Two ways to the same epoch of protocol ``wu2020`` (a look at the test set every five steps), timed in turn so
that a noisy machine disturbs both alike:

- ``ours``: ``analyses.sentiment.training.train``;
- ``naive``: the network written straightforwardly, with Python loops over positions (recurrence, proximity
  weights), batches of any lengths padded to their longest, every item with its sentence to itself.

An epoch stands for a seed: both run the same number of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from analyses.sentiment.corpus import FILES, read_corpus
from analyses.sentiment.embeddings import vocabulary
from analyses.sentiment.network import WIDTH, Pwcn, Shape, build
from analyses.sentiment.training import Recipe, encode, train
from analyses.sentiment.trees import baseline_heads, item_distances, sentences_of
from data import DataError
from data.absa import AspectItem

SIZE = 300
"""Of the word vectors, which are drawn: what they say makes no difference to the time."""


class NaivePwcn(nn.Module):
    """PWCN as its description reads, from the weights of ours; also takes raw distances."""

    def __init__(self, ours: Pwcn) -> None:
        super().__init__()
        self.embeddings, self.dropout = ours.embeddings, ours.dropout
        size, hidden = ours.forwards.input_size, ours.forwards.hidden_size
        self.hidden = hidden
        self.cells = nn.ModuleList(nn.LSTMCell(size, hidden) for _ in range(2))
        for cell, lstm in zip(self.cells, (ours.forwards, ours.backwards), strict=True):
            cell.load_state_dict({name.removesuffix("_l0"): v for name, v in lstm.state_dict().items()})
        self.convolution = nn.Conv1d(2 * hidden, 2 * hidden, WIDTH, padding=1)
        self.convolution.load_state_dict({"weight": ours.filters.detach(), "bias": ours.bias.detach()})
        self.classify = ours.classify

    def forward(
        self, sentences: Sequence[Sequence[int]], aspects: Sequence[tuple[int, int]], distances: Sequence[Any]
    ) -> Tensor:
        """Logits [items, 3] of sentences as rows of the embeddings."""
        lengths = [len(sentence) for sentence in sentences]
        width = max(lengths)
        words = torch.tensor([[*sentence, *[0] * (width - len(sentence))] for sentence in sentences])
        embedded = self.dropout(nn.functional.embedding(words, self.embeddings))
        weights = []
        for n, (start, end), own in zip(lengths, aspects, distances, strict=True):
            row = []
            for place in range(width):
                outside = place >= n or start <= place < end
                row.append(0.0 if outside else 1 - own[place] / (n - (end - start)))
            weights.append(row)
        inside = torch.tensor([[float(place < n) for place in range(width)] for n in lengths])
        states = torch.cat([self._read(embedded, inside, backwards=at) for at in (False, True)], dim=-1)
        weighted = states * torch.tensor(weights)[..., None]
        features = self.convolution(weighted.transpose(1, 2)).relu() * inside[:, None]
        logits: Tensor = self.classify(features.amax(dim=-1))
        return logits

    def _read(self, embedded: Tensor, inside: Tensor, *, backwards: bool) -> Tensor:
        cell = self.cells[int(backwards)]
        hidden = memory = embedded.new_zeros(len(embedded), self.hidden)
        states = [hidden] * embedded.shape[1]
        places = range(embedded.shape[1])
        for place in reversed(places) if backwards else places:
            # A state stays as it is (zero, backwards) where the sentence is over.
            here = inside[:, place, None]
            new_hidden, new_memory = cell(embedded[:, place], (hidden, memory))
            hidden, memory = here * new_hidden + (1 - here) * hidden, here * new_memory + (1 - here) * memory
            states[place] = hidden
        return torch.stack(states, dim=1)


def naive_epoch(
    network: NaivePwcn,
    training: Sequence[AspectItem],
    test: Sequence[AspectItem],
    distances: tuple[Sequence[Any], Sequence[Any]],
    index: dict[str, int],
    *,
    recipe: Recipe,
) -> None:
    """One epoch and its looks at the test set."""
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.l2)

    def logits(items: Sequence[AspectItem], own: Sequence[Any], places: Sequence[int]) -> Tensor:
        sentences = [[index[word.lower()] for word in items[place].words] for place in places]
        found: Tensor = network(
            sentences, [items[place].aspect for place in places], [own[place] for place in places]
        )
        return found

    batches = torch.split(torch.randperm(len(training)), recipe.batch)
    for step, batch in enumerate(batches, start=1):
        network.train()
        optimizer.zero_grad()
        labels = torch.tensor([training[place].polarity + 1 for place in batch.tolist()])
        torch.autograd.backward(
            nn.functional.cross_entropy(logits(training, distances[0], batch.tolist()), labels)
        )
        optimizer.step()
        if step % recipe.evaluate_every == 0 or step == len(batches) < recipe.evaluate_every:
            network.train(False)
            with torch.no_grad():
                for places in torch.split(torch.arange(len(test)), recipe.batch):
                    logits(test, distances[1], places.tolist()).argmax(dim=-1)


def compare(
    training: Sequence[AspectItem], test: Sequence[AspectItem], *, hidden: int, repeats: int
) -> dict[str, Any]:
    """Median seconds of an epoch of both, and their ratio."""
    words = vocabulary(sentences_of([*training, *test]))
    index = {word: row for row, word in enumerate(words, start=1)}
    torch.manual_seed(0)
    vectors = torch.randn(len(words) + 1, SIZE)
    recipe = Recipe(protocol="wu2020", shape=Shape(hidden=hidden), epochs=1)
    distances = (_chains(training), _chains(test))
    encoded = [encode(items, own, index) for items, own in zip((training, test), distances, strict=True)]
    seconds: dict[str, list[float]] = {"ours": [], "naive": []}
    for seed in range(repeats):
        ours = partial(train, encoded[0], encoded[1], vectors, recipe=recipe, seed=seed)
        seconds["ours"].append(_timed(ours))
        network = NaivePwcn(cast(Pwcn, build("pwcn", vectors, recipe.shape)))
        naive = partial(naive_epoch, network, training, test, distances, index, recipe=recipe)
        seconds["naive"].append(_timed(naive))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "training items": len(training),
        "test items": len(test),
        "hidden": hidden,
        "threads": torch.get_num_threads(),
        "processor seconds an epoch": {name: round(value, 2) for name, value in medians.items()},
        "ours / naive": round(medians["ours"] / medians["naive"], 3),
    }


def _chains(items: Sequence[AspectItem]) -> list[tuple[float, ...]]:
    return item_distances(items, baseline_heads("left-chain", sentences_of(items)))


def _timed(run: Callable[[], object]) -> float:
    """Processor seconds: on a machine that others use, wall-clock seconds would be theirs."""
    started = time.process_time()
    run()
    return time.process_time() - started


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.sentiment", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of Laptops_Train.xml.seg and its like"
    )
    parser.add_argument("--dataset", choices=tuple(FILES), default="laptop")
    parser.add_argument("--limit", type=int, help="only the first items of each part")
    parser.add_argument("--hidden", type=int, default=Shape().hidden)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)
    try:
        names = FILES[args.dataset]
        corpus = read_corpus(args.dataset, (args.data / names[0], args.data / names[1]), limit=args.limit)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = compare(corpus.training.items, corpus.test.items, hidden=args.hidden, repeats=args.repeats)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
