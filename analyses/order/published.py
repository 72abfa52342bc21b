"""Figures as published: Liao, Jiang and Liu, "Probabilistically Masked Language Model", ACL 2020."""

from __future__ import annotations

from collections.abc import Mapping

CITATION = "Liao et al., Probabilistically Masked Language Model, ACL 2020"

WIKITEXT103: Mapping[str, Mapping[str, float]] = {
    "u-PMLM-A on WikiText-103": {"left-to-right": 19.32, "random": 21.30}
}
"""Perplexity by order. Another text, other pieces and a far larger model: not to be compared with ours."""

NOTE = f"Published ({CITATION}, quoted at second hand): another text, other pieces, a far larger model."
