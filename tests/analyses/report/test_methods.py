"""``probe report --method``: the trees of both methods, signed."""

from pathlib import Path

import pytest

from analyses.report.command import main
from tests.command import ran
from tests.conftest import ModelFolder


@pytest.mark.parametrize(
    ("method", "signed"),
    [
        ("paper", {"perturb:pair"}),
        (
            "openness",
            {
                "perturb:knockout",
                "adjust:log+symmetric",
                "adjust:log+offset+symmetric+content+root+summary+early",
            },
        ),
    ],
)
def test_a_method_makes_the_trees(
    method: str,
    signed: set[str],
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "report.html"
    args = ["--model", model_folder("bert"), "--parts", "trees", "--limit", 2, "--seeds", 0, "--out", out]
    assert ran(capsys, main, *args, "--method", method).code == 0
    page = out.read_text(encoding="utf-8")
    assert all(f"{setting} |" in page for setting in signed)
    assert ("adjust:" in page) == (method == "openness")
