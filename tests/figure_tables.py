"""Tables made up for the tests of figures, and what is written on a figure."""

from matplotlib.figure import Figure
from matplotlib.text import Text

from analyses.intervals import Interval
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, Table


def texts(figure: Figure) -> list[str]:
    """All that is written on a figure."""
    return [
        found.get_text() for found in figure.findobj(Text) if isinstance(found, Text) and found.get_text()
    ]


def own_row(name: str, layer: int | None, value: float) -> Row:
    made = Settings(model="m", decoder="eisner", metric="dist", layer=layer, pool="mean", perturb="pair")
    signature = Signature(
        data="toy",
        digest="1234",
        n=3,
        version="1",
        settings=Settings(decoder=name) if layer is None else made,
        resamples=1000,
        seed=0,
    )
    return Row(
        name=name,
        kind="baseline" if layer is None else "model",
        cells=(Cell(value, Interval(value - 1, value + 2)),),
        signature=signature,
    )


LAYERS = Table(
    title="Toy",
    columns=("UAS",),
    rows=(
        Row(name="Eisner+Dist", kind="published", cells=(Cell(41.7),)),
        own_row("left-chain", None, 10.0),
        own_row("m eisner+dist, layer 10, mean", 10, 30.0),
        own_row("m eisner+dist, layer 2, mean", 2, 20.0),
    ),
)
RECALL = Table(
    title="Toy",
    columns=("left-chain", "m eisner+dist, layer 0, mean", "m eisner+dist, layer 1, mean"),
    rows=tuple(
        Row(name=f"{name} ({5 - at})", kind="model", cells=(Cell(10.0 * at), None, Cell(20.0 * at)))
        for at, name in enumerate(("root", "1", "2", "3"))
    ),
    column_settings=(None, Settings(layer=0), Settings(layer=1)),
)
FACTS = Table(
    title="Facts",
    columns=("P@1", "P@10", "P@1 filtered", "P@1 random weights"),
    rows=(
        Row(name="P2, BERT-base", kind="published", cells=(Cell(60.0), None, None, None)),
        Row(name="P1 capital (9)", kind="model", cells=(Cell(10.0), Cell(20.0), None, Cell(0.0))),
        Row(name="P2 border (5)", kind="model", cells=(Cell(30.0), Cell(40.0), None, Cell(1.0))),
        Row(name="P3 empty (0)", kind="model", cells=(None, None, None, None)),
    ),
    notes=("Said.",),
    signature=Signature(data="toy", digest="1234", n=14, version="1"),
)
