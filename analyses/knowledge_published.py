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

P_AT_1_BY_TYPE: Mapping[str, Mapping[str, float]] = {
    "BERT-base-cased": {"1-1": 68.0, "N-1": 32.4, "N-M": 24.7},
    "BERT-large-cased": {"1-1": 74.5, "N-1": 34.2, "N-M": 24.3},
}
"""Mean precision at 1 on T-REx by model and type of relation."""

P_AT_1_BY_RELATION: Mapping[str, Mapping[str, float]] = {
    "BERT-base-cased": {"place_of_birth": 14.9, "date_of_birth": 1.5, "place_of_death": 13.1},
    "BERT-large-cased": {"place_of_birth": 16.1, "date_of_birth": 1.4, "place_of_death": 14.0},
}
"""Precision at 1 on Google-RE by model and relation."""
