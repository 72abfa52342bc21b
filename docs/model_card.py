"""A hook of mkdocs: the model card, which lives with the embedded model, becomes a page of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

CARD = Path(__file__).parents[1] / "probe" / "embedded" / "README.md"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the card to the pages."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "model-card.md", content=_card()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to the card lead to its page."""
    return markdown.replace("(../probe/embedded/README.md)", "(model-card.md)")


def _card() -> str:
    """The card, its links as seen from ``docs``; those to other files of the repository become their text."""

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        if target.startswith("../../docs/"):
            return f"[{text}]({target.removeprefix('../../docs/')})"
        return found[0] if "://" in target else text

    return _LINK.sub(link, CARD.read_text(encoding="utf-8"))
