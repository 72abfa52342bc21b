"""Word vectors of the sentiment experiment."""

from pathlib import Path

import numpy as np
import pytest

import probe
from analyses.sentiment.embeddings import SPREAD, centred, model_embeddings
from tests.conftest import ModelFolder


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


def test_vectors_that_were_made_under_another_window_are_made_again(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    sentences = ["the storm".split(), "nobody remembered who had painted the houses".split()]
    words = sorted({word for sentence in sentences for word in sentence})
    with monkeypatch.context() as patch:
        patch.setattr(model, "window", 8)
        short = model_embeddings(model, sentences, words, cache=tmp_path)
    whole = model_embeddings(model, sentences, words, cache=tmp_path)
    assert short.covered < whole.covered == len(words)
    # Kept, under the name that the model is called by now.
    monkeypatch.setattr(model, "name", "other")
    again = model_embeddings(model, sentences, words, cache=tmp_path)
    assert again.name == "other layer 1 static, centred" and (again.values == whole.values).all()
