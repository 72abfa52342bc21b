"""Orders in which the pieces of a text are predicted, and what each of them leaves to be seen.

>>> import numpy as np
>>> from analyses.order.orders import ORDERS, masked_while_predicted
>>> order = ORDERS["right-to-left"].draw(3, np.random.default_rng(0))
>>> order.tolist()
[2, 1, 0]
>>> masked_while_predicted(order).astype(int).tolist()
[[1, 0, 0], [1, 1, 0], [1, 1, 1]]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.registry import Registry

Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order.

    Attributes:
        name: what it is called by.
        draw: number of pieces, generator -> int64 [pieces], which piece is predicted first, second, ...
        random: whether it is another one at each draw.
    """

    name: str
    draw: Callable[[int, np.random.Generator], Places]
    random: bool = False


LEFT_TO_RIGHT = Order(name="left-to-right", draw=lambda n, rng: np.arange(n))
RIGHT_TO_LEFT = Order(name="right-to-left", draw=lambda n, rng: np.arange(n)[::-1])
RANDOM = Order(name="random", draw=lambda n, rng: rng.permutation(n), random=True)

ORDERS: Registry[Order] = Registry(
    "order",
    [LEFT_TO_RIGHT, RIGHT_TO_LEFT, RANDOM],
    aliases={"sequential": "left-to-right", "l2r": "left-to-right", "r2l": "right-to-left"},
)
"""The orders that do not depend on what was predicted, by name."""


def places_in(order: Places) -> Places:
    """At which step each piece is predicted, from 0: int64 [pieces]."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def masked_while_predicted(order: Places) -> NDArray[np.bool_]:
    """Whether piece j is masked while piece i (row) is predicted: where it is predicted no sooner than i.

    Shapes:
        order: int64 [pieces] -> bool [pieces, pieces]
    """
    places = places_in(order)
    return places >= places[:, None]
