"""The data of a sentiment experiment: training and test items, and distances that were published for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.sentiment.tables import DatasetName
from analyses.sentiment.trees import Distances, Words

if TYPE_CHECKING:
    from data.absa import AspectItem

FILES: dict[DatasetName, tuple[str, str]] = {
    "laptop": ("Laptops_Train.xml.seg", "Laptops_Test_Gold.xml.seg"),
    "restaurant": ("Restaurants_Train.xml.seg", "Restaurants_Test_Gold.xml.seg"),
}
"""Training and test file of SemEval-2014 task 4, as they are named in the published code of PWCN."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Training or test set.

    Attributes:
        items: at least one.
        distances: by the name of their file's folder, the distances of every item.
    """

    items: tuple[AspectItem, ...]
    distances: Mapping[str, tuple[Distances, ...]] = field(default_factory=dict)

    def without(self, failed: Collection[Words]) -> Part:
        """The items whose sentence is none of these."""
        kept = [at for at, item in enumerate(self.items) if item.words not in failed]
        return Part(
            items=tuple(self.items[at] for at in kept),
            distances={name: tuple(rows[at] for at in kept) for name, rows in self.distances.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A data set in its two parts; ``dataset`` is None for files of the user's own."""

    name: str
    dataset: DatasetName | None
    training: Part
    test: Part

    def without(self, failed: Collection[Words]) -> Corpus:
        """The same without the items of these sentences.

        Raises:
            probe.ProbeError: a part is left without items.
        """
        from probe.errors import ProbeError

        parts = [part.without(failed) for part in (self.training, self.test)]
        if not all(part.items for part in parts):
            raise ProbeError(f"{self.name}: training and test items are expected, none could be probed")
        return Corpus(name=self.name, dataset=self.dataset, training=parts[0], test=parts[1])


def read_corpus(
    name: str,
    files: tuple[Path, Path],
    *,
    dataset: DatasetName | None = None,
    distances: Sequence[Path] = (),
    limit: int | None = None,
) -> Corpus:
    """Read training and test items, and ``FOLDER/FILE.dist`` for each from the folders of distances.

    Args:
        name: of the data, for tables.
        files: training and test file, see ``data.absa.read_aspects``.
        dataset: whose published figures stand beside.
        distances: folders, such as the published ``dist-spacy``.
        limit: only the first items of each part.

    Raises:
        data.DataError: as ``data.absa.read_aspects`` and ``data.absa.read_distances``.
    """
    training, test = (_read_part(path, distances, limit) for path in files)
    return Corpus(name=name, dataset=dataset, training=training, test=test)


def _read_part(path: Path, folders: Sequence[Path], limit: int | None) -> Part:
    from data.absa import read_aspects, read_distances
    from data.errors import DataError

    items = tuple(read_aspects(path))
    if not items:
        raise DataError(f"{path}: aspects that are positive, neutral or negative are expected, found none")
    found = {
        folder.name: tuple(read_distances(folder / f"{path.name}.dist", items)[:limit]) for folder in folders
    }
    return Part(items=items[:limit], distances=found)
