"""Results that the commands wrote with ``--out``, read back as tables and pictures for a page."""

from __future__ import annotations

from pathlib import Path

from analyses.experiments import steps
from analyses.tables.results import CONFIGURATION, MARKERS, Results, _tables, read_json, read_results


def read_path(path: Path) -> tuple[list[Results], dict[str, str]]:
    """Read the ``--out`` folder of ``analyses.reproduce`` or of another command, or one JSON file of these.

    Returns:
        Results, none if the path is something else; and the configuration of ``analyses.reproduce``, else empty.

    Raises:
        OSError: a file cannot be read.
        data.InputError: a file of results is damaged.
    """
    if path.is_file():
        found = tuple(_tables(path))
        return ([Results(title=path.stem, tables=found, pictures={})] if found else []), {}
    if not path.is_dir():
        return [], {}
    if not (path / CONFIGURATION).is_file():
        made = read_results(path, title=path.resolve().name)
        # A picture alone may be anything.
        return ([made] if made is not None and made.tables else []), {}
    results = []
    for step in steps():
        marker = read_json(path / MARKERS / f"{step.name}.json")
        if marker and (path / step.name).is_dir():
            command = str(marker.get("command", ""))
            made = read_results(path / step.name, title=step.title, command=command)
            results += [made] if made is not None else []
    return results, {name: str(value) for name, value in read_json(path / CONFIGURATION).items()}


# --- HTML
