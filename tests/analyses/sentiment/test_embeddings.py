"""Word vectors of the sentiment experiment."""

import numpy as np
import pytest

from analyses.sentiment.embeddings import SPREAD, centred


def test_default_vectors_are_centred_and_of_moderate_size() -> None:
    rng = np.random.default_rng(4)
    values = (rng.normal(size=(40, 6)) * [3, 9, 1, 20, 5, 2] + 80).astype(np.float32)
    found = centred(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    assert found.std() == pytest.approx(SPREAD)
    # Differences between words keep their directions and their proportions.
    expected = values[1:] - values[:-1]
    factor = np.linalg.norm(found[1] - found[0]) / np.linalg.norm(expected[0])
    np.testing.assert_allclose(found[1:] - found[:-1], expected * factor, rtol=1e-4, atol=1e-5)
    assert not centred(np.full((3, 4), 7.0)).any()
