"""Pieces, sequences, the order of batches and whole-word masks of the pretraining recipe."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pretraining.batches import Batch, Batches, Order, Specials, assemble, mask_words, pack
from pretraining.config import DataConfig
from pretraining.prepare import Pieces, join, tokenize
from pretraining.tokenizer import train_tokenizer

Documents = list[list[int]]
"""The numbers of pieces of the sentences of each document."""

PAD, UNK, CLS, SEP, MASK = range(5)

DOCUMENTS = st.lists(st.lists(st.integers(1, 30), max_size=8), max_size=6)


def specials_of(vocabulary: int, continues: list[int] | None = None) -> Specials:
    """Specials of a vocabulary in which these pieces continue a word."""
    flags = np.zeros(vocabulary, dtype=bool)
    flags[continues or []] = True
    return Specials(pad=PAD, cls=CLS, sep=SEP, mask=MASK, continues=flags)


def pieces_of(documents: Documents) -> Pieces:
    """Pieces whose ids are all different, from 5 on."""
    sentences = [0, *np.cumsum([n for document in documents for n in document]).tolist()]
    return Pieces(
        ids=(np.arange(sentences[-1]) + 5).astype(np.uint16),
        sentences=np.array(sentences, dtype=np.int64),
        documents=np.cumsum([0, *map(len, documents)]).astype(np.int64),
    )


def random_pieces(seed: int, documents: int) -> Pieces:
    """Pieces of documents of 1 to 9 sentences of 1 to 20 pieces."""
    rng = np.random.default_rng(seed)
    return pieces_of([rng.integers(1, 21, rng.integers(1, 10)).tolist() for _ in range(documents)])


def unmask(batch: Batch) -> NDArray[np.int64]:
    """The ids before masking."""
    ids = batch.ids.copy()
    ids[batch.predicted] = batch.targets
    return ids


# Pieces


TEXT = [
    [["The old sailor mended his nets.", "He sang."], ["Nobody heard him."]],
    [["Winter came early.", "\u200d", "The nets froze."], ["\u200d"], ["Ice."]],
]


def test_tokenize_and_join_against_a_loop() -> None:
    tokenizer = train_tokenizer([s for shard in TEXT for d in shard for s in d], vocab_size=60)
    joined = join([tokenize(iter(shard), tokenizer) for shard in TEXT])
    ids: list[int] = []
    sentences, documents = [0], [0]
    for shard in TEXT:
        for document in shard:
            for sentence in document:
                if found := tokenizer.encode(sentence, add_special_tokens=False).ids:
                    ids += found
                    sentences.append(len(ids))
            documents.append(len(sentences) - 1)
    assert len(sentences) - 1 == 6  # the two sentences of a zero-width joiner have no pieces
    assert joined.ids.tolist() == ids and joined.ids.dtype == np.uint16
    assert joined.sentences.tolist() == sentences and joined.sentences.dtype == np.int64
    assert joined.documents.tolist() == documents and joined.documents.dtype == np.int64


def test_tokenize_nothing() -> None:
    pieces = tokenize(iter([]), train_tokenizer(["a"], vocab_size=10))
    assert (len(pieces.ids), pieces.sentences.tolist(), pieces.documents.tolist()) == (0, [0], [0])
    assert pack(pieces, 16).shape == (0, 2)


def test_specials_of_a_tokenizer() -> None:
    tokenizer = train_tokenizer(["sailor sailors sail"], vocab_size=30)
    specials = Specials.of(tokenizer)
    assert (specials.pad, specials.cls, specials.sep, specials.mask) == (PAD, CLS, SEP, MASK)
    for piece, index in tokenizer.get_vocab().items():
        assert specials.continues[index] == piece.startswith("##")
    assert specials.continues.any() and not specials.continues[:5].any()


# Sequences


@given(documents=DOCUMENTS, length=st.integers(3, 24))
def test_pack(documents: Documents, length: int) -> None:
    pieces = pieces_of(documents)
    spans = pack(pieces, length).tolist()
    room = length - 2
    # Every piece once, in order.
    assert [i for start, end in spans for i in range(start, end)] == list(range(len(pieces.ids)))
    assert all(1 <= end - start <= room for start, end in spans)
    bounds = pieces.sentences.tolist()
    edges = [bounds[i] for i in pieces.documents]
    document_of = np.searchsorted(edges, np.arange(len(pieces.ids)), side="right")
    assert all(len(set(document_of[start:end])) == 1 for start, end in spans)
    ends = dict(pairwise(bounds))  # of the sentence that starts at a piece
    for start, end in spans:
        if end not in bounds:  # a sentence is cut only where it is longer than a sequence, which is then full
            whole = int(np.searchsorted(bounds, end))
            assert bounds[whole] - bounds[whole - 1] > room and end - start == room
        elif end not in edges:  # the next sentence did not fit
            assert ends[end] - start > room


def test_pack_by_hand() -> None:
    pieces = pieces_of([[3, 3, 3], [], [2, 15, 1], [6]])
    expected = [(0, 6), (6, 9), (9, 11), (11, 17), (17, 23), (23, 27), (27, 33)]
    assert pack(pieces, 8).tolist() == [list(span) for span in expected]


@given(documents=DOCUMENTS, length=st.integers(3, 24))
def test_single_sentences(documents: Documents, length: int) -> None:
    pieces = pieces_of(documents)
    spans = pack(pieces, length, packed=False).tolist()
    cut = [
        (start, min(start + length - 2, last))
        for first, last in pairwise(pieces.sentences.tolist())
        for start in range(first, last, length - 2)
    ]
    assert spans == [list(span) for span in cut]


def test_assemble() -> None:
    pieces = pieces_of([[3, 1]])
    ids = assemble(pieces, np.array([[0, 3], [3, 4]]), specials_of(9))
    assert ids.tolist() == [[CLS, 5, 6, 7, SEP], [CLS, 8, SEP, PAD, PAD]]


# Order


def epoch_of(order: Order, epoch: int, batches: int) -> list[int]:
    """The sequences of one epoch."""
    return [int(i) for step in range(epoch * batches, (epoch + 1) * batches) for i in order[step]]


def test_order_is_a_permutation_by_epoch() -> None:
    spans = pack(random_pieces(0, 30), 24)[:60]
    order = Order(spans, batch_size=4, seed=7)
    epochs = [epoch_of(order, epoch, 15) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(60)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    again = Order(spans, batch_size=4, seed=7)
    assert [epoch_of(again, epoch, 15) for epoch in (2, 0, 1)] == [epochs[2], epochs[0], epochs[1]]
    assert epoch_of(Order(spans, batch_size=4, seed=8), 0, 15) != epochs[0]


def test_order_leaves_out_less_than_a_batch() -> None:
    spans = pack(random_pieces(0, 30), 24)[:59]
    epoch = epoch_of(Order(spans, batch_size=8, seed=7), 0, 7)
    assert len(set(epoch)) == 56 and set(epoch) <= set(range(59))


def test_order_batches_sequences_of_similar_length() -> None:
    spans = pack(random_pieces(1, 200), 40)
    lengths = spans[:, 1] - spans[:, 0]
    order, batches = Order(spans, batch_size=4, seed=0), len(spans) // 4
    spread = np.mean([np.ptp(lengths[order[step]]) for step in range(batches)])
    shuffled = np.random.default_rng(0).permutation(lengths)[: batches * 4].reshape(-1, 4)
    assert spread < 0.2 * np.ptp(shuffled, axis=1).mean()


def test_too_few_sequences() -> None:
    with pytest.raises(ValueError, match="3 sequences are fewer than one batch of 4"):
        Order(np.array([[0, 1], [1, 2], [2, 3]]), batch_size=4, seed=0)


# Batches


CONFIG = DataConfig(
    shards=("a",),
    heldout=("b",),
    length=12,
    batch_size=5,
    long_length=40,
    long_batch_size=3,
    long_every=4,
    mask_low=0.1,
    mask_high=0.4,
)


def test_batches_are_a_function_of_seed_and_step() -> None:
    pieces = random_pieces(2, 40)
    specials = specials_of(len(pieces.ids) + 5)
    batches = Batches(pieces, specials, CONFIG, seed=1)
    for step in (30, 0, 5, 3, 30):
        one, other = batches[step], Batches(pieces, specials, CONFIG, seed=1)[step]
        for name in ("ids", "attention", "predicted", "targets", "sides"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    reseeded = Batches(pieces, specials, CONFIG, seed=2)
    assert all(unmask(batches[s]).tolist() != unmask(reseeded[s]).tolist() for s in range(4))


def test_batches_cover_the_corpus_and_are_long_at_every_fourth_step() -> None:
    pieces = random_pieces(2, 40)
    batches = Batches(pieces, specials_of(len(pieces.ids) + 5), CONFIG, seed=1)
    short, long = pack(pieces, 12), pack(pieces, 40)
    seen: dict[int, list[int]] = {5: [], 3: []}
    per_epoch = {5: len(short) // 5, 3: len(long) // 3}
    for step in range(4 * per_epoch[3]):
        batch = batches[step]
        rows = len(batch.ids)
        assert rows == (3 if step % 4 == 3 else 5)
        assert batch.ids.shape[1] <= (40 if rows == 3 else 12)
        if len(seen[rows]) < per_epoch[rows] * rows:
            seen[rows] += unmask(batch)[:, 1].tolist()  # ids are unique: the first names its sequence
    for rows, spans in ((5, short), (3, long)):
        # One epoch: no sequence twice, and fewer than a batch of them left out.
        assert len(seen[rows]) == len(set(seen[rows])) == per_epoch[rows] * rows
        assert set(seen[rows]) <= {int(pieces.ids[start]) for start, _ in spans}


def test_first_steps_take_short_sequences_then_all_goes_on_as_without_them() -> None:
    pieces = random_pieces(2, 40)
    specials = specials_of(len(pieces.ids) + 5)
    plain = Batches(pieces, specials, CONFIG, seed=1)
    batches = Batches(pieces, specials, replace(CONFIG, first_length=8, first_steps=3), seed=1)
    for step in range(3):
        assert batches[step].ids.shape[1] <= 8
        assert len(batches[step].ids) == 5 * 12 // 8
    for step in range(8):
        assert unmask(batches[step + 3]).tolist() == unmask(plain[step]).tolist()


def test_masks_differ_from_step_to_step() -> None:
    pieces = pieces_of([[9], [9], [9], [9], [9]])  # one batch is an epoch
    config = replace(CONFIG, length=11, long_length=11, long_batch_size=5, long_every=2)
    batches = Batches(pieces, specials_of(64), config, seed=0)
    assert len({str(batches[step].predicted.tolist()) for step in range(8)}) == 8


# Masks


CONTINUES = list(range(40, 60))


def random_ids(seed: int, rows: int, length: int) -> NDArray[np.int64]:
    """Sequences of random pieces, a third of them continuing; a row may start with one (a cut word)."""
    rng = np.random.default_rng(seed)
    ids = np.full((rows, length), PAD, dtype=np.int64)
    for row in ids:
        n = int(rng.integers(1, length - 1))
        row[: n + 2] = [CLS, *rng.integers(5, 60, n), SEP]
    ids[0, 1:] = [*rng.integers(40, 60, length - 2), SEP]  # one word that fills its sequence
    return ids


def words_of(row: NDArray[np.int64]) -> list[list[int]]:
    """The positions of each word of a sequence."""
    words: list[list[int]] = []
    for place, piece in enumerate(row.tolist()):
        if piece in (PAD, CLS, SEP):
            continue
        if piece in CONTINUES and row[place - 1] not in (PAD, CLS, SEP):
            words[-1].append(place)
        else:
            words.append([place])
    return words


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.05, 0.35), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)])
def test_mask_words(low: float, high: float) -> None:
    ids = random_ids(0, 60, 24)
    original = ids.copy()
    batch = mask_words(ids, specials_of(60, CONTINUES), low=low, high=high, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(ids, original)
    np.testing.assert_array_equal(batch.targets, original[batch.predicted])
    np.testing.assert_array_equal(batch.ids, np.where(batch.predicted, MASK, original))
    np.testing.assert_array_equal(batch.attention, original != PAD)
    assert not batch.predicted[np.isin(original, (PAD, CLS, SEP))].any()
    for row, masked in zip(original, batch.predicted, strict=True):
        flags = [set(masked[word].tolist()) for word in words_of(row)]
        assert all(len(flag) == 1 for flag in flags)
        count = sum(True in flag for flag in flags)
        assert count >= 1
        if high == 0:
            assert count == 1
        if low == 1:
            assert count == len(flags)


def share_of_words(low: float, high: float, *, rows: int, words: int) -> NDArray[np.float64]:
    """Share of masked words of each sequence; every word has two pieces."""
    ids = np.tile(np.array([CLS, *[5, 40] * words, SEP]), (rows, 1))
    batch = mask_words(ids, specials_of(60, CONTINUES), low=low, high=high, rng=np.random.default_rng(2))
    return np.asarray(batch.predicted[:, 1:-1].mean(axis=1))


def test_ratio_is_uniform_in_its_range() -> None:
    shares = share_of_words(0.05, 0.35, rows=600, words=1000)
    # Four standard errors: of a binomial share, and of the mean and deviation of a uniform variable.
    assert 0.05 - 0.03 < shares.min() < 0.07 and 0.33 < shares.max() < 0.35 + 0.06
    assert abs(shares.mean() - 0.20) < 4 * 0.3 / np.sqrt(12 * 600)
    assert abs(shares.std() - 0.3 / np.sqrt(12)) < 0.01


def test_fixed_ratio() -> None:
    shares = share_of_words(0.15, 0.15, rows=100, words=1000)
    error = np.sqrt(0.15 * 0.85 / 1000)
    assert abs(shares.mean() - 0.15) < 4 * error / 10
    assert 0.7 * error < shares.std() < 1.3 * error


def test_the_one_word_that_is_always_masked_is_drawn_evenly() -> None:
    ids = np.tile(np.array([CLS, 5, 40, 41, 6, 7, SEP]), (3000, 1))
    batch = mask_words(ids, specials_of(60, CONTINUES), low=0, high=0, rng=np.random.default_rng(3))
    counts = batch.predicted[:, [1, 4, 5]].sum(axis=0)
    assert counts.sum() == 3000 and abs(counts - 1000).max() < 4 * np.sqrt(3000 * 2 / 9)
