"""Layers, means of layers, pools, metrics and decoders under method ``openness``, its weights left alone.

    probe run --data en_ewt-ud-dev.conllu --perturb knockout --layer all --metric dist cos \\
        --pool first mean max state --openness --out RUN
    python -m bench.method_settings --data en_ewt-ud-dev.conllu --matrices RUN

Every third sentence is held out, as in ``bench.method_search``; the others say which setting is the best. Each row
has UAS / UUAS under ``fair`` on both parts, and the paired difference to the method's own settings on the held-out
part, 95% bootstrap over sentences. No model runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import probe
from analyses.trees.adjust import mean_impact
from analyses.trees.decoders import DECODERS
from analyses.trees.methods import METHODS
from bench.method_search import Sample, differences, objective, scores_text, split, stored_sample
from data import DataError
from probe.store import Store


@dataclass(frozen=True)
class Setting:
    """How impacts are measured and decoded; of several layers the mean, each in units of its mean impact."""

    metric: str
    layers: tuple[int, ...]
    pool: str
    decoder: str

    def __str__(self) -> str:
        layers = "+".join(map(str, self.layers))
        return f"{self.metric}, layer {layers}, {self.pool}, {self.decoder}"


def settings(store: Store, own: Setting) -> Iterator[Setting]:
    """Every metric, pool and layer; then neighbouring layers and other decoders, the rest as the method has it."""
    there = store.configuration
    for metric in there.metric:
        for pool in there.pool:
            for layer in there.layer:
                if layer:  # below the first layer nothing has been attended to
                    yield Setting(metric, (layer,), pool, own.decoder)
    layers = [layer for layer in there.layer if layer]
    for first in layers[:-1]:
        for size in (2, 3):
            if set(run := tuple(range(first, first + size))) <= set(layers):
                yield replace(own, layers=run)
    yield from (replace(own, decoder=name) for name in DECODERS if name != own.decoder)


def sample(store: Store, source: Path, setting: Setting, limit: int | None) -> Sample:
    """The sentences with impacts under a setting."""
    parts = [
        stored_sample(source, store, layer=layer, limit=limit, metric=setting.metric, pool=setting.pool)
        for layer in setting.layers
    ]
    if len(parts) == 1:
        return parts[0]
    together = zip(*(part.matrices for part in parts), strict=True)
    return replace(parts[0], matrices=[_mean(matrices) for matrices in together])


def _mean(matrices: Sequence[probe.ImpactMatrix]) -> probe.ImpactMatrix:
    values: list[Any] = [one.values / (mean_impact(one.values.astype(np.float64)) or 1) for one in matrices]
    return replace(matrices[0], values=np.mean(values, axis=0).astype(np.float32))


def report(store: Store, source: Path, own: Setting, limit: int | None) -> Iterator[str]:
    """The table, a line at a time, in the order of the settings; the best of the searched part at the end."""
    held_own = None
    rows: list[tuple[float, str]] = []
    yield "| setting | searched | held out | held out, less the method's own |"
    yield "|---|---:|---:|---:|"
    for setting in dict.fromkeys((own, *settings(store, own))):
        searched, held = (
            part.counts(decoder=setting.decoder) for part in split(sample(store, source, setting, limit))
        )
        held_own = held_own or held
        beside = "" if setting == own else differences(held, held_own)
        line = f"| {setting} | {scores_text(searched)} | {scores_text(held)} | {beside} |"
        rows.append((objective(searched), line))
        yield line
    yield f"\nBest of those searched: {max(rows)[1]}"


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.method_settings", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the treebank of the matrices, CoNLL-U")
    parser.add_argument("--matrices", type=Path, required=True, help="run directory, with openness")
    parser.add_argument("--limit", type=int, help="its first sentences only")
    parser.add_argument("--layer", type=int, required=True, help="that of the method for this model")
    args = parser.parse_args(argv)
    preset = METHODS["openness"]
    own = Setting(preset.metric, (args.layer,), preset.pool, preset.decoder)
    try:
        for line in report(Store.open(args.matrices), args.data, own, args.limit):
            print(line, flush=True)
    except (OSError, DataError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
