"""Trees and gold trees in; scores, intervals and tables out.

Importing this package imports what is asked of it, no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from probe.siblings import check_own

if TYPE_CHECKING:
    from analyses.dependency_tree import DependencyTree, tree_frame
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
        score_pairs,
    )
    from analyses.minimal_pairs.pseudo_likelihood import pseudo_log_likelihoods
    from analyses.pictures.arcs_text import draw_arcs
    from analyses.scores.attachment import NO_HEAD, ArcCounts, count_arcs
    from analyses.scores.brackets import (
        BracketCounts,
        LabelRecall,
        count_brackets,
        label_recall,
        recall_frame,
        score_brackets,
        span_frame,
    )
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
    "DependencyTree",
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
    "paired_bootstrap",
    "paired_t",
    "pseudo_log_likelihoods",
    "recall_frame",
    "recall_table",
    "score_brackets",
    "score_line",
    "score_pairs",
    "scored_words",
    "span_frame",
    "table",
    "tree_frame",
    "wu2020_cle_scores",
    "wu2020_eisner_scores",
]

_HOME = {
    "NO_HEAD": "analyses.scores.attachment",
    "Accuracy": "analyses.minimal_pairs.accuracy",
    "ArcCounts": "analyses.scores.attachment",
    "ArcRecall": "analyses.scores.recall",
    "BracketCounts": "analyses.scores.brackets",
    "DependencyTree": "analyses.dependency_tree",
    "DiscourseCounts": "analyses.discourse.protocols",
    "Evaluation": "analyses.scores.evaluation",
    "Induced": "analyses.trees.induction",
    "Interval": "analyses.intervals",
    "LabelRecall": "analyses.scores.brackets",
    "Method": "analyses.trees.induction",
    "Outcome": "analyses.trees.induction",
    "PairEvaluation": "analyses.minimal_pairs.accuracy",
    "PairOutcome": "analyses.minimal_pairs.accuracy",
    "PairedResult": "analyses.intervals",
    "Score": "analyses.tables.signature",
    "ScoredPair": "analyses.minimal_pairs.accuracy",
    "Settings": "analyses.tables.signature",
    "Signature": "analyses.tables.signature",
    "Skipped": "analyses.trees.induction",
    "SkippedPair": "analyses.minimal_pairs.accuracy",
    "arc_groups": "analyses.scores.recall",
    "arc_recall": "analyses.scores.recall",
    "baseline_documents": "analyses.discourse.protocols",
    "baseline_rows": "analyses.scores.evaluation",
    "baseline_trees": "analyses.trees.protocols",
    "bootstrap": "analyses.intervals",
    "count_arcs": "analyses.scores.attachment",
    "count_brackets": "analyses.scores.brackets",
    "count_documents": "analyses.discourse.protocols",
    "decode": "analyses.trees.protocols",
    "decode_document": "analyses.discourse.protocols",
    "digest": "analyses.tables.signature",
    "document_impacts": "analyses.discourse.protocols",
    "draw_arcs": "analyses.pictures.arcs_text",
    "evaluate": "analyses.scores.evaluation",
    "evaluate_pairs": "analyses.minimal_pairs.accuracy",
    "evaluate_runs": "analyses.scores.evaluation",
    "evaluation_rows": "analyses.scores.evaluation",
    "fair_scores": "analyses.trees.arc_scores",
    "gold_roots": "analyses.trees.protocols",
    "induce": "analyses.trees.induction",
    "label_recall": "analyses.scores.brackets",
    "paired_bootstrap": "analyses.intervals",
    "paired_t": "analyses.intervals",
    "pseudo_log_likelihoods": "analyses.minimal_pairs.pseudo_likelihood",
    "recall_frame": "analyses.scores.brackets",
    "recall_table": "analyses.scores.recall",
    "score_brackets": "analyses.scores.brackets",
    "score_line": "analyses.tables.signature",
    "score_pairs": "analyses.minimal_pairs.accuracy",
    "scored_words": "analyses.trees.protocols",
    "span_frame": "analyses.scores.brackets",
    "table": "analyses.scores.evaluation",
    "tree_frame": "analyses.dependency_tree",
    "wu2020_cle_scores": "analyses.trees.arc_scores",
    "wu2020_eisner_scores": "analyses.trees.arc_scores",
}

check_own()


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
