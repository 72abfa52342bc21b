"""Impact matrices as values: what they are the matrix of, and how they are kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError, one_line, quoted
from probe.json_text import parse_json
from probe.labels import elided
from probe.metrics import METRICS
from probe.options import POOLS, Pool
from probe.patterns import FULL, GIVEN, attention_name
from probe.perturbations import PERTURBATIONS
from probe.registry import check_name
from probe.svg import escape, heatmap_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

# One key only: safetensors writes the keys of its metadata in an order that differs from run to run.
_KEY = "probe.ImpactMatrix/2"
_TEXTS = ("model", "metric", "pool", "perturb")
CUES = ("frequent", "seen", "norm", "summary")
"""What is known of each unit beside its openness, all but ``summary`` the mean over its pieces.

- frequent: the probability of the 200 most frequent pieces where the unit is masked
  (``probe.openness.FREQUENT_PIECES``)
- seen: the entropy where it is not masked, in nats
- norm: the Euclidean norm of its state before the first layer
- summary: how far the last state of [CLS] moves when it is masked; 0 where nothing stands for the sentence
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImpactMatrix:
    """Influence of every unit of a sentence on every other (Wu et al. 2020, section 2).

    Shapes:
        values: float32 [n, n]; ``values[i, j]`` is the influence of unit j on unit i; the diagonal is 0
        on_cls: float32 [n]; influence of unit j on the sentence representation (``[CLS]``, ``<s>``, ...);
            NaN where the model's tokenizer adds no such token
        openness: float64 [n], where it was asked for: the entropy of what a model predicts for each unit; see
            ``Probe.openness``
        cues: float64 [4, n], beside openness: what else that model says of each unit; see ``CUES``

    Values are float64 where the model runs in float64. ``unknown`` are the places of the units of which the
    vocabulary knows nothing: their impacts are those of the unknown piece.

    Example:
        >>> import probe
        >>> matrix = probe.load("bert", dtype="float32").impact(["Dogs", "bark", "."])
        >>> print(matrix)
        ImpactMatrix(3 units, bert: dist, layer ..., mean, pair)
        influence of   Dogs   bark      .
        influence on
        Dogs          0.000  ...
        bark          8...
        .             3...
        >>> bool(matrix.to_frame().loc["bark", "Dogs"] == matrix.values[1, 0])
        True
    """

    values: NDArray[np.floating[Any]]
    on_cls: NDArray[np.floating[Any]]
    units: tuple[str, ...]
    model: str
    metric: str
    layer: int
    pool: Pool
    perturb: str
    attention: str = FULL
    openness: NDArray[np.float64] | None = None
    cues: NDArray[np.float64] | None = None
    unknown: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        """One line: what it is the matrix of, without the values."""
        about = f"{self.metric}, layer {self.layer}, {self.pool}, {self.perturb}"
        about += "" if self.attention == FULL else f", attention {self.attention}"
        return f"ImpactMatrix({len(self)} units, {self.model}: {about})"

    def __str__(self) -> str:
        """The line of ``repr``, and the values beside their words; of many units the first and the last."""
        import pandas

        with pandas.option_context(
            "display.precision", 3, "display.show_dimensions", False, "display.unicode.east_asian_width", True
        ):
            lines = str(self.to_frame()).splitlines()
        return "\n".join([repr(self), *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        """The heatmap, for a notebook."""
        return impact_html(self)

    def to_frame(self) -> DataFrame:
        """The values as a pandas frame [n, n]: a row for each unit, a column for the influence of each."""
        import pandas

        units = list(self.units)
        return pandas.DataFrame(
            self.values,
            index=pandas.Index(units, name="influence on"),
            columns=pandas.Index(units, name="influence of"),
        )

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the values with matplotlib, the units on both axes; into ``ax`` where it is given."""
        import matplotlib.pyplot as plt

        ax = plt.figure(layout="constrained").add_subplot() if ax is None else ax
        shown = np.ma.masked_array(self.values, mask=np.eye(len(self), dtype=bool))
        image = ax.imshow(shown, cmap="Blues", interpolation="nearest")
        labels = [elided(unit) for unit in self.units]
        ax.set_xticks(range(len(self)), labels=labels, rotation=90, parse_math=False)
        ax.set_yticks(range(len(self)), labels=labels, parse_math=False)
        ax.xaxis.tick_top()
        ax.xaxis.set_label_position("top")
        ax.set(xlabel="influence of", ylabel="influence on")
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.colorbar(image, ax=ax, label=METRICS[self.metric].label)
        return ax

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file; it appears whole or not at all."""
        from safetensors.numpy import save

        target = Path(path)
        about = {key: getattr(self, key) for key in ("units", "layer", *_TEXTS)}
        if self.attention != FULL:
            about["attention"] = self.attention
        if self.unknown:
            about["unknown"] = self.unknown
        arrays = self._arrays()
        metadata = json.dumps({"about": about, "sha256": _digest(about, arrays)})
        data = save(arrays, metadata={_KEY: metadata})
        partial = target.with_name(f".{target.name}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _arrays(self) -> dict[str, NDArray[np.floating[Any]]]:
        """What a file holds, by name."""
        found = {"values": self.values, "on_cls": self.on_cls, "openness": self.openness, "cues": self.cues}
        return {name: np.ascontiguousarray(array) for name, array in found.items() if array is not None}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ImpactMatrix:
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not an impact matrix, or was altered; names the file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(os.fspath(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                if _KEY not in metadata:
                    raise ValueError(
                        f"{_KEY} is expected, found {', '.join(sorted(metadata)) or 'no metadata'}"
                    )
                found = parse_json(metadata[_KEY])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            about = found["about"]
            if not isinstance(about["units"], list):
                raise TypeError("units: a list is expected")
            if found["sha256"] != _digest(about, arrays):
                raise ValueError("it does not match its own checksum")
            lists = {"units": tuple(about["units"]), "unknown": tuple(about.get("unknown", ()))}
            return cls(**arrays, **about | lists)._checked()
        except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
            said = one_line(str(error))
            raise ValueError(f"{os.fspath(path)}: not an impact matrix ({said})") from error

    def _checked(self) -> ImpactMatrix:
        """The matrix itself, if it can be one.

        Raises:
            ValueError: a shape, type or name is not as ``ImpactMatrix`` says, or an impact is not finite.
        """
        n = len(self.units)
        if not n or not all(isinstance(text, str) for text in (*self.units, self.model)):
            raise ValueError("units and model: texts are expected")
        if not all(type(place) is int and 0 <= place < n for place in self.unknown):
            raise ValueError(f"unknown: places of units from 0 to {n - 1} are expected")
        if type(self.layer) is not int or self.layer < 0:
            raise ValueError(f"layer: a whole number from 0 is expected, found {quoted(self.layer)}")
        for option, name, known in (
            ("metric", self.metric, METRICS),
            ("pool", self.pool, POOLS),
            ("perturb", self.perturb, PERTURBATIONS),
        ):
            if not isinstance(name, str) or check_name(option, name, known) != name:
                raise ValueError(f"{option}: a name is expected, found {quoted(name)}")
        if not isinstance(self.attention, str) or self.attention != GIVEN:
            attention_name(self.attention)
        check_arrays(n, self.values, self.on_cls, self.openness, self.cues)
        return self


def check_arrays(
    n: int,
    values: NDArray[Any],
    on_cls: NDArray[Any],
    openness: NDArray[Any] | None,
    cues: NDArray[Any] | None,
) -> None:
    """Check what was read from a file: the arrays of an ``ImpactMatrix`` of n units.

    Raises:
        ValueError: a shape or type is another, a number is not finite, or the diagonal is not 0.
    """
    if values.dtype not in (np.float32, np.float64):
        raise ValueError(f"values: float32 or float64 is expected, found {values.dtype}")
    for key, array, shape in (("values", values, (n, n)), ("on_cls", on_cls, (n,))):
        if array.shape != shape or array.dtype != values.dtype:
            raise ValueError(
                f"{key}: {values.dtype} {list(shape)} is expected for {n} units, "
                f"found {array.dtype} {list(array.shape)}"
            )
    if not (np.isfinite(values).all() and (np.isfinite(on_cls).all() or np.isnan(on_cls).all())):
        raise ValueError("an impact is not a finite number")
    for of_units, found, wanted in (("openness", openness, (n,)), ("cues", cues, (len(CUES), n))):
        if found is not None and (
            found.shape != wanted or found.dtype != np.float64 or not np.isfinite(found).all()
        ):
            raise ValueError(f"{of_units}: finite float64 {list(wanted)} is expected")
    if np.diagonal(values).any():
        raise ValueError("the diagonal is not 0")


def _digest(about: object, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of what a file says."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
    picture = heatmap_svg(
        matrix.units, matrix.values, scale=METRICS[matrix.metric].label, title=f"Impact matrix, {about}"
    )
    return (
        f'<figure style="overflow-x:auto"><figcaption>ImpactMatrix, {escape(about)}</figcaption>'
        f"{picture}</figure>"
    )
