"""Speed of the engine: ``python -m bench.engine --input FILE.conllu``.

Ways to the same matrices, timed in turn so that a noisy machine disturbs all alike; medians, by the clock and of
the processors' seconds, are printed as JSON, one object a model and set of sentences:

- ``ours``: ``Probe.impact_many``, with pairs and with knockout, of the last layer and of all;
- ``naive``: T x T sequences a sentence of T pieces, one row of T a batch, as published by Wu et al. (2020);
- ``bare``: the forward passes of our variants alone, inputs prepared in advance, at the best batch size.

A model is "bert", a directory or hub id, or one of ``bench.shapes.SHAPES``: a published size with random weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

import probe
from bench import shapes
from bench.corpus import words_of
from bench.in_turn import Seconds, medians, timed
from probe.lexicon import Lexicon
from probe.plan import make_plan

Sentences: TypeAlias = Sequence[Sequence[str]]
Batch: TypeAlias = "tuple[torch.Tensor, torch.Tensor | None]"
"""Pieces [sequences, length], and who sees whom [sequences, length, length], if that is restricted."""

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
MIX = "mix"
"""Sentences spread over all lengths."""
_LAYERS = {"last": -1, "all": "all"}
_READ = 10_000
"""Sentences of the input that are looked at."""


def ours(p: probe.Probe, sentences: Sentences, **options: Any) -> list[Any]:
    """Our engine, as a user calls it."""
    return list(p.impact_many(sentences, **options))


@torch.inference_mode()
def naive(p: probe.Probe, sentences: Sentences, *, all_layers: bool = False) -> list[NDArray[Any]]:
    """The published loop: for every piece, a batch of the T sequences that mask its word and another's.

    Returns:
        One a sentence, [layers, n, n], from the embeddings to the last layer, or of the last alone.
    """
    mask_id = p.tokenizer.mask_token_id
    matrices = []
    for words in sentences:
        alignment = p.align(words)
        ids = torch.from_numpy(alignment.ids).to(p.device)
        unit_at = np.full(len(ids), -1)
        unit_at[alignment.positions] = alignment.unit_of
        masks = torch.from_numpy(np.stack([(unit_at == unit) & (unit >= 0) for unit in unit_at])).to(p.device)
        rows = []
        for row in range(len(ids)):
            batch = ids.repeat(len(ids), 1).masked_fill(masks | masks[row], mask_id)
            output = p.model.base_model(input_ids=batch, output_hidden_states=all_layers)
            found = [*output.hidden_states[:-1]] if all_layers else []
            states = torch.stack([one[:, row].float() for one in (*found, output.last_hidden_state)])
            # Where nothing but the row's own word is masked stands the state that the others are compared with.
            rows.append((states - states[:, row, None]).norm(dim=-1).cpu())
        piece = torch.stack(rows, dim=1).numpy()
        matrices.append(np.stack([_words(one, alignment.positions, alignment.unit_of) for one in piece]))
    return matrices


def _words(piece: NDArray[Any], positions: NDArray[Any], unit_of: NDArray[Any]) -> NDArray[Any]:
    begins = np.flatnonzero(np.append(True, unit_of[1:] != unit_of[:-1]))
    sizes = np.diff(np.append(begins, len(unit_of)))
    rows = np.add.reduceat(piece[np.ix_(positions, positions[begins])], begins, axis=0) / sizes[:, None]
    np.fill_diagonal(rows, 0)
    return np.asarray(rows)


def prepare_bare(p: probe.Probe, sentences: Sentences, size: int, perturb: str = "pair") -> list[Batch]:
    """Our variants as input batches of one length each, at most ``size`` sequences."""
    subject = Lexicon(p).subject(lambda length: 1, lambda passes: None)
    by_length: dict[int, list[Batch]] = {}
    for words in sentences:
        plan = make_plan(p.align(words), [perturb])
        given = plan.inputs(subject, 0, 0, plan.passes)
        sees = None if given.sees is None else torch.from_numpy(given.sees).to(p.device)
        ids = torch.from_numpy(np.ascontiguousarray(given.ids)).to(p.device)
        by_length.setdefault(plan.length, []).append((ids, sees))
    return [batch for group in by_length.values() for batch in _split(group, size)]


def _split(group: Sequence[Batch], size: int) -> Iterator[Batch]:
    ids = torch.cat([ids for ids, _ in group])
    masks = [sees for _, sees in group if sees is not None]
    sees = torch.cat(masks) if masks else None
    for at in range(0, len(ids), size):
        yield ids[at : at + size], None if sees is None else sees[at : at + size]


@torch.inference_mode()
def bare(p: probe.Probe, batches: Sequence[Batch]) -> None:
    """Forward passes and nothing else."""
    for ids, sees in batches:
        if sees is None:
            p.model.base_model(input_ids=ids)
        else:
            p.attention.run(ids, sees)


def best_size(p: probe.Probe, sentences: Sentences, perturb: str = "pair") -> int:
    """The batch size at which the bare passes take least: the better of two runs each, after a warm-up."""
    batches = {size: prepare_bare(p, sentences, size, perturb) for size in BATCH_SIZES}
    bare(p, batches[BATCH_SIZES[0]])
    seconds = {
        size: min(_decisive(p, timed(p.device, partial(bare, p, found))) for _ in range(2))
        for size, found in batches.items()
    }
    return min(seconds, key=lambda size: seconds[size])


def _decisive(p: probe.Probe, seconds: Seconds) -> float:
    """What ratios are of: the processors' seconds, except where another device does the work."""
    return seconds.clock if p.device.type == "cuda" else seconds.processor


def compare(
    models: dict[str, probe.Probe],
    sentences: Sentences,
    *,
    perturbs: Sequence[str],
    layers: Sequence[str],
    repeats: int,
    with_naive: bool,
) -> dict[str, Any]:
    """Seconds of all ways, their ratios, and the largest difference between the matrices of pairs.

    Args:
        models: the same model by dtype; the published loop runs in the first.
        sentences: whose matrices are made.
        perturbs, layers, repeats, with_naive: what is timed, and how often.
    """
    first, p = next(iter(models.items()))
    runs: dict[str, Callable[[], object]] = {}
    if with_naive:
        for layer in layers:
            runs[f"naive pair {layer} {first}"] = partial(naive, p, sentences, all_layers=layer == "all")
    sizes: dict[str, int] = {}
    for dtype, model in models.items():
        for perturb in perturbs:
            size = best_size(model, sentences[::4], perturb)
            sizes[f"{perturb} {dtype}"] = size
            batches = prepare_bare(model, sentences, size, perturb)
            runs[f"bare {perturb} {dtype}"] = partial(bare, model, batches)
            for layer in layers:
                options: dict[str, Any] = {"layer": _LAYERS[layer], "perturb": perturb}
                runs[f"ours {perturb} {layer} {dtype}"] = partial(ours, model, sentences, **options)
                ours(model, sentences[:1], **options)
    seconds = medians(p.device, runs, repeats=repeats)
    sequences = {perturb: sum(p.passes(words, [perturb]) for words in sentences) for perturb in perturbs}
    if with_naive:
        sequences["naive pair"] = sum(len(p.align(words).ids) ** 2 for words in sentences)
    result: dict[str, Any] = {
        "sentences": len(sentences),
        "words": sum(len(words) for words in sentences),
        "sequences": sequences,
        "best bare batch": sizes,
        "seconds": {name: round(found.clock, 3) for name, found in seconds.items()},
        "processor seconds": {name: round(found.processor, 3) for name, found in seconds.items()},
        "ratios": _ratios({name: _decisive(p, found) for name, found in seconds.items()}, first=first),
    }
    if with_naive and not p.attention.causal:
        made = ours(p, sentences, layer="all", pool="mean")
        plain = naive(p, sentences, all_layers=True)
        differences = [
            np.abs(np.stack([m.values for m in a]) - b).max() for a, b in zip(made, plain, strict=True)
        ]
        result["largest difference"] = float(max(differences))
    return result


def _ratios(seconds: dict[str, float], *, first: str) -> dict[str, float]:
    """What times what: the published loop and pairs over ours, ours over the bare passes."""
    found = {}
    for name, value in seconds.items():
        way, *settings = name.split()
        if way != "ours":
            continue
        perturb, layer, dtype = settings
        label = " ".join(settings)
        found[f"ours / bare, {label}"] = value / seconds[f"bare {perturb} {dtype}"]
        if perturb == "pair" and (published := seconds.get(f"naive pair {layer} {first}")):
            found[f"naive / ours, {label}"] = published / value
        if perturb == "knockout" and (pairs := seconds.get(f"ours pair {layer} {dtype}")):
            found[f"pair / knockout, {layer} {dtype}"] = pairs / value
    return {name: round(value, 3) for name, value in found.items()}


def spread_by_length(sentences: Sentences, count: int) -> list[Sequence[str]]:
    """The middle ones of so many equal parts of the sentences in the order of their lengths: their mix, in few."""
    ordered = sorted(sentences, key=len)
    count = min(count, len(ordered))
    return [ordered[int((part + 0.5) * len(ordered) / count)] for part in range(count)]


def choose(sentences: Sentences, words: str, count: int) -> list[Sequence[str]]:
    """So many sentences: of that many words, or ``MIX``."""
    if words == MIX:
        return spread_by_length(sentences, count)
    return [one for one in sentences if len(one) == int(words)][:count]


def _words_option(text: str) -> str:
    if text != MIX and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of words nor {MIX}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    add = parser.add_argument
    add("--model", nargs="+", default=["bert"], metavar="MODEL", help=f"also {', '.join(shapes.SHAPES)}")
    add("--input", type=Path, help="treebank or text (default: the bundled sample)")
    add(
        "--words",
        nargs="+",
        default=[MIX],
        type=_words_option,
        metavar="N",
        help=f"lengths, or {MIX} (default)",
    )
    add("--sentences", type=int, default=10, help="how many of each (default: 10)")
    add("--perturb", nargs="+", default=["pair", "knockout"], choices=("pair", "knockout"))
    add("--layers", nargs="+", default=list(_LAYERS), choices=tuple(_LAYERS))
    add("--repeats", type=int, default=5)
    add("--device", default="auto")
    add(
        "--dtype", nargs="+", default=["float32"], help="one or several; the published loop runs in the first"
    )
    add("--no-naive", action="store_true", help="leave the published loop out: it takes long")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        found = list(islice(words_of(args.input), _READ))
        for name in args.model:
            models = {dtype: shapes.load(name, device=args.device, dtype=dtype) for dtype in args.dtype}
            for words in args.words:
                about = {
                    "model": Path(name).name,
                    "length": words,
                    "device": str(models[args.dtype[0]].device),
                }
                if not (sentences := choose(found, words, args.sentences)):
                    raise ValueError(f"no sentence of {words} words")
                result = compare(
                    models,
                    sentences,
                    perturbs=args.perturb,
                    layers=args.layers,
                    repeats=args.repeats,
                    with_naive=not args.no_naive and "pair" in args.perturb,
                )
                print(json.dumps({**about, "threads": torch.get_num_threads(), **result}), flush=True)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
