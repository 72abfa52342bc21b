"""The bundled sample treebank: original sentences with dependency and constituent trees."""

from importlib import resources
from typing import TYPE_CHECKING

from data.conllu import parse_conllu
from data.sentence import Sentence

if TYPE_CHECKING:
    import nltk  # type: ignore[import-untyped]

__all__ = ["load_sample", "load_sample_trees"]


def load_sample() -> tuple[Sentence, ...]:
    """Return the sample sentences with gold Universal Dependencies."""
    return tuple(parse_conllu(_read("sample.conllu").split("\n"), name="sample.conllu"))


def load_sample_trees() -> "tuple[nltk.Tree, ...]":
    """Return the constituent trees of the sample sentences, in the same order.

    Labels are those of the Penn Treebank, without traces and function tags. The leaves are the syntactic
    words of the dependency trees, with ``-LRB-`` and ``-RRB-`` for round brackets.
    """
    from nltk import Tree

    return tuple(Tree.fromstring(line) for line in _read("sample.mrg").split("\n") if line)


def _read(name: str) -> str:
    return resources.files("data").joinpath("sample", name).read_text(encoding="utf-8")
