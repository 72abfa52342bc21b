"""``probe parse`` of any text: trees, or one of the project's own errors in one short line."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyses.parse import main
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder

TEXT = st.text(max_size=60) | st.lists(st.sampled_from([*"aB.<[]>\0\t\n", "[MASK]", "[CLS]", "é", "漢"])).map(
    "".join
)


def test_any_text(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    import probe

    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(TEXT, min_size=1, max_size=3), st.sampled_from(["conllu", "tree", "json"]), st.booleans())
    @example(["\ud800"], "json", False)
    @example(["x" * 5_000], "tree", False)
    @example(["\x1b[31m", "-", ""], "tree", True)
    def try_one(texts: list[str], form: str, tokenize: bool) -> None:
        more = ["--tokenize"] if tokenize else []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("analyses.parse.load_model", lambda args: model)
            done = ran(capsys, main, *PLAIN, "--format", form, "--quiet", *more, "--", *texts)
        assert done.code in (0, 1, 2)
        assert all(len(line) < 500 for line in done.err.splitlines())
        if done.code:
            assert done.err.splitlines()[-1].startswith("probe parse: error: ")

    try_one()
