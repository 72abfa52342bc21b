"""Figures as published, in percent: Petroni et al., "Language Models as Knowledge Bases?", EMNLP 2019, Table 2."""

from __future__ import annotations

from collections.abc import Mapping

CITATION = "Petroni et al., Language Models as Knowledge Bases?, EMNLP 2019, Table 2"

RELATIONS: Mapping[str, int] = {"Google-RE": 3, "T-REx": 41, "ConceptNet": 16, "SQuAD": 1}
"""How many relations the paper counts in each corpus."""

P_AT_1: Mapping[str, Mapping[str, float]] = {
    "BERT-base-cased": {"Google-RE": 9.8, "T-REx": 31.1, "ConceptNet": 15.6, "SQuAD": 14.1},
    "BERT-large-cased": {"Google-RE": 10.5, "T-REx": 32.3, "ConceptNet": 19.2, "SQuAD": 17.4},
}
"""Mean precision at 1 by model and corpus."""

SECOND_HAND = "Published: the figure of BERT-base-cased is quoted at second hand."
"""Of all but its figure on T-REx."""
