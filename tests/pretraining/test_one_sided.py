"""Sequences that see one side and predict the piece on the other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pretraining.batches import Batch, Batches, Specials, mask_words, see_one_side
from pretraining.config import DataConfig, ModelConfig, from_table
from pretraining.model import build_model, predicted_logits
from pretraining.prepare import Pieces

PAD, UNK, CLS, SEP, MASK = range(5)
VOCABULARY = 40
SPECIALS = Specials(pad=PAD, cls=CLS, sep=SEP, mask=MASK, continues=np.zeros(VOCABULARY, dtype=bool))


def random_ids(seed: int, rows: int, length: int) -> NDArray[np.int64]:
    """Sequences [CLS] ... [SEP] of 1 to ``length - 2`` random pieces, padded."""
    rng = np.random.default_rng(seed)
    ids = np.full((rows, length), PAD, dtype=np.int64)
    for row in ids:
        n = int(rng.integers(1, length - 1))
        row[: n + 2] = [CLS, *rng.integers(5, VOCABULARY, n), SEP]
    return ids


def one_sided(ids: NDArray[np.int64], sides: list[int]) -> tuple[Batch, Batch]:
    """The masked batch, and what becomes of it."""
    batch = mask_words(ids, SPECIALS, low=0.3, high=0.3, rng=np.random.default_rng(5))
    return batch, see_one_side(batch, ids, np.array(sides))


def test_targets_against_a_loop() -> None:
    ids = random_ids(0, 30, 12)
    sides = np.random.default_rng(1).choice([-1, 0, 1], 30).tolist()
    masked, batch = one_sided(ids, sides)
    targets = iter(batch.targets.tolist())
    for row, (sequence, side) in enumerate(zip(ids.tolist(), sides, strict=True)):
        length = sequence.index(SEP) + 1
        if side == 0:
            assert batch.ids[row].tolist() == masked.ids[row].tolist()
            places = np.flatnonzero(masked.predicted[row]).tolist()
            expected = [sequence[place] for place in places]
        elif side < 0:  # from [CLS] on, the next one, [SEP] too
            places, expected = list(range(length - 1)), sequence[1:length]
        else:  # every piece from what comes after it
            places, expected = list(range(2, length)), sequence[1 : length - 1]
        if side:
            assert batch.ids[row].tolist() == sequence
        assert np.flatnonzero(batch.predicted[row]).tolist() == places
        assert [next(targets) for _ in places] == expected
    assert next(targets, None) is None


def test_visible_against_a_loop() -> None:
    ids = random_ids(2, 12, 9)
    sides = [-1, 0, 1] * 4
    _, batch = one_sided(ids, sides)
    seen = batch.visible()
    assert seen.shape == (12, 1, 9, 9)
    for row, side in enumerate(sides):
        for i in range(9):
            for j in range(9):
                within = side == 0 or (j <= i if side < 0 else j >= i)
                assert seen[row, 0, i, j] == (i == j or (within and ids[row, j] != PAD))


def test_no_prediction_depends_on_what_it_predicts() -> None:
    """The logits at a position stay when all that it may not see is exchanged."""
    model = build_model(ModelConfig(vocab_size=VOCABULARY, hidden_size=32, num_attention_heads=2), seed=0)
    model.train(False)
    ids = random_ids(3, 6, 10)
    _, batch = one_sided(ids, [-1, 1, 0, -1, 1, 0])
    rng = np.random.default_rng(4)
    for place in range(1, 9):
        other = batch.ids.copy()
        for row, side in enumerate(batch.sides.tolist()):
            hidden = slice(place + 1, None) if side < 0 else slice(None, place) if side > 0 else slice(0, 0)
            plain = ~np.isin(other[row, hidden], (PAD, CLS, SEP))
            other[row, hidden] = np.where(plain, rng.integers(5, VOCABULARY, plain.shape), other[row, hidden])
        at = np.zeros_like(batch.predicted)
        at[:, place] = batch.predicted[:, place]
        with torch.inference_mode():
            before = predicted_logits(model, replace(batch, predicted=at), torch.device("cpu"))
            after = predicted_logits(model, replace(batch, ids=other, predicted=at), torch.device("cpu"))
        torch.testing.assert_close(before, after, atol=1e-5, rtol=0)
        assert torch.isfinite(after).all()


CONFIG = DataConfig(
    shards=("a",), heldout=("b",), length=12, batch_size=20, long_length=12, long_batch_size=20, long_every=4
)


def pieces() -> Pieces:
    """A hundred documents of one sentence of ten pieces."""
    offsets = np.arange(0, 1001, 10)
    ids = np.random.default_rng(6).integers(5, VOCABULARY, 1000).astype(np.uint16)
    return Pieces(ids=ids, sentences=offsets, documents=np.arange(101))


def test_share_steps_and_order() -> None:
    config = replace(CONFIG, one_sided=0.5, one_sided_steps=30)
    batches = Batches(pieces(), SPECIALS, config, seed=0)
    again = Batches(pieces(), SPECIALS, config, seed=0)
    plain = Batches(pieces(), SPECIALS, CONFIG, seed=0)
    sides = np.concatenate([batches[step].sides for step in range(30)])
    counts = {side: int((sides == side).sum()) for side in (-1, 0, 1)}
    # 600 draws: four standard errors are 49 of 300 and 42 of 150.
    assert abs(counts[0] - 300) < 49 and abs(counts[-1] - 150) < 42 and abs(counts[1] - 150) < 42
    for step in (29, 3, 30, 31):
        assert batches[step].ids.tolist() == again[step].ids.tolist()
        assert batches[step].sides.tolist() == again[step].sides.tolist()
    for step in (30, 31):
        assert not batches[step].sides.any()
        assert batches[step].ids.tolist() == plain[step].ids.tolist()


def test_share_out_of_range() -> None:
    data = {"shards": ["a"], "heldout": ["b"], "one_sided": 1.5}
    with pytest.raises(ValueError, match=r"data\.one_sided must lie in \[0, 1\]"):
        from_table({"data": data, "optim": {"steps": 100}})
