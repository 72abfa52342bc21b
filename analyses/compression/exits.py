"""From which layer on a word keeps its head: early exit (Xin et al. 2020, "DeeBERT"), asked of trees.

>>> import numpy as np
>>> from analyses.compression.exits import agrees, settled_layers
>>> heads = np.array([[2, 0, 1], [0, 1, 2], [2, 0, 2], [2, 0, 2]])  # [layers, words], layer 1 first
>>> settled_layers(heads).tolist()
[3, 3, 2]
>>> agrees(heads, 3).sum(axis=1).tolist()  # with the heads of layer 3
[2, 1, 3, 3]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]


def settled_layers(heads: ArrayLike, last: int | None = None) -> NDArray[np.int64]:
    """The first layer from which on the head of each word is the same in every layer up to the last.

    Args:
        heads: int [layers, n], those of layers 1, 2, ...
        last: the layer up to which; that of the last row where None.

    Returns:
        int64 [n], from 1 to ``last``.

    Raises:
        ValueError: no layers, or ``last`` is none of them.
    """
    found = _up_to(heads, last)
    changed = found[1:] != found[:-1]
    layers = np.arange(2, len(found) + 1)[:, None]
    return np.asarray((changed * layers).max(axis=0, initial=1), dtype=np.int64)


def agrees(heads: ArrayLike, layer: int) -> Bools:
    """Whether each layer gives a word the head that ``layer`` gives it.

    Shapes:
        heads: int [layers, n], those of layers 1, 2, ...; returns bool [layers, n]

    Raises:
        ValueError: as ``settled_layers``.
    """
    own = _up_to(heads, layer)[-1]
    return np.asarray(np.asarray(heads) == own)


def exit_layer(heads: ArrayLike, *, patience: int, last: int | None = None) -> int:
    """The layer at which a sentence leaves: its tree was that of the layer before, ``patience`` times in a row.

    Zhou et al. (2020), "BERT Loses Patience", section 3.2, with whole trees in the place of labels.

    Args:
        heads: int [layers, n], those of layers 1, 2, ...
        patience: 1 or more.
        last: where it leaves at the latest; the last row where None.

    Raises:
        ValueError: as ``settled_layers``, or a patience below 1.
    """
    if patience < 1:
        raise ValueError(f"expected a patience of 1 or more, found {patience}")
    found = _up_to(heads, last)
    alike = 0
    for at in range(1, len(found)):
        alike = alike + 1 if (found[at] == found[at - 1]).all() else 0
        if alike == patience:
            return at + 1
    return len(found)


def _up_to(heads: ArrayLike, last: int | None) -> NDArray[np.int64]:
    found = np.asarray(heads, dtype=np.int64)
    if found.ndim != 2 or not len(found):
        raise ValueError(f"expected heads [layers, n] of one layer or more, found shape {found.shape}")
    end = len(found) if last is None else last
    if not 1 <= end <= len(found):
        raise ValueError(f"expected a layer from 1 to {len(found)}, found {end}")
    return found[:end]
