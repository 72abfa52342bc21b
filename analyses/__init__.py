"""Trees and gold trees in; scores, intervals and tables out."""

from analyses.arcs import draw_arcs
from analyses.attachment import NO_HEAD, ArcCounts, count_arcs
from analyses.evaluation import Evaluation, baseline_rows, evaluate, gold_roots, table
from analyses.induction import Induced, Method, Outcome, Skipped, evaluation_rows, induce
from analyses.intervals import Interval, PairedResult, bootstrap, paired_bootstrap
from analyses.protocols import (
    baseline_trees,
    decode,
    fair_scores,
    scored_words,
    wu2020_cle_scores,
    wu2020_eisner_scores,
)
from analyses.signature import Score, Settings, Signature, digest, score_line

__all__ = [
    "NO_HEAD",
    "ArcCounts",
    "Evaluation",
    "Induced",
    "Interval",
    "Method",
    "Outcome",
    "PairedResult",
    "Score",
    "Settings",
    "Signature",
    "Skipped",
    "baseline_rows",
    "baseline_trees",
    "bootstrap",
    "count_arcs",
    "decode",
    "digest",
    "draw_arcs",
    "evaluate",
    "evaluation_rows",
    "fair_scores",
    "gold_roots",
    "induce",
    "paired_bootstrap",
    "score_line",
    "scored_words",
    "table",
    "wu2020_cle_scores",
    "wu2020_eisner_scores",
]
