"""Published figures say what they are of."""

import pytest

from analyses.published import SIZES, size_note


@pytest.mark.parametrize("data", SIZES)
def test_data_of_another_size_are_not_the_published_ones(data: str) -> None:
    assert size_note(data, dict(SIZES[data])) == []
    fewer = {what: n - 1 for what, n in SIZES[data].items()}
    (note,) = size_note(data, fewer)
    assert note.startswith("Not the published data: ") and all(f"{n:,}" in note for n in fewer.values())


def test_the_note_has_both_sizes() -> None:
    assert size_note("PUD", {"sentences": 8, "words": 99}) == [
        "Not the published data: the published figures are of 1,000 sentences, 21,176 words (PUD), the others of "
        "8 sentences, 99 words."
    ]
