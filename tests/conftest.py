"""Fixtures shared by the tests; torch is imported only by tests that ask for a model."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.threads import single_thread

pytest_plugins = ["tests.tiny_run", "tests.store_runs"]

ModelFolder = Callable[[str], Path]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order, so that two runs, this process's or another's, can be bit-equal."""
    with single_thread():
        yield


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """Directory of a tiny model by its name in the BUILDERS of `tests.tiny` or `tests.tiny_kinds`; built once."""

    @cache
    def build(name: str) -> Path:
        from tests import tiny, tiny_kinds

        return {**tiny.BUILDERS, **tiny_kinds.BUILDERS}[name](tmp_path_factory.mktemp("models") / name)

    return build
