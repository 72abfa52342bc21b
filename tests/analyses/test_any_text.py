"""``probe parse`` of any text: trees, or one of the project's own errors in one short line."""

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyses.parse import main
from probe.commands import COMMANDS
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder
from tests.fuzz import bounded, inputs

TEXT = st.text(max_size=60) | st.lists(st.sampled_from([*"aB.<[]>\0\t\n", "[MASK]", "[CLS]", "é", "漢"])).map(
    "".join
)


@pytest.mark.fuzz
def test_any_text(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    import probe

    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")

    @inputs(40)
    @given(st.lists(TEXT, min_size=1, max_size=3), st.sampled_from(["conllu", "tree", "json"]), st.booleans())
    @example(["\ud800"], "json", False)
    @example(["x" * 5_000], "tree", False)
    @example(["\x1b[31m", "-", ""], "tree", True)
    def try_one(texts: list[str], form: str, tokenize: bool) -> None:
        more = ["--tokenize"] if tokenize else []
        with bounded(), pytest.MonkeyPatch.context() as patched:
            patched.setattr("analyses.parse.load_model", lambda args: model)
            done = ran(capsys, main, *PLAIN, "--format", form, "--quiet", *more, "--", *texts)
        assert done.code in (0, 1, 2)
        assert all(len(line) < 500 for line in done.err.splitlines())
        if done.code:
            assert done.err.splitlines()[-1].startswith("probe parse: error: ")

    try_one()


WORDS = (
    "- -- 0 -1 1e400 nan None all best dist a,b , x \ud800 \u0663 %s {} @file substitute: prefix:9".split()
)
VALUES = st.sampled_from([*WORDS, "", "\n", "\x1b[1m", "x" * 5_000, "9" * 5_000, "../" * 50]) | st.text(
    max_size=8
)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", COMMANDS)
def test_any_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are understood, or refused in one short line, with exit code 2."""
    parser = COMMANDS[name].build_parser()
    known = sorted(option for action in parser._actions for option in action.option_strings)

    @inputs(40)
    @given(st.lists(st.sampled_from(known) | VALUES, min_size=1, max_size=6))
    def try_one(argv: list[str]) -> None:
        capsys.readouterr()
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # as Python's own does
        with bounded():
            try:
                parser.parse_args(argv)
            except SystemExit as ended:
                code = ended.code
            else:
                return
        written = capsys.readouterr()
        if code == 0:
            assert written.err == "" or "is now called" in written.err
            return
        assert code == 2 and written.out == ""
        line = written.err.splitlines()[-1]
        assert line.startswith(f"probe {name}: error: ") and len(line) < 500
        assert written.err.endswith("\n")

    try_one()
