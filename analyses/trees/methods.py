"""Named bundles of settings: the published way of making trees, and one that needs no gold root.

A bundle of the user's own is added by ``METHODS.register(MethodPreset(...))``, or by an entry point of the group
``perturbed_probe.methods``. A score's signature spells every setting out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from probe.options import ImpactChoice
from probe.registry import Registry


@dataclass(frozen=True, kw_only=True)
class MethodPreset(ImpactChoice):
    """How impacts are measured, changed and decoded; each setting as the option of its name takes it.

    Attributes:
        name: what it is chosen by.
        about: what it is, with its source.
        perturb, metric, layer, pool: of the impact matrices.
        adjust: of the matrices before they are decoded.
        decoder: of dependency trees.
    """

    name: str
    about: str
    adjust: str = "none"
    decoder: str = "eisner"

    def settings(self) -> dict[str, str | int]:
        """The settings by the names of their options."""
        return {name: value for name, value in asdict(self).items() if name not in ("name", "about")}


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
            about="attention knockout; logarithms, offset, both directions, openness and the root's score "
            "(docs/method.md)",
            perturb="knockout",
            pool="mean",
            adjust="log+offset+symmetric+openness+root",
        ),
    ],
    group="perturbed_probe.methods",
)
