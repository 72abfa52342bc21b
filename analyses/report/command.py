"""A report to send to a colleague, one HTML file: ``probe report --model bert --out report.html``."""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata, resources
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from analyses.dependency.trees import Treebank
from analyses.experiment import Settings
from analyses.options import add_method, load_sources
from analyses.report.inputs import Inputs, recognise
from analyses.report.page import Report, page
from analyses.report.sections import TREES, Made, Section, by_method, kinds, make, sections
from analyses.report.trees import (
    Method,
    Part,
    constituency_part,
    dependency_part,
    scorable,
    text_part,
)
from analyses.trees.decoders import DECODERS
from analyses.trees.methods import METHODS
from analyses.trees.variants import variants
from data.dp import wsj10
from probe import __version__
from probe.command_line import (
    DONE,
    SOME_FAILED,
    Parser,
    UsageError,
    exit_code,
    option_type,
)
from probe.errors import ProbeError
from probe.files import whole_file
from probe.inputs import add_tokenize, read_input
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions
from probe.source import EMBEDDED

if TYPE_CHECKING:
    from data import PtbTree
    from probe.source import ImpactSource

_CARD = "README.md"
_PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe report",
        description="One HTML file with tables, figures and a list of sentences to browse, of the trees that "
        "perturbed masking finds in a model.",
        epilog="Without TEXT and --data it is made of the bundled sample.",
        failures="some sentences failed",
    )
    parser.set_defaults(
        metrics=["dist"],
        layers=["best"],
        pools=["best"],
        perturb=["pair"],
        out=None,
        default_metrics=("dist",),
    )
    add = parser.add_argument
    add("text", nargs="*", metavar="TEXT", help="a sentence: words separated by spaces, or text")
    kinds_of_data = "treebanks (.conllu, .mrg, .dp), .txt, SciDTB, STS, LAMA, BLiMP"
    text = f"files or folders: {kinds_of_data}, or an --out of a command"
    InputOptions.add(parser, help=text, nargs="+", limit="sentences, facts, pairs of each file")
    add_tokenize(parser)
    ModelOptions.add(parser)
    known = kinds()
    text = "parts of the page (default: all that the data allow)"
    add("--parts", nargs="+", choices=known, default=known, help=text)
    parser.rename(sections="--parts")
    add("--out", dest="report", type=Path, required=True, metavar="FILE", help="the HTML file to write")
    text = "in place of a model: read the impact matrices of this directory of probe run"
    add("--matrices", type=Path, metavar="DIR", help=text)
    add(
        "--decoder",
        type=option_type(DECODERS.resolve),
        default="eisner",
        metavar="NAME",
        help=f"of dependency trees: {', '.join(DECODERS)} (default: eisner)",
    )
    add_method(parser, methods=True)
    RandomOptions.add(parser, seeds=3)
    OutputOptions.add(parser, out=None)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    given = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(given)
    return exit_code(parser.prog, lambda: _run(args, given))


def _run(args: argparse.Namespace, given: Sequence[str]) -> int:
    _check_target(args.report)
    inputs, names = _inputs(args)
    texts = _texts(args, inputs)
    corpora, treebanks = _read(args, inputs)
    planned = [section for section in sections(inputs, limit=args.limit) if section.kind in args.parts]
    if args.matrices is not None:
        if (len(corpora) + len(texts), len(treebanks), inputs.work) != (1, 0, []):
            raise UsageError("--matrices are those of one corpus of dependency trees: give one such --data")
        planned = []
    if not (corpora or texts or treebanks or planned or inputs.results):
        raise UsageError(f"--parts {' '.join(args.parts)}: the data allow none of these")
    computed = corpora or texts or treebanks or planned or args.model
    model = load_sources(args)[0] if computed else None
    methods = _methods(model, args) if model is not None else []
    parts, failed = _parts(model, methods, corpora, texts, treebanks, args) if model is not None else ([], [])
    made = _sections(planned, args)
    failed += [each.note for each in made if each.failed]
    refused = [each.note for each in made if each.note and not each.failed]
    results = (*(each.results for each in made if each.results.tables), *inputs.results)
    if not parts and not results:
        raise ProbeError(" ".join([*failed, *refused]))
    notes = [
        f"{corpus.name} has no scores under protocol fair: it has words without a part-of-speech tag (UPOS)."
        for corpus in corpora
        if "fair" not in scorable(corpus)
    ]
    if len(methods) > 1:
        notes += [f"Method {one.name}: {one.decoder}+{one.variant}." for one in methods]
    notes += [
        f"{text.name} has no gold trees: its trees, made under protocol fair, have no scores."
        for text in texts
    ]
    facts = _facts(model, methods, args) if model is not None else inputs.configuration
    report = Report(
        title=", ".join(dict.fromkeys(names)) + (f" with {model.name}" if model is not None else ""),
        parts=tuple(parts),
        results=results,
        facts=facts,
        card=_card(model.name) if model is not None else None,
        command=shlex.join(["probe", "report", *given]),
        versions=_versions(),
        notes=(*notes, *inputs.notes, *failed, *refused, *_strangers(facts, inputs)),
    )
    with whole_file(args.report) as file:
        file.writelines(page(report))
    return max(_tell(args, report), SOME_FAILED if failed else DONE)


def _parts(
    model: ImpactSource,
    methods: Sequence[Method],
    corpora: Sequence[Treebank],
    texts: Sequence[Treebank],
    treebanks: Sequence[tuple[str, tuple[PtbTree, ...]]],
    args: argparse.Namespace,
) -> tuple[list[Part], list[str]]:
    """Trees, scores and sentences of every corpus; and why others have none."""
    parts, failed = [], []
    for make_part, found in ((dependency_part, corpora), (text_part, texts)):
        for corpus in found:
            try:
                parts.append(make_part(model, methods, corpus, args))
            except ProbeError as error:
                failed.append(f"{corpus.name}: {error}")
    for name, trees in treebanks:
        try:
            parts.append(constituency_part(model, methods, name, trees, args))
        except ProbeError as error:
            failed.append(f"{name}: {error}")
    return parts, failed


def _methods(model: ImpactSource, args: argparse.Namespace) -> list[Method]:
    """How trees are made: by the options alone, or by each method with the options that were given beside it."""
    found = []
    for name, own in ({"": args} if args.method is None else args.method_each).items():
        (variant,) = variants(model, own)
        preset = METHODS[name] if name else None
        bundled = preset is not None and variant.adjust == preset.adjust
        constituents = replace(variant, adjust=preset.adjust_constituents) if preset and bundled else variant
        found.append(Method(name=name, variant=variant, decoder=own.decoder, constituents=constituents))
    return found


def _sections(planned: Sequence[Section], args: argparse.Namespace) -> list[Made]:
    """The sections of other commands, once for each method that they take."""
    settings = Settings(
        model=ModelOptions.of(args).models[0],
        limit=args.limit,
        seeds=args.seeds,
        device=args.device,
        dtype=args.dtype,
        quiet=args.quiet or not sys.stderr.isatty(),
    )
    asked = [pair for section in planned for pair in by_method(section, settings, args.method or [None])]
    with TemporaryDirectory() as scratch:
        return [
            make(section, own, Path(scratch) / str(number)) for number, (section, own) in enumerate(asked)
        ]


def _strangers(facts: Mapping[str, str], inputs: Inputs) -> list[str]:
    """A warning where results come from other weights than what is computed here."""
    here, there = facts.get("weights, SHA-256"), inputs.configuration.get("weights")
    if here is None or there is None or here == there:
        return []
    return [f"The results of --out folders are of other weights: {inputs.configuration['model']}, {there}."]


def _check_target(target: Path) -> None:
    """Find out before a model runs whether the report can be written.

    Raises:
        UsageError: the folder is not there or cannot be written to.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"--out {target}: a file in a folder that is there is expected")
    if target.exists() and not target.is_file():
        return  # a device or a pipe
    try:
        TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise UsageError(f"--out {target}: cannot be written ({error.strerror})") from error


def _tell(args: argparse.Namespace, report: Report) -> int:
    for part in report.parts:
        for reason in part.skipped:
            print(reason, file=sys.stderr)
    if not args.quiet:
        sentences = sum(len(part.seen) for part in report.parts)
        size = args.report.stat().st_size / 1e6
        print(f"{args.report}: {sentences:,} sentences, {size:.1f} MB", file=sys.stderr)
    return SOME_FAILED if any(part.skipped for part in report.parts) else DONE


# --- data


def _inputs(args: argparse.Namespace) -> tuple[Inputs, list[str]]:
    """What there is to show, and what it is called: the bundled sample if nothing is given."""
    if args.text:
        if args.data is not None:
            raise UsageError("sentences are given both as text and with --data: choose one")
        return Inputs(), ["text"]
    if args.data is not None:
        return recognise(args.data), [path.resolve().stem for path in args.data]
    sample = Path(str(resources.files("data") / "sample"))
    files = [sample / "sample.mrg"] if args.matrices is None else []
    return Inputs(conllu=[sample / "sample.conllu"], brackets=files), ["sample"]


def _read(
    args: argparse.Namespace, inputs: Inputs
) -> tuple[list[Treebank], list[tuple[str, tuple[PtbTree, ...]]]]:
    """Read and check the trees before a model is loaded: dependency corpora, then constituency treebanks."""
    import data

    if TREES not in args.parts:
        return [], []
    note = None if args.data is not None else "Data: the bundled sample, since --data is not given."
    corpora = [_conllu(file, args, note) for file in inputs.conllu]
    for path in inputs.heads:
        sentences = tuple(wsj10(path))[: args.limit]
        corpora.append(Treebank(name=f"{path.name}-wsj10", items=sentences, treebank="WSJ10-U"))
    for corpus in corpora:
        for sentence in corpus.items:
            data.check_tree(sentence)
        if not scorable(corpus):
            raise UsageError(f"{corpus.name}: no word to score")
    return corpora, [(path.stem, tuple(data.read_ptb(path))) for path in inputs.brackets]


def _texts(args: argparse.Namespace, inputs: Inputs) -> list[Treebank]:
    """Sentences without gold trees: of the command line or of files of text."""
    if args.tokenize and not (args.text or inputs.texts):
        raise UsageError("--tokenize: text is expected, as an argument or as a .txt file of --data")
    if TREES not in args.parts:
        return []
    sources: list[str | None] = [None] if args.text else [str(path) for path in inputs.texts]
    found = [read_input(args.text, source, args.limit, tokenize=args.tokenize) for source in sources]
    return [Treebank(name=name, items=tuple(sentences)) for sentences, name in found]


def _conllu(path: Path, args: argparse.Namespace, note: str | None) -> Treebank:
    import data

    return Treebank(
        name=path.stem,
        items=tuple(data.read_conllu(path))[: args.limit],
        treebank="PUD" if "en_pud" in path.stem.lower() else None,
        note=note,
    )


# --- about the model


def _facts(model: ImpactSource, methods: Sequence[Method], args: argparse.Namespace) -> dict[str, str]:
    from probe.fingerprint import tokenizer_sha256, weights_sha256
    from probe.model import Probe

    facts = {"name": model.name, "layers": str(model.n_layers)}
    for method in methods:
        facts[f"method {method.name}" if method.name else "settings"] = f"{method.decoder}+{method.variant}"
    facts["computed in"] = str(model.dtype).removeprefix("torch.")
    if not isinstance(model, Probe):
        return facts | {"matrices": str(args.matrices)}

    return facts | {
        "class": type(model.model).__name__,
        "parameters": f"{model.model.num_parameters():,}",
        "vocabulary": f"{len(model.tokenizer):,} pieces",
        "window": f"{model.window:,} pieces",
        "device": str(model.device),
        "weights, SHA-256": weights_sha256(model.model),
        "tokenizer, SHA-256": tokenizer_sha256(model.tokenizer),
    }


def _card(name: str) -> str | None:
    """The README beside a model, where the model is in a folder."""
    folder = Path(str(resources.files("probe") / "embedded")) if name == EMBEDDED else Path(name)
    card = folder / _CARD
    return card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None


def _versions() -> dict[str, str]:
    found = {"perturbed-probe": __version__, "Python": platform.python_version()}
    return found | {package: metadata.version(package) for package in _PACKAGES}
