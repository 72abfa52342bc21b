"""What the ``--data`` of a report are, known by the names of their files and what stands in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from analyses.experiment import Found
from analyses.experiments import report_sections
from analyses.report.results import read_path
from analyses.tables.results import Results
from data.json_text import parse_json
from data.sources import BLIMP, CURVES, LAMA, SCIDTB, SCIDTB_HUMAN, STS
from probe.command_line import UsageError

_LAMA_FOLDERS = ("Google_RE", "TREx", "ConceptNet", "Squad")
_DISCOURSE = ".edu.txt.dep"
_EXPECTED = (
    ".conllu, .txt, .mrg, .dp (WSJ), .edu.txt.dep (SciDTB), .tsv (STS), the .jsonl of LAMA or BLiMP, or what an "
    "analysis wrote to its --out"
)

Work: TypeAlias = tuple[str, Found]
"""A section that a command makes: the name of its data, and where the command finds them."""


@dataclass(kw_only=True)
class Inputs:
    """What was found.

    Attributes:
        conllu: files, a corpus each.
        texts: files of text, a corpus without gold trees each.
        brackets: files or folders of ``.mrg``, a treebank each.
        heads: folders of ``.dp``, WSJ10 each.
        work: what other commands are run on.
        results: that are there already.
        configuration: of the folders of ``analyses.reproduce`` among them.
        notes: on data that make no section.
    """

    conllu: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    brackets: list[Path] = field(default_factory=list)
    heads: list[Path] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    results: list[Results] = field(default_factory=list)
    configuration: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many things there are to show."""
        trees = len(self.conllu) + len(self.texts) + len(self.brackets) + len(self.heads)
        return trees + len(self.work) + len(self.results)


def recognise(paths: Iterable[Path]) -> Inputs:
    """Find out what each path is; a folder may hold several kinds, at any depth.

    Raises:
        UsageError: a path is missing or holds nothing that makes a section.
        data.InputError: a file of results is damaged.
    """
    found = Inputs()
    for path in paths:
        if not path.exists():
            raise UsageError(f"--data {path}: no such file or folder")
        before, notes = len(found), len(found.notes)
        results, configuration = read_path(path)
        found.results += results
        found.configuration |= {name: value for name, value in configuration.items() if value != "None"}
        if configuration.get("limit", "None") != "None":
            found.notes.append(
                f"{path}: a run with a limit ({configuration['limit']}): its figures are no results."
            )
        if not results:
            _look(path, found)
        if len(found) == before:
            said = "; ".join(found.notes[notes:]) or f"expected are {_EXPECTED}"
            raise UsageError(f"--data {path}: {said}")
    return found


def _look(path: Path, found: Inputs) -> None:
    """Sort the files of a path by what they are."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]

    def ending(*suffixes: str) -> list[Path]:
        return [file for file in files if file.name.endswith(suffixes)]

    found.conllu += ending(".conllu")
    found.texts += ending(".txt") if path.is_file() else []  # in a folder it is a licence, say
    found.brackets += [path] if ending(".mrg") else []
    found.heads += [path] if ending(".dp") else []
    found.work += _discourse(ending(_DISCOURSE), alone=path.is_file())
    found.work += _prompts(ending(".jsonl"), alone=path.is_file())
    if sentences := ending(".tsv"):
        sts = sentences[0] if path.is_file() else _common(sentences)
        curves = sts.parent / Path(CURVES.places[0]).relative_to("geometry")
        found.work.append((STS.name, {STS.name: sts} | ({CURVES.name: curves} if curves.is_dir() else {})))
    own = [(each.data.name, each.endings) for each in report_sections() if each.data is not None]
    found.work += [(name, {name: file}) for name, endings in dict.fromkeys(own) for file in ending(*endings)]
    if ending(".seg"):
        found.notes.append(
            "aspect sentiment is trained, which a report does not do: give it the --out folder of "
            f"probe sentiment --table --data {path} --out DIR"
        )


def _common(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in files]))


def _discourse(files: Sequence[Path], *, alone: bool) -> list[Work]:
    """A corpus for each folder, or the file alone.

    A folder with the documents of an earlier one is its second annotation.
    """
    documents: dict[Path, set[str]] = {}
    for file in files:
        documents.setdefault(file.parent, set()).add(file.name)
    corpora: dict[frozenset[str], dict[str, Path]] = {}
    for folder, names in documents.items():
        given = corpora.setdefault(frozenset(names), {})
        given[SCIDTB.name if not given else SCIDTB_HUMAN.name] = files[0] if alone else folder
    return [(SCIDTB.name, given) for given in corpora.values()]


def _prompts(files: Sequence[Path], *, alone: bool) -> list[Work]:
    """LAMA, known by its folders, and minimal pairs, known by their first line, by folder or the file alone."""
    lama = dict.fromkeys(file.parent.parent for file in files if file.parent.name in _LAMA_FOLDERS)
    others = [file for file in files if file.parent.parent not in lama and file.parent not in lama]
    pairs = [file for file in others if _holds_pairs(file)]
    chosen = pairs if alone else list(dict.fromkeys(file.parent for file in pairs))
    found: list[Work] = [(LAMA.name, {LAMA.name: folder}) for folder in lama]
    return found + [(BLIMP.name, {BLIMP.name: each}) for each in chosen]


def _holds_pairs(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            first = parse_json(file.readline(1_000_000).decode(), where=str(path))
        except ValueError:
            return False
    return isinstance(first, dict) and "sentence_good" in first
