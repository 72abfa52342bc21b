"""What metrics and perturbations need of a model, and which to use where it has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from probe.errors import ModelError
from probe.metrics import METRICS
from probe.patterns import FULL
from probe.perturbation import Need
from probe.perturbations import PERTURBATIONS

if TYPE_CHECKING:
    from probe.model import Probe
    from probe.options import Settings


def check_needs(probe: Probe, settings: Settings) -> None:
    """Raise ModelError where the model lacks what a metric or a perturbation needs, OptionError a piece of it."""
    from probe.lexicon import Lexicon  # which needs the openness, whose needs stand here

    needed = [name for name in settings.metrics if METRICS[name].reads == "head"]
    if needed and not probe.has_head:
        names = " and ".join(sorted(needed))
        others = " or ".join(name for name, entry in METRICS.items() if entry.reads == "states")
        raise ModelError(f"{probe.name} has no masked-LM head, which metric {names} needs: use {others}")
    for name in settings.perturbs:
        needs = PERTURBATIONS[name].needs
        if "head" in needs and not probe.has_head:
            raise ModelError(f"{probe.name} has no masked-LM head, which perturbation {name} needs")
        if "mask token" in needs and probe.tokenizer.mask_token_id is None:
            others = " or ".join(key for key, one in PERTURBATIONS.items() if _can(probe, one.needs))
            raise ModelError(f"{probe.name} has no mask token, which perturbation {name} needs: use {others}")
        if "attention mask" in needs and probe.attention.refusal is not None:
            raise ModelError(
                f"{probe.name}: perturbation {name} needs attention that a mask controls, but "
                f"{probe.attention.refusal}"
            )
    subject = Lexicon(probe).subject(lambda length: 1, lambda passes: None)
    for name in settings.perturbs:
        PERTURBATIONS[name].suits(subject)
    masking = [name for name in settings.perturbs if "mask token" in PERTURBATIONS[name].needs]
    check_attention(probe, settings.attention, masking)


def check_attention(probe: Probe, attention: str, masking: Sequence[str] = ()) -> None:
    """Raise ModelError where a mask does not control, or not alone, who sees whom.

    Args:
        probe: the model.
        attention: what settings say of it.
        masking: names of what puts mask tokens in the place of words.
    """
    if attention == FULL:
        return
    own = f"{probe.name}: attention {attention} needs attention that a mask controls"
    if (reason := probe.attention.refusal or probe.attention.refusal_of_order) is not None:
        raise ModelError(f"{own}, but {reason}")
    if attention.startswith("prefix:") and probe.attention.causal:
        raise ModelError(f"{own}, but the model is causal: no word of a prefix can see the next one")
    if masking and probe.attention.refusal_of_masks is not None:
        raise ModelError(f"{own}, but {probe.attention.refusal_of_masks}, so not with {masking[0]}")


def check_fills_masks(probe: Probe, what: str) -> None:
    """Raise ModelError where the model does not predict what stands at a mask, which ``what`` needs."""
    if not probe.has_head:
        raise ModelError(f"{probe.name} has no masked-LM head, which {what} needs")
    if probe.tokenizer.mask_token_id is None:
        raise ModelError(f"{probe.name} has no mask token, which {what} needs")
    if probe.attention.causal:
        raise ModelError(
            f"{probe.name} is causal: it predicts from what comes before, {what} needs both sides"
        )


def _can(probe: Probe, needs: frozenset[Need]) -> bool:
    """Whether the model has what a perturbation needs."""
    return not (
        "mask token" in needs
        or ("head" in needs and not probe.has_head)
        or ("attention mask" in needs and probe.attention.refusal is not None)
    )
