"""Contacts of residues (categorical Jacobian, Zhang et al. 2024)."""

from __future__ import annotations

from analyses.experiment import Experiment

EXPERIMENT = Experiment(
    name="contacts",
    title="Contacts of residues (categorical Jacobian, Zhang et al. 2024)",
    module="analyses.contacts.command",
    command="contacts",
)
