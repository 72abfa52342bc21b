"""The experiments: one entry each, from which reproduce, figures, report and docs are made.

A package of the user's own adds its experiment by an entry point of the group ``perturbed_probe.experiments``, or
with ``EXPERIMENTS.register``.
"""

from __future__ import annotations

from analyses.compression.experiment import EXPERIMENT as COMPRESSION
from analyses.constituency.experiment import EXPERIMENT as CONSTITUENCY
from analyses.contacts.experiment import EXPERIMENT as CONTACTS
from analyses.dependency.experiment import EXPERIMENT as DEPENDENCY
from analyses.discourse.experiment import EXPERIMENT as DISCOURSE
from analyses.experiment import Experiment, ReportSection, Step
from analyses.geometry.experiment import EXPERIMENT as GEOMETRY
from analyses.knowledge.experiment import EXPERIMENT as KNOWLEDGE
from analyses.minimal_pairs.experiment import EXPERIMENT as MINIMAL_PAIRS
from analyses.order.experiment import EXPERIMENT as ORDER
from analyses.sentiment.experiment import EXPERIMENT as SENTIMENT
from analyses.structure.experiment import EXPERIMENT as STRUCTURE
from analyses.vectors.experiment import EXPERIMENT as VECTORS
from probe.registry import Registry

EXPERIMENTS: Registry[Experiment] = Registry(
    "experiment",
    [
        DEPENDENCY,
        CONSTITUENCY,
        DISCOURSE,
        SENTIMENT,
        GEOMETRY,
        VECTORS,
        KNOWLEDGE,
        MINIMAL_PAIRS,
        CONTACTS,
        COMPRESSION,
        ORDER,
        STRUCTURE,
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
