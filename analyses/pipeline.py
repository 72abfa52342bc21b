"""Text or words in, trees out, as a library: what ``probe.Probe.parse`` and ``pipe`` do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import tee
from typing import TYPE_CHECKING, Any, TypeAlias

from analyses.dependency_tree import DependencyTree
from analyses.trees.adjust import adjustment_name
from analyses.trees.decoders import tree_maker
from analyses.trees.induction import Method, Outcome, Skipped, induce
from analyses.trees.methods import METHODS, best_method, that_fit
from data import DataError, Sentence, parse_sentence
from probe.errors import SentenceError, quoted, warn
from probe.inputs import guess_note

if TYPE_CHECKING:
    from probe.source import ImpactSource

Parsable: TypeAlias = "str | Sequence[str] | Sentence"
"""Running text of one sentence, which is split into words; or the words; or a record of ``data``."""


def choose(model: ImpactSource, *, method: str | None = None, **settings: Any) -> Method:
    """How trees are made, as ``probe parse`` chooses it.

    Args:
        model: whose impacts are read.
        method: a name in ``METHODS``; without one ``openness``, or ``paper`` for a metric that can be negative.
        settings: of ``Method``; what is None is that of the method.

    Raises:
        probe.OptionError: an unknown name; says the nearest known one.

    Warns:
        ProbeWarning: as ``probe.Probe.parse``.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    plain = Method()
    decoder = tree_maker(given.get("decoder", plain.decoder))
    metric = given.get("metric", plain.metric)
    name = best_method(metric=metric, decoder=decoder) if method is None else METHODS.resolve(method)
    preset: dict[str, Any] = {} if name is None else METHODS[name].settings()
    found = Method(**preset | given, name=name)
    adjust, left_out = adjustment_name(found.adjust), None
    if method is None and found.openness_from is None:
        adjust, left_out = that_fit(adjust, model)
    guessed = guess_note(model, layer=found.layer, metrics=[found.metric]) if found.needs_model else None
    for note in (left_out, guessed):
        if note is not None:
            warn(note)
    return replace(found, adjust=adjust)


def parse(model: ImpactSource, sentence: Parsable, method: Method) -> DependencyTree:
    """The tree of one sentence; see ``probe.Probe.parse``.

    Raises:
        SentenceError: the sentence cannot be probed, or the text is none, or several.
        ValueError: the decoder refuses the matrix.
    """
    (tree,) = pipe(model, [sentence], method)
    if isinstance(tree, SentenceError):
        raise tree
    return tree


def pipe(
    model: ImpactSource, sentences: Iterable[Parsable], method: Method
) -> Iterator[DependencyTree | SentenceError]:
    """The trees of many sentences in input order, or in the place of a tree why there is none.

    Sentences are taken as they are needed; many share a batch of the model.
    """
    if isinstance(sentences, str):
        raise TypeError("many sentences are expected, found one text: parse takes it")
    read, records = tee(_record(one, number) for number, one in enumerate(sentences, start=1))
    outcomes = induce((one for one in read if isinstance(one, Sentence)), model, method)
    return _trees(records, outcomes, method.made_by(model))


def _trees(
    records: Iterable[Sentence | SentenceError], outcomes: Iterator[Outcome], made_by: str
) -> Iterator[DependencyTree | SentenceError]:
    """The outcomes as trees, and between them the records that are none."""
    for record in records:
        if isinstance(record, SentenceError):
            yield record
            continue
        outcome = next(outcomes)
        if isinstance(outcome, Skipped):
            yield SentenceError(outcome.reason)
        else:
            yield DependencyTree.of(outcome, made_by)


def _record(given: Parsable, number: int) -> Sentence | SentenceError:
    """The record of a sentence, or what is wrong with its text."""
    if isinstance(given, Sentence):
        return given
    try:
        found = parse_sentence(given) if isinstance(given, str) else Sentence(id="", words=tuple(given))
    except DataError as error:
        return SentenceError(str(error))
    if not all(isinstance(word, str) for word in found.words):
        raise TypeError(f"sentence {number}: a text or its words are expected, found {quoted(given)}")
    return replace(found, id=str(number), where=f"sentence {number}")
