"""Perturbed masking (Wu et al., ACL 2020): what pretrained masked language models know, without a trained probe.

>>> import probe
>>> p = probe.load("bert")
>>> p.impact(["The", "cat", "sat", "."]).values.shape
(4, 4)

Importing this package imports neither torch nor transformers; loading a model does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.errors import ModelError, OptionError, ProbeError, ProbeWarning, SentenceError
    from probe.loading import load
    from probe.matrix import ImpactMatrix, ImpactSet
    from probe.model import Probe
    from probe.store import Store, StoreError

__version__ = "0.1.0"

__all__ = [
    "ImpactMatrix",
    "ImpactSet",
    "ModelError",
    "OptionError",
    "Probe",
    "ProbeError",
    "ProbeWarning",
    "SentenceError",
    "Store",
    "StoreError",
    "load",
]

_HOME = {
    "ImpactMatrix": "probe.matrix",
    "ImpactSet": "probe.matrix",
    "ModelError": "probe.errors",
    "OptionError": "probe.errors",
    "Probe": "probe.model",
    "ProbeError": "probe.errors",
    "ProbeWarning": "probe.errors",
    "SentenceError": "probe.errors",
    "Store": "probe.store",
    "StoreError": "probe.store",
    "load": "probe.loading",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
