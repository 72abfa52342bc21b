"""Every command by its name, and how one is started: ``probe NAME``, ``python -m probe NAME``.

An experiment of the user's own is a command, too. Only the module of the command that is asked for is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from probe.interrupt import run_interruptible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


class Command(NamedTuple):
    """A command: the module that has its ``main`` and ``build_parser``, and one line of help."""

    module: str
    help: str

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command; returns the exit code."""
        return cast(int, import_module(self.module).main(argv))

    def build_parser(self) -> argparse.ArgumentParser:
        """The options of the command."""
        return cast("argparse.ArgumentParser", import_module(self.module).build_parser())


COMMANDS = {
    "parse": Command("analyses.parse", "sentences in, dependency trees out"),
    "run": Command("probe.run", "impact matrices into a directory that the experiments read"),
    "estimate": Command("probe.estimate", "passes, operations and time of a run"),
    "dependency": Command("analyses.dependency.command", "dependency trees, Tables 1 and 2"),
    "constituency": Command("analyses.constituency.command", "constituency trees, Table 3"),
    "bias": Command("analyses.constituency.bias_command", "how far constituency decoders prefer a side"),
    "discourse": Command("analyses.discourse.command", "discourse trees, Table 4"),
    "sentiment": Command("analyses.sentiment.command", "aspect sentiment with trees, Table 5"),
    "geometry": Command("analyses.geometry.command", "geometry of word states by layer"),
    "vectors": Command("analyses.vectors.command", "static word vectors out of states"),
    "knowledge": Command("analyses.knowledge.command", "facts that a model can fill in"),
    "triples": Command("analyses.knowledge.triples_command", "facts with another fact inserted (K-BERT)"),
    "minimal-pairs": Command("analyses.minimal_pairs.command", "accuracy on minimal pairs"),
    "contacts": Command("analyses.contacts.command", "contacts of residues, from models of proteins"),
    "compress": Command("analyses.compression.command", "a model cut down, and what of its trees stays"),
    "early-exit": Command("analyses.compression.exit_command", "the layer at which trees stop changing"),
    "layer-map": Command("analyses.compression.map_command", "which layers of two models are alike"),
    "perplexity": Command("analyses.order.perplexity_command", "perplexity of texts in any order"),
    "generate": Command("analyses.order.generate_command", "text from a masked language model in any order"),
    "structure": Command("analyses.structure.command", "masked words predicted along trees"),
    "figures": Command("analyses.figures.command", "figures as PDF, SVG and PNG"),
    "reproduce": Command("analyses.reproduce.command", "every table and figure that the data allow"),
    "report": Command("analyses.report.command", "one HTML file of trees, tables and figures"),
    "app": Command("analyses.explorer.command", "a page to play with"),
    "fetch": Command("data.fetch", "download data sets"),
}
"""The commands by name, in the order of ``probe --help``."""
ALIASES = {"static-vectors": "vectors"}
"""Other names of commands."""
_EXPERIMENTS = "analyses.experiments"


def own_commands() -> dict[str, Command]:
    """The commands of experiments of the user's own, by name.

    The experiments are imported only where there are others than ours: registered, or installed as entry points.

    Raises:
        probe.siblings.ClashError: another module of the name of one of this project's was imported already.
    """
    from importlib.metadata import entry_points  # slow to import, and Ctrl-C may come before start()

    from probe.siblings import use_own

    if _EXPERIMENTS not in sys.modules and not entry_points(group="perturbed_probe.experiments"):
        return {}
    use_own()
    experiments = import_module(_EXPERIMENTS).EXPERIMENTS.values()
    return {
        each.command: Command(each.module, each.title) for each in experiments if each.command not in COMMANDS
    }


def start(name: str, argv: Sequence[str] | None = None) -> int:
    """Run a command in a process of its own; returns the exit code.

    From here on Ctrl-C ends it, and the packages beside ``probe`` are ours, whatever the current folder holds.

    Args:
        name: of ``COMMANDS``, or of ``own_commands``.
        argv: its options; those of the process without.
    """
    prog = f"probe {name}"

    def command() -> int:
        from probe.command_line import exit_code
        from probe.siblings import use_own

        def found() -> int:
            use_own()
            return (COMMANDS.get(name) or own_commands()[name]).main(argv)

        return exit_code(prog, found)

    return run_interruptible(prog, command)
