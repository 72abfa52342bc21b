"""Checks of score matrices and roots that the dependency decoders share."""

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_scores(
    scores: ArrayLike, root: int | None, *, single_root: bool, name: str = "scores"
) -> NDArray[np.float64]:
    """Return a float64 copy of `scores` in which the entries no decoder may read are 0.

    These are the diagonal and column 0 and, where `root` is given, row 0 and column `root` as well: the arc
    from ROOT to the root is then in every tree, whatever it scores.

    Shape: scores [n + 1, n + 1], [head, dependent], index 0 = ROOT; the result has the same shape.

    Raises:
        ValueError: the matrix is not square, has no word or a score that is not finite, or `root` is not one
            of the words 1..n or comes with `single_root=False`.
    """
    array = np.array(scores, dtype=np.float64, order="C")
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ValueError(f"{name}: expected shape [n + 1, n + 1] with n >= 1 words, got {list(array.shape)}")
    array.reshape(-1)[:: len(array) + 1] = 0.0
    array[:, 0] = 0.0
    if root is not None:
        if not single_root:
            raise ValueError(f"{name}: root={root} needs single_root=True")
        if not 1 <= operator.index(root) < len(array):
            raise ValueError(f"{name}: expected a root in 1..{len(array) - 1}, got {root}")
        array[0, :] = 0.0
        array[:, root] = 0.0
    if not np.isfinite(array).all():
        head, dependent = np.argwhere(~np.isfinite(array))[0]
        value = array[head, dependent]
        raise ValueError(f"{name}[{head}, {dependent}]: expected a finite score, got {value}")
    return array


def check_many(
    matrices: Sequence[ArrayLike], roots: Sequence[int | None] | None, *, single_root: bool
) -> tuple[list[NDArray[np.float64]], list[int | None]]:
    """Check every matrix with its root as `check_scores` does; return the copies and the roots, in order.

    Raises:
        ValueError: as `check_scores`, or there are not as many roots as matrices.
    """
    known: list[int | None] = [None] * len(matrices) if roots is None else list(roots)
    if len(known) != len(matrices):
        raise ValueError(f"roots: expected one for each of the {len(matrices)} matrices, got {len(known)}")
    arrays = [
        check_scores(matrix, root, single_root=single_root, name=f"matrices[{k}]")
        for k, (matrix, root) in enumerate(zip(matrices, known, strict=True))
    ]
    return arrays, known
