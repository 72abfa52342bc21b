"""Impact matrices as values: what they are the matrix of, and how they are kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError
from probe.options import Pool
from probe.svg import escape, heatmap_svg

_FORMAT = "probe.ImpactMatrix/1"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImpactMatrix:
    """Influence of every unit of a sentence on every other (Wu et al. 2020, section 2).

    Shapes:
        values: float32 [n, n]; ``values[i, j]`` is the influence of unit j on unit i; the diagonal is 0
        on_cls: float32 [n]; influence of unit j on the sentence representation (``[CLS]``, ``<s>``, ...);
            NaN where the model's tokenizer adds no such token

    Both are float64 where the model runs in float64.
    """

    values: NDArray[np.floating[Any]]
    on_cls: NDArray[np.floating[Any]]
    units: tuple[str, ...]
    model: str
    metric: str
    layer: int
    pool: Pool
    perturb: str

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        """One line: what it is the matrix of, without the values."""
        about = f"{self.metric}, layer {self.layer}, {self.pool}, {self.perturb}"
        return f"ImpactMatrix({len(self)} units, {self.model}: {about})"

    def _repr_html_(self) -> str:
        """The heatmap, for a notebook."""
        pass

        return impact_html(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file; it appears whole or not at all."""
        from safetensors.numpy import save

        target = Path(path)
        about = {key: getattr(self, key) for key in ("units", "model", "metric", "layer", "pool", "perturb")}
        data = save(
            {"values": np.ascontiguousarray(self.values), "on_cls": np.ascontiguousarray(self.on_cls)},
            metadata={"format": _FORMAT, "about": json.dumps(about)},
        )
        partial = target.with_name(f".{target.name}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ImpactMatrix:
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not an impact matrix; names the file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(os.fspath(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                about = json.loads(metadata["about"]) if metadata.get("format") == _FORMAT else None
                if not isinstance(about, dict):
                    raise ValueError(f"{_FORMAT} is expected, found {metadata.get('format')}")
                return cls(
                    values=file.get_tensor("values"),
                    on_cls=file.get_tensor("on_cls"),
                    **about | {"units": tuple(about["units"])},
                )
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: not an impact matrix ({error})") from error


@dataclass(frozen=True, eq=False)
class ImpactSet:
    """The impact matrices of one sentence under several settings, from one pass over the model."""

    matrices: tuple[ImpactMatrix, ...]

    def __iter__(self) -> Iterator[ImpactMatrix]:
        return iter(self.matrices)

    def __len__(self) -> int:
        return len(self.matrices)

    @property
    def units(self) -> tuple[str, ...]:
        """The units of the sentence, the same for all matrices."""
        return self.matrices[0].units

    def select(
        self,
        *,
        metric: str | None = None,
        layer: int | None = None,
        pool: Pool | None = None,
        perturb: str | None = None,
    ) -> ImpactMatrix:
        """The one matrix with these settings; a setting not named must not vary.

        ``layer`` counts as ``ImpactMatrix.layer`` does: 0 = embeddings, never negative.

        Raises:
            OptionError: no matrix has these settings, or several do.
        """
        wanted = {"metric": metric, "layer": layer, "pool": pool, "perturb": perturb}
        named = {key: value for key, value in wanted.items() if value is not None}
        found = [m for m in self.matrices if all(getattr(m, key) == value for key, value in named.items())]
        if len(found) != 1:
            raise OptionError(
                f"{len(found)} of {len(self)} matrices have {named or 'no setting named'}; name one"
            )
        return found[0]


def impact_html(matrix: ImpactMatrix) -> str:
    """What a notebook shows of an impact matrix: the heatmap and what it is the matrix of."""
    about = f"{matrix.model}: {matrix.metric}, layer {matrix.layer}, {matrix.pool}, {matrix.perturb}"
    picture = heatmap_svg(matrix.units, matrix.values, title=f"Impact matrix, {about}")
    return (
        f'<figure style="overflow-x:auto"><figcaption>ImpactMatrix, {escape(about)}</figcaption>'
        f"{picture}</figure>"
    )
