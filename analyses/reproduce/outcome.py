"""How a step ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from analyses.experiment import Step
from data.sources import Source

State: TypeAlias = Literal["done", "kept", "failed", "missing", "refused"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a step.

    Attributes:
        step: the step.
        state: ``done`` now, ``kept`` from an earlier run, ``failed``, its data are ``missing``, or it
            cannot be done with this model: ``refused``.
        complete: whether every sentence, document, fact was probed; the exit code of the command said so.
        seconds: how long it took, when it was run.
        missing: the data sets that it lacks.
        refusal: why it cannot be done with this model.
        command: how to run it by itself.
    """

    step: Step
    state: State
    complete: bool = True
    seconds: float = 0.0
    missing: tuple[Source, ...] = ()
    refusal: str = ""
    command: str = ""
