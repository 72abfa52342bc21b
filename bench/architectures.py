"""Every masked-LM architecture of transformers, tiny and random, beside a plain loop over the whole model.

python -m bench.architectures > docs/models.md

What cannot be built small is named on standard error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForMaskedLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import probe
from probe.forward import inputs_of

WORDS = ("the", "old", "river", "runs", "deep", ".")
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
AUTO: Any = AutoModelForMaskedLM
LARGEST = 2_000_000
"""Parameters of a model that is still tiny; the shape below is not that of every configuration."""
TOLERANCE = 1e-3
SHAPE: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.3,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
OTHER_SIZES: dict[str, Any] = {
    "embedding_size": 24,
    "input_embedding_size": 24,
    "output_embedding_size": 24,
    "attention_window": [4] * 3,
    "true_hidden_size": 24,
    "intra_bottleneck_size": 24,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "default_language": "en_XX",
}
"""What some configurations call their sizes, set where they have them."""
HEADER = """# Models

`probe.load` takes masked language models that transformers knows. This table is made by
`python -m bench.architectures`: tiny models with random weights, transformers {version}. Impacts (`dist` and
`kl`, last layer) are compared with a plain loop over the whole model, one masked copy at a time. The number is
the largest relative difference. What is refused, whatever the architecture, stands under
[limits](limits.md#models).

| `model_type` | impacts |
| --- | --- |"""


@dataclass(frozen=True)
class Row:
    """An architecture and what came of it."""

    kind: str
    outcome: str


def tokenizer() -> Any:
    """WordPiece of whole words, and of letters for the rest."""
    letters = [chr(code) for code in range(97, 123)]
    pieces = [*SPECIALS, *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    return transformers.BertTokenizer(
        vocab={piece: at for at, piece in enumerate(pieces)}, model_max_length=32
    )


def rows(kinds: Sequence[str]) -> Iterator[Row]:
    """One row an architecture that can be built small."""
    for kind, config_class in sorted(CONFIG_MAPPING.items()):
        if config_class not in MODEL_FOR_MASKED_LM_MAPPING or (kinds and kind not in kinds):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                _save(config_class, Path(folder))
            except Exception as error:  # each configuration has its own demands
                print(f"{kind}: not built: {str(error).splitlines()[:1]}", file=sys.stderr)
                continue
            yield Row(kind, _compared(folder))


def _save(config_class: Any, folder: Path) -> None:
    words = tokenizer()
    config = config_class(**SHAPE, vocab_size=len(words))
    for name, value in OTHER_SIZES.items():
        if hasattr(config, name):
            setattr(config, name, value)
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in AUTO.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} parameters")
    torch.manual_seed(0)
    model = AUTO.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def _compared(folder: str) -> str:
    try:
        loaded = probe.load(folder, device="cpu")
        found: Any = loaded.impact(WORDS, metric=["dist", "kl"], layer=loaded.n_layers, pool="mean")
    except probe.ProbeError as error:
        return f"refused: {str(error).removeprefix(f'{folder}: ')}"
    except Exception as error:
        return f"fails: {type(error).__name__}: {error}"
    values = {matrix.metric: matrix.values for matrix in found}
    worst = max(_difference(loaded, values, i) for i in range(0, len(WORDS), 2))
    if worst == 0:
        return "equal to the last digit"
    return f"equal, {worst:.0e}" if worst < TOLERANCE else f"differ by {worst:.0e}"


def _difference(loaded: probe.Probe, values: dict[str, Any], i: int) -> float:
    """The largest relative difference of row i; every word is one piece."""
    alignment = loaded.align(WORDS)
    model: Any = loaded.model

    def run(*masked: int) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.from_numpy(alignment.ids.copy())
        ids[alignment.positions[list(masked)]] = loaded.tokenizer.mask_token_id
        at = alignment.positions[i]
        with torch.inference_mode():
            states = model.base_model(**inputs_of(model.base_model, ids[None])).last_hidden_state[0, at]
            return states, model(**inputs_of(model, ids[None])).logits[0, at].log_softmax(-1)

    (state, before), worst = run(i), 0.0
    for j in (j for j in range(len(WORDS)) if j != i):
        moved, after = run(i, j)
        expected = {
            "dist": float((state - moved).norm()),
            "kl": float((before.exp() * (before - after)).sum()),
        }
        for metric, value in expected.items():
            worst = max(worst, float(np.abs(values[metric][i, j] - value) / (1e-3 + abs(value))))
    return worst


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(prog="bench.architectures", description=__doc__)
    parser.add_argument("kinds", nargs="*", help="only these model types")
    warnings.filterwarnings("ignore")
    reports: Any = transformers.logging
    reports.set_verbosity_error()
    print(HEADER.format(version=transformers.__version__))
    for row in rows(parser.parse_args().kinds):
        print(f"| {row.kind} | {row.outcome} |", flush=True)


if __name__ == "__main__":
    main()
