"""One static vector a word, out of the states of its occurrences.

Ethayarajh, "How Contextual are Contextualized Word Representations?" (EMNLP 2019), section 5: the first
principal component of a word's states in a layer; and the mean, for comparison. As a command,
``probe vectors --layer 1 --vectors FILE --word-sets DIR``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.options import experiment_main
from analyses.states.options import Corpus, add_state_options, read_corpus
from analyses.states.static_vectors import METHODS, Method, static_vector_sets
from analyses.tables.results import Ran
from analyses.tables.signature import Settings, Signature, digest
from analyses.vectors.scores import RESAMPLES
from probe import __version__
from probe.command_line import Parser, UsageError, positive
from probe.errors import SentenceError

if TYPE_CHECKING:
    from analyses.vectors.tables import Vectors
    from probe.word_states import Encoder


# --- command


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe vectors",
        description="Static word vectors out of the states of a masked or causal language model "
        "(Ethayarajh 2019, section 5), written as a word2vec text file and evaluated.",
        failures="some sentences failed",
    )
    add = parser.add_argument
    add_state_options(parser, several=False, out="write each table there, too, in every format")
    text = "indices, 0 = embeddings (default: 1)"
    parser.group("impacts").add_argument(
        "--layer", dest="layers", nargs="+", type=int, default=[1], metavar="LAYER", help=text
    )
    add("--method", nargs="+", choices=METHODS, default=["pca"], help="default: pca")
    add("--min-count", type=positive, default=1, metavar="N", help="occurrences of a word (default: 1)")
    add("--most", type=positive, default=256, metavar="N", help="occurrences drawn for pca (default: 256)")
    add("--vectors", type=Path, metavar="FILE", help="write the vectors there; of one layer and method")
    text = "evaluate on the word sets of this folder: similarity, analogy and categorization"
    add("--word-sets", type=Path, metavar="DIR", help=text)
    parser.rename(evaluate="--word-sets")
    add("--beside", type=Path, nargs="+", default=[], metavar="FILE", help="other vectors, evaluated beside")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    from analyses.vectors.tables import Vectors, evaluation_tables, read_sets
    from data.vectors import read_vectors, write_vectors
    from probe.word_states import load_encoder

    kinds = [(layer, method) for layer in dict.fromkeys(args.layers) for method in dict.fromkeys(args.method)]
    if args.vectors is None and args.word_sets is None:
        raise UsageError("nothing to do: give --vectors FILE, --word-sets DIR or both")
    if args.vectors is not None and len(kinds) > 1:
        raise UsageError("--vectors is one file: give one --layer and one --method")
    if args.beside and args.word_sets is None:
        raise UsageError("--beside goes with --word-sets")
    sets = read_sets(args.word_sets) if args.word_sets is not None else None
    corpus = read_corpus(args.data, args.limit)
    beside = [Vectors(name=path.stem, vectors=read_vectors(path)) for path in args.beside]
    encoder = load_encoder(args.model, device=args.device, dtype=args.dtype)
    skipped: dict[int, SentenceError] = {}
    own = _make(encoder, corpus, kinds, args, skipped)
    for place, reason in sorted(skipped.items()):
        sentence = corpus.sentences[place]
        print(f"{sentence.where}: sentence {sentence.id} skipped: {reason}", file=sys.stderr)
    if args.vectors is not None:
        write_vectors(args.vectors, own[0].vectors)
    found = evaluation_tables(own, beside, sets, seed=args.seed) if sets is not None else []
    return Ran(tables=tuple(found), failed=bool(skipped))


def _make(
    encoder: Encoder,
    corpus: Corpus,
    kinds: Sequence[tuple[int, Method]],
    args: argparse.Namespace,
    skipped: dict[int, SentenceError],
) -> list[Vectors]:
    """The vectors of each kind; notes the sentences that could not be run."""
    from analyses.vectors.tables import Vectors
    from probe.progress import Progress

    words = [sentence.words for sentence in corpus.sentences]
    with Progress(sentences=len(words), passes=len(words), label=encoder.name, quiet=args.quiet) as progress:
        sets = static_vector_sets(
            encoder,
            words,
            kinds=kinds,
            pieces=args.pool,
            min_count=args.min_count,
            most=args.most,
            cased=args.cased,
            seed=args.seed,
            batch_tokens=args.batch_tokens,
            on_sentences=progress.passes,
            on_skipped=skipped.__setitem__,
        )
    ran = [sentence for place, sentence in enumerate(corpus.sentences) if place not in skipped]
    name, case = Path(encoder.name).name, "cased" if args.cased else "lower"
    found = []
    for (layer, method), vectors in zip(kinds, sets, strict=True):
        most = f" most:{args.most}" if method == "pca" else ""
        signature = Signature(
            data=corpus.name,
            digest=digest(ran),
            n=len(ran),
            version=__version__,
            protocol=f"static:{method} words:{case},{args.min_count}+{most}",
            settings=Settings(model=encoder.name, layer=layer, pool=args.pool, dtype=encoder.dtype),
            resamples=RESAMPLES,
            seed=args.seed,
        )
        found.append(Vectors(name=f"{name} {layer} {method}", vectors=vectors, signature=signature))
    return found


main = experiment_main(build_parser, run)
