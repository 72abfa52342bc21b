"""Trees and gold trees in; scores, intervals and tables out."""

from analyses.acceptability import (
    Accuracy,
    PairEvaluation,
    PairOutcome,
    ScoredPair,
    SkippedPair,
    evaluate_pairs,
    pair_table,
    score_pairs,
)
from analyses.arcs import draw_arcs
from analyses.attachment import NO_HEAD, ArcCounts, count_arcs
from analyses.bracket_scores import (
    BracketCounts,
    LabelRecall,
    count_brackets,
    label_recall,
    score_brackets,
)
from analyses.discourse_protocols import (
    DiscourseCounts,
    baseline_documents,
    count_documents,
    decode_document,
    document_impacts,
)
from analyses.evaluation import (
    Evaluation,
    baseline_rows,
    evaluate,
    evaluate_runs,
    gold_roots,
    table,
)
from analyses.induction import Induced, Method, Outcome, Skipped, evaluation_rows, induce
from analyses.intervals import Interval, PairedResult, bootstrap, paired_bootstrap, paired_t
from analyses.protocols import (
    baseline_trees,
    decode,
    fair_scores,
    scored_words,
    wu2020_cle_scores,
    wu2020_eisner_scores,
)
from analyses.pseudo_likelihood import pseudo_log_likelihoods
from analyses.recall import ArcRecall, arc_groups, arc_recall, recall_table
from analyses.signature import Score, Settings, Signature, digest, score_line

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
