"""Which layer of a model is like which of another: ``probe layer-map --model A B``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.compression.figures import maps_of_layers
from analyses.compression.layer_maps import GROUPS, Floats, cka_errors, gram, rank_correlations
from analyses.compression.map_tables import Likeness, map_tables
from analyses.kept import kept_impacts
from analyses.options import experiment_main, load_models
from analyses.pictures.style import save, style
from analyses.states.options import Corpus, read_corpus
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS
from analyses.trees.protocols import text_read
from analyses.trees.variants import Variant, matrices, random_weights, say_unknown_words
from probe.command_line import Parser, UsageError, positive
from probe.errors import ProbeError, SentenceError, one_line
from probe.option_groups import ImpactOptions, InputOptions, ModelOptions, OutputOptions, RandomOptions
from probe.spaces import as_text, running

if TYPE_CHECKING:
    from probe.model import Probe, Words
    from probe.options import Settings
    from probe.source import ImpactSource

_LEAST = 3
"""Words of a sentence that is compared: fewer have too few impacts to rank."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe layer-map",
        description="Which layer of a model is nearest to which of another over the same words: by the rank "
        "correlation of their impacts, and by linear centred kernel alignment of their states (Kornblith et al. "
        "2019). Two models, or one whose layers are compared with each other.",
        failures="some sentences failed",
    )
    text = (
        ".conllu, .txt (a tokenised sentence a line), .tsv of STS, or a folder of these; without: the sample"
    )
    InputOptions.add(parser, help=text)
    ModelOptions.add(parser, several=True)
    ImpactOptions.add(parser, perturb="knockout", layer=False)
    group = parser.group("states")
    text = "words whose states are compared, drawn from all (default: %(default)s)"
    group.add_argument("--words", type=positive, default=1000, metavar="N", help=text)
    RandomOptions.add(parser, of="draws and bootstrap", seeds=1)
    text = "write there: each table in every format, the figure, and the impacts; started again it goes on"
    OutputOptions.add(parser, formats=FORMATS, out=text)
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    corpus = read_corpus(args.data, args.limit)
    given = ModelOptions.of(args).models
    if len(given) > 2:
        raise UsageError(f"--model: one or two models are expected, found {len(given)}")
    models = load_models(args)
    first, second = models[0], models[-1]
    blank = list(random_weights(first, args))
    asked = [first, *([second] if second is not first else []), *blank]
    impacts = [_impacts(model, corpus, args) for model in asked]
    drawn = _drawn(corpus, args)
    states = [_states(model, corpus, drawn, args) for model in asked]
    failed = _failures([*impacts, *(reasons for _, reasons in states)], corpus)
    for place, reason in sorted(failed.items()):
        one = corpus.sentences[place]
        print(one_line(f"{one.where}: sentence {one.id} skipped: {reason}"), file=sys.stderr)
    kept = [place for place in range(len(corpus.sentences)) if place not in failed]
    long_enough = [place for place in kept if len(corpus.sentences[place].words) >= _LEAST]
    if not long_enough:
        raise ProbeError(f"{corpus.name}: no sentence of {_LEAST} words or more could be compared")
    of = {id(model): at for at, model in enumerate(asked)}

    def likeness(model: Probe) -> Likeness:
        a, b = impacts[of[id(model)]], impacts[of[id(second)]]
        correlations = np.array([rank_correlations(_matrix(a[at]), _matrix(b[at])) for at in long_enough])
        here = np.isin(drawn[0], kept)
        a_kernel, b_kernel = (gram(states[of[id(each)]][0][:, here]) for each in (model, second))
        cka, errors = cka_errors(a_kernel, b_kernel, np.searchsorted(kept, drawn[0][here]) % GROUPS)
        return Likeness(correlations=correlations, cka=cka, errors=errors)

    nearness = np.array([_nearness(_matrix(impacts[of[id(second)]][at])) for at in long_enough])
    tables = map_tables(
        (first, second),
        likeness(first),
        [likeness(model) for model in blank],
        nearness,
        sentences=[corpus.sentences[place] for place in kept],
        name=corpus.name,
        words=int(np.isin(drawn[0], kept).sum()),
        skipped=len(failed),
        args=args,
    )
    if args.out is not None:
        (stem, _), (_, by_impacts), (_, by_cka) = tables
        with style():
            save(maps_of_layers(by_impacts, by_cka), args.out / stem)
    return Ran(tables=tuple(tables), failed=bool(failed))


def _matrix(found: Floats | SentenceError) -> Floats:
    assert not isinstance(found, SentenceError)
    return found


def _nearness(impacts: Floats) -> Floats:
    """The correlation of each layer's impacts [b, n, n] with how near the words stand: [b]."""
    at = np.arange(impacts.shape[-1])
    return np.asarray(rank_correlations(-np.abs(at[:, None] - at)[None], impacts)[0])


def _failures(
    found: Sequence[Sequence[object] | dict[int, SentenceError]], corpus: Corpus
) -> dict[int, SentenceError]:
    """Why a sentence cannot be compared, by its place."""
    failed: dict[int, SentenceError] = {}
    for each in found:
        pairs = each.items() if isinstance(each, dict) else enumerate(each)
        for place, one in pairs:
            if isinstance(one, SentenceError):
                failed.setdefault(place, one)
    return failed


def _impacts(model: Probe, corpus: Corpus, args: argparse.Namespace) -> list[Floats | SentenceError]:
    """The impacts of all layers above the embeddings, float32 [layers, n, n], of each sentence."""
    settings = model.resolve(
        metric=args.metric,
        layer=list(range(1, model.n_layers + 1)),
        pool=args.pool,
        perturb=args.perturb,
        attention=args.attention,
    )
    text = text_read("fair", corpus.sentences, model)
    chosen = [Variant(*each, text=text, attention=settings.attention) for each in settings.combinations()]
    sentences = [running(one.words, one.spaces) for one in corpus.sentences]
    given = argparse.Namespace(**{**vars(args), "openness_from": None})
    label = f"{corpus.name}, {model.name}"
    source = _source(model, [as_text(words, text) for words in sentences], settings, args, label)
    return [
        found if isinstance(found, SentenceError) else np.array([each.values for each in found])
        for found in matrices(source, sentences, chosen, given, label=label)
    ]


def _source(
    model: Probe, texts: Sequence[Words], settings: Settings, args: argparse.Namespace, label: str
) -> ImpactSource:
    """The model, or what is kept of its impacts in ``--out``, which goes on where it was interrupted."""
    from probe.progress import Progress

    if args.out is None:
        return model
    if not args.quiet:
        say_unknown_words(model, texts)
    sizes = [model.passes(words, settings.perturbs) for words in texts]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        return kept_impacts(
            args.out,
            model.name,
            model,
            texts,
            metric=settings.metrics,
            layer=settings.layers,
            pool=settings.pools,
            perturb=settings.perturbs,
            attention=args.attention,
            batch_tokens=args.batch_tokens,
            on_passes=progress.passes,
        )


def _drawn(corpus: Corpus, args: argparse.Namespace) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some of the words, in order: the places of their sentences, and their own in these."""
    sizes = [len(one.words) for one in corpus.sentences]
    total = sum(sizes)
    rng = np.random.default_rng(args.seed)
    chosen = np.sort(rng.choice(total, size=min(total, args.words), replace=False))
    starts = np.cumsum([0, *sizes])
    sentence = np.searchsorted(starts, chosen, side="right") - 1
    return sentence.astype(np.int64), (chosen - starts[sentence]).astype(np.int64)


def _states(
    model: Probe,
    corpus: Corpus,
    drawn: tuple[NDArray[np.int64], NDArray[np.int64]],
    args: argparse.Namespace,
) -> tuple[NDArray[np.float32], dict[int, SentenceError]]:
    """The states of the drawn words in all layers, [layers + 1, words, size], and sentences without any."""
    from probe.word_states import WordStates, encoder_of, word_states

    encoder = encoder_of(model)
    layers = range(encoder.n_layers + 1)
    found = np.zeros((len(layers), len(drawn[0]), encoder.size), dtype=np.float32)
    failed: dict[int, SentenceError] = {}
    sentences = [running(one.words, one.spaces) for one in corpus.sentences]
    for batch in word_states(encoder, sentences, layers=layers, batch_tokens=args.batch_tokens):
        if not isinstance(batch, WordStates):
            failed[batch[0]] = batch[1]
            continue
        row_of = {int(place): row for row, place in enumerate(batch.sentences)}
        begins = np.searchsorted(batch.sentence_of, np.arange(len(batch.sentences)))
        here = np.flatnonzero(np.isin(drawn[0], batch.sentences))
        at = [int(begins[row_of[int(drawn[0][k])]] + drawn[1][k]) for k in here]
        for layer, states in enumerate(batch.states):
            found[layer, here] = states.cpu().numpy()[at]
    return found, failed


main = experiment_main(build_parser, run)
