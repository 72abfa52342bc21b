"""Really pretrained models: exactness against a plain loop, trees by both methods, seconds.

python -m bench.real_models --data en_pud-wu2020.conllu bert FOLDER ... >> docs/models.md

A folder may be followed by ``@N``, the layer its knockout is read at; a folder without a masked-LM head takes its
openness from ``--openness-from``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import probe
from analyses.dependency.command import main as dependency
from bench.machine import processor
from data import Sentence, read_conllu
from probe.forward import inputs_of

PROTOCOLS = ("wu2020", "fair")
HEADER = """
## Really pretrained models

    python -m bench.real_models --data {data} {limit}{models}

prints this table. Exact: the largest relative difference between the engine's impacts (`pair`, `dist`, last
layer) and a plain loop's, one masked copy at a time, on the first three sentences. UAS / UUAS by Eisner's
algorithm on the first {n:,} sentences; `paper` is read at the last layer, `openness` at the layer that `@` or
`probe.json` names; models without a head take openness from `{openness}`. Seconds are the processor's, for both
protocols and the baselines, on {threads} of {machine}.

| model | `model_type` | parameters | exact | method | `wu2020` | `fair` | seconds |
| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |"""


def exactness(model: probe.Probe, sentence: Sentence) -> float:
    """The largest relative difference of the engine's impacts from a plain loop's."""
    ours = model.impact(sentence.words, layer=model.n_layers, pool="mean")
    theirs = _plain(model, sentence.words)
    return float(np.max(np.abs(ours.values - theirs) / (1e-3 + np.abs(theirs))))


def _plain(model: probe.Probe, words: tuple[str, ...]) -> NDArray[np.float64]:
    alignment = model.align(words)
    encoder: Any = model.model.base_model
    places = [alignment.positions[alignment.unit_of == i] for i in range(len(words))]

    def states(*masked: int) -> torch.Tensor:
        ids = torch.from_numpy(alignment.ids.copy())
        for i in masked:
            ids[places[i]] = model.tokenizer.mask_token_id
        with torch.inference_mode():
            found: torch.Tensor = encoder(**inputs_of(encoder, ids[None])).last_hidden_state[0]
        return found

    values = np.zeros((len(words), len(words)))
    for i, own in enumerate(places):
        before = states(i)[own]
        for j in range(len(words)):
            values[i, j] = 0 if i == j else float((before - states(i, j)[own]).norm(dim=-1).mean())
    return values


def scores(folder: str, method: str, data: Path, options: list[str]) -> tuple[list[str], float]:
    """UAS / UUAS under both protocols, and the processor's seconds of the whole command."""
    asked = [
        "--data",
        str(data),
        "--model",
        folder,
        "--method",
        method,
        "--decoder",
        "eisner",
        "--seeds",
        "0",
    ]
    began, printed = time.process_time(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = dependency([*asked, "--protocol", *PROTOCOLS, "--format", "json", "--quiet", *options])
    if code:
        return ["-"] * len(PROTOCOLS), time.process_time() - began
    found = {}
    for table in json.loads(printed.getvalue()):
        if "p of UAS" in table["columns"]:  # of differences
            continue
        for row in (row for row in table["rows"] if row["kind"] == "model"):
            cells = [row["cells"][name]["value"] for name in ("UAS", "UUAS")]
            found[row["settings"]["protocol"]] = " / ".join(f"{value:.1f}" for value in cells)
    return [found[name] for name in PROTOCOLS], time.process_time() - began


def print_model(name: str, args: argparse.Namespace, sentences: list[Sentence]) -> None:
    """Two lines of the table."""
    folder, _, layer = name.partition("@")
    model = probe.load(folder, device="cpu")
    worst = max(exactness(model, sentence) for sentence in sentences[:3])
    parameters = sum(each.numel() for each in model.model.parameters()) / 1e6
    label = Path(folder).name
    for method in ("paper", "openness"):
        options = ["--limit", str(args.limit)] if args.limit else []
        if method == "openness":
            options += ["--layer", layer] if layer else []
            options += [] if model.has_head else ["--openness-from", args.openness_from]
        (published, fair), seconds = scores(folder, method, args.data, options)
        about = f"{label} | {model.model.config.model_type} | {parameters:.1f} M | {worst:.0e}"
        print(f"| {about} | {method} | {published} | {fair} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(prog="python -m bench.real_models", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="FOLDER[@LAYER]", help="model directories, or bert")
    parser.add_argument("--data", type=Path, required=True, help="a treebank in CoNLL-U")
    parser.add_argument("--limit", type=int, help="only its first sentences")
    parser.add_argument(
        "--openness-from", metavar="MODEL", default="bert", help="for models without a head (default: bert)"
    )
    args = parser.parse_args()
    warnings.simplefilter("ignore", probe.ProbeWarning)
    sentences = list(read_conllu(args.data))[: args.limit]
    threads = torch.get_num_threads()
    print(
        HEADER.format(
            data=args.data.name,
            limit=f"--limit {args.limit} " if args.limit else "",
            models=" ".join(Path(name).name for name in args.models),
            n=len(sentences),
            openness=args.openness_from,
            threads="1 thread" if threads == 1 else f"{threads} threads",
            machine=processor(),
        )
    )
    for name in args.models:
        try:
            print_model(name, args, sentences)
        except probe.ProbeError as error:
            print(f"{name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
