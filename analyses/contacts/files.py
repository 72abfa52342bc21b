"""What ``--out`` has beside the tables: the best pairs of each sequence, and contact maps."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence

from analyses.contacts.figures import map_figure
from analyses.contacts.maps import best_pairs
from analyses.contacts.tables import System, Target
from analyses.pictures.style import save, style
from probe.errors import SentenceError
from probe.files import file_stem, whole_file


def write_files(system: System, targets: Sequence[Target], args: argparse.Namespace) -> None:
    """Write ``pairs-ID.csv``, the L best pairs, of each sequence, and the map of the first ``--maps``.

    Raises:
        OSError: a file cannot be written.
    """
    for place, (target, scores) in enumerate(zip(targets, system.runs[0], strict=True)):
        assert not isinstance(scores, SentenceError)
        n, name = len(target.sequence.words), target.sequence.id
        with whole_file(args.out / f"{file_stem(f'pairs-{name}')}.csv") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("i", "j", "score"))
            best = best_pairs(scores, top=n, separation=args.separation)
            writer.writerows((i + 1, j + 1, score) for i, j, score in best)
        if place < args.maps:
            touch = None if target.contacts is None else target.contacts.touch
            with style():
                figure = map_figure(
                    scores, touch, title=name, separation=args.separation, signature=system.name
                )
                save(figure, args.out / f"map-{name}")
