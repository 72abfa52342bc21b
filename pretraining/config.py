"""The training configuration: one TOML file, checked on reading."""

from __future__ import annotations

import dataclasses
import inspect
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

T = TypeVar("T")

PRECISIONS = ("auto", "float32", "bfloat16")

_NAMES = {
    int: "an integer",
    str: "a string",
    bool: "true or false",
    float: "a number",
    tuple[str, ...]: "a list of strings",
    tuple[float, float]: "a list of two numbers",
}
"""How an error names the type of a key."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The model: a shape, named as in ``transformers.ModernBertConfig``, or a pretrained BERT or MPNet.

    ``init`` is a directory, the name of an installed package that holds a model, or a hub id; the shape and the
    tokenizer are then those found there. Of the rest only these two count with it: pieces in ``renew`` get the
    mean of the embeddings, and a head that is not there begins with ``head_norm`` as its layer norm's weight.
    """

    init: str = ""
    renew: tuple[str, ...] = ()
    head_norm: float = 0.3
    vocab_size: int = 12_000
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    intermediate_size: int = 512
    max_position_embeddings: int = 512
    initializer_range: float = 0.02
    rope_theta: float = 1_000.0


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which shards are read, and how sequences and masks are made of them.

    ``shards`` and ``heldout`` are file-name stems inside the corpus folder. Every ``long_every``-th
    step takes a batch of ``long_batch_size`` sequences of ``long_length`` pieces, so that no position
    of the model's window is untrained. The first ``first_steps`` steps take sequences of ``first_length``
    pieces, sentences cut, in batches of as many pieces as ever: among few words it is soon found that
    neighbours matter (the plateau of small masked LMs). The masking ratio of a sequence is uniform in
    [``mask_low``, ``mask_high``], whole words at a time. Without ``packed`` every sequence is a single sentence,
    and batches have fewer pieces. In the first ``one_sided_steps`` steps a share ``one_sided`` of the sequences
    is not masked: every position sees one side and predicts the piece beside it on the other.
    """

    shards: tuple[str, ...]
    heldout: tuple[str, ...]
    length: int = 64
    batch_size: int = 32
    long_length: int = 512
    long_batch_size: int = 4
    long_every: int = 8
    first_length: int = 16
    first_steps: int = 0
    mask_low: float = 0.05
    mask_high: float = 0.35
    packed: bool = True
    one_sided: float = 0.0
    one_sided_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Muon for the matrices of the layers, AdamW for the rest; linear warm-up, a constant stretch, linear decay.

    The decay takes the last part, ``decay`` of it, of the steps after the warm-up. ``weight_decay`` is that of the
    matrices, ``betas`` are those of AdamW. After ``neighbour_steps`` steps (0: never) only the first layer keeps
    the query and key biases that turn its heads to the neighbours.

    With ``model.init`` AdamW takes all, at a learning rate for the encoder's layers, one for the embeddings and
    one for the head, and the loss has ``distillation`` times the distance between the states of words that are
    not masked and those of the untouched encoder. The lowest ``frozen_layers`` layers stay as they are.
    With ``head_only`` the whole encoder does: the head alone learns, without its output matrix, the embeddings.
    """

    steps: int
    learning_rate: float = 1e-3
    matrix_learning_rate: float = 0.01
    encoder_learning_rate: float = 1e-4
    embedding_learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    distillation: float = 0.0
    frozen_layers: int = 0
    head_only: bool = False
    muon_iterations: int = 5
    warmup_steps: int = 100
    neighbour_steps: int = 0
    decay: float = 1.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All that determines a training run besides the text itself.

    ``precision`` is "float32", "bfloat16", or "auto": whichever the processor multiplies faster.
    """

    seed: int = 0
    precision: str = "auto"
    checkpoint_every: int = 1_000
    evaluate_every: int = 1_000
    heldout_sequences: int = 1_024
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig
    optim: OptimConfig


def read_config(path: Path) -> TrainConfig:
    """Read a TOML configuration.

    Raises:
        ValueError: not TOML, an unknown or missing key, or a value of the wrong type or out of range; names
            the file and the key.
    """
    try:
        return from_table(read_table(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_table(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, unchecked.

    Raises:
        ValueError: not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a TOML file ({error})") from error


def from_table(table: dict[str, Any]) -> TrainConfig:
    """A configuration from nested plain values, checked; keys that are left out have their defaults.

    Raises:
        ValueError: an unknown or missing key, or a value of the wrong type or out of range; names the key.
    """
    sections = {
        "model": _build(ModelConfig, table.get("model", {}), "model."),
        "data": _build(DataConfig, table.get("data", {}), "data."),
        "optim": _build(OptimConfig, table.get("optim", {}), "optim."),
    }
    config = _build(TrainConfig, table | sections)
    _check_counts(config)
    _check(config)
    return config


def _build(cls: type[T], table: object, section: str = "") -> T:
    if not isinstance(table, dict):
        raise ValueError(f"{section.rstrip('.')} must be a table of keys, not {table!r}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    fields = inspect.signature(cls, eval_str=True).parameters
    for key, value in values.items():
        if key not in fields:
            raise ValueError(f"unknown key {section}{key}")
        if not _is_of_type(value, fields[key].annotation):
            raise ValueError(f"{section}{key} must be {_NAMES[fields[key].annotation]}, not {table[key]!r}")
    for key, field_ in fields.items():
        if field_.default is field_.empty and key not in values:
            raise ValueError(f"missing key {section}{key}")
    return cls(**values)


def _is_of_type(value: object, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            return False
        items = get_args(kind)
        kinds = (items[0],) * len(value) if items[-1] is Ellipsis else items
        return len(value) == len(kinds) and all(map(_is_of_type, value, kinds))
    return type(value) in (int, float) if kind is float else type(value) is kind


def _check_counts(config: TrainConfig) -> None:
    data, optim, model = config.data, config.optim, config.model
    may_be_zero = (
        "seed",
        "warmup_steps",
        "first_steps",
        "one_sided_steps",
        "neighbour_steps",
        "frozen_layers",
    )
    least = dict.fromkeys(may_be_zero, 0)
    for section, values in (("", config), ("model.", model), ("data.", data), ("optim.", optim)):
        for key, field_ in inspect.signature(type(values), eval_str=True).parameters.items():
            if field_.annotation is int and getattr(values, key) < least.get(key, 1):
                raise ValueError(f"{section}{key} must be at least {least.get(key, 1)}")


def _check(config: TrainConfig) -> None:
    data, optim, model = config.data, config.optim, config.model
    if not data.shards or not data.heldout:
        raise ValueError("data.shards and data.heldout must each name at least one shard")
    if overlap := set(data.shards) & set(data.heldout):
        raise ValueError(f"data.heldout shares {', '.join(sorted(overlap))} with data.shards")
    if not 0 <= data.mask_low <= data.mask_high <= 1:
        raise ValueError("data.mask_low and data.mask_high must satisfy 0 <= low <= high <= 1")
    if not 0 <= data.one_sided <= 1:
        raise ValueError("data.one_sided must lie in [0, 1]")
    if data.first_steps and not 8 <= data.first_length <= data.length:
        raise ValueError("8 <= data.first_length <= data.length must hold")
    if not 8 <= data.length <= data.long_length <= model.max_position_embeddings:
        raise ValueError("8 <= data.length <= data.long_length <= model.max_position_embeddings must hold")
    if not 0 <= optim.decay <= 1 or not 0 <= optim.warmup_steps <= optim.steps:
        raise ValueError("optim.decay must lie in [0, 1] and optim.warmup_steps in [0, optim.steps]")
    if config.precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {config.precision!r}")
    _check_init(config)
    if model.hidden_size % (2 * model.num_attention_heads):
        raise ValueError("model.hidden_size must be an even multiple of model.num_attention_heads")
    if model.rope_theta <= 1:
        raise ValueError("model.rope_theta must be above 1")
    if model.vocab_size > 65_536:
        raise ValueError("model.vocab_size must be at most 65,536: pieces are stored in 16 bits")


def _check_init(config: TrainConfig) -> None:
    """Keys that count only with ``model.init``, or only without it."""
    given = [key for key, value in vars(config.model).items() if value != getattr(ModelConfig(), key)]
    if config.model.init and (shape := [key for key in given if key not in ("init", "renew", "head_norm")]):
        raise ValueError(f"model.{shape[0]} has no effect with model.init: leave it out")
    if not config.model.init and (begun := [key for key in given if key in ("renew", "head_norm")]):
        raise ValueError(f"model.{begun[0]} needs model.init")
    if config.model.init and config.optim.neighbour_steps:
        raise ValueError("optim.neighbour_steps has no effect with model.init: leave it out")
    if config.optim.frozen_layers and not config.model.init:
        raise ValueError("optim.frozen_layers needs model.init")
    if config.optim.head_only and not config.model.init:
        raise ValueError("optim.head_only needs model.init")
    if config.optim.head_only and (config.optim.frozen_layers or config.optim.distillation):
        raise ValueError("optim.frozen_layers and optim.distillation have no effect with optim.head_only")
    if config.optim.distillation < 0:
        raise ValueError("optim.distillation must be at least 0")
    if config.optim.distillation and (not config.model.init or config.data.one_sided_steps):
        raise ValueError("optim.distillation needs model.init, and data.one_sided_steps = 0")


def as_table(config: TrainConfig) -> dict[str, Any]:
    """The configuration as nested plain values, for checkpoints and the model card."""
    return dataclasses.asdict(config)
