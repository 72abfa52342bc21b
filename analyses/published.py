"""Figures as published, in percent: Wu, Chen, Kao and Liu, "Perturbed Masking", ACL 2020, Tables 1 to 4.

The model is bert-base-uncased, last layer; the metric of the tables' "Dist" is ``dist``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table

CITATION = "Wu et al., Perturbed Masking, ACL 2020"


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[float | None]]) -> Table:
    return Table(
        title=f"{CITATION}, {title}",
        columns=tuple(columns),
        rows=tuple(
            Row(
                name=name,
                kind="published",
                cells=tuple(None if value is None else Cell(value) for value in values),
            )
            for name, values in rows.items()
        ),
    )


TABLE1 = _table(
    "Table 1: UAS of dependency trees",
    ("WSJ10-U", "PUD"),
    {
        "Right-chain": (49.5, 35.0),
        "Left-chain": (20.6, 10.7),
        "Random BERT": (16.9, 10.2),
        "Eisner+Dist": (58.6, 41.7),
        "Eisner+Prob": (52.7, 34.1),
        "CLE+Dist": (51.5, 33.2),
    },
)
TABLE2 = _table(
    "Table 2: dependency trees on PUD",
    ("UAS", "UUAS", "NED"),
    {"Eisner+Dist": (41.7, 52.1, 69.6), "Right-chain": (35.0, 39.9, 41.2)},
)
TABLE3 = _table(
    "Table 3: F1 of constituency trees and accuracy by label on PTB23",
    ("WSJ10 F1", "PTB23 F1", "NP", "VP", "PP", "S", "SBAR"),
    {
        "PRPN-LM": (70.5, 37.4, 63.9, None, 24.4, None, None),
        "ON-LSTM 1st-layer": (42.8, 24.0, 23.8, 15.6, 18.3, 48.1, 16.3),
        "ON-LSTM 2nd-layer": (66.8, 49.4, 61.4, 51.9, 55.4, 54.2, 15.4),
        "ON-LSTM 3rd-layer": (57.6, 40.4, 57.5, 13.5, 47.2, 48.6, 10.4),
        "300D ST-Gumbel w/o Leaf GRU": (None, 25.0, 18.8, None, 9.9, None, None),
        "300D RL-SPINN w/o Leaf GRU": (None, 13.2, 24.1, None, 14.2, None, None),
        "MART": (58.0, 42.1, 44.6, 47.0, 50.6, 66.1, 51.9),
        "Right-Branching": (56.7, 39.8, 25.0, 71.8, 42.4, 74.2, 68.8),
        "Left-Branching": (19.6, 9.0, 11.3, 0.8, 5.0, 44.1, 5.5),
    },
)
TABLE4 = _table(
    "Table 4: UAS of discourse trees on SciDTB, overall and by distance",
    ("UAS", "0", "1", "2", "5"),
    {
        "Right-chain": (10.7, 20.5, None, None, None),
        "Left-chain": (41.5, 79.5, None, None, None),
        "Random BERT": (6.3, 20.4, 7.5, 3.5, 0.0),
        "Eisner+Dist": (34.2, 61.6, 7.3, 7.6, 12.8),
        "CLE+Dist": (34.4, 63.8, 3.3, 3.5, 2.6),
    },
)

Treebank: TypeAlias = Literal["WSJ10-U", "PUD"]

SIZES: Mapping[str, Mapping[str, int]] = {
    "PUD": {"sentences": 1_000, "words": 21_176},
    "WSJ10-U": {"sentences": 7_422},
    "section 23": {"sentences": 2_416},
    "SciDTB, test": {"documents": 152, "EDUs": 2_118},
    "laptop": {"test items": 638},
    "restaurant": {"test items": 1_120},
}
"""What the published figures were measured on.

PUD, SciDTB and the aspect sets are counted from their files. The other two are licensed, and not at hand: WSJ10 is
said to have 7,422 sentences (Klein and Manning, ACL 2002), section 23 of the Penn Treebank 2,416 (well known).
"""


def size_note(
    data: str, found: Mapping[str, int], *, sizes: Mapping[str, Mapping[str, int]] = SIZES
) -> list[str]:
    """What to say where a table is not of the data of the published figures: other in number.

    Args:
        data: a name of ``sizes``.
        found: what the own figures were measured on, by the same names.
        sizes: what the published figures were measured on.
    """
    if dict(found) == dict(sizes[data]):
        return []
    there, here = (
        ", ".join(f"{n:,} {what.removesuffix('s') if n == 1 else what}" for what, n in size.items())
        for size in (sizes[data], found)
    )
    return [f"Not the published data: the published figures are of {there} ({data}), the others of {here}."]


def tree_name(made: Settings) -> str | None:
    """What the paper calls trees made so: ``Eisner+Dist``, ``Random BERT``; None for those of other impacts.

    Layer and model are not looked at.
    """
    if (made.perturb, made.adjust or "none", made.attention) != ("pair", "none", None):
        return None
    if made.random_weights is not None:
        return "Random BERT" if (made.decoder, made.metric) == ("eisner", "dist") else None
    return f"{made.decoder}+{made.metric}"


def dependency_rows(treebank: Treebank) -> tuple[Row, ...]:
    """Tables 1 and 2 as rows with UAS, UUAS and NED; the paper has the last two for two rows on PUD only."""
    place = TABLE1.columns.index(treebank)
    known = {row.name: row.cells for row in TABLE2.rows} if treebank == "PUD" else {}
    return tuple(
        Row(
            name=row.name,
            kind="published",
            cells=known.get(row.name, (row.cells[place], None, None)),
        )
        for row in TABLE1.rows
    )
