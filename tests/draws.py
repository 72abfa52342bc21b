"""Random scores of every kind that decoders must stand, for the tests of the parsers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

DRAWS: dict[str, Draw] = {
    "positive": lambda rng, shape: rng.random(shape),
    "negative": lambda rng, shape: -rng.gamma(2.0, size=shape),
    "mixed": lambda rng, shape: rng.normal(size=shape),
    "tied": lambda rng, shape: rng.integers(-1, 2, shape).astype(np.float64),
    "large": lambda rng, shape: rng.normal(size=shape) * 1e300,
    "small": lambda rng, shape: rng.normal(size=shape) * 1e-300,
}
