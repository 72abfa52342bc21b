"""Remakes docs/benchmarks.md: ``python -m bench.all --input en_pud-wu2020.conllu --facts LAMA --corpus sts``.

Runs the benchmarks, keeps what they print as JSON beside the page, and makes the page's tables and pictures of it.
``--only`` measures some parts; the others stay as they were measured. ``--from`` measures nothing and takes what
was kept. ``--quick`` is for a look at whether all of it works, with ``--out`` for a page of its own. The whole
takes some half an hour of one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analyses.pictures.style import save
from bench import page, pictures, records
from bench.parts import PARTS, Settings
from bench.records import BenchError, Record
from probe.files import whole_file
from probe.interrupt import INTERRUPTED

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def write_page(path: Path, found: Sequence[Record]) -> list[Path]:
    """Make a page of records, JSON and pictures beside it; a page that is not there from docs/benchmarks.md.

    Returns:
        What was written.

    Raises:
        BenchError: the page has a mark that names no part, or results are not those of its part.
        OSError: a file cannot be read or written.
    """
    text = page.filled((path if path.exists() else PAGE).read_text(encoding="utf-8"), found)
    for part in sorted({record.part for record in found} - page.parts_on(text)):
        print(f"{part}: {path} has no place for it", file=sys.stderr)
    figures = {}
    for part, stem in page.PICTURES.items():
        results = [result for record in found if record.part == part for result in record.results]
        if results:
            figures[stem] = pictures.DRAWN[part](results)
    written = [path.with_suffix(".json"), path]
    records.write(written[0], found)
    with whole_file(path) as file:
        file.write(text)
    for stem, figure in figures.items():
        written += save(figure, path.parent / "images" / stem, formats=("svg",))
    return written


def measure(args: argparse.Namespace, run: records.Runner) -> list[Record]:
    """Run the parts that are asked for; what is done is kept after each of them."""
    settings = Settings(
        input=args.input, models=args.model, corpus=args.corpus, facts=args.facts, quick=args.quick
    )
    kept = args.out.with_suffix(".json")
    found = records.read(kept) if kept.exists() else []
    for part in args.only or PARTS:
        commands = PARTS[part](settings)
        if not commands:
            print(f"{part}: not measured, its data is not given", file=sys.stderr)
            continue
        found = records.merged(found, records.measure(part, commands, run=run))
        records.write(kept, found)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.all", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--input", type=Path, help="treebank or text (default: the bundled sample, without the memory)")
    add(
        "--model",
        nargs="+",
        default=["bert"],
        metavar="MODEL",
        help="for engine and approximations; the first for all",
    )
    add("--corpus", type=Path, metavar="STS", help="for the geometry (default: the bundled sample)")
    add("--facts", type=Path, metavar="LAMA", help="for the knowledge, which is left out without them")
    add("--only", nargs="+", choices=tuple(PARTS), metavar="PART", help=", ".join(PARTS))
    add("--quick", action="store_true", help="small sizes, in seconds; needs --out")
    add(
        "--from",
        dest="kept",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="measure nothing, take what was kept",
    )
    add("--out", type=Path, metavar="PAGE", help="default: docs/benchmarks.md")
    return parser


def main(argv: list[str] | None = None, *, run: records.Runner = records.run_command) -> int:
    """Command line; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.quick and args.out is None:
        parser.error("--quick needs --out: its figures are not for docs/benchmarks.md")
    if args.kept and (args.only or args.quick):
        parser.error("--from measures nothing: neither --only nor --quick goes with it")
    args.out = args.out or PAGE
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        found: list[Record] = []
        for path in args.kept or ():
            found = records.merged(found, records.read(path))
        for path in write_page(args.out, found if args.kept else measure(args, run)):
            print(path)
    except (BenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
