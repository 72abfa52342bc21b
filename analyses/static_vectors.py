"""One static vector a word, out of the states of its occurrences.

Ethayarajh, "How Contextual are Contextualized Word Representations?" (EMNLP 2019), section 5: the first
principal component of a word's states in a layer; and the mean, for comparison. As a command,
``python -m analyses.static_vectors --layer 1 --vectors FILE --evaluate DIR``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from analyses.experiment import emit
from analyses.geometry import Corpus, add_model_options, read_corpus
from analyses.signature import Settings, Signature, digest
from analyses.word_vector_scores import RESAMPLES
from probe import __version__
from probe.commands import DONE, SOME_FAILED, Parser, UsageError, exit_code, positive
from probe.errors import OptionError, ProbeError, SentenceError
from probe.options import check_name

if TYPE_CHECKING:
    from torch import Tensor

    from analyses.geometry_occurrences import Occurrences
    from analyses.geometry_states import Encoder, Pieces
    from analyses.static_vectors_tables import Vectors
    from data.vectors import WordVectors
    from probe import Probe

Method: TypeAlias = Literal["pca", "mean"]
METHODS: tuple[Method, ...] = get_args(Method)
"""First principal component of the occurrences of a word, or their mean."""


def static_vectors(
    model: Probe | Encoder,
    sentences: Iterable[Sequence[str]],
    *,
    layer: int,
    words: Collection[str] | None = None,
    method: Method = "pca",
    pieces: Pieces = "mean",
    min_count: int = 1,
    most: int = 256,
    cased: bool = False,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_sentences: Callable[[int], object] = lambda count: None,
    on_skipped: Callable[[int, SentenceError], object] = lambda place, error: None,
) -> WordVectors:
    """Static vectors of the words of a corpus, from one pass over it.

    "pca" is the direction along which the states of a word have the most energy: the first right singular vector
    of its occurrences, without their mean taken off, as in the definition of the maximum explainable variance.
    It points to the side of the mean, and is as long as the states are along it (root mean square), so that
    the vector of a word that occurs once is its state.

    Memory: the states of at most ``most`` occurrences of each word that is not complete yet.

    Args:
        model: of ``probe.load`` or ``analyses.geometry_states.load_encoder``.
        sentences: each a sequence of words.
        layer: 0 = embeddings; negative from the end.
        words: only these, where given; otherwise all of the corpus.
        method: "pca" or "mean".
        pieces: "mean" or "first" of the pieces of a word.
        min_count: words with fewer occurrences get no vector.
        most: for "pca": so many occurrences of a more frequent word are drawn.
        cased: "The" and "the" are two words; otherwise one, in lower case.
        seed: of the draws.
        batch_tokens: pieces in one forward pass.
        on_sentences: called with the number of sentences after each batch.
        on_skipped: called with the place of each sentence that cannot be run, and the reason.

    Returns:
        The words, the most frequent first. A word without an occurrence has no vector.

    Raises:
        OptionError: an unknown method or a layer that the model has not.
        ProbeError: no word has enough occurrences.
    """
    [vectors] = static_vector_sets(
        model,
        sentences,
        kinds=[(layer, method)],
        words=words,
        pieces=pieces,
        min_count=min_count,
        most=most,
        cased=cased,
        seed=seed,
        batch_tokens=batch_tokens,
        on_sentences=on_sentences,
        on_skipped=on_skipped,
    )
    return vectors


def static_vector_sets(
    model: Probe | Encoder,
    sentences: Iterable[Sequence[str]],
    *,
    kinds: Sequence[tuple[int, Method]],
    words: Collection[str] | None = None,
    pieces: Pieces = "mean",
    min_count: int = 1,
    most: int = 256,
    cased: bool = False,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_sentences: Callable[[int], object] = lambda count: None,
    on_skipped: Callable[[int, SentenceError], object] = lambda place, error: None,
) -> list[WordVectors]:
    """``static_vectors`` of several layers and methods, ``kinds``, from one pass over the corpus."""
    from analyses.geometry_occurrences import find_occurrences
    from analyses.geometry_states import WordStates, encoder_of, word_states
    from data.vectors import WordVectors

    encoder = encoder_of(model)
    for layer, method in kinds:
        check_name("method", method, METHODS)
        if not -encoder.n_layers - 1 <= layer <= encoder.n_layers:
            raise OptionError(f"layer {layer}: {encoder.name} has layers 0 to {encoder.n_layers}")
    texts = list(sentences)
    occurrences = find_occurrences(texts, min_count=min_count, most=most, seed=seed, cased=cased, words=words)
    layers = [layer % (encoder.n_layers + 1) for layer, _ in kinds]
    sets = [(_Components if method == "pca" else _Means)(occurrences, encoder) for _, method in kinds]
    for window, (begin, end) in enumerate(occurrences.windows()):
        part = texts[begin:end]
        for batch in word_states(encoder, part, layers=layers, pieces=pieces, batch_tokens=batch_tokens):
            if isinstance(batch, WordStates):
                for vectors, states in zip(sets, batch.states, strict=True):
                    vectors.add(batch.sentences + begin, states)
            else:
                on_skipped(begin + batch[0], batch[1])
            on_sentences(len(batch.sentences) if isinstance(batch, WordStates) else 1)
        for vectors in sets:
            vectors.complete(window)
    found = np.flatnonzero(sets[0].counts >= max(1, min_count))
    if not len(found):
        raise ProbeError(
            f"a word with {max(1, min_count)} occurrences is expected, found none in {len(texts)} sentences"
        )
    kept = tuple(occurrences.words[word] for word in found)
    return [WordVectors(kept, vectors.values()[found]) for vectors in sets]


class _Means:
    """Sums of the states of each word."""

    def __init__(self, occurrences: Occurrences, encoder: Encoder) -> None:
        import torch

        self._occurrences = occurrences
        self._sums = torch.zeros(len(occurrences.words), encoder.size, device=encoder.device)
        self.counts = np.zeros(len(occurrences.words), dtype=np.int64)

    def add(self, sentences: NDArray[np.int64], states: Tensor) -> None:
        """Add the states of all words of these sentences."""
        import torch

        places = self._occurrences.of_sentences(sentences)
        words = self._occurrences.word_of[places]
        kept = np.flatnonzero(words >= 0)
        np.add.at(self.counts, words[kept], 1)
        device = self._sums.device
        to, of = (torch.from_numpy(index).to(device) for index in (words[kept], kept))
        self._take(places, states, to, of)

    def _take(self, places: NDArray[np.int64], states: Tensor, to: Tensor, of: Tensor) -> None:
        self._sums.index_add_(0, to, states[of])

    def complete(self, window: int) -> None:
        """Nothing is kept beyond the sums."""

    def values(self) -> NDArray[np.float32]:
        """float32 [words, size]."""
        sums: NDArray[Any] = self._sums.cpu().numpy()
        return np.asarray(sums / np.maximum(self.counts, 1)[:, None], dtype=np.float32)


class _Components(_Means):
    """First principal components of the drawn occurrences of each word."""

    def __init__(self, occurrences: Occurrences, encoder: Encoder) -> None:
        from analyses.geometry_occurrences import Store

        super().__init__(occurrences, encoder)
        self._store = Store(occurrences, n_layers=1, size=encoder.size, device=encoder.device)

    def _take(self, places: NDArray[np.int64], states: Tensor, to: Tensor, of: Tensor) -> None:
        self._store.put(places, [states])

    def complete(self, window: int) -> None:
        """Reduce the words of which nothing more will come."""
        import torch

        for words, states in self._store.complete(window):
            self._sums[torch.from_numpy(words).to(self._sums.device)] = first_component(states[:, :, 0])

    def values(self) -> NDArray[np.float32]:
        """float32 [words, size]."""
        return np.asarray(self._sums.cpu().numpy())


def first_component(states: Tensor) -> Tensor:
    """The first right singular vectors of sets of states, as long as the states are along them.

    Shapes:
        states: float32 [words, m, size]; returns float32 [words, size]
    """
    import torch

    gram = (states @ states.mT).cpu().double()
    first = torch.linalg.eigh(gram).eigenvectors[..., -1].to(states)
    # With u the first left singular vector, states.T @ u is s v, and s / sqrt(m) the root mean square along v.
    components = (states * first[..., None]).sum(dim=1) / states.shape[1] ** 0.5
    towards = (components * states.mean(dim=1)).sum(dim=-1, keepdim=True)
    return torch.where(towards < 0, -components, components)


# --- command


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="static-vectors",
        description="Static word vectors out of the states of a masked or causal language model "
        "(Ethayarajh 2019, section 5), written as a word2vec text file and evaluated.",
        epilog="Exit codes: 0 done, 1 some sentences failed, 2 wrong use, 130 interrupted.",
    )
    add = parser.add_argument
    add("--model", default="bert", help="bert (the embedded model, default), a directory or a hub id")
    add_model_options(parser)
    add("--layer", nargs="+", type=int, default=[1], metavar="N", help="0: embeddings (default: 1)")
    add("--method", nargs="+", choices=METHODS, default=["pca"], help="default: pca")
    add("--min-count", type=positive, default=1, metavar="N", help="occurrences of a word (default: 1)")
    add("--most", type=positive, default=256, metavar="N", help="occurrences drawn for pca (default: 256)")
    add("--vectors", type=Path, metavar="FILE", help="write the vectors there; of one layer and method")
    add("--evaluate", type=Path, metavar="DIR", help="folder with similarity, analogy and categorization")
    add("--beside", type=Path, nargs="+", default=[], metavar="FILE", help="other vectors, evaluated beside")
    add("--out", type=Path, metavar="DIR", help="write the tables there, too, in every format")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    return exit_code(parser.prog, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from analyses.geometry_states import load_encoder
    from analyses.static_vectors_tables import Vectors, evaluation_tables, read_sets
    from data.vectors import read_vectors, write_vectors

    kinds = [(layer, method) for layer in dict.fromkeys(args.layer) for method in dict.fromkeys(args.method)]
    if args.vectors is None and args.evaluate is None:
        raise UsageError("nothing to do: give --vectors FILE, --evaluate DIR or both")
    if args.vectors is not None and len(kinds) > 1:
        raise UsageError("--vectors is one file: give one --layer and one --method")
    if args.beside and args.evaluate is None:
        raise UsageError("--beside goes with --evaluate")
    sets = read_sets(args.evaluate) if args.evaluate is not None else None
    corpus = read_corpus(args.corpus, args.limit)
    beside = [Vectors(name=path.stem, vectors=read_vectors(path)) for path in args.beside]
    encoder = load_encoder(args.model, device=args.device, dtype=args.dtype)
    skipped: dict[int, SentenceError] = {}
    own = _make(encoder, corpus, kinds, args, skipped)
    for place, reason in sorted(skipped.items()):
        sentence = corpus.sentences[place]
        print(f"{sentence.where}: sentence {sentence.id} skipped: {reason}", file=sys.stderr)
    if args.vectors is not None:
        write_vectors(args.vectors, own[0].vectors)
    if sets is not None:
        emit(evaluation_tables(own, beside, sets, seed=args.seed), args)
    return SOME_FAILED if skipped else DONE


def _make(
    encoder: Encoder,
    corpus: Corpus,
    kinds: Sequence[tuple[int, Method]],
    args: argparse.Namespace,
    skipped: dict[int, SentenceError],
) -> list[Vectors]:
    """The vectors of each kind; notes the sentences that could not be run."""
    from analyses.static_vectors_tables import Vectors
    from probe.progress import Progress

    words = [sentence.words for sentence in corpus.sentences]
    with Progress(sentences=len(words), passes=len(words), label=encoder.name, quiet=args.quiet) as progress:
        sets = static_vector_sets(
            encoder,
            words,
            kinds=kinds,
            pieces=args.pieces,
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
            settings=Settings(model=encoder.name, layer=layer, pool=args.pieces, dtype=encoder.dtype),
            resamples=RESAMPLES,
            seed=args.seed,
        )
        found.append(Vectors(name=f"{name} {layer} {method}", vectors=vectors, signature=str(signature)))
    return found


if __name__ == "__main__":
    sys.exit(main())
