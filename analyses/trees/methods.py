"""Named bundles of settings: the published way of making trees, and one that needs no gold root.

A bundle of the user's own is added by ``METHODS.register(MethodPreset(...))``, or by an entry point of the group
``perturbed_probe.methods``. A score's signature spells every setting out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from analyses.trees.adjust import NONE, adjustments, needs_openness
from analyses.trees.decoders import BASELINES
from probe.metrics import METRICS
from probe.options import ImpactChoice
from probe.registry import Registry

if TYPE_CHECKING:
    from probe.source import ImpactSource


@dataclass(frozen=True, kw_only=True)
class MethodPreset(ImpactChoice):
    """How impacts are measured, changed and decoded; each setting as the option of its name takes it.

    Attributes:
        name: what it is chosen by.
        about: what it is, with its source.
        perturb, metric, layer, pool: of the impact matrices.
        adjust: of the matrices before they are decoded.
        decoder: of dependency trees.
        constituents: decoder of constituents.
        adjust_constituents: of the matrices before constituents are decoded.
    """

    name: str
    about: str
    adjust: str = NONE
    decoder: str = "eisner"
    constituents: str = "mart-released"
    adjust_constituents: str = NONE

    def settings(self, *, constituents: bool = False) -> dict[str, str | int]:
        """The settings by the names of their options, of dependency trees or of constituents."""
        found = {
            name: value for name, value in asdict(self).items() if name not in ("name", "about", "attention")
        }
        own = {"decoder": found.pop("constituents"), "adjust": found.pop("adjust_constituents")}
        return found | own if constituents else found


METHODS: Registry[MethodPreset] = Registry(
    "method",
    [
        MethodPreset(
            name="paper",
            about="pairs of masked words, last layer, impacts as they are (Wu et al. 2020, section 3)",
            layer=-1,
            pool="mean",
        ),
        MethodPreset(
            name="openness",
            about="attention knockout; logarithms, offset, both directions, content heads and the root's score "
            "(docs/method.md)",
            perturb="knockout",
            pool="mean",
            adjust="log+offset+symmetric+content+root+summary+early",
            constituents="chart-row",
            adjust_constituents="log+symmetric",
        ),
    ],
    group="perturbed_probe.methods",
)


def best_method(*, metric: str, decoder: str, protocol: str = "fair") -> str | None:
    """The method where none is given: ``openness``, or ``paper`` where that does not go; baselines have none."""
    if decoder in BASELINES:
        return None
    return "paper" if protocol == "wu2020" or METRICS[metric].can_be_negative else "openness"


def that_fit(adjust: str, model: ImpactSource | None) -> tuple[str, str | None]:
    """The adjustments that a model has the predictions for, and what to say of the others, if there are any."""
    from probe.model import Probe

    if not isinstance(model, Probe) or not needs_openness(adjust):
        return adjust, None
    if model.has_head and model.tokenizer.mask_token_id is not None:
        return adjust, None
    rest = "+".join(one.name for one in adjustments(adjust) if not one.needs_openness)
    left = ", ".join(one.name for one in adjustments(adjust) if one.needs_openness)
    return rest or NONE, f"{model.name} predicts no masked words: trees without adjustment {left}"
