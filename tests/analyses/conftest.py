"""What the tests of ``probe parse`` share."""

from pathlib import Path

import pytest

from tests.command import GOLD, Parse, parse
from tests.conftest import ModelFolder


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Parse:
    """Run the command with a tiny BERT, whose window is 32 pieces."""
    return lambda *args: parse(capsys, "--model", model_folder("bert"), *args)


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Three short sentences with gold heads."""
    path = tmp_path / "gold.conllu"
    path.write_text(GOLD, encoding="utf-8")
    return path
