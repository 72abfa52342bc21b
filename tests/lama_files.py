"""A small folder in the layout of LAMA, for the tests of knowledge probes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

TEMPLATES = (
    {"relation": "P1", "template": "[X] sleeps near the [Y] .", "label": "sleeps near", "type": "N-1"},
    {"relation": "P2", "template": "The [Y] belongs to [X] .", "label": "owner of", "type": "1-1"},
    {"relation": "P9", "template": "[X] knows [Y] .", "label": "knows", "type": "N-M"},
)
P1 = (("The fox", "the"), ("The owl", "and"), ("The fox", "of"), ("The owl", "and"), ("A cat", "violins"))
P2 = (("my sister", "the"), ("the sea", "the"), ("it", "to"))


def write_lines(path: Path, records: Iterable[object]) -> Path:
    """One JSON value a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def triple(subject: str, filler: str, **more: object) -> Mapping[str, object]:
    """A fact as T-REx and Google-RE have it."""
    return {"sub_label": subject, "obj_label": filler, **more}


def sentence(text: str, filler: str, **more: object) -> Mapping[str, object]:
    """A fact as ConceptNet and SQuAD have it."""
    return {"masked_sentences": [text], "obj_label": filler, **more}


def write_lama(folder: Path, *, words: Iterable[str]) -> Path:
    """All four corpora, and the word list."""
    write_lines(folder / "relations.jsonl", TEMPLATES)
    write_lines(folder / "TREx" / "P1.jsonl", [triple(*pair, uuid=f"a{n}") for n, pair in enumerate(P1)])
    write_lines(folder / "TREx" / "P2.jsonl", [triple(*pair) for pair in P2])
    for name in ("place_of_birth", "date_of_birth", "place_of_death"):
        facts = [triple("The waiter", "the", uuid="g", masked_sentences=["x [MASK] ."])]
        write_lines(folder / "Google_RE" / f"{name}_test.jsonl", facts)
    squad = [
        sentence("The owl called [MASK] .", "the", id="s1", sub_label="Squad"),
        sentence("The owl [MASK] the [MASK] .", "and", id="s2", sub_label="Squad"),
        sentence("The owl called [MASK] .", "violins", id="s3", sub_label="Squad"),
    ]
    write_lines(folder / "Squad" / "test.jsonl", squad)
    concepts = [
        sentence("A fox is [MASK] .", "the", pred="IsA", sub="fox", uuid="c1"),
        sentence("You find [MASK] in a barn .", "and", pred="AtLocation", sub="barn", uuid="c2"),
        sentence("An owl is [MASK] .", "of", pred="IsA", sub="bird", uuid="c3"),
    ]
    write_lines(folder / "ConceptNet" / "test.jsonl", concepts)
    (folder / "common_vocab_cased.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return folder
