"""Text from a masked language model in any order: ``probe generate "The _ sat on the _." --model bert``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from analyses.options import finish, keep, load_models
from analyses.order.generation import (
    CONFIDENCE,
    Generated,
    OrderChoice,
    Sampling,
    draw_alone,
    generate,
    pseudo_log_probabilities,
)
from analyses.order.generation_tables import Batch, generation_tables
from analyses.order.orders import ORDERS
from analyses.order.perplexity import output_bias
from analyses.order.template import UNITS, Template, make_template
from analyses.order.vocabulary import Vocabulary
from analyses.tables.results import Ran
from analyses.tables.signature import Settings, seeds_text
from analyses.tables.table import FORMATS
from probe import __version__
from probe.command_line import (
    DONE,
    Parser,
    UsageError,
    command_main,
    option_type,
    positive,
    utf8,
    whole_number,
)
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions, known
from probe.registry import check_name
from probe.source import EMBEDDED

if TYPE_CHECKING:
    from probe import Probe

TEXT = "text"
"""The format of texts alone, a line each."""
LENGTH = 12
"""Blanks where nothing is given."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe generate",
        description="Text from a masked language model, a piece at a time in any order (u-PMLM, Liao et al. "
        "2020); given words stay where they are.",
        epilog="A blank is filled with one piece of the model's vocabulary.",
        failures="it failed",
    )
    parser.add_argument(
        "given",
        nargs="?",
        default="",
        type=utf8,
        metavar="TEXT",
        help="words, and _ for each blank, which begins a word where a space is before it",
    )
    InputOptions.add(parser, limit="texts of each order (default: 1)")
    parser.set_defaults(limit=1)
    parser.rename(texts="--limit")
    add = parser.group("text").add_argument
    text = f"blanks behind TEXT (default: {LENGTH}, if there is no TEXT and no --initials)"
    add("--length", type=positive, metavar="N", help=text)
    text = "put a word at a piece, counted from 1, or from the end with -1 as the last; as often as you like"
    add("--fix", type=_fixed, nargs="+", action="extend", default=[], metavar="WORD@N", help=text)
    text = "a letter for each blank, with which its word begins: an acrostic"
    add("--initials", type=utf8, default="", metavar="LETTERS", help=text)
    text = "what fills the blanks of --length: any piece, or one that begins a word (default: piece)"
    add("--unit", default="piece", help=text, **known("unit", UNITS))
    add = parser.group("drawing").add_argument
    names = ", ".join((*ORDERS, CONFIDENCE))
    text = f"{names} (the surest first), or the blanks' places, 3,1,2 (default: random)"
    add("--order", dest="orders", type=_order, nargs="+", default=["random"], metavar="NAME", help=text)
    text = "above 1 flatter, below 1 steeper; 0: the likeliest piece (default: 1)"
    add("--temperature", type=_temperature, default=1.0, metavar="T", help=text)
    text = "draw among the N likeliest pieces; 0: all (default: %(default)s)"
    add("--top-k", type=whole_number, default=0, metavar="N", help=text)
    text = "draw among the likeliest pieces that together have this probability (default: 1)"
    add("--top-p", type=_share, default=1.0, metavar="P", help=text)
    ModelOptions.add(parser, default=EMBEDDED, dtype="float32")
    RandomOptions.add(parser, of="draws, random orders and bootstrap", seeds=1)
    OutputOptions.add(parser, formats=(TEXT, *FORMATS))
    text = (
        "a table of the steps of the first N texts of each order (1), with --out a picture of the first, too"
    )
    parser.group("output").add_argument(
        "--steps", type=positive, nargs="?", const=1, default=0, metavar="N", help=text
    )
    return parser


def _order(value: str) -> OrderChoice:
    if re.fullmatch(r"\d+(,\d+)*", value):
        return tuple(map(int, value.split(",")))
    if value in ORDERS:
        return ORDERS.resolve(value)
    return option_type(lambda name: check_name("order", name, (*ORDERS, CONFIDENCE)))(value)


def _fixed(value: str) -> tuple[int, str]:
    word, sign, place = utf8(value).rpartition("@")
    if not sign or not re.fullmatch(r"-?[1-9]\d{0,8}", place) or not word.strip():
        raise argparse.ArgumentTypeError(f"a word and its place are expected, as fire@3, found {value!r}")
    return int(place), word.strip()


def _number(value: str, wanted: str, holds: Callable[[float], bool]) -> float:
    from data.numbers import parse_number

    found = parse_number(value)
    if found is None or not holds(found):
        raise argparse.ArgumentTypeError(f"{wanted} is expected, found {value!r}")
    return found


def _temperature(value: str) -> float:
    return _number(value, "a number from 0", lambda number: number >= 0)


def _share(value: str) -> float:
    return _number(value, "a number above 0 and at most 1", lambda number: 0 < number <= 1)


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    from probe.needs import check_fills_masks

    if len(fixed := dict(args.fix)) < len(args.fix):
        raise UsageError("--fix: one word for a place is expected, found two")
    (model,) = load_models(args)
    check_fills_masks(model, "text")
    vocabulary = Vocabulary.of(model)
    nothing = not (args.given or args.initials or args.length)
    template = make_template(
        model,
        vocabulary,
        args.given,
        length=LENGTH if nothing else args.length or 0,
        fixed=fixed,
        initials=args.initials,
        unit=args.unit,
    )
    batches = list(_batches(model, template, args))
    tables = generation_tables(model, template, batches, notes=_notes(args), seed=args.seed, steps=args.steps)
    if args.steps and args.out is not None:
        _draw(model, template, batches, args)
    return Ran(tables=tuple(tables))


def _batches(model: Probe, template: Template, args: argparse.Namespace) -> Iterator[Batch]:
    """The texts of the baselines, then those of the model in each order."""
    from probe.progress import Progress

    sampling = Sampling(temperature=args.temperature, top_k=args.top_k, top_p=args.top_p)
    own = Settings(model=model.name, dtype=str(model.dtype).removeprefix("torch."))

    def judged(texts: Sequence[Generated]) -> dict[str, object]:
        pseudo = pseudo_log_probabilities(model, template, texts, batch_tokens=args.batch_tokens)
        return {"texts": texts, "pseudo": pseudo}

    bias = output_bias(model)
    alone = draw_alone(template, bias, texts=args.limit, sampling=sampling, seed=args.seed)
    name = "drawn by the output bias alone" if bias is not None else "any pieces"
    yield Batch(name=name, stem="alone", kind="baseline", settings=own, sees=False, **judged(alone))  # type: ignore[arg-type]
    blank = [model.with_random_weights(seed=seed) for seed in range(args.seeds)]
    passes = args.limit * len(template.blanks) * len(args.orders) * (1 + len(blank))
    with Progress(
        sentences=len(args.orders) * (1 + len(blank)), passes=passes, label=model.name, quiet=args.quiet
    ) as progress:

        def texts(writer: Probe, order: OrderChoice) -> list[Generated]:
            return generate(
                writer,
                template,
                order,
                texts=args.limit,
                sampling=sampling,
                seed=args.seed,
                batch_tokens=args.batch_tokens,
                on_passes=progress.passes,
            )

        for order in dict.fromkeys(args.orders):
            label = order if isinstance(order, str) else ",".join(map(str, order))
            if blank:
                found = [text for each in blank for text in texts(each, order)]
                settings = Settings(model=own.model, dtype=own.dtype, random_weights=len(blank))
                yield Batch(
                    name=f"{model.name} random weights, {label}",
                    stem=f"random-weights-{label}",
                    kind="baseline",
                    settings=settings,
                    **judged(found),  # type: ignore[arg-type]
                )
            yield Batch(
                name=f"{model.name}, {label}",
                stem=label,
                kind="model",
                settings=own,
                **judged(texts(model, order)),  # type: ignore[arg-type]
            )


def _notes(args: argparse.Namespace) -> list[str]:
    how = f"Seed {args.seed}, temperature {args.temperature:g}, top-k {args.top_k or 'all'}, top-p {args.top_p:g}"
    notes = [f"{how}; a blank is filled with one piece."]
    return [*notes, f"Random weights: {seeds_text(args.seeds)}."] if args.seeds else notes


def _draw(model: Probe, template: Template, batches: Sequence[Batch], args: argparse.Namespace) -> None:
    from analyses.order.figures import steps_figure
    from analyses.pictures.style import save, style

    how = f"top-k:{args.top_k or 'all'} | top-p:{args.top_p:g}"
    signature = f"seed:{args.seed} | temperature:{args.temperature:g} | {how} | v{__version__}"
    for batch in batches:
        if batch.kind == "model":
            with style():
                figure = steps_figure(model, template, batch.texts[0], title=batch.name, signature=signature)
                save(figure, args.out / f"steps-{batch.stem}")


def _main(args: argparse.Namespace) -> int:
    ran = run(args)
    if args.format != TEXT:
        return finish(ran, args)
    keep(ran, args)
    for stem, table in ran.tables:
        if stem.startswith("generated-"):
            for row in table.rows:
                if row.kind == "model":
                    print(row.name)
    sys.stdout.flush()
    return DONE


main = command_main(build_parser, _main)
