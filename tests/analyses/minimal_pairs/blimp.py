"""Minimal pairs, and lines of the files that hold them."""

import json

import data


def record(good: str, bad: str, *, paradigm: str = "p", phenomenon: str = "binding") -> str:
    """A line of a BLiMP file."""
    texts = {"sentence_good": good, "sentence_bad": bad}
    labels = {"field": "syntax", "linguistics_term": phenomenon, "UID": paradigm}
    return json.dumps({**texts, **labels, "pairID": 3}) + "\n"


def pair(good: str, bad: str, *, paradigm: str = "p", phenomenon: str = "binding") -> data.MinimalPair:
    return data.MinimalPair(good=good, bad=bad, phenomenon=phenomenon, paradigm=paradigm, field="syntax")
