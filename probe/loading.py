"""From a name to a model: the embedded BERT, a local directory, or a model hub id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.calibration import take_fastest
from probe.checks import (
    check_mask,
    check_maximum,
    check_source,
    check_states,
    check_vocabulary,
    mask_note,
    missing_package,
    of_transformers,
)
from probe.errors import ModelError, OptionError, quoted, warn
from probe.json_text import is_count, parse_json
from probe.model import Probe, placed
from probe.options import POOLS, Best
from probe.perturbations import PERTURBATIONS
from probe.registry import check_name
from probe.source import EMBEDDED

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from probe.architectures import Architecture

_DTYPES = ("auto", "fastest", "float32", "bfloat16", "float16", "float64")
_BEST_FILE = "probe.json"
"""Says which layer and pool served a model best; beside the files that transformers reads."""
_UNBOUNDED = 1_000_000
"""Tokenizers without a maximum say so with a huge number."""


def load(name: str | os.PathLike[str], *, device: str = "auto", dtype: str = "auto") -> Probe:
    """Load a model: a masked LM, a causal one, the encoder of an encoder-decoder, or one without a head.

    What a model lacks (a mask token, a head, attention that a mask controls) is said when a perturbation or a
    metric asks for it.

    Args:
        name: "bert" for the embedded BERT, a directory, or a hub id such as "bert-base-uncased".
        device: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:N" or "mps".
        dtype: "auto" (float32, so that the same call gives the same digits everywhere), "float32",
            "bfloat16", "float16", "float64", or "fastest": what a short measurement finds fastest here.

    Warns:
        ProbeWarning: the mask token was probably never trained; which dtype was found fastest.

    Raises:
        ModelError: there is no such model, the hub cannot be reached, its tokenizer needs a package that is not
            installed, or its numbers would be wrong (see ``probe.checks``).
        OptionError: an unknown device or dtype.
    """
    from probe import nezha, pruned

    nezha.register()
    pruned.register()
    chosen_device = resolve_device(device)
    chosen_dtype = resolve_dtype(dtype)
    label = os.fspath(name)
    source = source_of(label)
    check_source(source, label)
    with quiet_transformers():
        local = os.path.isdir(source) or not hub_answers(source)
        tokenizer = _load_tokenizer(source, label, local=local)
        found = _load_model(source, label, chosen_dtype, local=local)
        check_vocabulary(found.model, tokenizer, label)
        loaded = Probe(
            name=label,
            model=placed(found.model, chosen_device, chosen_dtype),
            tokenizer=tokenizer,
            window=window_of(found.model, tokenizer),
            has_head=found.has_head,
            best=(best := _best(Path(source), label, int(found.model.config.num_hidden_layers))),
            mask_note=None
            if best.fills_masks
            else mask_note(found.model, tokenizer, expects_head=found.lacks_head),
        )
        check_states(loaded.model, loaded.pieces, label)
        if found.kind == "causal" and not loaded.attention.causal:
            loaded.has_head = False  # it would predict a piece from the state of that piece
    if loaded.mask_note is not None:
        warn(f"{label}: {loaded.mask_note}: masking tells little of this model")
    if dtype == "fastest":
        take_fastest(loaded)
    return loaded


def resolve_device(name: str) -> torch.device:
    """The device of that name, if this machine has it.

    Raises:
        OptionError: the name is unknown, or there is no such device here.
    """
    import torch

    available = ["cpu"]
    if torch.cuda.is_available():
        available = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *available]
    if torch.backends.mps.is_available():
        available = ["mps", *available]
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise OptionError(f"no device {name!r} here: there are auto, {', '.join(available)}")
    return torch.device(name)


def resolve_dtype(name: str) -> torch.dtype:
    """The dtype of that name: float32 for "auto", and for "fastest" until it is measured.

    Raises:
        OptionError: the name is unknown.
    """
    import torch

    check_name("dtype", name, _DTYPES)
    return torch.float32 if name in ("auto", "fastest") else getattr(torch, name)


def source_of(name: str) -> str:
    """A directory or a hub id."""
    if not name:
        raise ModelError(f"the name of a model is expected ({EMBEDDED!r}, a directory or a hub id), found ''")
    if name == EMBEDDED:
        return os.fspath(Path(str(files("probe"))) / "embedded")
    path = Path(name).expanduser()
    if os.path.isdir(path):  # which takes a name of any length
        if not (path / "config.json").is_file():
            raise ModelError(f"{name}: no config.json in this directory, so it holds no transformers model")
        return os.fspath(path)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or os.path.exists(path):
        raise ModelError(f"{name}: no such model directory")
    return name


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the bars and reports of transformers and the hub off stderr; what matters is raised instead."""
    from logging import ERROR, getLogger

    from transformers.utils import logging

    hub = getLogger("huggingface_hub")
    hub_level, verbosity, bars = hub.level, logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub.setLevel(ERROR)
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hub.setLevel(hub_level)
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def hub_answers(name: str) -> bool:
    """Ask the hub once; where it does not answer, its own client would ask for a minute, file by file."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"))
    except (EntryNotFoundError, RepositoryNotFoundError):
        return True
    except Exception:  # offline mode, no connection, no such host, a proxy that refuses
        return False
    return True


def _load_tokenizer(source: str, name: str, *, local: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        # Without the last option transformers would ask on the terminal whether to run a model's own code.
        tokenizer: Any = AutoTokenizer.from_pretrained(
            source, local_files_only=local, trust_remote_code=False
        )
    except Exception as error:  # the hub client, the tokenizer and the file formats each raise their own
        raise unavailable(source, name, error) from error
    check_mask(tokenizer, name)
    check_maximum(tokenizer, name)
    return tokenizer  # type: ignore[no-any-return]


def _load_model(source: str, name: str, dtype: torch.dtype, *, local: bool) -> Architecture:
    from probe.architectures import load_architecture

    try:
        return load_architecture(source, name, dtype=dtype, local=local)
    except ModelError:
        raise
    except Exception as error:  # see _load_tokenizer
        raise unavailable(source, name, error) from error


def unavailable(source: str, name: str, error: Exception) -> ModelError:
    """What is said of a model that cannot be loaded, by the error of transformers."""
    if (about := missing_package(name, error) or of_transformers(name, error)) is not None:
        return about
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, ValueError) and "Unrecognized configuration class" in str(error):
        return ModelError(
            f"{name}: no class of transformers loads it as a model of text ({first_line[:120]})"
        )
    if os.path.isdir(source):
        return ModelError(
            f"{name}: the model in this directory cannot be loaded: a file is missing or damaged "
            f"({first_line[:160]})"
        )
    return ModelError(
        f"cannot load {name!r}: it is neither the embedded model ({EMBEDDED!r}), nor a model directory, nor to "
        f"be had from the model hub or its local cache. Check the name and the connection, or download the model "
        f"elsewhere and give its directory ({first_line[:160]})"
    )


def _best(folder: Path, name: str, n_layers: int) -> Best:
    """The layer and pool that the model directory recommends, and the layers of single perturbations.

    ``fills_masks`` in it says that the mask token was trained, whatever its embedding looks like. It may say that
    alone: then, as where there is no file, the last layer is a guess.

    Raises:
        ModelError: they are no layers and no pool of the model.
    """
    path = folder / _BEST_FILE
    if not path.is_file():
        return Best(guess=True)
    try:
        found = parse_json(path.read_bytes())
        layers = {PERTURBATIONS.resolve(key): value for key, value in found.get("layers", {}).items()}
        best = Best(fills_masks=found.get("fills_masks", False), guess=found.keys() == {"fills_masks"})
        if not best.guess:
            best = replace(
                best, layer=found["layer"], pool=check_name("pool", found["pool"], POOLS), layers=layers
            )
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name}: {_BEST_FILE} must give a layer and a pool ({error})") from error
    if not isinstance(best.fills_masks, bool):
        raise ModelError(f"{name}: {_BEST_FILE}: fills_masks must be true or false")
    for layer in (best.layer, *best.layers.values()):
        if not is_count(layer, least=-n_layers - 1, most=n_layers):
            raise ModelError(
                f"{name}: {_BEST_FILE} gives layer {quoted(layer)}, the model has 0 to {n_layers}"
            )
    return best


def window_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Longest sequence in pieces: what the positions allow, and what the tokenizer says."""
    said = tokenizer.model_max_length
    limits = [int(said)] if said < _UNBOUNDED else []
    if (positions := getattr(model.config, "max_position_embeddings", None)) and positions > 0:
        offsets = [
            int(padding) + 1  # RoBERTa and its kin count positions from after the padding index
            for key, module in model.named_modules()
            if key.endswith("position_embeddings")
            and (padding := getattr(module, "padding_idx", None)) is not None
        ]
        limits.append(int(positions) - max(offsets, default=0))
    return min(limits, default=_UNBOUNDED)
