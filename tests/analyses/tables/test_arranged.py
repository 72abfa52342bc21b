"""What people read of a table: published beside measured, signatures once, no line wider than a terminal."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import width

from analyses.intervals import Interval
from analyses.published import dependency_rows, tree_name
from analyses.tables.arranged import panels
from analyses.tables.latex import PACKAGES
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, Table
from analyses.tables.text import text_of

WIDE = Interval(10.0, 90.0)


def made(decoder: str, layer: int, *, random_weights: int | None = None) -> Row:
    """A row of trees as the command makes it."""
    settings = Settings(
        decoder=decoder,
        model="bert",
        metric="dist",
        layer=layer,
        pool="mean",
        perturb="pair",
        adjust="none",
        random_weights=random_weights,
    )
    source = "bert" if random_weights is None else "bert random weights"
    return Row(
        name=f"{source} {decoder}+dist, layer {layer}, mean",
        kind="model" if random_weights is None else "baseline",
        cells=(Cell(50.0, WIDE), Cell(40.0, WIDE), Cell(30.0, WIDE)),
        signature=signed(settings),
        published_as=tree_name(settings),
    )


def signed(settings: Settings) -> Signature:
    return Signature(
        data="pud", digest="e01d" * 8, n=12, version="1", protocol="wu2020", settings=settings, seed=0
    )


CHAIN = Row(
    name="right-chain",
    kind="baseline",
    cells=(Cell(32.0, WIDE),) * 3,
    signature=signed(Settings(decoder="right-chain")),
)
TREES = Table(
    title="Trees on pud",
    columns=("UAS", "UUAS", "NED"),
    rows=(
        *dependency_rows("PUD"),
        CHAIN,
        made("eisner", 5, random_weights=3),
        made("eisner", 5),
        made("cle", 6),
    ),
    notes=("A note.",),
)


def test_published_and_measured_are_on_one_line() -> None:
    shown = TREES.arranged
    assert shown.headers == ("UAS", "published", "UUAS", "published", "NED", "published")
    lines = {(line.heading, line.name): [str(figure) for figure in line.figures] for line in shown.lines}
    own = ["50.0 [10.0, 90.0]", "40.0 [10.0, 90.0]", "30.0 [10.0, 90.0]"]
    assert lines["bert", "eisner+dist"] == [own[0], "41.7", own[1], "52.1", own[2], "69.6"]
    assert lines["bert random weights, seeds 0 to 2", "eisner+dist"][:2] == [own[0], "10.2"]
    assert lines["", "right-chain"][1::2] == ["35.0", "39.9", "41.2"]
    assert lines["published only", "Eisner+Prob"] == ["-", "34.1", "-", "-", "-", "-"]
    assert "Published as Random BERT: bert random weights, seeds 0 to 2 eisner+dist." in shown.notes
    assert replace(TREES, other_data=True).arranged.headers[1] == "published (other data)"


def test_other_impacts_than_the_papers_have_no_published_figure() -> None:
    plain = Settings(decoder="eisner", metric="dist", perturb="pair", adjust="none")
    assert tree_name(plain) == "eisner+dist"
    others: tuple[dict[str, str], ...] = ({"perturb": "knockout"}, {"adjust": "log"}, {"attention": "causal"})
    for other in others:
        assert tree_name(replace(plain, **other)) is None  # type: ignore[arg-type]
    assert tree_name(replace(plain, random_weights=1)) == "Random BERT"
    assert tree_name(replace(plain, random_weights=1, decoder="cle")) is None


def test_what_signatures_share_is_said_once_and_the_rest_in_columns() -> None:
    shown = TREES.arranged
    assert shown.labels == ("layer",)
    assert [line.labels for line in shown.lines[:4]] == [("",), ("5",), ("5",), ("6",)]
    assert shown.notes[-2:] == (
        "Signature: pud@e01d… | n:12 | v1 | protocol:wu2020 | seed:0",
        "Signature of models, besides: pool:mean | perturb:pair | adjust:none",
    )
    one_layer = replace(TREES, rows=TREES.rows[:-1]).arranged
    assert one_layer.labels == () and "layer:5" in one_layer.notes[-1]


def test_a_terminal_of_80_columns() -> None:
    text = TREES.render("table")
    assert max(map(width, text.splitlines())) <= 80
    assert text.count("\nbert\n") == 2, "a block with UAS and UUAS, one with NED"
    assert text.count("Eisner+Prob") == 1, "nothing is published of its NED"
    assert text_of(TREES.arranged, room=200).count("\nbert\n") == 1
    wide = Table(
        title="語" * 60,
        columns=("one two three four five six seven eight nine",),
        rows=(Row(name="a long name of many words " * 3, kind="model", cells=(Cell(1.0),)),),
    )
    assert max(map(width, wide.render("table").splitlines())) <= 80


def test_a_p_value_stays_beside_its_difference() -> None:
    row = Row(
        name="bert",
        kind="model",
        labels=("random weights, eisner+dist, openness",),
        cells=(Cell(5.9, Interval(-2.9, 13.9), style="signed"), Cell(0.0004, decimals=3, style="p")) * 2,
    )
    columns = ("UAS", "p of UAS", "UUAS", "p of UUAS")
    table = Table(title="Differences", columns=columns, labels=("to",), rows=(row,))
    assert table.arranged.headers == ("UAS", "p", "UUAS", "p")
    assert table.arranged.follows == (False, True, False, True)
    lines = text_of(table.arranged, room=60).splitlines()
    last = "bert  eisner+dist, openness  +5.9 [-2.9, +13.9]  <0.001"
    assert [line for line in lines if "[" in line] == [last] * 2
    assert lines.count("      random weights,") == 2


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=12), st.integers(1, 60))
def test_panels_hold_every_column_once(columns: list[tuple[int, bool]], room: int) -> None:
    widths = [width for width, _ in columns]
    published = [at > 0 and is_published for at, (_, is_published) in enumerate(columns)]
    found = list(panels(widths, published, room=room))
    assert [at for panel in found for at in panel] == list(range(len(widths)))
    for panel in found[1:]:
        before = [at for each in found for at in each if at < panel[0]]
        assert not published[panel[0]] or published[before[-1]], "only a second published column stands apart"


COMPILERS = {
    "tectonic": ["tectonic", "--only-cached"],
    "pdflatex": ["pdflatex", "-interaction=nonstopmode", "-halt-on-error"],
}


def test_latex_compiles(tmp_path: Path) -> None:
    compiler = next((name for name in COMPILERS if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("no tectonic and no pdflatex (Debian: texlive-latex-recommended, texlive-latex-extra)")
    odd = Row(
        name="a|b <c> ~x^2 100% {#} \\n $", kind="model", cells=(Cell(-1.5, WIDE, style="signed"), None, None)
    )
    tables = (
        TREES,
        replace(TREES, other_data=True),
        replace(TREES, rows=(odd,)),
        replace(TREES, rows=()),
        replace(
            TREES, rows=TREES.rows * 40, notes=("A note that is as long as a line of the page. " * 2,) * 12
        ),
    )
    document = [
        r"\documentclass{article}",
        rf"\usepackage{{{','.join(PACKAGES)}}}",
        r"\begin{document}",
        *(table.render("latex") for table in tables),
        r"\end{document}",
    ]
    (tmp_path / "tables.tex").write_text("\n".join(document), encoding="utf-8")
    ran = subprocess.run(
        [*COMPILERS[compiler], "tables.tex"], cwd=tmp_path, capture_output=True, text=True, errors="replace"
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 0
    assert "Overfull" not in ran.stdout
    assert "Float too large" not in ran.stdout


def test_latex_of_a_high_table_goes_on_under_the_same_number() -> None:
    text = replace(TREES, rows=TREES.rows * 40).render("latex")
    floats = text.split(r"\end{table}")[:-1]
    assert len(floats) > 1
    assert [r"\addtocounter{table}{-1}" in each for each in floats] == [False, *[True] * (len(floats) - 1)]
    assert [", continued." in each for each in floats] == [False, *[True] * (len(floats) - 1)]
    assert [r"\begin{tablenotes}" in each for each in floats] == [*[False] * (len(floats) - 1), True]
    figures = [line for line in text.splitlines() if line.endswith(r"\\") and "toprule" not in line]
    assert len(figures) > 40 * len(TREES.rows)


def test_names_say_the_model_and_a_note_the_seeds_of_random_weights() -> None:
    def row(name: str, blank: int | None) -> Row:
        made = Settings(model="m", random_weights=blank)
        signature = Signature(data="d", digest="0" * 8, n=20, version="1", settings=made)
        return Row(name=name, kind="model", cells=(Cell(1.0, WIDE),), signature=signature)

    rows = (row("m random weights, layer 1", 3), row("m, layer 1", None))
    table = Table(title="t", columns=("a",), rows=rows)
    assert table.arranged.labels == ()
    assert [note for note in table.arranged.notes if "eeds" in note] == ["Random weights: seeds 0 to 2."]
    told = replace(table, notes=("Random weights: seeds 0 to 2, full attention.",))
    assert [note for note in told.arranged.notes if "eeds" in note] == list(told.notes)


def test_nothing_is_minus_zero() -> None:
    assert [str(Cell(-0.01)), str(Cell(-0.01, style="signed")), str(Cell(-0.06))] == ["0.0", "+0.0", "-0.1"]
