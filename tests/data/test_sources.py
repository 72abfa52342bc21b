"""The data sets: one entry each, found by key, and the tables of the docs made of them."""

import os
from pathlib import Path

import pytest

from data import InputError
from data.registry import datasets
from data.sources import EWT, PUD, SOURCES, Source, source

DOCS = Path(__file__).parents[2] / "docs"
needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")


def test_entries() -> None:
    assert [each.key for each in SOURCES.values()] == list(SOURCES)
    for attribute in ("name", "title", "places"):
        assert len({getattr(each, attribute) for each in SOURCES.values()}) == len(SOURCES)
    for each in SOURCES.values():
        assert bool(each.download) != bool(each.how)
        assert each.download is None or each.download in datasets()
        assert each.size > 0 and each.licence in each.get
        assert not any(Path(place).is_absolute() or ".." in place for place in each.places)


def test_by_key() -> None:
    assert source("ud-english-pud") is PUD
    with pytest.raises(
        InputError, match=r"^unknown data set 'ud-english-ewt': did you mean 'ud-english-ewt-dev'\?"
    ):
        source("ud-english-ewt")
    with pytest.raises(InputError, match=r"^unknown data set 'x{60}'…: known are ud-english-pud, "):
        source("x" * 10_000)


def test_where_a_download_lands_is_a_place(tmp_path: Path) -> None:
    for each in (PUD, EWT):
        assert each.find(tmp_path) is None
        (file,) = datasets()[each.key].files
        path = tmp_path / each.key / file.path
        path.parent.mkdir()
        path.touch()
        assert each.find(tmp_path) == path


def of_data(each: Source) -> str:
    """The row of docs/data.md."""
    how = f"`probe fetch {each.download}`" if each.download else each.how.format(data="DIR")
    return f"| `{each.key}` | {each.title} | {each.size / 1e6:.1f} MB | {each.licence} | {how} |"


def of_reproduce(each: Source) -> str:
    """The row of docs/reproduce.md."""
    places = ", ".join(f"`{place}`" for place in each.places)
    return f"| {each.name} | {places} | {each.get.format(data='DIR')} |"


def test_the_tables_of_the_docs() -> None:
    text = (DOCS / "data.md").read_text(encoding="utf-8")
    assert "\n".join(map(of_data, SOURCES.values())) in text
    text = (DOCS / "reproduce.md").read_text(encoding="utf-8")
    assert "\n".join(of_reproduce(each) for each in SOURCES.values() if each is not EWT) in text


@needs_data
@pytest.mark.parametrize("each", SOURCES.values(), ids=SOURCES)
def test_places_are_those_of_the_local_copies(each: Source) -> None:
    assert each.find(Path(os.environ["PROBE_DATA"])) is not None
