"""Decoders of impact matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

import parsers
from parsers import Bracketing, span_scores

Floats = NDArray[np.float64]


Decoder = Callable[[Sequence[Floats]], list[Bracketing]]


SPAN_SCORES: dict[str, Callable[[ArrayLike], Floats]] = {
    "block": span_scores.block_contrast,
    "neighbour": span_scores.neighbour_contrast,
    "row": span_scores.row_similarity,
}


def _of_span_scores(
    decode: Callable[[Sequence[Floats]], list[Bracketing]], score: Callable[[ArrayLike], Floats]
) -> Decoder:
    return lambda impacts: decode([score(impact) for impact in impacts])


DECODERS: Mapping[str, Decoder] = {
    "mart-released": lambda impacts: parsers.mart_many(impacts, "released"),
    "mart-paper": lambda impacts: parsers.mart_many(impacts, "paper"),
    **{f"chart-{name}": _of_span_scores(parsers.chart_many, score) for name, score in SPAN_SCORES.items()},
    **{
        f"top-down-{name}": _of_span_scores(parsers.top_down_many, score)
        for name, score in SPAN_SCORES.items()
    },
}
