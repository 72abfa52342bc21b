"""The sections of a report that other commands make: they are run in a folder that is thrown away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from analyses.experiment import Found, ReportSection, Settings
from analyses.experiments import report_sections, steps
from analyses.report.inputs import Inputs
from analyses.reproduce.steps import is_empty, perform
from analyses.tables.results import Results, read_pictures, stem_order
from analyses.tables.table import Table
from data.sources import PUD, STS
from probe.command_line import DONE, INTERRUPTED, SOME_FAILED

TREES, BIAS, GEOMETRY = "trees", "bias", "geometry"

_OCCURRENCES = 5
"""Of a word, that ``analyses.geometry`` asks for."""


def kinds() -> tuple[str, ...]:
    """All sections: the trees of the sentences, by the report itself, and those that steps of experiments make."""
    return (TREES, *_known())


def _known() -> dict[str, ReportSection]:
    return {section.kind: section for section in report_sections()}


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one section is made of.

    Attributes:
        kind: of ``kinds()``.
        title: for the page.
        found: where the data are.
    """

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

    known = _known()

    def of_data(name: str, found: Found) -> list[Section]:
        made = [each for each in known.values() if each.data is not None and each.data.name == name]
        path = found[name]
        return [titled(each.kind, path, found) for each in made if each.allowed is None or each.allowed(path)]

    def titled(kind: str, path: Path, found: Found) -> Section:
        return Section(kind=kind, title=f"{path.resolve().stem}: {known[kind].title}", found=found)

    planned = [section for path in inputs.conllu for section in of_data(PUD.name, {PUD.name: path})]
    if inputs.brackets:
        planned.append(Section(kind=BIAS, title=f"Decoders: {known[BIAS].title}", found={}))
    planned += [section for name, found in inputs.work for section in of_data(name, found)]
    frequent = [path for path in inputs.conllu if _has_frequent_words(path, limit)]
    return planned + [titled(GEOMETRY, path, {STS.name: path}) for path in frequent]


def _has_frequent_words(path: Path, limit: int | None) -> bool:
    """Whether a treebank is large enough for geometry."""
    import data

    sentences = islice(data.read_conllu(path), limit)
    counts = Counter(word.lower() for sentence in sentences for word in sentence.words)
    return max(counts.values(), default=0) >= _OCCURRENCES


def by_method(
    section: Section, settings: Settings, methods: Sequence[str | None]
) -> list[tuple[Section, Settings]]:
    """The section with the settings of each method, as far as its commands differ by it."""
    known = {step.name: step for step in steps()}
    found: dict[str, Settings] = {}
    for name in methods:
        own = replace(settings, method=name)
        commands = [
            known[step].arguments(own, section.found, Path()) for step in _known()[section.kind].steps
        ]
        found.setdefault(repr(commands), own)
    if len(found) == 1:
        return [(section, own) for own in found.values()]
    return [(replace(section, title=f"{section.title}, method {own.method}"), own) for own in found.values()]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A section as far as it could be made.

    Attributes:
        results: its tables and pictures.
        note: what is not there, and why, or empty.
        failed: whether something went wrong; not so where the model is not one for the section.
    """

    results: Results
    note: str
    failed: bool


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
    note, refused = "", False
    for name in _known()[section.kind].steps:
        ended = perform(known[name], known[name].arguments(settings, section.found, scratch), scratch)
        code, ran = ended.code, ended.ran
        if code == INTERRUPTED:
            raise KeyboardInterrupt(f"in {section.title}")
        if ended.refusal:
            note, refused = f"{section.title}: not with this model: {ended.refusal}", True
            break
        if code not in (DONE, SOME_FAILED) or is_empty(scratch / name):
            note = f"{section.title}: failed; the command said why on stderr."
            break
        if code == SOME_FAILED:
            note = f"{section.title}: some of the input could not be probed."
        # In the order of their files, as a folder of results is shown.
        tables += [table for _, table in sorted(ran.tables, key=lambda each: stem_order(each[0]))]
        pictures |= read_pictures(scratch / name)
    results = Results(title=section.title, tables=tuple(tables), pictures=pictures)
    return Made(results=results, note=note, failed=bool(note) and not refused)
