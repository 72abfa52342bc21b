"""A report to send to a colleague, one HTML file: ``python -m analyses.report --model bert --out report.html``."""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.dependency import wsj10
from analyses.dependency_tables import Corpus
from analyses.experiment import load_models, variants
from analyses.protocols import DECODERS
from analyses.report_page import Report, page
from analyses.report_trees import Part, constituency_part, dependency_part, scorable
from probe import __version__
from probe.commands import DONE, SOME_FAILED, Parser, UsageError, exit_code, positive, whole_number
from probe.files import whole_file
from probe.loading import EMBEDDED

if TYPE_CHECKING:
    from data import PtbTree
    from probe import Probe

_CARD = "README.md"
_PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="report",
        description="One HTML file with tables, figures and a list of sentences to browse, of the trees that "
        "perturbed masking finds in a model.",
        epilog="Without --data it is made of the bundled sample. "
        "Exit codes: 0 done, 1 some sentences failed, 2 wrong use, 130 interrupted.",
    )
    parser.set_defaults(
        metrics=["dist"],
        layers=["best"],
        pools=["best"],
        perturb=["pair"],
        out=None,
        default_metrics=("dist",),
    )
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {__version__}")
    add("--model", nargs=1, help="bert (the embedded model, default), a directory or a hub id")
    add("--matrices", type=Path, metavar="DIR", help="in place of a model: a directory of probe.run")
    add(
        "--data",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="treebanks: .conllu, .mrg, or folders of them or of .dp files (WSJ10)",
    )
    add("--limit", type=positive, metavar="N", help="only the first N sentences of each corpus")
    add("--out", dest="report", type=Path, required=True, metavar="FILE", help="the HTML file to write")
    add("--decoder", choices=DECODERS, default="eisner", help="of dependency trees (default: eisner)")
    add(
        "--seeds",
        type=whole_number,
        default=3,
        metavar="N",
        help="random-weight models; 0: none (default: 3)",
    )
    add("--seed", type=whole_number, default=0, help="of bootstrap and random trees (default: 0)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps")
    add("--dtype", default="auto", help="auto, float32, bfloat16, float16, float64")
    add("--batch-tokens", type=positive, default=4_096, metavar="N", help="pieces in one forward pass")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    given = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(given)
    return exit_code(parser.prog, lambda: _run(args, given))


def _run(args: argparse.Namespace, given: Sequence[str]) -> int:
    _check_target(args.report)
    corpora, treebanks = _read(args)
    (model,) = load_models(args)
    (variant,) = variants(model, args)
    parts = [dependency_part(model, variant, corpus, args, args.decoder) for corpus in corpora]
    parts += [constituency_part(model, variant, name, trees, args) for name, trees in treebanks]
    notes = [
        f"{corpus.name} has no scores under protocol fair: it has words without a part-of-speech tag (UPOS)."
        for corpus in corpora
        if "fair" not in scorable(corpus)
    ]
    report = Report(
        model=model.name,
        parts=tuple(parts),
        facts=_facts(model, args) | {"settings": str(variant)},
        card=_card(model.name),
        command=shlex.join(["python", "-m", "analyses.report", *given]),
        versions=_versions(),
        notes=tuple(notes),
    )
    with whole_file(args.report) as file:
        file.writelines(page(report))
    return _tell(args, parts)


def _check_target(target: Path) -> None:
    """Find out before a model runs whether the report can be written."""
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"--out {target}: a file in a folder that is there is expected")


def _tell(args: argparse.Namespace, parts: Sequence[Part]) -> int:
    for part in parts:
        for reason in part.skipped:
            print(reason, file=sys.stderr)
    if not args.quiet:
        sentences = sum(len(part.seen) for part in parts)
        size = args.report.stat().st_size / 1e6
        print(f"{args.report}: {sentences:,} sentences, {size:.1f} MB", file=sys.stderr)
    return SOME_FAILED if any(part.skipped for part in parts) else DONE


# --- data


def _read(args: argparse.Namespace) -> tuple[list[Corpus], list[tuple[str, tuple[PtbTree, ...]]]]:
    """Read and check all input before a model is loaded: dependency corpora, then constituency treebanks."""
    import data

    corpora: list[Corpus] = []
    treebanks: list[tuple[str, tuple[PtbTree, ...]]] = []
    if args.data is None:
        note = "Data: the bundled sample, since --data is not given."
        corpora.append(Corpus(name="sample", sentences=data.load_sample()[: args.limit], note=note))
        if args.matrices is None:
            trees = enumerate(data.load_sample_trees(), start=1)
            treebanks.append(
                ("sample", tuple(data.PtbTree(id=f"sample:{k}", tree=tree) for k, tree in trees))
            )
    for path in args.data or ():
        kinds = _kinds(path)
        corpora += [_conllu(file, args) for file in kinds[".conllu"]]
        if kinds[".dp"]:
            sentences = tuple(wsj10(path))[: args.limit]
            corpora.append(Corpus(name=f"{path.name}-wsj10", sentences=sentences, treebank="WSJ10-U"))
        if kinds[".mrg"]:
            treebanks.append((path.stem, tuple(data.read_ptb(path))))
    if args.matrices is not None and (len(corpora), len(treebanks)) != (1, 0):
        raise UsageError("--matrices are those of one corpus of dependency trees: give one such --data")
    for corpus in corpora:
        for sentence in corpus.sentences:
            data.check_tree(sentence)
        if not scorable(corpus):
            raise UsageError(f"{corpus.name}: no word to score")
    return corpora, treebanks


def _kinds(path: Path) -> dict[str, list[Path]]:
    """The files of a path by suffix, those of a folder sorted.

    Raises:
        UsageError: there is no file of a known suffix.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    kinds = {
        suffix: [file for file in files if file.suffix == suffix] for suffix in (".conllu", ".mrg", ".dp")
    }
    if not any(kinds.values()):
        raise UsageError(
            f"--data {path}: a .conllu or .mrg file, or a folder of .conllu, .mrg or .dp is expected"
        )
    return kinds


def _conllu(path: Path, args: argparse.Namespace) -> Corpus:
    import data

    return Corpus(
        name=path.stem,
        sentences=tuple(data.read_conllu(path))[: args.limit],
        treebank="PUD" if "en_pud" in path.stem.lower() else None,
    )


# --- about the model


def _facts(model: Probe, args: argparse.Namespace) -> dict[str, str]:
    facts = {"name": model.name, "layers": str(model.n_layers)}
    facts["computed in"] = str(model.dtype).removeprefix("torch.")
    if args.matrices is not None:
        return facts | {"matrices": str(args.matrices)}
    from probe.fingerprint import tokenizer_sha256, weights_sha256

    return facts | {
        "class": type(model.model).__name__,
        "parameters": f"{model.model.num_parameters():,}",
        "vocabulary": f"{len(model.tokenizer):,} pieces",
        "window": f"{model.window:,} pieces",
        "device": str(model.device),
        "weights, SHA-256": weights_sha256(model.model),
        "tokenizer, SHA-256": tokenizer_sha256(model.tokenizer),
    }


def _card(name: str) -> str | None:
    """The README beside a model, where the model is in a folder."""
    folder = Path(str(resources.files("probe") / "embedded")) if name == EMBEDDED else Path(name)
    card = folder / _CARD
    return card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None


def _versions() -> dict[str, str]:
    found = {"perturbed-probe": __version__, "Python": platform.python_version()}
    return found | {package: metadata.version(package) for package in _PACKAGES}


if __name__ == "__main__":
    sys.exit(main())
