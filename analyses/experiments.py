"""The experiments: one entry each, from which reproduce, figures, report and docs are made.

A package of the user's own adds its experiment by an entry point of the group ``perturbed_probe.experiments``, or
with ``EXPERIMENTS.register``.
"""

from __future__ import annotations

from analyses import (
    constituency,
    dependency,
    discourse,
    geometry,
    knowledge,
    minimal_pairs,
    sentiment,
    vectors,
)
from analyses.experiment import Experiment, ReportSection, Step
from probe.registry import Registry

EXPERIMENTS: Registry[Experiment] = Registry(
    "experiment",
    [
        room.EXPERIMENT
        for room in (
            dependency,
            constituency,
            discourse,
            sentiment,
            geometry,
            vectors,
            knowledge,
            minimal_pairs,
        )
    ],
    group="perturbed_probe.experiments",
)
"""The experiments by their names, in the order of the page of reproduce."""


def steps() -> tuple[Step, ...]:
    """The steps of all experiments, in their order."""
    return tuple(step for experiment in EXPERIMENTS.values() for step in experiment.steps)


def report_sections() -> tuple[ReportSection, ...]:
    """The sections that experiments bring to the report."""
    return tuple(section for experiment in EXPERIMENTS.values() for section in experiment.sections)
