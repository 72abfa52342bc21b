"""Decoders and baselines: NumPy score matrices in, trees out."""

from parsers import baselines
from parsers._chu_liu_edmonds import chu_liu_edmonds, chu_liu_edmonds_many
from parsers._eisner import eisner, eisner_many

__all__ = [
    "baselines",
    "chu_liu_edmonds",
    "chu_liu_edmonds_many",
    "eisner",
    "eisner_many",
]
