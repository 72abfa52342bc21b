"""Texts that a model wrote, step by step, and how likely it finds them beside those of baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyses.intervals import percent_interval
from analyses.order.generation import Floats, Generated, written
from analyses.order.perplexity import Perplexity, perplexity
from analyses.order.template import Template
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, RowKind, Table

if TYPE_CHECKING:
    from probe import Probe

COLUMNS = ("as written", "pseudo", "distinct pieces")


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Texts of one writer.

    Attributes:
        name: of the writer: an order, or a baseline.
        stem: of its files.
        kind, settings: of its rows.
        texts: what it wrote.
        pseudo: log-probability of each of them under the model, each piece with all others seen: [texts].
        sees: whether it looked at what was written before: else there is no perplexity as written.
    """

    name: str
    stem: str
    kind: RowKind
    settings: Settings
    texts: Sequence[Generated]
    pseudo: Floats
    sees: bool = True


def generation_tables(
    model: Probe,
    template: Template,
    batches: Sequence[Batch],
    *,
    notes: Sequence[str],
    seed: int,
    steps: int,
) -> list[tuple[str, Table]]:
    """A table of all writers, one of the texts of each, and one of the steps of the first texts.

    Args:
        model: that wrote, or judges.
        template: of the texts.
        batches: the texts.
        notes: how they were made.
        seed: of the bootstrap.
        steps: of so many texts of each order.
    """
    tables = [("generated", _writers(batches, notes=notes, seed=seed))]
    tables += [(f"generated-{batch.stem}", _texts(model, template, batch)) for batch in batches]
    tables += [
        (f"steps-{batch.stem}-{number}", steps_table(model, template, batch, number))
        for batch in batches
        if batch.kind == "model"
        for number in range(1, min(steps, len(batch.texts)) + 1)
    ]
    return tables


def _writers(batches: Sequence[Batch], *, notes: Sequence[str], seed: int) -> Table:
    rows = []
    for batch in batches:
        sizes = [len(text.steps) for text in batch.texts]
        own = np.array([text.log_probability for text in batch.texts])
        distinct = [len({step.chosen for step in text.steps}) for text in batch.texts]
        cells = (
            _cell(perplexity(own, sizes, seed=seed)) if batch.sees else None,
            _cell(perplexity(batch.pseudo, sizes, seed=seed)),
            Cell.measured(100 * sum(distinct) / sum(sizes), percent_interval(distinct, sizes, seed=seed)),
        )
        rows.append(Row(name=batch.name, kind=batch.kind, cells=cells, settings=batch.settings))
    return Table(
        title="Texts by the order in which they were written: perplexity per piece [95% interval]",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            "as written: of each piece when it was drawn; pseudo: under the model, all other pieces seen.",
            "distinct pieces: percent of the pieces of a text.",
            *notes,
        ),
    )


def _texts(model: Probe, template: Template, batch: Batch) -> Table:
    rows = []
    for text, pseudo in zip(batch.texts, batch.pseudo, strict=True):
        size = len(text.steps)
        cells = (
            _single(-text.log_probability / size) if batch.sees else None,
            _single(-float(pseudo) / size),
        )
        name = written(model, text.ids, template)
        rows.append(Row(name=name, kind=batch.kind, cells=cells, settings=batch.settings))
    return Table(title=f"Texts: {batch.name}", columns=COLUMNS[:2], rows=tuple(rows))


def steps_table(model: Probe, template: Template, batch: Batch, number: int) -> Table:
    """The steps of a text as Table 1 of Liao et al. (2020) has them: step, position, piece, the text so far.

    Args:
        model: that wrote it.
        template: of the texts.
        batch: the texts of a writer.
        number: of the text, from 1.
    """
    mask = model.tokenizer.mask_token_id
    ids = template.ids.copy()
    rows = [Row(name=written(model, ids, template), kind="model", cells=(Cell(0, decimals=0), *[None] * 3))]
    for step, filled in enumerate(batch.texts[number - 1].steps, start=1):
        at = template.positions[filled.piece]
        assert ids[at] == mask
        ids[at] = filled.chosen
        cells = (
            Cell(step, decimals=0),
            Cell(filled.piece + 1, decimals=0),
            Cell(100 * float(np.exp(filled.log_probability))),
            Cell(filled.entropy, decimals=2),
        )
        name = f"{model.tokenizer.convert_ids_to_tokens(filled.chosen)}: {written(model, ids, template)}"
        rows.append(Row(name=name, kind="model", cells=cells, settings=batch.settings))
    return Table(
        title=f"Steps of text {number}: {batch.name}",
        columns=("step", "position", "probability", "entropy"),
        rows=tuple(rows),
        notes=(
            "A row: the piece that fills a blank, and the text so far. Probability in percent, entropy in nats.",
        ),
    )


def _cell(found: Perplexity) -> Cell:
    return Cell.measured(found.value, found.interval, decimals=2 if found.value < 100 else 0)


def _single(loss: float) -> Cell:
    value = float(np.exp(loss))
    return Cell(value, decimals=2 if value < 100 else 0)
