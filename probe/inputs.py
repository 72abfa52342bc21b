"""Input of commands and the model they name."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from probe.command_line import Parser, UsageError, option_type
from probe.errors import quoted, warn
from probe.option_groups import ImpactOptions, InputOptions, ModelOptions
from probe.patterns import FULL
from probe.structure import RELATIONS, relation_name

if TYPE_CHECKING:
    from data import Sentence
    from probe.model import Probe
    from probe.options import Layers
    from probe.structure import Structure


def add_input_options(parser: Parser) -> None:
    """``--data``, for sentences of any kind, ``--tokenize`` and ``--limit``."""
    text = ".conllu, .txt (a tokenised sentence a line), .fasta or - for standard input"
    InputOptions.add(parser, help=text, metavar="FILE", type=str)
    add_tokenize(parser)
    parser.rename(input="--data")


def add_tokenize(parser: Parser) -> None:
    """``--tokenize``."""
    text = "the text is running text: find its sentences and words (NLTK)"
    parser.group("input").add_argument("--tokenize", action="store_true", help=text)


def load_model(args: argparse.Namespace) -> Probe:
    """The model of the options."""
    from probe.loading import load

    chosen = ModelOptions.of(args)
    return load(chosen.models[0], device=chosen.device, dtype=chosen.dtype)


def say_guess(model: object, args: argparse.Namespace) -> None:
    """Warn, unless ``--quiet``, where "best" is asked for and nothing says which layer of the model that is."""
    asked = ImpactOptions.of(args)
    note = guess_note(model, layer=asked.chosen_layers, metrics=asked.chosen_metrics)
    if note is not None and not args.quiet:
        warn(note)


def guess_note(model: object, *, layer: Layers, metrics: Sequence[str]) -> str | None:
    """What to say where "best" is asked for and nothing says which layer of the model that is; else None."""
    from probe.metrics import METRICS
    from probe.model import Probe

    if layer != "best" or not isinstance(model, Probe) or not model.best.guess:
        return None
    if all(METRICS[name].reads != "states" for name in metrics):
        return None
    last = f"the last, {model.n_layers}, is read, which is a guess"
    return f"{model.name}: no probe.json says which layer is best: {last}"


def read_input(
    texts: Sequence[str], source: str | None, limit: int | None, *, tokenize: bool = False
) -> tuple[list[Sentence], str]:
    """The sentences of a run, and what their source is called in a signature.

    Text that seems to be running text, not tokenised, gets a hint on standard error.

    Args:
        texts: tokenised sentences, or running text.
        source: the value of ``--data``. Without it and texts, the bundled sample treebank is read.
        limit: only so many sentences are returned.
        tokenize: texts and source are running text.

    Raises:
        UsageError: there are both texts and a source, or there is no text to tokenise.
        data.DataError: as the readers of ``data``.
    """
    import data

    if texts and source is not None:
        raise UsageError("sentences are given both as text and with --data: choose one")
    parse = data.parse_raw_text if tokenize else data.parse_text
    if texts:
        lines = [line for text in texts for line in text.split("\n")]
        found, name = parse(lines, name="text"), "text"
    elif source == "-":
        lines = list(data.decode_lines(sys.stdin.buffer, name="standard input"))
        if not tokenize and _looks_like_conllu(lines):
            parse = data.parse_conllu
        found, name = parse(lines, name="standard input"), "stdin"
    elif source is not None:
        path = Path(source)
        if tokenize and path.suffix.lower() == ".conllu":
            raise UsageError("--tokenize is for text; CoNLL-U has its words")
        found, name = data.read_raw_text(path) if tokenize else data.read_sentences(path), path.stem
    elif tokenize:
        raise UsageError("--tokenize: text is expected, as an argument or with --data")
    else:
        found, name = iter(data.load_sample()), "sample"
    # All of it is read before anything runs: a fault in the last line should not cost a night.
    sentences = list(found)[:limit]
    for sentence in sentences:
        if word := data.looks_untokenised(sentence):
            hint = f"hint: {quoted(word)} is read as one word; --tokenize splits words and punctuation"
            print(f"{sentence.where}: {hint}", file=sys.stderr)
            break
    return sentences, name


def add_structure_options(parser: Parser) -> None:
    """Options of attention along trees."""
    add = parser.group("impacts").add_argument
    text = "words see each other along the trees of this .conllu, whose sentences are those of the input"
    add("--structure", type=Path, metavar="FILE", help=text)
    text = f"of --structure: {', '.join(RELATIONS)}, or several joined by + (default: parent+children)"
    add("--structure-relation", type=option_type(relation_name), metavar="NAME", help=text)


def attention_of(args: argparse.Namespace, sentences: Sequence[Sentence]) -> str | Structure:
    """The pattern of ``--attention``, or the trees that ``--structure`` has of these sentences.

    Raises:
        UsageError: options that do not go together.
        data.DataError: as :func:`read_structure`.
    """
    if args.structure is None:
        if args.structure_relation is not None:
            raise UsageError("--structure-relation is of --structure, which names the trees")
        return str(args.attention)
    if args.attention != FULL:
        raise UsageError(f"--structure does not go with --attention {args.attention}: choose one")
    relation = args.structure_relation or "parent+children"
    return read_structure(args.structure, sentences, relation, limited=args.limit is not None)


def read_structure(
    path: Path, sentences: Sequence[Sentence], relation: str, *, limited: bool = False
) -> Structure:
    """The trees of these sentences, as who sees whom.

    Args:
        path: .conllu with a tree for each sentence, in their order.
        sentences: of the input.
        relation: see ``probe.structure.RELATIONS``.
        limited: the input is the beginning of a longer one, and the file may have more trees.

    Raises:
        data.DataError: the file cannot be read, heads are no tree, or its sentences are others; names the first.
    """
    import data
    from probe.structure import Structure

    trees = list(data.read_conllu(path))
    for tree, sentence in zip(trees, sentences, strict=False):
        data.check_tree(tree)
        _check_same_words(tree, sentence)
    if len(trees) < len(sentences) or (len(trees) > len(sentences) and not limited):
        raise data.DataError(
            f"{path}: a tree for each of {len(sentences)} sentences is expected, found {len(trees)}"
        )
    whole = Structure(relation, [tree.heads or () for tree in trees])
    return whole.part(range(len(sentences)))


def _check_same_words(tree: Sentence, sentence: Sentence) -> None:
    """Refuse the tree of another sentence."""
    import data

    for number, (mine, its) in enumerate(zip_longest(tree.words, sentence.words), start=1):
        if mine != its:
            found = "the end" if mine is None else quoted(mine)
            expected = "no more words" if its is None else quoted(its)
            raise data.DataError(
                f"{tree.where}: sentence {tree.id}: word {number}: {expected} is expected as in sentence "
                f"{sentence.id} of the input ({sentence.where}), found {found}"
            )


def _looks_like_conllu(lines: Sequence[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return re.match(r"\ufeff?(#|[0-9]+([-.][0-9]+)?\t)", first) is not None
