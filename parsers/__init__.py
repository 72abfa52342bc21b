"""Decoders and baselines: NumPy score matrices in, trees out."""

from parsers import baselines, branching, span_scores
from parsers._chart import chart, chart_many, top_down, top_down_many
from parsers._chu_liu_edmonds import chu_liu_edmonds, chu_liu_edmonds_many
from parsers._eisner import eisner, eisner_many
from parsers._mart import mart, mart_many, wu2020_distances
from parsers.bracketing import Bracketing
from parsers.graph import from_networkx, to_networkx

__all__ = [
    "Bracketing",
    "baselines",
    "branching",
    "chart",
    "chart_many",
    "chu_liu_edmonds",
    "chu_liu_edmonds_many",
    "eisner",
    "eisner_many",
    "from_networkx",
    "mart",
    "mart_many",
    "span_scores",
    "to_networkx",
    "top_down",
    "top_down_many",
    "wu2020_distances",
]
