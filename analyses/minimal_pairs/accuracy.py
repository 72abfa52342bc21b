"""Accuracies on minimal pairs: how often a masked language model prefers the acceptable sentence."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from analyses.intervals import percent_interval
from analyses.minimal_pairs.pseudo_likelihood import ScoreName, pseudo_log_likelihoods
from analyses.tables.signature import Score, Settings, Signature, score_line

if TYPE_CHECKING:
    from data import MinimalPair
    from probe import Probe

Level: TypeAlias = Literal["paradigm", "phenomenon", "overall"]

_PHENOMENA = {"s-selection": "argument_structure"}
"""Names in the files that the paper counts under another (Warstadt et al. 2020, table 2: 12 phenomena)."""


@dataclass(frozen=True, kw_only=True)
class ScoredPair:
    """The pseudo-log-likelihoods of both sentences of a pair, in nats."""

    pair: MinimalPair
    good: float
    bad: float

    @property
    def correct(self) -> bool:
        """Whether the acceptable sentence is the more likely one; with equal values it is not."""
        return self.good > self.bad

    @property
    def tied(self) -> bool:
        """Whether both are exactly as likely, as where both sentences have the same pieces."""
        return self.good == self.bad


@dataclass(frozen=True, kw_only=True)
class SkippedPair:
    """A pair of which a sentence could not be scored, and why."""

    pair: MinimalPair
    reason: str


PairOutcome: TypeAlias = ScoredPair | SkippedPair


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """The share of ``score.n`` pairs that a model gets right, in percent; ``ties`` of them are ties."""

    level: Level
    name: str
    phenomenon: str | None
    score: Score
    ties: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form, unrounded."""
        score = self.score.as_dict()
        return {
            "level": self.level,
            "name": self.name,
            "phenomenon": self.phenomenon,
            "accuracy": score["value"],
            "interval": score["interval"],
            "pairs": self.score.n,
            "ties": self.ties,
        }


@dataclass(frozen=True, kw_only=True)
class PairEvaluation:
    """A model's accuracies, and what they were measured on.

    Attributes:
        model: its name.
        overall: of all pairs.
        phenomena, paradigms: of the pairs of each.
        skipped: pairs that the model could not score.
        signature: of the figures.
        random_weights: the model is a baseline.
        scored: the pairs that the figures are of.
    """

    model: str
    overall: Accuracy
    phenomena: tuple[Accuracy, ...]
    paradigms: tuple[Accuracy, ...]
    skipped: int
    signature: Signature
    random_weights: bool = False
    scored: tuple[ScoredPair, ...] = field(default=(), repr=False)

    @property
    def rows(self) -> tuple[Accuracy, ...]:
        """Each phenomenon followed by its paradigms, the overall accuracy last."""
        rows = []
        for phenomenon in self.phenomena:
            rows += [phenomenon, *(row for row in self.paradigms if row.phenomenon == phenomenon.name)]
        return (*rows, self.overall)

    def __str__(self) -> str:
        """The overall accuracy with the signature, one line."""
        return score_line(self.overall.score, self.signature)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "model": self.model,
            "skipped": self.skipped,
            "signature": self.signature.as_dict(),
            "accuracies": [row.as_dict() for row in self.rows],
        }


def score_pairs(
    model: Probe,
    pairs: Iterable[MinimalPair],
    *,
    score: ScoreName = "original",
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> Iterator[PairOutcome]:
    """Score both sentences of every pair, paradigm by paradigm.

    Args:
        model: with a masked-LM head.
        pairs: in any order; those of a paradigm are run together and come out together.
        score: see ``analyses.pseudo_log_likelihoods``, which also takes the other options.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        ValueError, probe.ModelError: as ``analyses.pseudo_log_likelihoods``.
    """
    for group in _by_paradigm(pairs).values():
        sentences = [sentence for pair in group for sentence in (pair.good, pair.bad)]
        values = pseudo_log_likelihoods(
            model, sentences, score=score, batch_tokens=batch_tokens, on_passes=on_passes
        )
        for pair, good, bad in zip(group, values[::2], values[1::2], strict=True):
            if isinstance(good, float) and isinstance(bad, float):
                yield _finite(pair, good, bad)
            else:
                yield SkippedPair(pair=pair, reason=str(bad if isinstance(good, float) else good))


def first_pairs(pairs: Iterable[MinimalPair], limit: int | None) -> list[MinimalPair]:
    """The first ``limit`` pairs of each paradigm, in their order; all of them where there is no limit."""
    taken: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        taken[pair.paradigm] += 1
        if limit is None or taken[pair.paradigm] <= limit:
            kept.append(pair)
    return kept


def evaluate_pairs(
    outcomes: Sequence[PairOutcome],
    *,
    model: str,
    data: str,
    version: str,
    score: ScoreName,
    dtype: str | None = None,
    random_weights: bool = False,
    seed: int = 0,
    resamples: int = 1000,
) -> PairEvaluation:
    """Accuracy of each paradigm, of each phenomenon, and overall, with 95% bootstrap intervals over pairs.

    A pair is right if the acceptable sentence is the more likely one; a tie is wrong, as in the published
    code. The accuracy of a phenomenon and the overall accuracy are means over paradigms, as in BLiMP
    (Warstadt et al. 2020); as there, ``s-selection`` counts as ``argument_structure``.

    Args:
        outcomes: of ``score_pairs``; skipped pairs are counted, not scored.
        model: name of the model.
        data: name of the data, for the signature.
        version: of this project, for the signature.
        score: how the sentences were scored, for the signature.
        dtype: that the model computed in, for the signature.
        random_weights: whether they stood in the place of the model's own.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ValueError: no pair was scored.
    """
    scored = [outcome for outcome in outcomes if isinstance(outcome, ScoredPair)]
    if not scored:
        raise ValueError("expected at least one pair that could be scored, found none")
    paradigms: dict[tuple[str, str], list[ScoredPair]] = {}
    for outcome in scored:
        paradigms.setdefault((phenomenon_of(outcome.pair), outcome.pair.paradigm), []).append(outcome)
    phenomena: dict[str, list[list[ScoredPair]]] = {}
    for (phenomenon, _), group in paradigms.items():
        phenomena.setdefault(phenomenon, []).append(group)

    def accuracy(level: Level, name: str, groups: Sequence[Sequence[ScoredPair]], of: str | None) -> Accuracy:
        value = _mean_accuracy(groups, seed=seed, resamples=resamples)
        ties = sum(outcome.tied for group in groups for outcome in group)
        return Accuracy(level=level, name=name, phenomenon=of, score=value, ties=ties)

    return PairEvaluation(
        model=model,
        overall=accuracy("overall", "overall", list(paradigms.values()), None),
        phenomena=tuple(accuracy("phenomenon", name, phenomena[name], name) for name in sorted(phenomena)),
        paradigms=tuple(
            accuracy("paradigm", name, [group], phenomenon)
            for (phenomenon, name), group in sorted(paradigms.items(), key=lambda item: item[0])
        ),
        skipped=len(outcomes) - len(scored),
        signature=Signature(
            data=data,
            digest=_digest(outcome.pair for outcome in scored),
            n=len(scored),
            version=version,
            protocol=f"pll-{score}",
            settings=Settings(model=model, dtype=dtype),
            resamples=resamples,
            seed=seed,
        ),
        random_weights=random_weights,
        scored=tuple(scored),
    )


def _by_paradigm(pairs: Iterable[MinimalPair]) -> dict[tuple[str, str], list[MinimalPair]]:
    groups: dict[tuple[str, str], list[MinimalPair]] = {}
    for pair in pairs:
        groups.setdefault((phenomenon_of(pair), pair.paradigm), []).append(pair)
    return groups


def phenomenon_of(pair: MinimalPair) -> str:
    """What a pair is counted under, as the paper names it."""
    return _PHENOMENA.get(pair.phenomenon, pair.phenomenon)


def _finite(pair: MinimalPair, good: float, bad: float) -> PairOutcome:
    if np.isfinite([good, bad]).all():
        return ScoredPair(pair=pair, good=good, bad=bad)
    return SkippedPair(pair=pair, reason="its pseudo-log-likelihoods are not finite: try dtype float32")


def _mean_accuracy(groups: Sequence[Sequence[ScoredPair]], *, seed: int, resamples: int) -> Score:
    """Mean over groups of the share of correct pairs in each; the bootstrap draws pairs of all groups."""
    weight = np.concatenate([np.full(len(group), 1 / len(group)) for group in groups])
    correct = np.array([outcome.correct for group in groups for outcome in group])
    return Score(
        name="accuracy",
        value=float(100 * (weight * correct).sum() / len(groups)),
        interval=percent_interval(weight * correct, weight, seed=seed, resamples=resamples),
        n=len(correct),
    )


def _digest(pairs: Iterable[MinimalPair]) -> str:
    """SHA-256 over the pairs scored, each a line of JSON ``["good","bad"]`` in ASCII."""
    sha = hashlib.sha256()
    for pair in pairs:
        sha.update(json.dumps([pair.good, pair.bad], separators=(",", ":")).encode("ascii") + b"\n")
    return sha.hexdigest()
