"""Sentences in, dependency trees out: ``probe parse --model bert "The dog sat on the mat ."``

This module joins the four packages; the rest of ``probe`` knows no treebank and no tree.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from analyses.dependency_tree import DependencyTree
from analyses.options import add_method, add_protocol, check_openness_from, say_sample
from analyses.tables.table import unknown_text
from analyses.tables.text import ROOM, filled
from analyses.trees.adjust import needs_openness
from analyses.trees.decoders import BASELINES, DECODERS, tree_maker
from analyses.trees.methods import best_method, that_fit
from analyses.trees.systems import check_probed
from probe import __version__
from probe.command_line import DONE, SOME_FAILED, Parser, UsageError, command_main, option_type
from probe.errors import ProbeError, one_line
from probe.files import whole_file
from probe.inputs import add_input_options, load_model, read_input, say_guess
from probe.option_groups import ImpactOptions, ModelOptions, OutputOptions, RandomOptions, known

if TYPE_CHECKING:
    from analyses import Evaluation, Method, Outcome, Skipped
    from analyses.trees.decoders import Heads
    from data import Sentence
    from probe.model import Probe
    from probe.source import ImpactSource

FORMATS = ("conllu", "tree", "json")
_NAMED = 5
"""Unknown words that are named."""


@dataclass
class Run:
    """What a run has produced so far, and what makes its trees."""

    made_by: str
    induced: list[tuple[Sentence, Heads]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unknown: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def unknown_words(self) -> tuple[int, int] | None:
        """How many words the model's vocabulary does not know, of how many; None where no model read them."""
        total = sum(len(self.induced[at][0].words) for at in self.unknown)
        return (sum(map(len, self.unknown.values())), total) if self.unknown else None

    @property
    def sentences(self) -> list[Sentence]:
        """Those that have a tree."""
        return [sentence for sentence, _ in self.induced]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "sentences": [
                {"id": sentence.id, "words": sentence.words, "heads": heads.tolist()}
                | ({"unknown": [at + 1 for at in self.unknown[place]]} if self.unknown.get(place) else {})
                for place, (sentence, heads) in enumerate(self.induced)
            ],
            **({} if self.unknown_words is None else {"unknown_words": list(self.unknown_words)}),
            "skipped": [
                {"id": s.sentence.id, "where": s.sentence.where, "reason": s.reason} for s in self.skipped
            ],
        }


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe parse",
        description="Induce dependency trees from a masked language model by perturbed masking (Wu et al. 2020).",
        epilog="Without TEXT and --data it parses the bundled sample treebank.",
        failures="some input failed (under --strict also where it was skipped)",
    )
    add = parser.add_argument
    add("text", nargs="*", metavar="TEXT", help="a sentence: words separated by spaces, or text")
    add_input_options(parser)
    ModelOptions.add(parser)
    ImpactOptions.add(parser, matrices=True, of_method=True)
    trees = parser.group("trees")
    trees.add_argument(
        "--decoder",
        type=option_type(tree_maker),
        choices=(*DECODERS, *BASELINES),
        default="eisner",
        metavar="NAME",
        help=f"{', '.join(DECODERS)}, or a baseline: {', '.join(BASELINES)} (default: eisner)",
    )
    add_protocol(parser, several=False)
    default = "openness; paper under wu2020 and with metrics that can be negative; none with --matrices"
    add_method(parser, several=False, choose=_best_method, default=default)
    text = "infer, or gold: from the heads of the data (always under wu2020)"
    trees.add_argument("--root", help=text, **known("root", ("infer", "gold")))
    add("--evaluate", action="store_true", help="score against the heads of the data, beside the baselines")
    switch = argparse.BooleanOptionalAction
    add("--random-model", action=switch, default=True, help="score random weights, too; not with --matrices")
    add("--save-matrices", type=Path, metavar="DIR", help="keep impact matrices as DIR/NUMBER.safetensors")
    RandomOptions.add(parser, of="bootstrap, random trees and random weights")
    where = "write here, not to standard output"
    OutputOptions.add(parser, formats=FORMATS, default=None, out=where, metavar="FILE", strict="a sentence")
    parser.rename(output="--out")
    return parser


def _best_method(args: argparse.Namespace) -> str | None:
    """The method where none is given: matrices that are there have none."""
    if args.matrices is not None:
        return None
    return best_method(metric=args.metric, decoder=args.decoder, protocol=args.protocol)


def _parse(args: argparse.Namespace) -> int:
    from analyses import table

    sentences, name = read_input(args.text, args.data, args.limit, tokenize=args.tokenize)
    method = method_of(args)
    _check_input(args, sentences, method)
    with _output(args.out) as out:
        started = time.monotonic()
        model = _source(args) if method.needs_model else None
        method = _that_fits(method, model, args)
        run = Run(method.made_by(model))
        for outcome in _induce(args, sentences, model, method, "parsing"):
            _take(args, run, outcome, out)
        if args.evaluate and not run.induced and _format(args) is None:
            print(f"{_not_covered(run)}\n\nNo sentence was scored.")  # a file of scores says so, too
        check_probed([sentence for sentence, _ in run.induced], skipped=len(run.skipped))
        rows = _evaluate(args, run, model, method, name) if args.evaluate else []
        if _format(args) == "json":
            _write_json(run, model, method, rows, out)
    if rows and _format(args) != "json":
        # CoNLL-U on standard output stays CoNLL-U: then the scores go to stderr.
        scores = sys.stderr if _format(args) == "conllu" and args.out is None else sys.stdout
        counts = run.unknown_words or (0, 0)
        notes = [_not_covered(run)] if run.skipped else []
        notes += [unknown_text(*counts)] if counts[0] else []
        room = shutil.get_terminal_size().columns if scores.isatty() else ROOM
        signature = filled(f"Signature: {rows[-1].signature}", room, indent="  ")
        print("\n\n".join([table(rows), *notes, signature]), file=scores)
    sys.stdout.flush()
    if not args.quiet:
        if _format(args) == "conllu":
            _say_what_is_added(run)
        _say_unknown(run)
        _summarise(run, time.monotonic() - started)
    return SOME_FAILED if args.strict and run.skipped else DONE


def method_of(args: argparse.Namespace) -> Method:
    """How trees are made; refuses options that do not go together."""
    from analyses import Method

    if args.protocol == "wu2020" and args.root == "infer":
        raise UsageError(
            "--root infer does not go with --protocol wu2020, which gives the decoder the gold root"
        )
    method = Method(
        name=args.method,
        protocol=args.protocol,
        decoder=args.decoder,
        root="gold" if args.protocol == "wu2020" or args.root == "gold" else "predicted",
        metric=args.metric,
        layer=args.layer,
        pool=args.pool,
        perturb=args.perturb,
        attention=args.attention,
        adjust=args.adjust,
        openness_from=args.openness_from,
        batch_tokens=args.batch_tokens,
        seed=args.seed,
    )
    if args.save_matrices and not method.needs_model:
        raise UsageError(f"--decoder {args.decoder} makes no matrices to save")
    if args.matrices and not method.needs_model:
        raise UsageError(f"--decoder {args.decoder} reads no matrices")
    check_openness_from(args)
    if args.matrices and args.model is not None:
        raise UsageError("--model does not go with --matrices, which come from a model already: choose one")
    return method


def _that_fits(method: Method, model: ImpactSource | None, args: argparse.Namespace) -> Method:
    """The method itself, or where nobody asked for it what of it a model without predictions can do."""
    if args.method is None or args.method_given or args.openness_from is not None:
        return method
    adjust, note = that_fit(method.adjust, model)
    if note is not None and not args.quiet:
        print(note, file=sys.stderr)
    return replace(method, adjust=adjust)


def _check_input(args: argparse.Namespace, sentences: Sequence[Sentence], method: Method) -> None:
    """Find out before the model runs whether the input has what scores and gold roots need."""
    from analyses import scored_words
    from data import check_tree

    if args.evaluate or method.root == "gold":
        need = "--evaluate" if args.evaluate else "the gold root"
        if missing := next((s for s in sentences if s.heads is None), None):
            raise UsageError(f"{missing.where}: sentence {missing.id} has no gold heads, which {need} needs")
        for sentence in sentences:
            check_tree(sentence)
    if args.evaluate:
        try:
            scored = sum(int(scored_words(sentence, method.protocol).sum()) for sentence in sentences)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not scored:
            raise UsageError("--evaluate: no word of the input is scored: under fair, punctuation is not")
    if args.save_matrices:
        try:
            args.save_matrices.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{args.save_matrices}: cannot be made a directory ({error.strerror})"
            ) from error


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as CoNLL-U and JSON must be, whatever the locale
        yield sys.stdout
    else:
        with whole_file(path) as file:
            yield file


def _source(args: argparse.Namespace) -> ImpactSource:
    """The model, or in its place the matrices that it made."""
    from probe.store import Store

    if args.matrices is None:
        model = load_model(args)
        say_guess(model, args)
        return model
    say_sample(args, given=args.data is not None or bool(args.text))
    store = Store.open(args.matrices)
    if args.dtype not in ("auto", store.dtype):
        raise UsageError(f"--dtype {args.dtype}: the matrices of {args.matrices} are of {store.dtype}")
    return store


def _induce(
    args: argparse.Namespace,
    sentences: Sequence[Sentence],
    model: ImpactSource | None,
    method: Method,
    label: str,
) -> Iterator[Outcome]:
    """Trees with a progress bar."""
    from analyses import Induced, induce
    from probe.progress import Progress

    sizes = [0] * len(sentences)
    if model is not None:
        from probe.model import Probe  # imports torch, which baselines do without

        if isinstance(model, Probe):
            texts, open_ = method.read(sentences, model), needs_openness(method.adjust)
            sizes = [model.passes(one, [method.perturb], openness=open_) for one in texts]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        outcomes = induce(sentences, model, method, on_passes=progress.passes)
        for size, outcome in zip(sizes, _refusals_as_usage(outcomes), strict=True):
            progress.sentence(size, ran=isinstance(outcome, Induced))
            yield outcome


def _refusals_as_usage(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    try:
        yield from outcomes
    except ProbeError:
        raise
    except ValueError as error:
        raise UsageError(f"an impact matrix cannot be decoded so: {error}") from error


def _take(args: argparse.Namespace, run: Run, outcome: Outcome, out: TextIO) -> None:
    """Keep one outcome; write its tree and its matrix where they are asked for."""
    from analyses import Skipped

    number = len(run.induced) + len(run.skipped) + 1
    sentence = outcome.sentence
    if isinstance(outcome, Skipped):
        run.skipped.append(outcome)
        print(
            one_line(f"{sentence.where}: sentence {sentence.id} skipped: {outcome.reason}"), file=sys.stderr
        )
        return
    if outcome.matrix is not None:
        run.unknown[len(run.induced)] = outcome.matrix.unknown
    run.induced.append((sentence, outcome.heads))
    if args.save_matrices and outcome.matrix is not None:
        outcome.matrix.save(args.save_matrices / f"{number:06}.safetensors")
    form = _format(args)
    if form == "conllu":
        out.write(DependencyTree.of(outcome, run.made_by).to_conllu())
    elif form == "tree":
        first = f"# {run.made_by}\n" if len(run.induced) == 1 else ""
        out.write(f"{first}# {sentence.id}\n{DependencyTree.of(outcome, run.made_by)}\n\n")


def _format(args: argparse.Namespace) -> str | None:
    """How trees are written; None where only scores are asked for."""
    if args.format:
        return str(args.format)
    if args.out:
        return {".json": "json", ".txt": "tree"}.get(args.out.suffix, "conllu")
    return None if args.evaluate else "tree"


def _not_covered(run: Run) -> str:
    """What the scores of a run leave out."""
    total = len(run.induced) + len(run.skipped)
    return f"Left out of every row, since they could not be parsed: {len(run.skipped)} of {total} sentences."


def _evaluate(
    args: argparse.Namespace, run: Run, model: ImpactSource | None, method: Method, name: str
) -> list[Evaluation]:
    """Baselines, random weights and the model on the sentences that could be parsed."""
    from analyses import evaluation_rows, scored_words

    if not any(scored_words(sentence, method.protocol).any() for sentence, _ in run.induced):
        raise ProbeError("no sentence with words to score could be parsed, so there is nothing to score")
    sentences = run.sentences

    def rerun(blank: Probe) -> Iterator[Outcome]:
        return _induce(args, sentences, blank, method, "random weights")

    again = rerun if args.random_model else None
    rows = evaluation_rows(
        run.induced, model, method, data=name, version=__version__, skipped=len(run.skipped), rerun=again
    )
    return [*rows[:-1], replace(rows[-1], unknown_words=run.unknown_words)]


def _write_json(
    run: Run, model: ImpactSource | None, method: Method, rows: Sequence[Evaluation], out: TextIO
) -> None:
    """Write the whole run as one JSON document."""

    document = {
        "version": __version__,
        "protocol": method.protocol,
        "root": method.root,
        "settings": method.settings(model, run.sentences).signed(),
        **run.as_dict(),
        "evaluation": [row.as_dict() for row in rows],
    }
    json.dump(document, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _say_what_is_added(run: Run) -> None:
    """Blocks that were read come back as they were, but for comments that UD requires."""
    from data import added_comments

    read = [added_comments(sentence) for sentence, _ in run.induced if sentence.lines]
    for name in ("sent_id", "text"):
        if count := sum(name in added for added in read):
            where = f"{count} sentence{'s' if count > 1 else ''} without it"
            print(f"# {name} added to {where}, as UD requires", file=sys.stderr)


def _say_unknown(run: Run) -> None:
    """Count the words that the vocabulary does not know, and name the first few."""
    counts = run.unknown_words or (0, 0)
    named = [run.induced[place][0].words[at] for place, found in run.unknown.items() for at in found]
    if counts[0]:
        shown = ", ".join(map(repr, list(dict.fromkeys(named))[:_NAMED]))
        print(f"{unknown_text(*counts)} to the model's vocabulary, such as {shown}", file=sys.stderr)


def _summarise(run: Run, seconds: float) -> None:
    skipped = f", {len(run.skipped)} skipped" if run.skipped else ""
    noun = "sentence" if len(run.induced) == 1 else "sentences"
    print(f"{len(run.induced)} {noun} parsed{skipped} in {seconds:.1f} s: {run.made_by}", file=sys.stderr)


main = command_main(build_parser, _parse)
