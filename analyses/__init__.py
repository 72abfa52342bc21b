"""Trees and gold trees in; scores, intervals and tables out."""

from analyses.discourse.protocols import (
    DiscourseCounts,
    baseline_documents,
    count_documents,
    decode_document,
    document_impacts,
)
from analyses.intervals import Interval, PairedResult, bootstrap, paired_bootstrap, paired_t
from analyses.minimal_pairs.accuracy import (
    Accuracy,
    PairEvaluation,
    PairOutcome,
    ScoredPair,
    SkippedPair,
    evaluate_pairs,
    pair_table,
    score_pairs,
)
from analyses.minimal_pairs.pseudo_likelihood import pseudo_log_likelihoods
from analyses.pictures.arcs_text import draw_arcs
from analyses.scores.attachment import NO_HEAD, ArcCounts, count_arcs
from analyses.scores.brackets import BracketCounts, LabelRecall, count_brackets, label_recall, score_brackets
from analyses.scores.evaluation import (
    Evaluation,
    baseline_rows,
    evaluate,
    evaluate_runs,
    evaluation_rows,
    table,
)
from analyses.scores.recall import ArcRecall, arc_groups, arc_recall, recall_table
from analyses.tables.signature import Score, Settings, Signature, digest, score_line
from analyses.trees.arc_scores import fair_scores, wu2020_cle_scores, wu2020_eisner_scores
from analyses.trees.induction import Induced, Method, Outcome, Skipped, induce
from analyses.trees.protocols import baseline_trees, decode, gold_roots, scored_words

__all__ = [
    "NO_HEAD",
    "Accuracy",
    "ArcCounts",
    "ArcRecall",
    "BracketCounts",
    "DiscourseCounts",
    "Evaluation",
    "Induced",
    "Interval",
    "LabelRecall",
    "Method",
    "Outcome",
    "PairEvaluation",
    "PairOutcome",
    "PairedResult",
    "Score",
    "ScoredPair",
    "Settings",
    "Signature",
    "Skipped",
    "SkippedPair",
    "arc_groups",
    "arc_recall",
    "baseline_documents",
    "baseline_rows",
    "baseline_trees",
    "bootstrap",
    "count_arcs",
    "count_brackets",
    "count_documents",
    "decode",
    "decode_document",
    "digest",
    "document_impacts",
    "draw_arcs",
    "evaluate",
    "evaluate_pairs",
    "evaluate_runs",
    "evaluation_rows",
    "fair_scores",
    "gold_roots",
    "induce",
    "label_recall",
    "pair_table",
    "paired_bootstrap",
    "paired_t",
    "pseudo_log_likelihoods",
    "recall_table",
    "score_brackets",
    "score_line",
    "score_pairs",
    "scored_words",
    "table",
    "wu2020_cle_scores",
    "wu2020_eisner_scores",
]
