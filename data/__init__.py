"""Files in, typed records out: treebanks, discourse trees, text, facts and the bundled sample."""

from collections.abc import Iterator
from pathlib import Path

from data.absa import AspectItem, read_aspects, read_distances
from data.conllu import added_comments, parse_conllu, read_conllu, to_conllu
from data.contacts import Contacts, contacts_file, read_contacts
from data.dp import parse_dp, read_dp
from data.errors import DataError, InputError
from data.fasta import parse_fasta, read_fasta
from data.lama import Fact, Relation, list_relations, read_facts, read_patterns, read_word_list
from data.minimal_pairs import MinimalPair, read_minimal_pairs
from data.paths import FilePath
from data.ptb import (
    ConstituencySentence,
    PtbTree,
    constituency_sentence,
    constituency_sentences,
    parse_ptb,
    read_ptb,
)
from data.punctuation import is_punctuation, without_punctuation, words_proper
from data.raw_text import looks_untokenised, parse_raw_text, parse_sentence, read_raw_text
from data.sample import load_sample, load_sample_trees
from data.scidtb import Document, read_scidtb
from data.sentence import Sentence, check_tree, root
from data.sts import read_sts
from data.text import check_input, decode_lines, parse_text, read_text

__all__ = [
    "AspectItem",
    "ConstituencySentence",
    "Contacts",
    "DataError",
    "Document",
    "Fact",
    "InputError",
    "MinimalPair",
    "PtbTree",
    "Relation",
    "Sentence",
    "added_comments",
    "check_tree",
    "constituency_sentence",
    "constituency_sentences",
    "contacts_file",
    "decode_lines",
    "is_punctuation",
    "list_relations",
    "load_sample",
    "load_sample_trees",
    "looks_untokenised",
    "parse_conllu",
    "parse_dp",
    "parse_fasta",
    "parse_ptb",
    "parse_raw_text",
    "parse_sentence",
    "parse_text",
    "read_aspects",
    "read_conllu",
    "read_contacts",
    "read_distances",
    "read_dp",
    "read_facts",
    "read_fasta",
    "read_minimal_pairs",
    "read_patterns",
    "read_ptb",
    "read_raw_text",
    "read_scidtb",
    "read_sentences",
    "read_sts",
    "read_text",
    "read_word_list",
    "root",
    "to_conllu",
    "without_punctuation",
    "words_proper",
]


def read_sentences(path: FilePath) -> Iterator[Sentence]:
    """Read a ``.conllu``, ``.txt`` or ``.fasta`` file; see `read_conllu`, `read_text` and `read_fasta`.

    Raises:
        InputError: The suffix is another one, or the file cannot be read.
        DataError: The content is malformed (while iterating).
    """
    path = Path(path)
    readers = {".conllu": read_conllu, ".txt": read_text, ".fasta": read_fasta, ".fa": read_fasta}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        check_input(path)  # of a wrong path that is the better message
        raise InputError(f"{path}: suffix {' or '.join(readers)} is expected, found {path.suffix!r}")
    return reader(path)
