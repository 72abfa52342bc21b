"""Figures as published, in percent: Petroni et al., "Language Models as Knowledge Bases?", EMNLP 2019, Table 2."""

from __future__ import annotations

from collections.abc import Mapping

CITATION = "Petroni et al., Language Models as Knowledge Bases?, EMNLP 2019, Table 2"

SIZES: Mapping[str, Mapping[str, int]] = {
    "Google-RE": {"relations": 3, "facts": 5_527},
    "T-REx": {"relations": 41, "facts": 34_039},
    "ConceptNet": {"relations": 16, "facts": 11_458},
    "SQuAD": {"relations": 1, "facts": 305},
}
"""What the figures of each corpus were measured on, as the paper's Table 2 is quoted; no file here confirms it."""

P_AT_1: Mapping[str, Mapping[str, float]] = {
    "BERT-base-cased": {"Google-RE": 9.8, "T-REx": 31.1, "ConceptNet": 15.6, "SQuAD": 14.1},
    "BERT-large-cased": {"Google-RE": 10.5, "T-REx": 32.3, "ConceptNet": 19.2, "SQuAD": 17.4},
}
"""Mean precision at 1 by model and corpus."""

SECOND_HAND = "Published: the figure of BERT-base-cased is quoted at second hand."
"""Of all but its figure on T-REx."""
