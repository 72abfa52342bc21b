"""Documents of SciDTB, in memory and in files."""

import json
from pathlib import Path

from data import Document


def document(heads: tuple[int, ...], edus: tuple[str, ...] | None = None, name: str = "D14-1") -> Document:
    texts = edus or tuple(f"text {number}" for number in range(len(heads)))
    n = len(heads)
    return Document(
        id=name, edus=texts, heads=heads, relations=("x",) * n, ends_sentence=(False,) * n, where=name
    )


def write(folder: Path, name: str, heads: tuple[int, ...], edus: tuple[str, ...]) -> None:
    """Write a document as SciDTB publishes it."""
    root = {"id": 0, "parent": -1, "text": "ROOT", "relation": "null"}
    entries = [
        {"id": number, "parent": head, "text": text, "relation": "x"}
        for number, (head, text) in enumerate(zip(heads, edus, strict=True), start=1)
    ]
    folder.mkdir(exist_ok=True)
    content = json.dumps({"root": [root, *entries]})
    (folder / f"{name}.edu.txt.dep").write_text(content, encoding="utf-8-sig")
