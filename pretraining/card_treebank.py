"""Treebank scores for the model card: every layer and pool on dev, one of them on the test treebank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import probe
from analyses import Evaluation, Method, baseline_rows, decode, evaluate, gold_roots
from analyses.trees.adjust import adjust
from analyses.trees.methods import METHODS
from analyses.trees.protocols import PROTOCOLS, ProtocolName, RootName
from data import Sentence
from probe.options import POOLS, Pool


def treebank_scores(
    p: probe.Probe, sentences: Sequence[Sentence], *, name: str, pools: Sequence[Pool] = POOLS
) -> list[dict[str, Any]]:
    """UAS, UUAS and NED of every layer and pool under both protocols (Eisner, ``dist``, ``pair``)."""
    rows = []
    for (layer, pool), scored in layer_evaluations(p, sentences, name=name, pools=pools):
        row: dict[str, Any] = {"layer": layer, "pool": pool}
        for protocol, evaluation in scored.items():
            row[protocol] = {score.name: round(score.value, 2) for score in evaluation.scores}
        rows.append(row)
    return rows


def layer_evaluations(
    p: probe.Probe, sentences: Sequence[Sentence], *, name: str, pools: Sequence[Pool]
) -> Iterator[tuple[tuple[int, Pool], dict[ProtocolName, Evaluation]]]:
    """Every layer and pool with its evaluation under each protocol; one pass over the model serves all of them."""
    sets = list(p.impact_many([s.words for s in sentences], layer="all", pool=pools, errors="return"))
    kept = [
        (s, found) for s, found in zip(sentences, sets, strict=True) if isinstance(found, probe.ImpactSet)
    ]
    gold = [sentence for sentence, _ in kept]
    for layer in range(p.n_layers + 1):
        for pool in pools:
            matrices = [found.select(layer=layer, pool=pool) for _, found in kept]
            scored: dict[ProtocolName, Evaluation] = {}
            for protocol in PROTOCOLS:
                method = _method(protocol, layer=layer, pool=pool)
                scored[protocol] = _evaluate(gold, matrices, method, p, data=name, name=p.name)
            yield (layer, pool), scored


def openness_evaluations(
    p: probe.Probe, sentences: Sequence[Sentence], *, name: str
) -> Iterator[tuple[int, Evaluation]]:
    """Every layer above the embeddings with its evaluation by method ``openness`` under ``fair``."""
    preset = METHODS["openness"]
    pool: Pool = "mean"
    layers = range(1, p.n_layers + 1)
    sets = p.impact_many(
        [s.words for s in sentences],
        layer=list(layers),
        pool=[pool],
        perturb=preset.perturb,
        openness=True,
        errors="return",
    )
    kept = [
        (s, found) for s, found in zip(sentences, sets, strict=True) if isinstance(found, probe.ImpactSet)
    ]
    gold = [sentence for sentence, _ in kept]
    for layer in layers:
        matrices = [adjust(found.select(layer=layer, pool=pool), preset.adjust) for _, found in kept]
        method = Method(
            protocol="fair",
            root="predicted",
            layer=layer,
            pool=pool,
            perturb=preset.perturb,
            adjust=preset.adjust,
        )
        yield layer, _evaluate(gold, matrices, method, p, data=name, name=p.name)


def best_setting(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the highest UAS under ``wu2020``."""
    return max(rows, key=lambda row: float(row["wu2020"]["UAS"]))


def scores_on_test(
    p: probe.Probe,
    sentences: Sequence[Sentence],
    *,
    layer: int,
    pool: Pool,
    name: str,
    random_model: bool,
    seed: int,
) -> dict[str, Any]:
    """One layer and pool on a test treebank, beside the baselines, with 95% intervals, under both protocols.

    Args:
        p: the model.
        sentences: with gold heads.
        layer: chosen elsewhere.
        pool: chosen elsewhere.
        name: of the treebank, for the signatures.
        random_model: whether the same architecture with random weights is run, too.
        seed: of random weights, random trees and the bootstrap.

    Raises:
        probe.ProbeError: no sentence could be probed.
    """
    models = {p.name: p}
    if random_model:
        models = {"random weights": p.with_random_weights(seed=seed), **models}
    # Which sentences can be probed depends on the tokenizer and the window, which all models share.
    matrices = {
        key: dict(_matrices(model, sentences, layer=layer, pool=pool)) for key, model in models.items()
    }
    gold = [sentences[index] for index in matrices[p.name]]
    if not gold:
        raise probe.ProbeError(f"{name}: no sentence could be probed, so there is nothing to score")
    result: dict[str, Any] = {
        "treebank": name,
        "sentences": len(gold),
        "skipped": len(sentences) - len(gold),
        "layer": layer,
        "pool": pool,
    }
    for protocol in PROTOCOLS:
        method = replace(_method(protocol, layer=layer, pool=pool), seed=seed)
        rows = list(
            baseline_rows(
                gold,
                data=name,
                version=probe.__version__,
                protocol=protocol,
                root=method.root,
                seed=seed,
            )
        )
        for key, model in models.items():
            rows.append(_evaluate(gold, list(matrices[key].values()), method, model, data=name, name=key))
        result[protocol] = [row.as_dict() for row in rows]
    return result


def _method(protocol: ProtocolName, *, layer: int, pool: Pool) -> Method:
    root: RootName = "gold" if protocol == "wu2020" else "predicted"
    return Method(protocol=protocol, root=root, layer=layer, pool=pool)


def _matrices(
    p: probe.Probe, sentences: Sequence[Sentence], *, layer: int, pool: Pool
) -> Iterator[tuple[int, probe.ImpactMatrix]]:
    """The matrices of the sentences that can be probed, each with the place of its sentence."""
    words = [sentence.words for sentence in sentences]
    for index, found in enumerate(p.impact_many(words, layer=layer, pool=pool, errors="return")):
        if isinstance(found, probe.ImpactMatrix):
            yield index, found


def _evaluate(
    gold: Sequence[Sentence],
    matrices: Sequence[probe.ImpactMatrix],
    method: Method,
    model: probe.Probe,
    *,
    data: str,
    name: str,
) -> Evaluation:
    roots = gold_roots(gold) if method.root == "gold" else None
    trees = decode(matrices, protocol=method.protocol, decoder="eisner", roots=roots)
    return evaluate(
        gold,
        trees,
        name=name,
        data=data,
        version=probe.__version__,
        protocol=method.protocol,
        root=method.root,
        settings=replace(method.settings(model, gold), text="spaced"),
        seed=method.seed,
    )
