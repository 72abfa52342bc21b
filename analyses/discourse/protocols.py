"""The two protocols of discourse trees: from documents to impacts, trees and counts.

The units are elementary discourse units (EDUs) and, as unit 0, the token [CLS] (or what the model has in its
place). One pass over the model serves both protocols: ``fair`` leaves unit 0 out.

``wu2020`` repeats the published evaluation of Wu et al. (ACL 2020, section 5), with its three quirks: [CLS]
is masked like any other unit and stands for ROOT; the last unit is cut off the matrix, so that the last EDU
has no head; the gold root is given (the first of several) and no point for it, but it is still among the arcs
that are divided by. ``fair`` gives no root, masks EDUs only and counts every EDU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analyses.scores.attachment import NO_HEAD
from analyses.trees.adjust import NONE, AdjustedMatrix, adjust
from analyses.trees.arc_scores import fair_scores
from analyses.trees.decoders import DECODERS, Decoder, Heads
from analyses.trees.protocols import PROTOCOLS, ProtocolName, baseline_trees, published_scores
from data import DataError
from probe.patterns import FULL
from probe.registry import check_name

if TYPE_CHECKING:
    from analyses.trees.variants import Variant
    from data import Document
    from probe import Probe
    from probe.alignment import Alignment
    from probe.engine import Impacts

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

DISTANCES = (0, 1, 2, 5)
"""The numbers of EDUs between the ends of an arc for which Wu et al. (2020, table 4) give scores."""


@dataclass(frozen=True)
class DiscourseCounts:
    """Arcs of each document.

    Attributes:
        correct: int64 [documents], right arcs; under ``wu2020`` without the given root arcs.
        total: int64 [documents], EDUs.
        correct_at: int64 [documents, distances], right arcs whose gold arc has a distance of ``DISTANCES``.
        total_at: int64 [documents, distances], gold arcs; arcs from ROOT have no distance, and under
            ``wu2020`` the arc of the last EDU is left out.
    """

    correct: Counts
    total: Counts
    correct_at: Counts
    total_at: Counts


def align_document(model: Probe, document: Document, attention: str = FULL) -> Alignment:
    """The pieces of a document with [CLS] as unit 0 and the EDUs as units 1 to n.

    Raises:
        probe.SentenceError: the document does not fit the window, a word has no pieces, or all are unknown.
        probe.ModelError: the model's tokenizer adds no token in front.
    """
    from probe import ModelError
    from probe.alignment import Alignment

    edus = model.align(document.words, document.spans, attention)
    edus.check_known(n_words=len(document.words))
    if edus.cls is None:
        raise ModelError(f"{model.name}: a token such as [CLS] in front of the text is expected, found none")
    return Alignment(
        ids=edus.ids,
        positions=np.append(edus.cls, edus.positions),
        unit_of=np.append(0, edus.unit_of + 1),
        units=("[CLS]", *edus.units),
        cls=edus.cls,
        sees=edus.sees,
    )


def document_impacts(
    model: Probe,
    documents: Iterable[Document],
    chosen: Sequence[Variant],
    *,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> Iterator[dict[Variant, Floats]]:
    """Impacts [n + 1, n + 1] of [CLS] and the n EDUs of every document, from one pass for all variants.

    Those between EDUs, ``[1:, 1:]``, are the values of ``Probe.impact_spans``.

    Raises:
        probe.SentenceError, probe.ModelError: as :func:`align_document`, or memory does not suffice.
    """
    from probe import SentenceError
    from probe.engine import Engine
    from probe.memory import Budget
    from probe.plan import make_plan

    settings = model.resolve(
        metric=[variant.metric for variant in chosen],
        layer=[variant.layer for variant in chosen],
        pool=[variant.pool for variant in chosen],
        perturb=[variant.perturb for variant in chosen],
        attention=chosen[0].attention,
    )
    engine = Engine(model, settings=settings, on_passes=on_passes)
    budget = Budget(batch_tokens)
    for document in documents:
        plan = make_plan(align_document(model, document, settings.attention), settings.perturbs)
        (found,) = engine.run([plan], budget)
        if isinstance(found, SentenceError):
            raise SentenceError(f"{document.where}: {found}")
        layers = {layer: place for place, layer in enumerate(settings.layers)}
        yield {variant: _pooled(found, plan.alignment, variant, layers[variant.layer]) for variant in chosen}


def document_openness(
    model: Probe,
    documents: Iterable[Document],
    *,
    attention: str = FULL,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> Iterator[Floats]:
    """The openness and the cues of the EDUs of every document, each masked as a whole: [1 + len(CUES), n].

    Raises:
        probe.SentenceError: a document cannot be probed.
        probe.ModelError: the model has no masked-LM head or no mask token.
    """
    from probe import SentenceError
    from probe.alignment import Request
    from probe.memory import Budget
    from probe.openness import Openness

    openness = Openness(model, cues=True, attention=attention, on_passes=on_passes)
    budget = Budget(batch_tokens)
    for document in documents:
        (found,) = openness.of([Request(document.words, document.spans, attention)], budget)
        if isinstance(found, SentenceError):
            raise SentenceError(f"{document.where}: {found}")
        yield found


def decode_document(
    values: ArrayLike,
    document: Document,
    *,
    protocol: ProtocolName,
    decoder: str,
    adjustment: str = NONE,
    openness: ArrayLike | None = None,
) -> Heads:
    """Decode the impacts of [CLS] and n EDUs into a discourse tree.

    Under ``wu2020`` the scores are the impacts themselves, without a softmax, for Eisner's algorithm, and
    their logarithms for Chu-Liu/Edmonds, whose trees have the largest product; several EDUs may attach to
    ROOT.

    Args:
        values: [n + 1, n + 1], influence of unit j on unit i, unit 0 is [CLS].
        document: with n EDUs; under ``wu2020`` its gold root is given.
        protocol: ``wu2020`` or ``fair``.
        decoder: a name in ``DECODERS``: ``eisner`` (projective), ``cle`` (any tree), ...
        adjustment: of the impacts, see ``analyses.trees.adjust``; under ``wu2020`` [CLS] is one of the units.
        openness: [n], of the EDUs, or [1 + len(CUES), n] with cues, where the adjustment reads them; those of
            [CLS] are their means.

    Returns:
        Heads, int64 [n], 1-based, 0 = ROOT; ``NO_HEAD`` for the last EDU under ``wu2020``.

    Raises:
        probe.OptionError: the adjustment is unknown, or reads openness that is not given.
        ValueError: for an unknown name, a bad shape, or impacts that are not finite (or, with ``cle`` under
            ``wu2020``, negative).
        data.DataError: under ``wu2020``, the document has no root.
    """
    check_name("protocol", protocol, PROTOCOLS)
    entry = DECODERS[decoder]
    impact = np.asarray(values, dtype=np.float64)
    n = len(document.edus)
    if impact.shape != (n + 1, n + 1):
        raise ValueError(
            f"expected impacts {[n + 1, n + 1]} of [CLS] and {n} EDUs, found {list(impact.shape)}"
        )
    open_ = None if openness is None else np.atleast_2d(np.asarray(openness, dtype=np.float64))
    if protocol == "fair":
        adjusted = _adjusted(impact[1:, 1:], adjustment, open_)
        (heads,) = entry.decode([fair_scores(adjusted.values, adjusted.root)])
        return heads
    if open_ is not None:
        open_ = np.hstack([open_.mean(axis=1, keepdims=True), open_[:, :-1]])
    values = _adjusted(impact[:n, :n], adjustment, open_).values.astype(np.float64)
    return _without_last(entry, values, given_root(document))


def _adjusted(impact: Floats, adjustment: str, openness: Floats | None) -> AdjustedMatrix:
    """The impacts [n, n] of units, adjusted."""
    from probe.matrix import ImpactMatrix

    matrix = ImpactMatrix(
        values=impact,
        on_cls=np.zeros(len(impact)),
        units=tuple(map(str, range(len(impact)))),
        model="",
        metric="",
        layer=0,
        pool="state",
        perturb="",
        openness=None if openness is None else openness[0],
        cues=None if openness is None or len(openness) == 1 else openness[1:],
    )
    return AdjustedMatrix.of(adjust(matrix, adjustment))


def given_root(document: Document) -> int:
    """The gold root that ``wu2020`` gives, 1-based: the first.

    Raises:
        data.DataError: the document has none.
    """
    if not document.roots:
        raise DataError(f"{document.where}: a root is expected, since protocol wu2020 gives it, found none")
    return document.roots[0]


def baseline_documents(
    documents: Sequence[Document],
    *,
    protocol: ProtocolName,
    name: str,
    seed: int | np.random.Generator = 0,
) -> list[Heads]:
    """Trees of a baseline under a protocol: with its gold roots, and without a head of the last EDU.

    Raises:
        ValueError: for an unknown name.
        data.DataError: under ``wu2020``, a document has no root.
    """
    check_name("protocol", protocol, PROTOCOLS)
    roots = [given_root(document) for document in documents] if protocol == "wu2020" else None
    lengths = [len(document.edus) for document in documents]
    trees = baseline_trees(lengths, protocol=protocol, name=name, roots=roots, seed=seed)
    if protocol == "wu2020":
        for tree in trees:
            tree[-1] = NO_HEAD
    return trees


def human_documents(
    documents: Sequence[Document], annotated: Mapping[str, Document], *, protocol: ProtocolName
) -> list[Heads]:
    """Trees of a second annotation, by the ids of documents; under ``wu2020`` the last EDU has no head.

    Raises:
        data.DataError: a document is missing, or has another number of EDUs.
        ValueError: for an unknown protocol.
    """
    check_name("protocol", protocol, PROTOCOLS)
    trees = []
    for document in documents:
        other = annotated.get(document.id)
        if other is None:
            raise DataError(f"{document.where}: a second annotation of {document.id} is expected, found none")
        if len(other.edus) != len(document.edus):
            raise DataError(f"{other.where}: {len(document.edus)} EDUs are expected, found {len(other.edus)}")
        heads = np.array(other.heads, dtype=np.int64)
        if protocol == "wu2020":
            heads[-1] = NO_HEAD
        trees.append(heads)
    return trees


def count_documents(
    documents: Sequence[Document], predicted: Sequence[ArrayLike], *, protocol: ProtocolName
) -> DiscourseCounts:
    """Count the right arcs of every document, in all and by distance.

    The distance of an arc is the number of EDUs between its ends. An EDU without an annotated head counts as
    wrong.

    Raises:
        ValueError: for an unknown protocol, or trees that do not fit the documents.
        data.DataError: under ``wu2020``, a document has no root.
    """
    check_name("protocol", protocol, PROTOCOLS)
    if len(documents) != len(predicted):
        raise ValueError(f"expected {len(documents)} trees, one a document, found {len(predicted)}")
    rows = [_count(document, tree, protocol) for document, tree in zip(documents, predicted, strict=True)]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 2, 1 + len(DISTANCES))
    return DiscourseCounts(table[:, 0, 0], table[:, 1, 0], table[:, 0, 1:], table[:, 1, 1:])


def _pooled(impacts: Impacts, alignment: Alignment, variant: Variant, layer: int) -> Floats:
    """The impacts of one variant between units; ``layer`` is its place among the layers that were run."""
    from probe.engine import pool_pieces

    of_units = variant.pool == "state"
    # The last row is that of [CLS] when it is not masked.
    rows = impacts[variant.metric, variant.perturb, of_units][layer][:-1]
    values = rows if of_units else pool_pieces(rows[None], alignment.unit_of, variant.pool)[0]
    return np.asarray(values, dtype=np.float64)


def _without_last(decoder: Decoder, impact: Floats, root: int) -> Heads:
    """Decode the impacts [n, n] of [CLS] and all EDUs but the last, which has no head; roots may be several."""
    matrix = impact.copy()
    if root < len(matrix):  # the last EDU is cut off, a root or not
        matrix[root] = 0
        matrix[root, 0] = 1
    scores = published_scores(decoder).of_edus(matrix)
    heads = decoder.decode([scores], single_root=False)[0] if len(scores) > 1 else np.empty(0, dtype=np.int64)
    return np.append(heads, NO_HEAD)


def _count(document: Document, predicted: ArrayLike, protocol: ProtocolName) -> list[list[int]]:
    """Right arcs and gold arcs of one document: in all, then by distance."""
    gold, heads = np.array(document.heads), np.asarray(predicted)
    if heads.shape != gold.shape:
        raise ValueError(
            f"{document.where}: expected {len(gold)} heads, one an EDU, "
            f"found an array of shape {list(heads.shape)}"
        )
    correct = (heads == gold) & (gold != NO_HEAD)
    distance = np.where(gold > 0, np.abs(gold - np.arange(1, len(gold) + 1)) - 1, -1)
    if protocol == "wu2020":
        correct[given_root(document) - 1] = False
        distance[-1] = -1
    at = [distance == wanted for wanted in DISTANCES]
    return [
        [int(correct.sum()), *(int((correct & here).sum()) for here in at)],
        [len(gold), *(int(here.sum()) for here in at)],
    ]
