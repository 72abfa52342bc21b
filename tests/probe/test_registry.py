"""Registries: names and what they stand for are one object."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from probe.errors import OptionError
from probe.registry import Registry


@dataclass(frozen=True)
class Colour:
    name: str
    hue: int = 0


RED = Colour("red")


def colours(**options: object) -> Registry[Colour]:
    return Registry("colour", [RED, Colour("green")], aliases={"crimson": "red"}, **options)  # type: ignore[arg-type]


def test_entries_keep_their_order_and_aliases_stand_for_them() -> None:
    found = colours()
    assert list(found) == ["red", "green"]
    assert found["crimson"] is RED
    assert found.resolve("crimson") == "red"
    assert "crimson" in found
    assert len(found) == 2


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(
        OptionError, match=r"unknown colour 'gren': did you mean 'green'\? known are red, green"
    ):
        colours()["gren"]
    assert "gren" not in colours()


@pytest.mark.parametrize("name", ["red", "crimson"])
def test_a_name_stands_for_one_entry(name: str) -> None:
    with pytest.raises(OptionError, match="already"):
        colours().register(Colour(name))


def test_registered_entries_are_found() -> None:
    found = colours()
    blue = found.register(Colour("blue"))
    assert found["blue"] is blue
    assert list(found)[-1] == "blue"


def test_entry_points_are_loaded_when_the_registry_is_first_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def installed(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("red2", f"{__name__}:VIOLET", group)]

    monkeypatch.setattr("probe.registry.entry_points", installed)
    found = colours(group="test.colours")
    assert not asked
    assert list(found) == ["red", "green", "violet"]
    assert found["violet"] is VIOLET
    assert asked == ["test.colours"]


VIOLET = Colour("violet")
