"""What a trained network says about one aspect of one sentence, with tree and proximity weights."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import torch

from analyses.pictures.arcs_text import draw_arcs
from analyses.sentiment.network import build
from analyses.sentiment.training import Recipe, Trained, encode
from data.absa import POLARITIES, AspectItem

if TYPE_CHECKING:
    from analyses.sentiment.embeddings import Embeddings
    from analyses.sentiment.trees import Distances


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The class of an aspect and how it came about.

    Attributes:
        item: words and aspect; its polarity is the predicted one.
        heads: n heads, 1-based, 0 = ROOT; None where the source of distances is no tree.
        weights: n proximity weights; None for the LSTM, which has none.
        probabilities: of each polarity.
        unknown: the words that have no vector.
    """

    item: AspectItem
    heads: tuple[int, ...] | None
    weights: tuple[float, ...] | None
    probabilities: dict[int, float]
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        """Weight and word a line, the arcs of the tree beside them, the class below."""
        start, end = self.item.aspect
        words = self.item.words
        lines = draw_arcs(words, self.heads).split("\n") if self.heads else _numbered(words)
        if self.weights is not None:
            shown = [
                "aspect" if start <= at < end else f"{weight:.2f}" for at, weight in enumerate(self.weights)
            ]
            lines = [f"{weight:>6}  {line}" for weight, line in zip(shown, lines, strict=True)]
        likely = ", ".join(f"{POLARITIES[key]} {value:.2f}" for key, value in self.probabilities.items())
        lines += ["", f"{self.item.term}: {POLARITIES[self.item.polarity]} ({likely})"]
        if self.unknown:
            lines.append(f"without a vector: {', '.join(self.unknown)}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "words": list(self.item.words),
            "aspect": list(self.item.aspect),
            "heads": self.heads and list(self.heads),
            "weights": self.weights and list(self.weights),
            "class": POLARITIES[self.item.polarity],
            "probabilities": {POLARITIES[key]: value for key, value in self.probabilities.items()},
            "unknown": list(self.unknown),
        }


def print_prediction(prediction: Prediction, about: str, *, as_json: bool = False) -> None:
    """Print a prediction, and what it is of, for a terminal or as JSON."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as JSON must be, whatever the locale
    if as_json:
        print(json.dumps({**prediction.as_dict(), "about": about}, indent=1, ensure_ascii=False))
    else:
        print(f"{prediction}\n{about}")


def _numbered(words: Sequence[str]) -> list[str]:
    digits = len(str(len(words)))
    return [f"{number:>{digits}} {word}" for number, word in enumerate(words, start=1)]


@torch.inference_mode()
def predict_aspect(
    item: AspectItem,
    distances: Distances,
    trained: Trained,
    embeddings: Embeddings,
    *,
    recipe: Recipe,
    heads: Sequence[int] | None = None,
) -> Prediction:
    """Classify an aspect with the weights of one seed, on the processor.

    Args:
        item: words and aspect; its polarity plays no part.
        distances: of each word to the aspect.
        trained: the seed.
        embeddings: those the network was trained on. Words that are not among them count as zeros.
        recipe: that of the network.
        heads: the tree the distances come from, to be shown.
    """
    index = embeddings.index
    index |= {word.lower(): index.get(word.lower(), 0) for word in item.words}
    encoded = encode([item], [distances], index)
    network = build(recipe.architecture, torch.from_numpy(embeddings.values), recipe.shape)
    network.load_state_dict(dict(trained.weights))
    network.train(False)
    probabilities = network(encoded.batch(torch.tensor([0])))[0].softmax(dim=-1).tolist()
    by_polarity = dict(zip(POLARITIES, probabilities, strict=True))
    missing = [word for word in dict.fromkeys(item.words) if not embeddings.values[index[word.lower()]].any()]
    return Prediction(
        item=AspectItem(
            words=item.words, aspect=item.aspect, polarity=max(by_polarity, key=lambda key: by_polarity[key])
        ),
        heads=None if heads is None else tuple(heads),
        weights=None if recipe.architecture == "lstm" else tuple(encoded.weights[0].tolist()),
        probabilities=by_polarity,
        unknown=tuple(missing),
    )
