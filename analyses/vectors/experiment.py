"""Static word vectors out of contextual ones (Ethayarajh 2019, section 5)."""

from __future__ import annotations

from analyses.experiment import Experiment

EXPERIMENT = Experiment(
    name="vectors",
    title="Static word vectors out of contextual ones (Ethayarajh 2019, section 5)",
    module="analyses.vectors.command",
    command="vectors",
)
