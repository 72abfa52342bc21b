"""PWCN on aspect sentiment, Table 5 of Wu et al. (ACL 2020): ``probe sentiment --dataset laptop``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.options import add_method, finish
from analyses.sentiment import differences
from analyses.sentiment.corpus import FILES, Corpus, read_corpus
from analyses.sentiment.figure import SeedScore, plot, write_scores
from analyses.sentiment.tables import DatasetName, Setting, System, score, table
from analyses.sentiment.trees import Words, decoded_heads, sentences_of, tree_source, tree_sources
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS, Table, say_unknown, shared_signature
from analyses.trees.decoders import DECODERS
from analyses.trees.protocols import PROTOCOLS, ProtocolName
from analyses.trees.variants import openness_choice
from probe import __version__
from probe.command_line import DONE, Parser, UsageError, command_main, option_type, positive, utf8
from probe.files import file_stem
from probe.option_groups import ImpactOptions, InputOptions, ModelOptions, OutputOptions, RandomOptions, known
from probe.source import EMBEDDED

if TYPE_CHECKING:
    from analyses.sentiment.inputs import ModelChoice
    from analyses.sentiment.systems import Prepared
    from analyses.sentiment.training import Recipe
    from analyses.trees.decoders import Heads
    from data.absa import AspectItem

DEFAULT_TREES: tuple[str, ...] = ("lstm", "position", "eisner")
PUBLISHED_DISTANCES = ("dist-spacy", "dist-wu2020-eisner")
"""Folders of published distances that ``--table`` takes in where they lie beside the data."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe sentiment",
        description="Do the trees of a masked language model help a task? PWCN (Zhang et al. 2019) on aspect "
        "sentiment, by source of trees, beside the published figures (Wu et al. 2020, Table 5).",
        epilog="A killed run goes on where it stopped: the same command reads what is in --run.",
        failures="some items failed",
    )
    add = parser.add_argument
    add("--table", action="store_true", help="all of Table 5: both data sets, every source, both protocols")
    add("--dataset", nargs="+", choices=tuple(FILES), help="default: laptop")
    text = "folder of the .seg files (default: $PROBE_DATA/absa)"
    InputOptions.add(parser, help=text, metavar="DIR", limit="items of training and test set")
    add("--train", type=Path, metavar="FILE", help="training items of your own, .seg or .xml; with --test")
    add("--test", type=Path, metavar="FILE", help="test items of your own, .seg or .xml")
    add(
        "--trees",
        nargs="+",
        type=option_type(tree_source),
        metavar="NAME",
        help=f"sources of trees: {', '.join(tree_sources())} (default: {' '.join(DEFAULT_TREES)})",
    )
    add(
        "--distances",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="folders of FILE.dist, a row each",
    )
    add("--protocol", nargs="+", help="default: fair, with --table both", **known("protocol", PROTOCOLS))
    add("--networks", type=positive, default=5, metavar="N", help="networks a row (default: %(default)s)")
    add("--embeddings", type=Path, metavar="FILE", help="word2vec or GloVe text (default: from the model)")
    add("--hidden", type=positive, default=300, metavar="N", help="units of the LSTM (default: 300)")
    add("--epochs", type=positive, default=100, metavar="N", help="at most so many (default: 100)")
    add("--run", type=Path, default=Path("runs/sentiment"), metavar="DIR", help="default: %(default)s")
    add("--keep-weights", action="store_true", help="keep the weights of the networks in --run, too")
    add("--predict", type=utf8, metavar="TEXT", help="classify --aspect of this by one of --trees (eisner)")
    add("--aspect", type=utf8, metavar="WORDS", help="the aspect, as it stands in the sentence")
    ModelOptions.add(parser, default=EMBEDDED)
    ImpactOptions.add(parser)
    add_method(parser, several=False)
    RandomOptions.add(parser, of="the bootstrap")
    where = "write tables, figures and the scores of every seed there, too"
    OutputOptions.add(parser, formats=FORMATS, out=where)
    parser.rename(seeds="--networks")
    return parser


def _finish(args: argparse.Namespace) -> int:
    """Of ``--predict`` there is no table."""
    found = _run(args)
    return finish(found, args) if isinstance(found, Ran) else found


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them; not for ``--predict``."""
    if isinstance(found := _run(args), Ran):
        return found
    raise UsageError("--predict makes no table")


def _run(args: argparse.Namespace) -> Ran | int:
    from probe.locks import locked

    protocols: Sequence[ProtocolName] = args.protocol or (PROTOCOLS if args.table else ("fair",))
    trees: Sequence[str] = args.trees or _default_trees(args)
    corpora = _corpora(args)
    sentence = _asked(args, corpora, trees, protocols) if args.predict is not None else None
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    with locked(args.run):
        return _run_all(corpora, trees, protocols, sentence, args)


def _run_all(
    corpora: Sequence[Corpus],
    trees: Sequence[str],
    protocols: Sequence[ProtocolName],
    sentence: AspectItem | None,
    args: argparse.Namespace,
) -> Ran | int:
    """All corpora under all protocols, or what the first network says of a sentence."""
    tables: list[tuple[str, Table]] = []
    failed = 0
    for corpus in corpora:
        prepared, left_out = _prepare(corpus, trees, args)
        failed += left_out
        if sentence is not None:
            return _predict(sentence, prepared, trees[0], protocols[0], args)
        sources = [*trees, *corpus.training.distances]
        for protocol in dict.fromkeys(protocols):
            tables += _measure(prepared, sources, protocol, left_out, args)
    return Ran(tables=tuple(tables), failed=failed > 0)


# --- input


def _default_trees(args: argparse.Namespace) -> Sequence[str]:
    if args.table:
        return tree_sources()
    return DEFAULT_TREES if args.predict is None else ("eisner",)


def _corpora(args: argparse.Namespace) -> list[Corpus]:
    """Read and check all input before a model is loaded."""
    if args.aspect is not None and args.predict is None:
        raise UsageError("--aspect: --predict is expected, too")
    if (args.train is None) != (args.test is None):
        raise UsageError("--train and --test go together")
    if args.train is not None:
        if args.dataset or args.table or args.data:
            raise UsageError("--train and --test are in place of --dataset, --data and --table")
        name = args.train.name.partition(".")[0]
        files = (args.train, args.test)
        return [read_corpus(name, files, distances=_unlike(args.distances), limit=args.limit)]
    names: Sequence[DatasetName] = args.dataset or (tuple(FILES) if args.table else ("laptop",))
    folder = _folder(args)
    distances = list(args.distances)
    for path in (folder / name for name in PUBLISHED_DISTANCES if args.table):
        if path.is_dir():
            distances.append(path)
        elif not args.quiet:
            print(f"{path}: there is none of this name, so its row is left out", file=sys.stderr)
    return [
        read_corpus(
            name,
            (folder / FILES[name][0], folder / FILES[name][1]),
            dataset=name,
            distances=_unlike(distances),
            limit=args.limit,
        )
        for name in dict.fromkeys(names)
    ]


def _unlike(folders: Sequence[Path]) -> list[Path]:
    """Folders of distances, whose names become those of rows."""
    found = {path.name: path for path in folders}
    if len(found) < len(set(folders)) or set(found) & {"", *tree_sources()}:
        raise UsageError("--distances: folders with names of their own, and none of --trees, are expected")
    return list(found.values())


def _folder(args: argparse.Namespace) -> Path:
    if args.data is not None:
        return Path(args.data)
    if "PROBE_DATA" not in os.environ:
        raise UsageError("--data is expected: the folder of Laptops_Train.xml.seg and its like")
    return Path(os.environ["PROBE_DATA"]) / "absa"


def _asked(
    args: argparse.Namespace,
    corpora: Sequence[Corpus],
    trees: Sequence[str],
    protocols: Sequence[ProtocolName],
) -> AspectItem:
    """The sentence of ``--predict``, its aspect found."""
    from data import DataError
    from data.absa import AspectItem, find_aspect, tokenize

    if args.aspect is None:
        raise UsageError("--predict: --aspect is expected, too")
    if len(corpora) > 1 or len(trees) > 1 or len(protocols) > 1 or args.distances:
        raise UsageError("--predict: one --dataset, one of --trees, one --protocol and no --distances")
    if args.format not in ("table", "json") or args.out is not None:
        raise UsageError("--predict: --format table or json and no --out: it makes no table")
    words = tokenize(args.predict)
    try:
        aspect = find_aspect(words, tokenize(args.aspect))
    except DataError as error:
        raise UsageError(f"--aspect: {error}") from error
    return AspectItem(words=words, aspect=aspect, polarity=0)


# --- model, trees, vectors


def _choice(args: argparse.Namespace) -> ModelChoice:
    from analyses.sentiment.inputs import ModelChoice

    return ModelChoice(
        name=args.model,
        metric=args.metric,
        layer=args.layer,
        pool=args.pool,
        perturb=args.perturb,
        attention=args.attention,
        adjust=args.adjust,
        openness_from=args.openness_from,
        device=args.device,
        dtype=args.dtype,
        batch_tokens=args.batch_tokens,
    )


def _prepare(corpus: Corpus, trees: Sequence[str], args: argparse.Namespace) -> tuple[Prepared, int]:
    """Trees and vectors of a corpus, without the items that cannot be probed; and how many these are."""
    from analyses.sentiment.inputs import read_inputs
    from analyses.sentiment.systems import Prepared
    from probe.loading import resolve_device

    items = [*corpus.training.items, *corpus.test.items]
    inputs = read_inputs(
        sentences_of(items),
        [name for name in DECODERS if name in trees],
        _choice(args),
        folder=args.run,
        vectors=args.embeddings,
        quiet=args.quiet,
    )
    left_out = [item for item in items if item.words in inputs.failed]
    for item in left_out:
        print(f"{item.where}: item skipped: {inputs.failed[item.words]}", file=sys.stderr)
    if not args.quiet:
        print(inputs.embeddings.coverage, file=sys.stderr)
    say_unknown(args.model, inputs.unknown_words or (0, 0), quiet=args.quiet)
    prepared = Prepared(
        corpus=corpus.without(inputs.failed),
        embeddings=inputs.embeddings,
        heads=inputs.heads,
        settings=inputs.settings,
        unknown_words=inputs.unknown_words,
        device=resolve_device(args.device),
    )
    return prepared, len(left_out)


# --- training and output


def _recipe(protocol: ProtocolName, args: argparse.Namespace) -> Recipe:
    from analyses.sentiment.network import Shape
    from analyses.sentiment.training import Recipe

    return Recipe(protocol=protocol, shape=Shape(hidden=args.hidden), epochs=args.epochs)


def _train(
    prepared: Prepared, sources: Sequence[str], seeds: int, recipe: Recipe, args: argparse.Namespace
) -> list[System]:
    from analyses.sentiment.systems import ordered, systems, training_progress

    names = ordered(sources)
    with training_progress(seeds * len(names), quiet=args.quiet) as progress:
        try:
            return systems(
                prepared,
                names,
                recipe=recipe,
                seeds=seeds,
                runs=args.run / "networks",
                keep_weights=args.keep_weights or args.predict is not None,
                progress=progress,
            )
        except KeyboardInterrupt:
            done = f"{progress.networks} of {seeds * len(names)} networks are trained"
            raise KeyboardInterrupt(f"{done}; the same command goes on from there") from None


def _measure(
    prepared: Prepared,
    sources: Sequence[str],
    protocol: ProtocolName,
    left_out: int,
    args: argparse.Namespace,
) -> list[tuple[str, Table]]:
    """Train all sources by a protocol; the tables, and with ``--out`` figure and scores of the seeds."""
    corpus = prepared.corpus
    trained = _train(prepared, sources, args.networks, _recipe(protocol, args), args)
    skipped = f"Left out of every row, since the model could not probe them: {left_out} items."
    setting = Setting(
        data=corpus.name,
        test=corpus.test.items,
        protocol=protocol,
        notes=(
            f"{len(corpus.training.items):,} training and {len(corpus.test.items):,} test items, "
            f"{args.networks} seed{'s' if args.networks > 1 else ''}, {args.hidden} hidden units.",
            *([skipped] if left_out else []),
            f"Embeddings: {prepared.embeddings.coverage}; a word without one has zeros.",
        ),
        about=(
            f"embeddings:{prepared.embeddings.name}",
            f"hidden:{args.hidden}",
            f"epochs:{args.epochs}",
            f"device:{prepared.device.type}",
        ),
        seed=args.seed,
        model=args.model,
        unknown_words=prepared.unknown_words,
    )
    found = table(trained, setting, dataset=corpus.dataset)
    stem = f"sentiment-{corpus.name}-{protocol}"
    if args.out is not None:
        _write_seeds(args.out / stem, trained, setting, found)
    return differences.tables(stem, found, trained, setting)


def _write_seeds(stem: Path, trained: Sequence[System], setting: Setting, found: Table) -> None:
    from analyses.pictures.style import save

    scores = [
        SeedScore(
            data=setting.data,
            protocol=setting.protocol,
            row=system.name,
            seed=run.seed,
            accuracy=float(figures.accuracy[at]),
            macro_f1=float(figures.f1[at]),
        )
        for system in trained
        for figures in [score(setting.labels, system.runs)]
        for at, run in enumerate(system.runs)
    ]
    write_scores(stem.with_name(f"{file_stem(f'{stem.name}-seeds')}.csv"), scores)
    save(plot(scores, signature=shared_signature(found)), stem.with_name(f"{stem.name}-seeds"))


def _predict(
    item: AspectItem,
    prepared: Prepared,
    source: str,
    protocol: ProtocolName,
    args: argparse.Namespace,
) -> int:
    """Train the first seed, if need be, and print what it says of the item."""
    from dataclasses import replace

    from analyses.sentiment.predict import predict_aspect, print_prediction
    from analyses.sentiment.systems import source_distances, source_heads

    heads: dict[str, dict[Words, Heads]] = {}
    if source in DECODERS:
        choice = _choice(args)
        model = choice.load()
        open_ = openness_choice(model, [choice.adjust], choice.openness_from)
        matrix = model.impact(item.words, **choice.impact, openness=open_)
        heads[source] = decoded_heads([matrix], [item.words], source, adjustment=choice.adjust)
    trees = source_heads(source, [item.words], decoded=heads, seed=0)
    recipe = _recipe(protocol, args)
    (system,) = _train(prepared, [source], 1, recipe, args)
    found = predict_aspect(
        item,
        source_distances(source, [item], trees)[0],
        system.runs[0],
        prepared.embeddings,
        recipe=replace(recipe, architecture="lstm") if source == "lstm" else recipe,
        heads=None if trees is None else trees[item.words].tolist(),
    )
    about = f"{source}, trained on {prepared.corpus.name}, protocol {protocol}, seed 0, v{__version__}"
    print_prediction(found, about, as_json=args.format == "json")
    return DONE


main = command_main(build_parser, _finish)
