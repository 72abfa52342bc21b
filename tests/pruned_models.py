"""A model with other heads and neurons left in each layer against the whole one with zeros in their place."""

from pathlib import Path

import numpy as np

import probe
from analyses.compression.pruning import Kept, encoder_parameters, layout_of, prune, save


def check_pruned(model: probe.Probe, words: list[str], folder: Path) -> None:
    """Impacts are the same, also of the model as it is saved in the folder and loaded; it has two heads."""
    layout, last = layout_of(model), model.n_layers - 1
    size = layout.head_size(layout.layers(model.model)[0])
    n_neurons = layout.n_neurons(layout.layers(model.model)[0])
    heads = (np.array([1]), np.array([0]))
    neurons = (np.arange(0, n_neurons, 2), np.arange(1, n_neurons, 2))
    small = prune(model, Kept(layers=(0, last), heads=heads, neurons=neurons), name="small")
    assert type(small.model).__name__ == f"Pruned{type(model.model).__name__}"
    all_heads, all_neurons = (np.arange(2),) * 2, (np.arange(n_neurons),) * 2
    whole = prune(model, Kept(layers=(0, last), heads=all_heads, neurons=all_neurons), name="whole")
    assert type(whole.model) is type(model.model)
    for at, layer in enumerate(layout.layers(whole.model)):
        gone = 1 - int(heads[at][0])
        layer.get_submodule(layout.mixing).weight[:, gone * size : (gone + 1) * size] = 0
        layer.get_submodule(layout.out).weight[:, 1 - neurons[at][0] :: 2] = 0
    save(small, folder, chosen="by hand")
    for smaller in (small, probe.load(folder, device="cpu", dtype="float64")):
        found, expected = (
            [
                one.impact(words, metric="prob", layer=-1),
                one.impact(words, perturb="knockout", layer=1),
                one.impact(words, perturb="knockout", layer=2),
            ]
            for one in (smaller, whole)
        )
        for first, second in zip(found, expected, strict=True):
            np.testing.assert_allclose(first.values, second.values, atol=1e-6)
    assert encoder_parameters(small) < encoder_parameters(whole) < encoder_parameters(model)
