"""Every text architecture of transformers, tiny and random, beside a plain loop over the whole model.

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
from transformers import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import probe
from probe.architectures import kind_of
from probe.forward import inputs_of

WORDS = ("the", "old", "river", "runs", "deep", ".")
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
AUTO: dict[str, Any] = {
    "masked": transformers.AutoModelForMaskedLM,
    "causal": transformers.AutoModelForCausalLM,
    "encoder": transformers.AutoModelForSeq2SeqLM,
}
"""What each kind is written by, so that its head is in the file."""
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
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "ffn_dim": 32,
    "word_embed_proj_dim": 24,
    "d_kv": 12,
    "d_ff": 32,
    "num_decoder_layers": 1,
    "d_inner": 32,
}
"""What some configurations call their sizes, set where they have them."""
HEADER = """# Models

`probe.load` takes what `AutoModel` of transformers loads: masked language models, causal ones, the encoders of
encoder-decoders, and encoders without a head. What a model lacks is said when it is asked for, with what the model
can do without it.

| | needs | models |
| --- | --- | --- |
| `pair`, `single` | a mask token | BERT and its kind, XLNet, BART's and mBART's encoders, CANINE |
| `knockout` | attention that a mask controls | all but those with a way around it (ConvBERT, FNet, CANINE) |
| `substitute:LETTERS`, `piece` | nothing | all |
| `substitute`, openness, gaps | a masked-LM head, a mask token | masked language models |
| `prob`, `kl` | a head | masked and causal language models |

In a causal model impacts on earlier words are exactly 0, `prob` and `kl` read the position before a piece, and no
state stands for the sentence: `on_cls` is NaN, as it is where the tokenizer adds nothing before the words. XLNet
sees both sides; its `<cls>` stands at the end, and its head, which was trained on another stream of states, is not
asked. Of T5, mT5, BART and mBART only the encoder is kept. XLNet and CANINE run in float32 only. The line for
GPT-2 is `probe.load("gpt2").impact(words, perturb="knockout")`.

Slow tokenizers (ESM, CANINE, PhoBERT) are given their words one by one. Those of XLM and FlauBERT need the package
sacremoses, that of Japanese BERT fugashi and a dictionary; where it is missing, its name is the reason of refusal.

NEZHA (Wei et al. 2019), which transformers 5 has no more, is a class of this project (`probe.nezha`):
relative positions by sines and cosines in keys and values. `probe.load` takes files of transformers 4
(weights `nezha...`) and of the authors (`bert...`); `config.json` must say `"model_type": "nezha"`. The
stored position vectors are not read but computed. In a test its impacts equal the equations written down one
query at a time to 1e-10.

`attention` (`--attention`) masks what each position sees, in every layer and pass, together with any
perturbation: `causal`, or as in UniLM (Dong et al. 2019) and GLM (Du et al. 2022) `prefix:N`
([matrices](matrices.md#who-sees-whom)). It needs what knockout needs. A masked language model still predicts
a word from the state at its mask. A causal model does `causal` anyway; `prefix:N` is refused there, since it
was trained to predict each word of the prefix from a state that would then have seen it. In ESM with
`token_dropout` a mask token changes all embeddings, so `pair`, `single` and openness are refused under it,
and knockout is not.

## Architectures

This table is made by `python -m bench.architectures`: tiny models with random weights, transformers {version}.
Impacts (`dist`, and `kl` where there is a head, last layer) are compared with a plain loop over the whole model,
one masked copy at a time. The number is the largest relative difference. What is refused, whatever the model,
stands under [limits](limits.md#models). Of causal ones and encoder-decoders some are shown; XLNet is in a test.

| `model_type` | loaded as | impacts |
| --- | --- | --- |"""


@dataclass(frozen=True)
class Row:
    """An architecture and what came of it."""

    name: str
    kind: str
    outcome: str


def tokenizer() -> Any:
    """WordPiece of whole words, and of letters for the rest."""
    letters = [chr(code) for code in range(97, 123)]
    pieces = [*SPECIALS, *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    return transformers.BertTokenizer(
        vocab={piece: at for at, piece in enumerate(pieces)}, model_max_length=32
    )


def rows(names: Sequence[str]) -> Iterator[Row]:
    """One row an architecture that can be built small."""
    for name, config_class in sorted(CONFIG_MAPPING.items()):
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                kind = _save(config_class, Path(folder))
            except Exception as error:  # each configuration has its own demands
                print(f"{name}: not built: {str(error).splitlines()[:1]}", file=sys.stderr)
                continue
            if kind is not None:
                yield Row(name, kind, _compared(folder))


def _save(config_class: Any, folder: Path) -> str | None:
    """Write a tiny model; what it is loaded as, None where it has no head over a text."""
    words = tokenizer()
    config = config_class(**SHAPE, vocab_size=len(words))
    kind = kind_of(config)
    if kind == "base" or (kind == "encoder" and config_class not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING):
        return None
    for name, value in OTHER_SIZES.items():
        if hasattr(config, name):
            setattr(config, name, value)
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in AUTO[kind].from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} parameters")
    torch.manual_seed(0)
    model = AUTO[kind].from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return kind


def _compared(folder: str) -> str:
    try:
        loaded = probe.load(folder, device="cpu")
        metrics = ["dist", "kl"] if loaded.has_head else ["dist"]
        found: Any = loaded.impact(WORDS, metric=metrics, layer=loaded.n_layers, pool="mean")
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
    at = alignment.positions[i]
    predicted_from = at - 1 if loaded.attention.causal else at

    def run(*masked: int) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.from_numpy(alignment.ids.copy())
        ids[alignment.positions[list(masked)]] = loaded.tokenizer.mask_token_id
        with torch.inference_mode():
            states = model.base_model(**inputs_of(model.base_model, ids[None])).last_hidden_state[0]
            if not loaded.has_head:
                return states[at], states[at]
            logits = model(**inputs_of(model, ids[None])).logits[0, predicted_from]
            return states[at], logits.log_softmax(-1)

    (state, before), worst = run(i), 0.0
    for j in (j for j in range(len(WORDS)) if j != i):
        moved, after = run(i, j)
        expected = {
            "dist": float((state - moved).norm()),
            "kl": float((before.exp() * (before - after)).sum()),
        }
        for metric, value in ((name, value) for name, value in expected.items() if name in values):
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
        print(f"| {row.name} | {row.kind} | {row.outcome} |", flush=True)


if __name__ == "__main__":
    main()
