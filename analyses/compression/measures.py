"""What is measured of each model of the grid: trees, masked words, minimal pairs, impacts, size and speed."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyses.compression.layer_maps import rank_correlations
from analyses.compression.pruning import encoder_parameters
from analyses.constituency import trees as constituents
from analyses.constituency.scores import Columns, Gold
from analyses.dependency.trees import Treebank, induce, treebank_ways
from analyses.kept import KeptResults, kept_impacts
from analyses.minimal_pairs.accuracy import ScoredPair, score_pairs
from analyses.scores.attachment import count_arcs
from analyses.tables.signature import digest
from analyses.trees.adjust import AdjustedMatrix
from analyses.trees.decoders import Heads
from analyses.trees.methods import METHODS
from analyses.trees.protocols import scored_words
from analyses.trees.systems import Skipped, Way
from analyses.trees.variants import Variant
from probe.errors import ProbeError
from probe.source import ImpactSource
from probe.spaces import running

if TYPE_CHECKING:
    from data import MinimalPair
    from probe.model import Probe

Floats = NDArray[np.float64]
Counted = tuple[Floats, Floats]
"""Numerators and denominators, one a sentence or pair; their ratio of sums is the figure."""
METHOD = METHODS["openness"]
_IMPACTS: dict[str, Any] = {"metric": METHOD.metric, "pool": METHOD.pool, "perturb": METHOD.perturb}
_SPEED_SHAPE = (16, 32)
"""Sequences and pieces of the batch that speed is measured on."""
_REPEATS = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpora:
    """What all models are measured on.

    Attributes:
        treebank: gold dependency trees; its words are masked, too.
        gold: gold constituents.
        pairs: minimal pairs; none where accuracy on them is not asked for.
        skipped: how many sentences of the treebank the model cannot take; they are left out.
    """

    treebank: Treebank
    gold: Gold
    pairs: tuple[MinimalPair, ...]
    skipped: int = 0

    def digest(self) -> str:
        """SHA-256 over all of it."""
        sha = hashlib.sha256(digest(self.treebank.items).encode())
        sha.update(self.gold.digest().encode())
        sha.update(json.dumps([[pair.good, pair.bad] for pair in self.pairs]).encode())
        return sha.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Of one model.

    Attributes:
        columns: ``UAS``, ``UUAS``, ``F1``, ``masked``, ``pairs``, ``correlation``.
        parameters: millions of the layers' weights.
        speed: how many times faster it is than the whole model; None for that itself.
    """

    columns: Mapping[str, Counted]
    parameters: float
    speed: float | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "columns": {name: [each.tolist() for each in pair] for name, pair in self.columns.items()},
            "parameters": self.parameters,
            "speed": self.speed,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Measured:
        """The inverse of ``as_dict``."""
        return cls(
            columns={
                name: (np.array(top, dtype=np.float64), np.array(bottom, dtype=np.float64))
                for name, (top, bottom) in found["columns"].items()
            },
            parameters=float(found["parameters"]),
            speed=None if found["speed"] is None else float(found["speed"]),
        )


class Meter:
    """Measures models beside the whole one; what an earlier run measured of the same model is read from its files.

    Args:
        whole: the model that the others are cut out of.
        corpora: what they are measured on.
        args: options of the command.
    """

    def __init__(self, whole: Probe, corpora: Corpora, args: argparse.Namespace) -> None:
        self.whole, self.corpora, self._args = whole, corpora, args
        self._digest = f"{corpora.digest()} {whole.best}"  # whose layer is that of the trees
        self._folder = None if args.out is None else args.out / "measured"
        self._impacts: dict[int, Floats] | None = None

    def __call__(self, model: Probe, stem: str) -> Measured:
        """What is measured of a model, whose files are called so.

        Raises:
            ProbeError: a sentence cannot be probed.
            probe.store.StoreError: ``--out`` has impacts of another model under this name.
            OSError: a file cannot be written.
        """
        kept = KeptResults(self._folder, model, self._digest)
        return kept(stem, Measured, lambda: self._measure(model, stem))

    def _measure(self, model: Probe, stem: str) -> Measured:
        columns: dict[str, Counted] = self._trees(model, stem)
        columns["F1"] = self._constituents(model)
        columns["masked"] = masked_accuracy(model, self._sentences, self._args.batch_tokens)
        if self.corpora.pairs:
            columns["pairs"] = _pairs(model, self.corpora.pairs, self._args.batch_tokens)
        return Measured(
            columns=columns,
            parameters=encoder_parameters(model) / 1e6,
            speed=None if model is self.whole else speed(model, self.whole),
        )

    @property
    def _sentences(self) -> list[Sequence[str]]:
        """The words of the treebank, with the spaces between them."""
        return [running(one.words, one.spaces) for one in self.corpora.treebank.items]

    def _source(self, model: Probe, stem: str) -> ImpactSource:
        """The model, or what is kept of its impacts in ``--out``, which goes on where it was interrupted."""
        from probe.progress import Progress

        if self._args.out is None:
            return model
        sentences = self._sentences
        passes = sum(2 * len(words) + 2 for words in sentences)
        label, quiet = f"impacts, {model.name}", self._args.quiet
        with Progress(sentences=len(sentences), passes=passes, label=label, quiet=quiet) as progress:
            return kept_impacts(
                self._args.out,
                stem,
                model,
                sentences,
                **_IMPACTS,
                openness=True,
                batch_tokens=self._args.batch_tokens,
                on_passes=progress.passes,
            )

    def _trees(self, model: Probe, stem: str) -> dict[str, Counted]:
        """Dependency trees, and the correlation of their impacts with those of the whole model."""
        corpus = self.corpora.treebank
        heads, impacts = self._induced(model, stem)
        if model is self.whole:
            self._impacts = impacts
        if self._impacts is None:
            _, self._impacts = self._induced(self.whole, "whole")
        whole = self._impacts
        places = sorted(impacts)
        gold = [corpus.items[place].heads or () for place in places]
        scored = [scored_words(corpus.items[place], "fair") for place in places]
        counts = count_arcs(gold, [heads[place] for place in places], scored=scored)
        total = counts.total.astype(np.float64)
        rho = np.array([_correlation(impacts[place], whole[place]) for place in places])
        there = np.isfinite(rho)
        return {
            "UAS": (counts.directed.astype(np.float64), total),
            "UUAS": (counts.undirected.astype(np.float64), total),
            "correlation": (np.where(there, rho, 0), there.astype(np.float64)),
        }

    def _induced(self, model: Probe, stem: str) -> tuple[dict[int, Heads], dict[int, Floats]]:
        """Heads and impacts, by the place of the sentence."""
        corpus, source = self.corpora.treebank, self._source(model, stem)
        (combination,) = model.resolve(**_IMPACTS).combinations()
        variant = Variant(*combination, adjust=METHOD.adjust)
        ways = treebank_ways(source, corpus, ["fair"], [METHOD.decoder], [variant])
        impacts: dict[int, Floats] = {}

        def see(place: int, found: Sequence[Any]) -> None:
            # Logarithms have the ranks of the impacts themselves.
            impacts[place] = AdjustedMatrix.of(found[0]).impacts

        skipped: Skipped = {}
        (system,) = induce(source, ways, corpus, self._given(), skipped, see=see)
        _check_none(model, skipped)
        return system.runs[0][ways[0]], impacts

    def _constituents(self, model: Probe) -> Counted:
        """F1 of sentences under ``fair``."""
        gold = self.corpora.gold
        skipped: Skipped = {}
        (combination,) = model.resolve(**_IMPACTS).combinations()
        way = Way("fair", METHOD.constituents, Variant(*combination, adjust=METHOD.adjust_constituents))
        (system,) = constituents.induce(model, [way], gold, self._given(), skipped, label="constituents")
        _check_none(model, skipped)
        columns = Columns(gold, None)
        runs = constituents.runs_of(system, way, range(len(gold.sentences)))
        counted = columns.counted("", runs, columns.main)
        return np.asarray(counted.correct, dtype=np.float64), np.asarray(counted.total, dtype=np.float64)

    def _given(self) -> argparse.Namespace:
        """The options that making trees asks for: no random weights beside them."""
        return argparse.Namespace(**{**vars(self._args), "seeds": 0, "openness_from": None})


def _check_none(model: Probe, skipped: Skipped) -> None:
    """Refuse what the model should have been able to take: its numbers are not finite."""
    if skipped:
        raise ProbeError(f"{model.name}: {next(iter(skipped.values()))}")


def _correlation(first: Floats, second: Floats) -> float:
    """Spearman's, of the impacts of one sentence; NaN below three words."""
    return float(rank_correlations(first[None], second[None])[0, 0]) if len(first) > 2 else float("nan")


def masked_accuracy(probe: Probe, sentences: Sequence[Sequence[str]], batch_tokens: int = 4_096) -> Counted:
    """How many pieces of words the model predicts where that piece alone is masked, of each sentence.

    Args:
        probe: with a masked-LM head.
        sentences: that it can take, each a sequence of words.
        batch_tokens: pieces in one forward pass.

    Returns:
        Pieces that are its first guess, and all pieces: twice float64 [sentences].
    """
    import torch

    from probe.head import Head
    from probe.masked_states import HEAD_READS, MaskedStates
    from probe.word_states import PieceTable, encoder_of

    table, states, head = PieceTable(encoder_of(probe), sentences), MaskedStates(probe), Head(probe.model)
    right, total = np.zeros(len(sentences)), np.zeros(len(sentences))
    for place in np.flatnonzero(table.usable):
        batch = table.batch(np.array([place]))
        copies = np.repeat(batch.ids, len(batch.at), axis=0)
        copies[np.arange(len(batch.at)), batch.at] = probe.tokenizer.mask_token_id
        wanted = batch.ids[0, batch.at]
        rows = max(1, min(HEAD_READS, batch_tokens // copies.shape[1]))
        for begin in range(0, len(copies), rows):
            part = slice(begin, begin + rows)
            with torch.inference_mode():
                found = head.log_probabilities(states(copies[part], batch.at[part])).argmax(-1)
            right[place] += (found.numpy(force=True) == wanted[part]).sum()
        total[place] = len(wanted)
    return right, total


def _pairs(probe: Probe, pairs: Sequence[MinimalPair], batch_tokens: int) -> Counted:
    """Pairs that are right, each weighed such that every paradigm counts the same."""
    scored = [
        one for one in score_pairs(probe, pairs, batch_tokens=batch_tokens) if isinstance(one, ScoredPair)
    ]
    names = [one.pair.paradigm for one in scored]
    weight = np.array([1 / names.count(name) for name in names])
    return weight * np.array([one.correct for one in scored]), weight


def speed(model: Probe, whole: Probe) -> float:
    """How many times faster than the whole model it is, by the median of forward passes taken in turn."""
    import torch

    drawn = np.random.default_rng(0).integers(0, 100, _SPEED_SHAPE)
    times: list[list[float]] = [[], []]
    with torch.inference_mode():
        for repeat in range(_REPEATS + 1):
            for found, probe in zip(times, (model, whole), strict=True):
                base: Any = probe.model.base_model
                inputs = torch.from_numpy(drawn % probe.model.config.vocab_size).to(probe.device)
                begun = time.perf_counter()
                base(input_ids=inputs).last_hidden_state.sum().item()
                if repeat:  # the first one warms up
                    found.append(time.perf_counter() - begun)
    return float(np.median(times[1]) / np.median(times[0]))
