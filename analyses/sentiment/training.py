"""Training of the sentiment networks by the two protocols, one seed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analyses.sentiment.network import (
    CLASSES,
    Architecture,
    Batch,
    Lstm,
    Pwcn,
    Shape,
    build,
    proximity_weights,
)
from analyses.trees.protocols import ProtocolName
from probe.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.absa import AspectItem

HELD_OUT = 0.1
"""Share of the training items that ``fair`` selects on."""
_EVALUATION_ITEMS = 32
"""Items of a forward pass without gradients on a processor: more are padded more, and leave its caches."""
_EVALUATION_ITEMS_GPU = 512


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained; the published settings unless told otherwise.

    Attributes:
        architecture: ``pwcn`` or ``lstm``.
        protocol: ``wu2020`` selects on the test set, ``fair`` on a held-out tenth of the training set.
        shape: sizes of the network.
        epochs: at most so many.
        patience: epochs without a better macro-F1 after which training stops.
        batch: items in a step.
        evaluate_every: steps between two looks at the set that is selected on.
        learning_rate: of Adam.
        l2: weight decay of Adam.
    """

    architecture: Architecture = "pwcn"
    protocol: ProtocolName = "fair"
    shape: Shape = field(default_factory=Shape)
    epochs: int = 100
    patience: int = 5
    batch: int = 64
    evaluate_every: int = 5
    learning_rate: float = 1e-3
    l2: float = 1e-5


@dataclass(frozen=True, eq=False)
class Encoded:
    """Items as tensors. Sentences are stored once, in the order of their lengths.

    Attributes:
        words: int64 [sentences, width], rows of the embeddings, 0 after the end.
        lengths: int64 [sentences], ascending.
        sentence: int64 [items].
        weights: float32 [items, width], proximity weights.
        labels: int64 [items], polarity + 1.
    """

    words: Tensor
    lengths: Tensor
    sentence: Tensor
    weights: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Encoded:
        """The same on another device."""
        tensors = (self.words, self.lengths, self.sentence, self.weights, self.labels)
        return Encoded(*(tensor.to(device) for tensor in tensors))

    def items(self, places: Tensor) -> Encoded:
        """Some of the items, in this order."""
        return Encoded(
            self.words, self.lengths, self.sentence[places], self.weights[places], self.labels[places]
        )

    def by_length(self) -> Tensor:
        """Places of the items, short sentences first."""
        return torch.argsort(self.sentence, stable=True)

    def batch(self, places: Tensor) -> Batch:
        """Items of a training step: each has its sentence to itself, and so a dropout of its own."""
        sentences = self.sentence[places]
        lengths = self.lengths[sentences]
        width = int(lengths.max())
        return Batch(self.words[sentences, :width], lengths, self.weights[places, :width])

    def shared_batch(self, places: Tensor) -> Batch:
        """The same items with each sentence once, for passes without dropout."""
        sentences, sentence = torch.unique(self.sentence[places], return_inverse=True)
        lengths = self.lengths[sentences]
        width = int(lengths.max())
        return Batch(self.words[sentences, :width], lengths, self.weights[places, :width], sentence)


def encode(
    items: Sequence[AspectItem], distances: Sequence[Sequence[float]], index: Mapping[str, int]
) -> Encoded:
    """Items as tensors.

    Args:
        items: at least one.
        distances: of the words of each item to its aspect.
        index: row of each word, in lower case, of the embeddings.

    Raises:
        ValueError: an item has another number of distances than of words; names it.
    """
    sentences = sorted(dict.fromkeys(item.words for item in items), key=len)
    place = {words: at for at, words in enumerate(sentences)}
    width = len(sentences[-1])
    words = torch.zeros(len(sentences), width, dtype=torch.long)
    for at, sentence in enumerate(sentences):
        words[at, : len(sentence)] = torch.tensor([index[word.lower()] for word in sentence])
    padded = torch.zeros(len(items), width)
    for row, (item, values) in enumerate(zip(items, distances, strict=True)):
        if len(values) != len(item.words):
            raise ValueError(f"{item.where}: expected {len(item.words)} distances, found {len(values)}")
        padded[row, : len(values)] = torch.tensor(values)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    sentence_of = torch.tensor([place[item.words] for item in items])
    aspects = torch.tensor([item.aspect for item in items])
    return Encoded(
        words,
        lengths,
        sentence_of,
        proximity_weights(padded, aspects, lengths[sentence_of]),
        torch.tensor([item.polarity + 1 for item in items]),
    )


def confusion(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of each label (row) with each prediction, [3, 3]."""
    pairs = CLASSES * labels + predictions
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def macro_f1(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Mean over the three classes of F1, from confusion counts [..., 3, 3]; F1 is 0 where it is 0 / 0."""
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    all_of_class = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = np.divide(2 * correct, all_of_class, out=np.zeros(correct.shape), where=all_of_class > 0)
    return np.asarray(f1.mean(axis=-1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What came of one seed.

    Attributes:
        seed: of weights, dropout, order of batches and held-out set.
        by_accuracy: int64 [test items], class of each (polarity + 1) where accuracy was best.
        by_f1: the same where macro-F1 was best. Under ``fair`` both are the predictions of the one network
            that was selected by macro-F1 on the held-out items.
        epochs: epochs run.
        weights: the trained tensors of the network of ``by_f1``, by name.
    """

    seed: int
    by_accuracy: NDArray[np.int64]
    by_f1: NDArray[np.int64]
    epochs: int
    weights: Mapping[str, Tensor]


def train(
    training: Encoded,
    test: Encoded,
    embeddings: Tensor,
    *,
    recipe: Recipe,
    seed: int,
    on_epoch: Callable[[int], None] | None = None,
) -> Trained:
    """Train one network; on the processor, the same call with the same number of threads gives the same result.

    Items are in batches of like length, made once; every epoch draws the order of the batches.

    Args:
        training: the training set; ``fair`` holds a tenth of it out (see ``held_out``).
        test: the test set, which ``fair`` reads once, at the end.
        embeddings: float32 [words, size], on the device to train on.
        recipe: the settings.
        seed: of all that is drawn.
        on_epoch: called with the number of epochs done.

    Raises:
        probe.ProbeError: the loss is no longer finite.
    """
    device = embeddings.device
    training, test = training.to(device), test.to(device)
    watched = test
    if recipe.protocol == "fair":
        kept, held = held_out(training, seed)
        training, watched = training.items(kept), training.items(held)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = build(recipe.architecture, embeddings, recipe.shape).to(device)
        best = _Best(network, watched)
        epochs = 0
        for epochs in _epochs(network, training, best, recipe, seed):
            if on_epoch is not None:
                on_epoch(epochs)
    by_accuracy, by_f1 = best.by_accuracy, best.by_f1
    if recipe.protocol == "fair":
        network.load_state_dict(best.weights)
        by_accuracy = by_f1 = predict(network, test)
    return Trained(seed=seed, by_accuracy=by_accuracy, by_f1=by_f1, epochs=epochs, weights=best.weights)


def held_out(training: Encoded, seed: int) -> tuple[Tensor, Tensor]:
    """Places of the items to train on, and of those held out: all items of sentences drawn at random.

    Whole sentences, so that none is on both sides; as many as it takes to hold out a tenth of the items. The
    draw depends on the sentences and the seed only, so it is the same for every source of trees.

    Raises:
        probe.ProbeError: there is one sentence only.
    """
    sentence = training.sentence.cpu().numpy()
    drawn, counts = np.unique(sentence, return_counts=True)
    if len(drawn) < 2:
        raise ProbeError("at least two training sentences are expected, since one is held out, found one")
    order = np.random.default_rng(seed).permutation(len(drawn))
    enough = 1 + int(np.searchsorted(np.cumsum(counts[order]), HELD_OUT * len(sentence)))
    out = np.isin(sentence, drawn[order[: min(enough, len(drawn) - 1)]])
    device = training.sentence.device
    return torch.from_numpy(np.flatnonzero(~out)).to(device), torch.from_numpy(np.flatnonzero(out)).to(device)


@torch.inference_mode()
def predict(network: Lstm | Pwcn, items: Encoded) -> NDArray[np.int64]:
    """Class of each item, polarity + 1, [items]."""
    network.train(False)
    order = items.by_length()
    size = _EVALUATION_ITEMS if order.device.type == "cpu" else _EVALUATION_ITEMS_GPU
    logits = torch.cat([network(items.shared_batch(places)) for places in torch.split(order, size)])
    classes = torch.empty_like(items.labels)
    classes[order] = logits.argmax(dim=-1)
    return classes.cpu().numpy()


class _Best:
    """The best accuracy and the best macro-F1 seen on the items that are selected on."""

    def __init__(self, network: Lstm | Pwcn, watched: Encoded) -> None:
        self._network, self._watched = network, watched
        self._labels = watched.labels.cpu().numpy()
        self.accuracy = self.f1 = -1.0
        self.by_accuracy = self.by_f1 = np.zeros(0, dtype=np.int64)
        self.weights: dict[str, Tensor] = {}

    def look(self) -> bool:
        """Evaluate the network as it is; whether macro-F1 is better than ever."""
        classes = predict(self._network, self._watched)
        accuracy = float((classes == self._labels).mean())
        f1 = float(macro_f1(confusion(self._labels, classes)))
        if accuracy > self.accuracy:
            self.accuracy, self.by_accuracy = accuracy, classes
        if f1 <= self.f1:
            return False
        self.f1, self.by_f1 = f1, classes
        self.weights = {name: value.clone() for name, value in self._network.state_dict().items()}
        return True


def _epochs(network: Lstm | Pwcn, training: Encoded, best: _Best, recipe: Recipe, seed: int) -> Iterator[int]:
    """Train until macro-F1 has not risen for some epochs; yields the number of each epoch done."""
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.l2)
    batches = torch.split(training.by_length(), recipe.batch)
    orders = np.random.default_rng(seed)
    step = waited = 0
    for epoch in range(1, recipe.epochs + 1):
        better = False
        for at in orders.permutation(len(batches)):
            network.train()
            _step(network, optimizer, training, batches[at])
            step += 1
            if step % recipe.evaluate_every == 0:
                better |= best.look()
        # A training set of less than five batches is looked at all the same, once an epoch.
        if len(batches) < recipe.evaluate_every:
            better |= best.look()
        yield epoch
        waited = 0 if better else waited + 1
        if waited >= recipe.patience:
            return


def _step(network: Lstm | Pwcn, optimizer: torch.optim.Optimizer, training: Encoded, places: Tensor) -> None:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(training.batch(places)), training.labels[places])
    if not torch.isfinite(loss):
        raise ProbeError(f"the loss is {loss.item()}: are the embeddings too large for float32?")
    torch.autograd.backward(loss)
    optimizer.step()
