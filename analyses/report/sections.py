"""The sections of a report that other commands make: they are run in a folder that is thrown away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from analyses.experiment import Found, Settings
from analyses.report.inputs import Inputs
from analyses.reproduce.steps import call, is_empty, steps
from analyses.tables.results import Results, read_results
from analyses.tables.table import Table
from data.sources import BLIMP, LAMA, PUD, SCIDTB, STS
from probe.command_line import DONE, INTERRUPTED, SOME_FAILED

TREES, LAYERS, BIAS = "trees", "layers", "bias"

_STEPS: dict[str, tuple[str, ...]] = {
    LAYERS: ("matrices", "layers", "curves"),
    BIAS: ("bias",),
    "geometry": ("geometry",),
    "discourse": ("discourse",),
    "knowledge": ("knowledge", "knowledge-figures"),
    "minimal-pairs": ("minimal-pairs",),
}
"""The steps of ``analyses.reproduce`` that make a section."""

SECTIONS = (TREES, *_STEPS)
"""All sections; the trees of the sentences are made by the report itself."""

_TITLES = {
    LAYERS: "trees by layer, distance and relation",
    BIAS: "what the trees of a decoder owe to it",
    "geometry": "geometry of the states",
    "discourse": "discourse trees",
    "knowledge": "knowledge",
    "minimal-pairs": "minimal pairs",
}
_OCCURRENCES = 5
"""Of a word, that ``analyses.geometry`` asks for."""

_OF_SOURCE = {
    SCIDTB.name: "discourse",
    LAMA.name: "knowledge",
    STS.name: "geometry",
    BLIMP.name: "minimal-pairs",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one section is made of: its kind, of ``SECTIONS``, a title, and where the data are."""

    kind: str
    title: str
    found: Found


def sections(inputs: Inputs, *, limit: int | None) -> list[Section]:
    """The sections that the data allow, besides the trees of the sentences.

    Args:
        inputs: the data.
        limit: only the first sentences of each file are used.

    Raises:
        data.DataError: a treebank is malformed.
    """

    def titled(kind: str, path: Path, found: Found) -> Section:
        return Section(kind=kind, title=f"{path.resolve().stem}: {_TITLES[kind]}", found=found)

    planned = [titled(LAYERS, path, {PUD.name: path}) for path in inputs.conllu]
    if inputs.brackets:
        planned.append(Section(kind=BIAS, title=f"Decoders: {_TITLES[BIAS]}", found={}))
    planned += [titled(_OF_SOURCE[name], found[name], found) for name, found in inputs.work]
    frequent = [path for path in inputs.conllu if _has_frequent_words(path, limit)]
    return planned + [titled("geometry", path, {STS.name: path}) for path in frequent]


def _has_frequent_words(path: Path, limit: int | None) -> bool:
    """Whether a treebank is large enough for geometry."""
    import data

    sentences = islice(data.read_conllu(path), limit)
    counts = Counter(word.lower() for sentence in sentences for word in sentence.words)
    return max(counts.values(), default=0) >= _OCCURRENCES


@dataclass(frozen=True, kw_only=True)
class Made:
    """A section as far as it could be made; ``note`` says what is not there, or is empty."""

    results: Results
    note: str


def make(section: Section, settings: Settings, scratch: Path) -> Made:
    """Run the commands of a section.

    Args:
        section: the section.
        settings: of the commands.
        scratch: a folder for their files.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    known = {step.name: step for step in steps()}
    tables: list[Table] = []
    pictures: dict[str, bytes] = {}
    note = ""
    for name in _STEPS[section.kind]:
        code = call(known[name], known[name].options(settings, section.found, scratch), scratch)
        if code == INTERRUPTED:
            raise KeyboardInterrupt(f"in {section.title}")
        if code not in (DONE, SOME_FAILED) or is_empty(scratch / name):
            note = f"{section.title}: failed; the command said why on stderr."
            break
        if code == SOME_FAILED:
            note = f"{section.title}: some of the input could not be probed."
        if found := read_results(scratch / name, title=section.title):
            tables += found.tables
            pictures |= found.pictures
    return Made(results=Results(title=section.title, tables=tuple(tables), pictures=pictures), note=note)
