"""What the explorer shows of one sentence, as a value: no server, no page.

A link to a view is the query string of its :class:`Request`, so the same string always gives the same view.
"""

from __future__ import annotations

import re
import shlex
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

import numpy as np

from analyses.trees.adjust import ADJUSTMENTS, NONE, adjustment_name, needs_openness
from analyses.trees.adjust import adjust as adjusted
from analyses.trees.decoders import BASELINES, CONSTITUENT_DECODERS, DECODERS
from analyses.trees.methods import METHODS, that_fit
from probe.errors import OptionError, SentenceError
from probe.metrics import METRICS
from probe.options import POOLS, LayerChoice, PoolChoice
from probe.perturbations import PERTURBATIONS
from probe.registry import check_name
from probe.spaces import spaces_of

if TYPE_CHECKING:
    from data import Sentence
    from parsers import Bracketing
    from probe.matrix import ImpactMatrix, ImpactSet
    from probe.model import Errors, OpennessChoice, Words
    from probe.options import Settings
    from probe.source import ImpactSource

WORDS = ("tokenize", "spaces")
"""How the words of a text are found: as in running text, or by the spaces between them."""


_SETTINGS = ("layer", "metric", "pool", "perturb", "adjust", "decoder", "brackets", "adjust_brackets")
"""Options of a request that its method sets unless they are given."""

_OF_PARSE = _SETTINGS[:-2]
"""Those of ``probe parse``, which makes no constituents."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to show: a sentence and how its trees are made.

    ``model`` is one of the names that the explorer was started with, "" the first of them. ``method`` is a bundle
    of settings; those that are not None replace its own. They are options of ``probe parse``, but for ``brackets``
    and ``adjust_brackets``, the decoder and the adjustment of constituents. ``words`` says whether words are found
    in running text, as ``--tokenize`` does, or separated by spaces.
    """

    text: str
    model: str = ""
    method: str = "openness"
    layer: LayerChoice | None = None
    metric: str | None = None
    pool: PoolChoice | None = None
    perturb: str | None = None
    adjust: str | None = None
    decoder: str | None = None
    brackets: str | None = None
    adjust_brackets: str | None = None
    words: str = "tokenize"

    @classmethod
    def from_query(cls, query: str | Mapping[str, str]) -> Request:
        """Read a query string such as ``text=Cats+sleep.&layer=3``, or what was parsed from one.

        Raises:
            OptionError: an option or a value that is not known, or no text.
        """
        given: dict[str, Any] = dict(parse_qsl(query) if isinstance(query, str) else query)
        known = choices()
        for name, value in given.items():
            check_name("option", name, [field.name for field in fields(cls)])
            if name == "layer" and re.fullmatch(r"-?[0-9]{1,4}", value):
                given[name] = int(value)
            elif name in ("adjust", "adjust_brackets"):
                given[name] = adjustment_name(value)
                if name == "adjust_brackets" and needs_openness(value):
                    raise OptionError(f"{name}: constituents are made of impacts alone, not with {value}")
            elif name in known:
                check_name(name, value, known[name])
        if not given.get("text", "").strip():
            raise OptionError("a sentence is expected, found no text")
        own = method_settings(given.get("method", cls.method))
        return cls(**{name: value for name, value in given.items() if own.get(name) != value})

    def query(self) -> str:
        """The query string that :meth:`from_query` reads; what is at its default is left out."""
        defaults = {field.name: field.default for field in fields(self)}
        return urlencode({name: value for name, value in asdict(self).items() if value != defaults[name]})

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that are given, in place of those of the method."""
        return {name: value for name in _SETTINGS if (value := getattr(self, name)) is not None}

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name: those of the method, but for the changed ones."""
        return method_settings(self.method) | self.changed


def method_settings(method: str) -> dict[str, Any]:
    """The settings of a method under the names that requests have for them.

    Raises:
        OptionError: there is no such method; says the nearest known one.
    """
    entry = METHODS[method]
    own, brackets = entry.settings(), entry.settings(constituents=True)
    return own | {"brackets": brackets["decoder"], "adjust_brackets": brackets["adjust"]}


@dataclass(frozen=True)
class Change:
    """What became of a word since the former view.

    Attributes:
        kind: "same", "head" (it has another head) or "word" (it is new).
        former: its former head, "ROOT" for the root; empty for a new word.
    """

    kind: Literal["same", "head", "word"]
    former: str


def choices() -> dict[str, tuple[str, ...]]:
    """The values of the options of a request that have names; of method and words the first are the defaults."""
    plain = [name for name, entry in ADJUSTMENTS.items() if not entry.needs_openness]
    own = [method_settings(name) for name in METHODS]
    return {
        "method": tuple(sorted(METHODS, key=lambda name: name != Request.method)),
        "layer": ("best",),
        "metric": tuple(METRICS),
        "pool": ("best", *POOLS),
        "perturb": tuple(PERTURBATIONS),
        "adjust": tuple(dict.fromkeys([NONE, *(one["adjust"] for one in own), *plain])),
        "decoder": (*DECODERS, *BASELINES),
        "brackets": tuple(CONSTITUENT_DECODERS),
        "adjust_brackets": tuple(dict.fromkeys([NONE, *(one["adjust_brackets"] for one in own), *plain])),
        "words": WORDS,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The trees of one sentence and the matrix they come from.

    Attributes:
        request: what was asked for.
        sentence: its n words.
        matrix: impacts [n, n]; says which layer and pool "best" was.
        heads: n heads, 1-based, 0 for the root: the tree of ``probe parse``.
        proper: places of the words that are no punctuation.
        bracketing: binary tree over these words.
        adjust: what was done to the impacts before the tree was decoded: less than was asked for where a model
            predicts no words.
        dtype: the type the model computes in.
        changes: what became of each of the n words since the former view; empty without one.
    """

    request: Request
    sentence: Sentence
    matrix: ImpactMatrix
    heads: tuple[int, ...]
    proper: tuple[int, ...]
    bracketing: Bracketing
    adjust: str
    dtype: str
    changes: tuple[Change, ...] = ()

    @property
    def constituents(self) -> tuple[str, ...]:
        """The words that the binary tree stands over."""
        return tuple(self.sentence.words[place] for place in self.proper)

    @property
    def command(self) -> str:
        """The command that gives the same tree."""
        request = self.request
        options = {"model": self.matrix.model, "method": request.method}
        options |= {name: value for name, value in request.changed.items() if name in _OF_PARSE}
        if self.adjust != request.settings["adjust"]:
            options["adjust"] = self.adjust
        if self.dtype != "float32":
            options["dtype"] = self.dtype
        # "=" keeps a value such as a model's name that begins with a dash from being taken for an option.
        named = [f"--{name}={value}" for name, value in options.items()]
        if (text := self.sentence.text) is not None:
            return shlex.join(["probe", "parse", *named, "--tokenize", "--", text])
        return shlex.join(["probe", "parse", *named, "--", " ".join(self.sentence.words)])

    @property
    def notes(self) -> tuple[str, ...]:
        """Hints on the input, one line each."""
        from data import looks_untokenised

        found = []
        if (glued := looks_untokenised(self.sentence)) is not None:
            parted = f"“{glued}” is read as one word: write “{glued[:-1]} {glued[-1]}” to part them, "
            found.append(parted + "or take words: tokenize.")
        if unknown := self.matrix.unknown:
            named = ", ".join(f"“{self.sentence.words[at]}”" for at in unknown)
            found.append(
                f"unknown words {len(unknown)} of {len(self.matrix)} to the model's vocabulary: {named}."
            )
        if self.adjust != self.request.settings["adjust"]:
            found.append(
                f"{self.matrix.model} predicts no masked words: the tree is made with {self.adjust}."
            )
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        matrix, request = self.matrix, self.request
        settings = {name: getattr(matrix, name) for name in ("model", "layer", "metric", "pool", "perturb")}
        settings |= {name: request.settings[name] for name in ("decoder", "brackets", "adjust_brackets")}
        return {
            "words": self.sentence.words,
            "heads": self.heads,
            "brackets": self.bracketing.brackets(["_".join(word.split()) for word in self.constituents]),
            "values": matrix.values.tolist(),
            "scale": METRICS[matrix.metric].label,
            "changes": [asdict(change) for change in self.changes],
            "notes": self.notes,
            "unknown": matrix.unknown,
            "command": self.command,
            "query": request.query(),
            "method": request.method,
            "changed": list(request.changed),
            "settings": settings | {"adjust": self.adjust},
        }


def view(
    source: ImpactSource,
    request: Request,
    *,
    former: View | None = None,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> View:
    """Probe a sentence and decode its impact matrix, as ``probe parse`` does under ``fair``.

    Args:
        source: the model; ``request.model`` is not read.
        request: the sentence and the options.
        former: a view to compare with.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass; an exception from it ends the run.

    Raises:
        SentenceError: the sentence cannot be probed.
        probe.OptionError, probe.ModelError: the model cannot give the matrix.
        data.DataError: the text is no sentence.
        ValueError: a decoder refuses the matrix.
    """
    from analyses.trees.induction import Method, Skipped, induce
    from data import words_proper

    sentence, settings = read_sentence(request), request.settings
    model = source.model if isinstance(source, Remembering) else source
    if request.adjust is None:
        settings["adjust"], _ = that_fit(settings["adjust"], model)
    brackets, of_brackets = (settings.pop(name) for name in ("brackets", "adjust_brackets"))
    method = Method(batch_tokens=batch_tokens, **settings)
    # A baseline reads no matrix, but the heatmap beside its tree is of one.
    with_matrix = method if method.needs_model else replace(method, decoder="eisner")
    (outcome,) = induce([sentence], source, with_matrix, on_passes=on_passes)
    if isinstance(outcome, Skipped):
        raise SentenceError(outcome.reason)
    assert outcome.matrix is not None
    (tree,) = [outcome] if method.needs_model else induce([sentence], None, method)
    assert not isinstance(tree, Skipped)
    heads, proper = tuple(tree.heads.tolist()), words_proper(sentence)
    values = adjusted(outcome.matrix, of_brackets).values.astype(np.float64)
    (bracketing,) = CONSTITUENT_DECODERS[brackets].decode([values[np.ix_(proper, proper)]])
    return View(
        request=request,
        sentence=sentence,
        matrix=outcome.matrix,
        heads=heads,
        proper=proper,
        bracketing=bracketing,
        adjust=method.adjust,
        dtype=str(source.dtype).removeprefix("torch."),
        changes=() if former is None else changes(former, sentence.words, heads),
    )


def read_sentence(request: Request) -> Sentence:
    """The sentence of a request; a line break is a space.

    Raises:
        data.DataError: it has no word, or a character that no sentence has, or running text has several sentences.
    """
    from data import parse_sentence

    return parse_sentence(request.text, tokenize=request.words == "tokenize")


def changes(former: View, words: Sequence[str], heads: Sequence[int]) -> tuple[Change, ...]:
    """What became of each word since a former view.

    Words of the two sentences are aligned as ``difflib`` does, by their longest common runs. A word without a
    partner is new; one whose head is not the partner of its former head has another head.

    Args:
        former: the view before.
        words: n words.
        heads: n heads, 1-based, 0 for the root.
    """
    blocks = SequenceMatcher(None, former.sentence.words, words, autojunk=False).get_matching_blocks()
    partner = {b + k + 1: a + k + 1 for a, b, size in blocks for k in range(size)} | {0: 0}
    names = ("ROOT", *former.sentence.words)
    found = []
    for position, head in enumerate(heads, start=1):
        if position in partner:
            before = former.heads[partner[position] - 1]
            found.append(Change("same" if partner.get(head) == before else "head", names[before]))
        else:
            found.append(Change("word", ""))
    return tuple(found)


Key: TypeAlias = "tuple[tuple[str, ...], tuple[bool, ...] | None, Settings, OpennessChoice]"


class Remembering:
    """A model that keeps its last matrices, so that another decoder or the former view costs no pass.

    It is an ``ImpactSource``; not for use by several threads at a time.
    """

    def __init__(self, model: ImpactSource, *, size: int = 256) -> None:
        self.model, self._size = model, size
        self._kept: OrderedDict[Key, ImpactMatrix | ImpactSet] = OrderedDict()

    @property
    def name(self) -> str:
        """What the model was loaded as."""
        return self.model.name

    @property
    def n_layers(self) -> int:
        """Number of layers above the embeddings."""
        return self.model.n_layers

    @property
    def dtype(self) -> object:
        """The type the model computes in."""
        return self.model.dtype

    def resolve(self, **options: Any) -> Settings:
        """As ``probe.Probe.resolve``."""
        return self.model.resolve(**options)

    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        openness: OpennessChoice = False,
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
        errors: Errors,
        **options: Any,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        """As ``probe.Probe.impact_many``, sentence by sentence."""
        settings = self.resolve(**options)
        passing = {
            "openness": openness,
            "batch_tokens": batch_tokens,
            "on_passes": on_passes,
            "errors": errors,
            **options,
        }
        for words in sentences:
            key = (tuple(words), spaces_of(words), settings, openness)
            if key in self._kept:
                self._kept.move_to_end(key)
                yield self._kept[key]
                continue
            (found,) = self.model.impact_many([words], **passing)
            if not isinstance(found, SentenceError):
                self._kept[key] = found
                if len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            yield found
