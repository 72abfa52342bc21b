"""The total of a progress bar is the number of passes that are run."""

from pathlib import Path
from typing import Any

import pytest

from probe import progress, run
from tests.command import PLAIN, TOO_LONG, ran
from tests.conftest import ModelFolder


@pytest.mark.parametrize(
    "perturbs",
    [
        ("pair", "single"),
        ("knockout",),
        ("substitute:2", "substitute:3"),
        ("substitute:2", "knockout", "piece"),
    ],
)
def test_a_run_with_a_skipped_sentence(
    perturbs: tuple[str, ...],
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    totals: list[int] = []
    passes: list[int] = []

    class Counted(progress.Progress):
        def __init__(self, **options: Any) -> None:
            totals.append(options["passes"])
            super().__init__(**options)

        def passes(self, count: int) -> None:
            passes.append(count)
            super().passes(count)

    monkeypatch.setattr(progress, "Progress", Counted)
    data = tmp_path / "some.txt"
    data.write_text(f"The gardener watered tulips .\nNobody slept .\n{TOO_LONG}\n", encoding="utf-8")
    model = ["--model", model_folder("bert"), *PLAIN]
    out = ["--out", tmp_path / "run"]
    done = ran(capsys, run.main, *model, "--data", data, "--perturb", *perturbs, *out)
    assert done.code == 0, done.err
    assert totals == [sum(passes)]
