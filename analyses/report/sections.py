"""The sections of a report that other commands make: they are run in a folder that is thrown away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from analyses.experiment import Found, Settings
from analyses.experiments import report_sections, steps
from analyses.report.inputs import Inputs
from analyses.reproduce.steps import is_empty, perform
from analyses.tables.results import Results, read_pictures
from analyses.tables.table import Table
from data.sources import PUD, STS
from probe.command_line import DONE, INTERRUPTED, SOME_FAILED

TREES, LAYERS, BIAS, GEOMETRY = "trees", "layers", "bias", "geometry"

_KNOWN = {section.kind: section for section in report_sections()}

SECTIONS = (TREES, *_KNOWN)
"""All sections; the trees of the sentences are made by the report itself, the others by steps of experiments."""

_OCCURRENCES = 5
"""Of a word, that ``analyses.geometry`` asks for."""


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
        return Section(kind=kind, title=f"{path.resolve().stem}: {_KNOWN[kind].title}", found=found)

    planned = [titled(LAYERS, path, {PUD.name: path}) for path in inputs.conllu]
    if inputs.brackets:
        planned.append(Section(kind=BIAS, title=f"Decoders: {_KNOWN[BIAS].title}", found={}))
    kinds = {section.data.name: section.kind for section in _KNOWN.values() if section.data is not None}
    planned += [titled(kinds[name], found[name], found) for name, found in inputs.work]
    frequent = [path for path in inputs.conllu if _has_frequent_words(path, limit)]
    return planned + [titled(GEOMETRY, path, {STS.name: path}) for path in frequent]


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
    for name in _KNOWN[section.kind].steps:
        code, ran = perform(known[name], known[name].options(settings, section.found, scratch), scratch)
        if code == INTERRUPTED:
            raise KeyboardInterrupt(f"in {section.title}")
        if code not in (DONE, SOME_FAILED) or is_empty(scratch / name):
            note = f"{section.title}: failed; the command said why on stderr."
            break
        if code == SOME_FAILED:
            note = f"{section.title}: some of the input could not be probed."
        # In the order of their files, as a folder of results is shown.
        tables += [table for _, table in sorted(ran.tables, key=lambda each: each[0])]
        pictures |= read_pictures(scratch / name)
    return Made(results=Results(title=section.title, tables=tuple(tables), pictures=pictures), note=note)
