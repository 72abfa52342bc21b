"""Contacts of residues: ``probe contacts --model ESM --data FILE.fasta --contacts DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.contacts.maps import SEPARATION, Floats, contact_map, eligible
from analyses.contacts.tables import Maps, System, Target, pair_table, precision_tables
from analyses.options import experiment_main, load_sources
from analyses.tables.results import Ran
from analyses.tables.signature import Settings
from analyses.tables.table import FORMATS
from analyses.trees.adjust import NONE
from analyses.trees.variants import Variant, matrices, random_weights, variants
from data.contacts import THRESHOLD
from probe.command_line import Parser, UsageError, positive
from probe.errors import ProbeError, SentenceError, one_line
from probe.jacobian import NAME, Jacobian, jacobian_passes
from probe.option_groups import ImpactOptions, InputOptions, ModelOptions, OutputOptions, RandomOptions

if TYPE_CHECKING:
    from data import Contacts, Sentence
    from probe import ImpactMatrix, Probe
    from probe.source import ImpactSource

ALPHABETS = {"protein": "ACDEFGHIKLMNPQRSTVWY", "dna": "ACGT", "rna": "ACGU"}
"""Letters by the name of an alphabet."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe contacts",
        description="Contacts of residues out of the impacts of a protein or nucleotide language model: "
        "categorical Jacobian (Zhang et al. 2024), average product correction (Dunn et al. 2008).",
        failures="some sequences failed",
    )
    InputOptions.add(parser, help="sequences in FASTA", metavar="FILE", required=True, limit="sequences")
    add = parser.group("input").add_argument
    text = "their contacts: a folder of ID.csv, .tsv, .txt, .rr or .npy, or such a file of one sequence"
    add("--contacts", type=Path, metavar="PATH", help=text)
    text = "angstrom below which residues touch, where distances are given (default: %(default)s)"
    add("--threshold", type=_number, default=THRESHOLD, metavar="A", help=text)
    text = f"{', '.join(ALPHABETS)}, or letters: what is put in the place of a residue (default: protein)"
    add("--alphabet", default="protein", metavar="NAME", help=text)
    ModelOptions.add(parser, several=True)
    settings = ("metric", "layer", "pool", "perturb")
    ImpactOptions.add(
        parser,
        several=settings,
        metrics=(NAME,),
        own=(NAME,),
        matrices=True,
        perturb="substitute",
        attention=False,
    )
    group = parser.group("scores")
    text = "least distance along the sequence of pairs that are scored (default: %(default)s)"
    group.add_argument("--separation", type=positive, default=SEPARATION, metavar="N", help=text)
    text = "average product correction (default: yes)"
    group.add_argument("--apc", action=argparse.BooleanOptionalAction, default=True, help=text)
    RandomOptions.add(parser, of="bootstrap", seeds=1)
    OutputOptions.add(parser, formats=FORMATS, out="write tables, best pairs and contact maps there, too")
    text = "draw the contact maps of the first N sequences, where --out is given (default: %(default)s)"
    parser.group("output").add_argument("--maps", type=positive, default=1, metavar="N", help=text)
    return parser


def _number(text: str) -> float:
    from data.numbers import parse_number

    value = parse_number(text)
    if value is None or value <= 0:
        raise argparse.ArgumentTypeError(f"a number above 0 is expected, found {text!r}")
    return value


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    import data
    from analyses.contacts.files import write_files

    letters = ALPHABETS.get(args.alphabet, args.alphabet)
    args.perturb = [f"substitute:{letters}" if name == "substitute" else name for name in args.perturb]
    sequences = list(data.read_fasta(args.data))[: args.limit]
    contacts = [_contacts(args, one, len(sequences)) for one in sequences]
    systems = [one for source in load_sources(args) for one in _systems(source, sequences, letters, args)]
    failed = {
        place: reason
        for place, (one, known) in enumerate(zip(sequences, contacts, strict=True))
        if (reason := _failure(one, known, [maps[place] for each in systems for maps in each.runs], args))
    }
    for place, reason in failed.items():
        one = sequences[place]
        print(one_line(f"{one.where}: sequence {one.id} skipped: {reason}"), file=sys.stderr)
    kept = [place for place in range(len(sequences)) if place not in failed]
    if not kept:
        raise ProbeError(f"{args.data}: none of the {len(sequences)} sequences could be used")
    targets = [Target(sequence=sequences[place], contacts=contacts[place]) for place in kept]
    systems = [each.of(kept) for each in systems]
    if args.out is not None:
        write_files(systems[-1], targets, args)
    if args.contacts is None:
        return Ran(tables=(("contacts", pair_table(systems[-1], targets, args)),), failed=bool(failed))
    tables = precision_tables(systems, targets, args, skipped=len(failed))
    return Ran(tables=tuple(tables), failed=bool(failed))


def _contacts(args: argparse.Namespace, sequence: Sentence, count: int) -> Contacts | None:
    """The contacts of a sequence; None where no file has them."""
    import data

    if args.contacts is None:
        return None
    if count > 1 and not args.contacts.is_dir():
        raise UsageError(f"--contacts: a folder is expected for {count} sequences, found a file")
    path = data.contacts_file(args.contacts, sequence.id)
    return None if path is None else data.read_contacts(path, len(sequence.words), threshold=args.threshold)


def _failure(
    sequence: Sentence, contacts: Contacts | None, maps: Sequence[object], args: argparse.Namespace
) -> str | None:
    """Why a sequence cannot be used."""
    for found in maps:
        if isinstance(found, SentenceError):
            return str(found)
    known = None if contacts is None else contacts.known
    if not eligible(len(sequence.words), known, separation=args.separation).any():
        return f"no pairs {args.separation} residues apart"
    if args.contacts is not None and contacts is None:
        return f"{args.contacts} has no file of its contacts"
    return None


def _systems(
    source: ImpactSource, sequences: Sequence[Sentence], letters: str, args: argparse.Namespace
) -> list[System]:
    """Random weights, then the model, under each of the settings."""
    from probe.model import Probe

    names = ImpactOptions.of(args).chosen_metrics
    blank = list(random_weights(source, args))
    found: list[System] = []
    # The model itself runs before its copies, so that what it cannot do is not said of one of them.
    if NAME in names and isinstance(source, Probe):
        settings = Settings(
            model=source.name,
            metric=NAME,
            perturb=f"substitute:{letters}",
            dtype=str(source.dtype).removeprefix("torch."),
        )
        own = (_jacobians(source, sequences, letters, args),)
        random = tuple(_jacobians(model, sequences, letters, args) for model in blank)
        found += [
            System(settings=replace(settings, random_weights=len(blank)), runs=random),
            System(settings=settings, runs=own),
        ]
    others = [name for name in names if name != NAME]
    if others or not isinstance(source, Probe):
        asked = argparse.Namespace(
            **{**vars(args), "metrics": others or None, "adjust": [NONE], "openness_from": None}
        )
        chosen = variants(source, asked)
        of_model = _by_setting(source, sequences, chosen, asked)
        of_copies = [_by_setting(model, sequences, chosen, asked) for model in blank]
        found += [
            System(
                settings=variant.settings(source, random_weights=len(blank)),
                runs=tuple(maps[place] for maps in of_copies),
            )
            for place, variant in enumerate(chosen)
        ]
        found += [
            System(settings=variant.settings(source), runs=(maps,))
            for variant, maps in zip(chosen, of_model, strict=True)
        ]
    return [each for each in found if each.runs]


def _by_setting(
    model: ImpactSource, sequences: Sequence[Sentence], chosen: Sequence[Variant], args: argparse.Namespace
) -> list[Maps]:
    """The maps of impacts under each setting."""
    words = [one.words for one in sequences]
    found = list(matrices(model, words, chosen, args, label=model.name))
    return [
        tuple(one if isinstance(one, SentenceError) else _map(one[place], args) for one in found)
        for place in range(len(chosen))
    ]


def _jacobians(model: Probe, sequences: Sequence[Sentence], letters: str, args: argparse.Namespace) -> Maps:
    """Maps of the categorical Jacobian, with a progress bar."""
    from probe.progress import Progress

    sizes = [jacobian_passes(len(one.words), letters) for one in sequences]
    found: list[Floats | SentenceError] = []
    with Progress(sentences=len(sizes), passes=sum(sizes), label=model.name, quiet=args.quiet) as progress:
        jacobian = Jacobian(model, letters, batch_tokens=args.batch_tokens, on_passes=progress.passes)
        stream = jacobian.impact_many(one.words for one in sequences)
        for size, result in zip(sizes, stream, strict=True):
            progress.sentence(size, ran=not isinstance(result, SentenceError))
            found.append(result if isinstance(result, SentenceError) else _map(result, args))
    return tuple(found)


def _map(matrix: ImpactMatrix, args: argparse.Namespace) -> Floats:
    return contact_map(matrix.values, apc=args.apc)


main = experiment_main(build_parser, run)
