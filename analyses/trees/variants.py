"""Combinations of impact settings, and the matrices of all of them from one pass."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import numpy as np

from analyses.tables.signature import Settings, impact_text
from analyses.trees.adjust import NONE, Adjustment, adjust, adjustments, can_be_negative
from probe.errors import OptionError, SentenceError, warn
from probe.inputs import say_guess
from probe.metrics import METRICS
from probe.option_groups import ImpactOptions
from probe.options import Pool
from probe.patterns import FULL
from probe.spaces import TextName, as_text

if TYPE_CHECKING:
    from probe import ImpactMatrix, ImpactSet, Probe
    from probe.model import OpennessChoice
    from probe.source import ImpactSource
    from probe.store import Store


Probed = TypeVar("Probed")

Matrices: TypeAlias = "tuple[ImpactMatrix, ...]"
"""The matrices of one sentence, one a variant."""


@dataclass(frozen=True)
class Variant:
    """One combination of impact settings, resolved: ``layer`` counts from 0 = embeddings.

    ``text`` is what the model reads: running text where it is known, or words with a space between.
    """

    metric: str
    layer: int
    pool: Pool
    perturb: str
    adjust: str = NONE
    text: TextName = "spaced"
    attention: str = FULL

    def __str__(self) -> str:
        """``dist, layer 12, mean``; perturbation, attention, adjustment only where they are not the paper's."""
        return impact_text(
            metric=self.metric,
            layer=self.layer,
            pool=self.pool,
            perturb=self.perturb,
            adjust=self.adjust,
            attention=self.signed_attention,
        )

    @property
    def signed_attention(self) -> str | None:
        """Who sees whom, where something is hidden."""
        return self.attention if self.attention != FULL else None

    @property
    def can_be_negative(self) -> bool:
        """Whether an impact can be below 0: a probability can rise, too."""
        return METRICS[self.metric].can_be_negative or can_be_negative(self.adjust)

    def settings(
        self,
        model: ImpactSource,
        *,
        decoder: str | None = None,
        biased: bool | None = None,
        random_weights: int | None = None,
    ) -> Settings:
        """How a row was made: by a model or by so many seeds of random weights; without a decoder no trees."""
        return Settings(
            decoder=decoder,
            model=model.name,
            metric=self.metric,
            layer=self.layer,
            pool=self.pool,
            perturb=self.perturb,
            attention=self.signed_attention,
            adjust=self.adjust if self.adjust != NONE else None,
            text=self.text,
            dtype=str(model.dtype).removeprefix("torch."),
            biased=biased,
            random_weights=random_weights,
        )


def random_weights(model: ImpactSource, args: argparse.Namespace) -> Iterator[Probe]:
    """The same architecture with random weights, ``--seeds`` times; never for stored matrices."""
    from probe.model import Probe

    if isinstance(model, Probe):
        for seed in range(args.seeds):
            yield model.with_random_weights(seed=seed)


def variants(model: ImpactSource, args: argparse.Namespace) -> tuple[Variant, ...]:
    """The combinations of ``--metric``, ``--layer``, ``--pool`` and ``--perturb`` for a model.

    "best" is resolved for each metric and perturbation, so that ``dist`` keeps its layer beside ``prob``.

    Raises:
        probe.OptionError: a layer that the model does not have, or a pool that goes with none of the metrics.
        probe.command_line.UsageError: ``all`` or ``best`` beside other layers.
    """
    from probe.store import Store

    say_guess(model, args)
    asked = ImpactOptions.of(args)
    metrics: Sequence[str] = asked.chosen_metrics
    if args.metrics is None and isinstance(model, Store):
        metrics = model.configuration.metric
    layers = asked.chosen_layers
    found = [
        Variant(*combination, adjust=adjustment, attention=settings.attention)
        for metric in metrics
        for perturb in args.perturb
        for settings in [
            model.resolve(
                metric=metric, layer=layers, pool=args.pools, perturb=perturb, attention=asked.attention
            )
        ]
        for combination in settings.combinations()
        for adjustment in args.adjust
    ]
    return tuple(dict.fromkeys(found))


def matrices(
    model: ImpactSource,
    sentences: Sequence[Sequence[str]],
    chosen: Sequence[Variant],
    args: argparse.Namespace,
    *,
    label: str,
) -> Iterator[Matrices | SentenceError]:
    """Impact matrices of all variants, streamed in input order with a progress bar.

    One pass serves them all, but for variants that read another text: where a word has other pieces after a space
    than without one, each text has a pass of its own.

    Args:
        sentences: words, which may know the spaces between them (``probe.spaces.SpacedWords``).
        model, chosen, args: what is computed, and the options of the command.
        label: of the progress bar.

    Yields:
        For each sentence the matrices in the order of ``chosen``, or why it could not be probed.

    Raises:
        probe.OptionError, probe.ModelError, probe.store.StoreError: as ``impact_many`` of model or store.
    """
    from probe.progress import Progress

    groups = _by_text(model, chosen)
    openness = openness_choice(model, [variant.adjust for variant in chosen], args.openness_from)
    sizes = [_passes(model, words, groups, openness) for words in sentences]
    if not args.quiet:
        say_unknown_words(model, sentences)
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        streams = [_one_text(model, sentences, group, args, openness, progress.passes) for group in groups]
        for size, *results in zip(sizes, *streams, strict=True):
            picked = _joined(results, groups, chosen)
            progress.sentence(size, ran=True)
            yield picked


def _passes(
    model: ImpactSource,
    words: Sequence[str],
    groups: Sequence[Sequence[Variant]],
    openness: OpennessChoice,
) -> int:
    """Number of forward passes for a sentence: none for one that cannot be probed, or of stored matrices."""
    from probe.model import Probe

    if not isinstance(model, Probe):
        return 0
    return sum(
        model.passes(
            as_text(words, group[0].text),
            list(dict.fromkeys(variant.perturb for variant in group)),
            openness=openness,
        )
        for group in groups
    )


def _by_text(model: ImpactSource, chosen: Sequence[Variant]) -> list[list[Variant]]:
    """The variants that can share a pass: those of one text, or all where the pieces are the same either way."""
    from probe.model import Probe

    if isinstance(model, Probe) and not model.pieces.sees_spaces:
        return [list(chosen)]
    found: dict[TextName, list[Variant]] = {}
    for variant in chosen:
        found.setdefault(variant.text, []).append(variant)
    return list(found.values())


def _one_text(
    model: ImpactSource,
    sentences: Sequence[Sequence[str]],
    group: Sequence[Variant],
    args: argparse.Namespace,
    openness: OpennessChoice,
    on_passes: Callable[[int], None],
) -> Iterator[Matrices | SentenceError]:
    results = model.impact_many(
        [as_text(words, group[0].text) for words in sentences],
        metric=list(dict.fromkeys(variant.metric for variant in group)),
        layer=list(dict.fromkeys(variant.layer for variant in group)),
        pool=list(dict.fromkeys(variant.pool for variant in group)),
        perturb=list(dict.fromkeys(variant.perturb for variant in group)),
        attention=group[0].attention,
        openness=openness,
        batch_tokens=args.batch_tokens,
        on_passes=on_passes,
        errors="return",
    )
    for result in results:
        yield result if isinstance(result, SentenceError) else _pick(cast("ImpactSet", result), group)


def _joined(
    results: Sequence[Matrices | SentenceError],
    groups: Sequence[Sequence[Variant]],
    chosen: Sequence[Variant],
) -> Matrices | SentenceError:
    """The matrices of all texts in the order of the variants, or why one text has none."""
    found: dict[Variant, ImpactMatrix] = {}
    for group, result in zip(groups, results, strict=True):
        if isinstance(result, SentenceError):
            return result
        found |= zip(group, result, strict=True)
    return tuple(found[variant] for variant in chosen)


def openness_choice(model: ImpactSource, adjust: Iterable[str], source: str | None) -> OpennessChoice:
    """Whose openness of words the impacts need beside them: nobody's, the model's own, or that of another one.

    A run directory gives what it keeps without being asked, and is refused where it keeps too little.

    Args:
        model: what the impacts are those of.
        adjust: names of their adjustments.
        source: the other model, as ``probe.load`` takes it.

    Raises:
        probe.ModelError: the other model cannot be loaded.
        probe.OptionError: the run directory lacks what an adjustment reads.
    """
    from probe.model import Probe
    from probe.store import Store

    needing = [one for name in adjust for one in adjustments(name) if one.needs_openness]
    if isinstance(model, Store):
        _check_kept(model, needing)
        return False
    if not needing:
        return False
    if source is None:
        return True
    device = str(model.device) if isinstance(model, Probe) else "auto"
    return _loaded(source, device, str(model.dtype))


def _check_kept(store: Store, needing: Iterable[Adjustment]) -> None:
    kept = store.configuration
    for one in needing:
        wanted = "cues" if one.needs_cues else "openness"
        if not (kept.cues if one.needs_cues else kept.openness):
            raise OptionError(
                f"{store.folder}: keeps no {wanted} of words, which adjustment {one.name} reads: fill another "
                "directory with probe run --openness"
            )


@lru_cache(maxsize=1)
def _loaded(source: str, device: str, dtype: str) -> Probe:
    """One model serves all seeds of random weights."""
    from probe.loading import load

    return load(source, device=device, dtype=dtype.removeprefix("torch."))


def say_unknown_words(model: ImpactSource, sentences: Sequence[Sequence[str]]) -> None:
    """Warn of words that the model's vocabulary does not know; stored matrices do not tell."""
    from probe.model import Probe

    if not isinstance(model, Probe):
        return
    unknown, places = 0, []
    for number, words in enumerate(sentences, start=1):
        try:
            found = sum(model.align(words).unknown)
        except SentenceError:
            continue  # skipped, with its reason
        unknown += found
        places += [number] if found else []
    if unknown:
        total = sum(map(len, sentences))
        warn(f"unknown words {unknown:,} of {total:,} to the vocabulary, the first in sentence {places[0]}")


def _pick(found: ImpactSet, chosen: Sequence[Variant]) -> Matrices | SentenceError:
    """The matrices of the variants; half precision can overflow, and then there are none."""
    by_variant = {Variant(m.metric, m.layer, m.pool, m.perturb): m for m in found}
    plain = [replace(variant, adjust=NONE, text="spaced", attention=FULL) for variant in chosen]
    picked = tuple(
        adjust(by_variant[key], variant.adjust) for key, variant in zip(plain, chosen, strict=True)
    )
    return next((one for one in map(unless_overflown, picked) if isinstance(one, SentenceError)), picked)


def unless_overflown(found: Probed) -> Probed | SentenceError:
    """The matrix itself, or what is wrong with it: half precision can overflow."""
    from probe import ImpactMatrix

    if isinstance(found, ImpactMatrix) and not np.isfinite(found.values).all():
        return SentenceError("its impacts are not finite: try dtype float32")
    return found
