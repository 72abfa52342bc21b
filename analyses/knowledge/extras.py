"""Tables beside those of the single mask: paraphrases, objects of several pieces, contrasts, words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.knowledge.contrasts import answer_contrasts, contrast_table, load_contrasts
from analyses.knowledge.gaps import GapReader
from analyses.knowledge.paraphrases import paraphrase_tables, probe_paraphrases
from analyses.knowledge.pieces import PieceResult, probe_pieces
from analyses.knowledge.ranks import Excluded, Ranks
from analyses.knowledge.results import COLUMNS, ask_relations, values_of
from analyses.knowledge.scores import fact_values, mean_over_facts, mean_over_relations
from analyses.knowledge.tables import Run, count, signature
from analyses.knowledge.words import right_answers, word_impacts, word_table
from analyses.tables.signature import Signature
from analyses.tables.table import Cell, Row, RowKind, Table
from data.errors import InputError
from data.lama import FACT_CORPORA, FactCorpus, Relation, read_facts, read_patterns

if TYPE_CHECKING:
    from probe import Probe

_Tables = list[tuple[str, Table]]
_OnDone = Callable[[int], None]


@dataclass(frozen=True)
class Extras:
    """Asks the relations of a run again, in other ways.

    Attributes:
        run: of ``probe_relations`` over these relations with this limit.
        relations: from ``data.lama.list_relations``.
        limit: only the first facts of each file.
        batch_tokens: pieces in one forward pass.
    """

    run: Run
    relations: Sequence[Relation]
    limit: int | None = None
    batch_tokens: int = 4_096

    def _reader(self) -> GapReader:
        return GapReader(self.run.model, self.run.candidates.ids, batch_tokens=self.batch_tokens)

    def paraphrases(self, folder: Path, *, on_done: _OnDone | None = None) -> _Tables:
        """Every relation that has a file of patterns in the folder, by all of them.

        Raises:
            data.InputError: none has one.
            data.DataError: as ``data.lama.read_patterns``.
        """
        files = {each.name: folder / f"{each.name}.jsonl" for each in self.relations if each.template}
        patterns = {name: read_patterns(path) for name, path in files.items() if path.is_file()}
        if not patterns:
            raise InputError(f"{folder}: a file of patterns for one of the relations is expected, found none")
        model, reader, found = self.run.model, self._reader(), []
        chosen = [each for each in self.relations if each.name in patterns]
        for asked in ask_relations(model, chosen, self.run.candidates, limit=self.limit):
            texts = patterns[asked.relation.name]
            result = probe_paraphrases(model, reader, asked.relation, asked.questions, texts, on_done=on_done)
            found += [result] if result is not None else []
        if not found:
            return []
        names = {result.relation.name for result in found}
        measured = [each for each in self.run.results if each.relation.name in names]
        texts = tuple(text for result in found for text in result.patterns)
        hashed = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:4]
        line = signature(self.run, measured[0].relation.corpus, measured)
        line = replace(line, about=(*line.about, f"patterns:{len(texts)}@{hashed}…"))
        return paraphrase_tables(model.name, found, signature=line, seed=self.run.seed)

    def pieces(
        self, most: int, *, weights: Sequence[Probe] = (), on_done: _OnDone | None = None
    ) -> tuple[_Tables, list[Excluded]]:
        """Objects of up to ``most`` pieces, ranked among those of their relation: a table a corpus.

        Args:
            most: masks and pieces of an object.
            weights: the same model with random weights, once or several times, for a row.
            on_done: called with the number of prompts that a pass has answered.

        Returns:
            The tables, and the facts that are left out here, too.
        """
        tables: _Tables = []
        excluded: list[Excluded] = []
        for corpus in FACT_CORPORA:
            every = [
                self._pieces(relation, most, weights, on_done)
                for relation in self.relations
                if relation.corpus == corpus
            ]
            if found := [result for result in every if result.asked]:
                tables.append((f"knowledge-{corpus.lower()}-pieces", self._piece_table(corpus, found, most)))
            excluded += [each for result in every for each in result.excluded]
        return tables, excluded

    def _pieces(
        self, relation: Relation, most: int, weights: Sequence[Probe], on_done: _OnDone | None
    ) -> PieceResult:
        return probe_pieces(
            self.run.model,
            relation,
            list(islice(read_facts(relation), self.limit)),
            most=most,
            weights=weights,
            batch_tokens=self.batch_tokens,
            on_done=on_done,
        )

    def _piece_table(self, corpus: FactCorpus, found: Sequence[PieceResult], most: int) -> Table:
        name = self.run.model.name
        line = signature(self.run, corpus, found, answers=f"answers:relation's objects of 1-{most} pieces")
        frequent = mean_over_relations(
            [
                mean_over_facts(fact_values(each.frequent), seed=self.run.seed, relation=number)
                for number, each in enumerate(found)
            ]
        )
        rows = [_row("most frequent object", "baseline", (*frequent.cells(), None), line)]
        blanks = [[] if each.blank is None else [each.blank] for each in found]
        if any(blanks):
            rows.append(_row(f"{name} subject masked", "baseline", self._cells(blanks), line))
        if all(each.random for each in found):
            drawn = self._cells([each.random for each in found])
            rows.append(_row(f"{name} random weights", "baseline", drawn, line))
        own = self._cells([[each.own] for each in found])
        rows.append(_row(f"{name} iterated masks", "model", own, line))
        excluded = sum(len(each.excluded) for each in found)
        longer = sum(each.longer for each in found)
        asked = sum(each.asked for each in found)
        return Table(
            title=f"{corpus}: objects of 1 to {most} pieces, "
            f"mean over {count(len(found), 'relation')}, in percent",
            columns=COLUMNS,
            rows=tuple(rows),
            notes=(
                f"{asked:,} facts asked, {longer:,} of them with an object of several pieces; "
                f"{excluded:,} left out.",
                "Ranked among the relation's own objects: not to be compared with the single mask.",
            ),
        )

    def _cells(self, relations: Sequence[Sequence[Ranks]]) -> tuple[Cell, ...]:
        """Means over the relations that have runs, of the runs of each."""
        means = [
            mean_over_facts(values_of(runs), seed=self.run.seed, relation=number)
            for number, runs in enumerate(relations)
            if runs
        ]
        return mean_over_relations(means).cells()

    def contrasts(self) -> _Tables:
        """The negated and misprimed prompts of this package."""
        run, prompts = self.run, load_contrasts()
        answers = answer_contrasts(run.model, self._reader(), prompts, run.candidates)
        if not answers:
            return []
        dtype = str(run.model.dtype).removeprefix("torch.")
        line = f"prompts:{len(answers)} | model:{run.model.name} | dtype:{dtype} | {run.candidates}"
        left_out = len(prompts) - len(answers)
        table = contrast_table(run.model, answers, run.candidates, left_out=left_out, signature=line)
        return [("knowledge-prompts", table)]

    def words(self, number: int) -> _Tables:
        """Which word carried the answer, for so many right answers: a table each."""
        run = self.run
        dtype = str(run.model.dtype).removeprefix("torch.")
        line = f"model:{run.model.name} | dtype:{dtype} | metric:prob | layer:{run.model.n_layers}"
        found = right_answers(
            run.model, self.relations, run.candidates, run.results, count=number, limit=self.limit
        )
        return [
            (
                f"knowledge-words-{place}",
                word_table(run.model.name, word_impacts(run.model, prompt, answer), signature=line),
            )
            for place, (prompt, answer) in enumerate(found, start=1)
        ]


def _row(name: str, kind: RowKind, cells: Sequence[Cell | None], line: Signature) -> Row:
    return Row(name=name, kind=kind, cells=tuple(cells), signature=line)
