"""Trees from a loaded model: a forward to ``analyses.pipeline``, since the rest of ``probe`` knows no tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, cast, overload

from probe.errors import SentenceError
from probe.options import LayerChoice, PoolChoice

if TYPE_CHECKING:
    from analyses.dependency_tree import DependencyTree
    from analyses.pipeline import Parsable
    from probe.source import ImpactSource


class Parses:
    """``parse`` and ``pipe``, which every loaded model has."""

    def parse(
        self,
        sentence: Parsable,
        *,
        method: str | None = None,
        decoder: str | None = None,
        metric: str | None = None,
        layer: LayerChoice | None = None,
        pool: PoolChoice | None = None,
        perturb: str | None = None,
        attention: str | None = None,
        adjust: str | None = None,
        openness_from: str | None = None,
    ) -> DependencyTree:
        """The dependency tree of one sentence, without a gold root: that of ``probe parse``.

        Settings that are None are those of the method.

        Args:
            sentence: running text, which is split into words as by ``--tokenize``; or its words, taken as they
                are; or a ``data.Sentence``.
            method: "openness", "paper", or one of your own: a bundle of the settings below. Without a method
                "openness", or "paper" for a metric that can be negative.
            decoder: "eisner", "cle" or one of your own; or a baseline such as "right-chain".
            metric, layer, pool, perturb, attention: of the impacts; see ``impact_many``.
            adjust: of the impacts before they are decoded, such as "log+symmetric"; "none" for none.
            openness_from: another model whose openness of words is read.

        Raises:
            SentenceError: the sentence cannot be probed; or the text has no sentence, or several.
            OptionError: an unknown option value.
            ModelError: the model lacks what the method reads, such as a head.

        Warns:
            ProbeWarning: nothing says which layer of the model is best; or nobody named the method, and it is
                read without predictions, since the model makes none.

        Example:
            >>> import probe
            >>> model = probe.load("bert", dtype="float32")
            >>> tree = model.parse("The dog sat on the mat.")
            >>> tree
            DependencyTree(7 words, root 'sat', model = bert, method = openness)
            >>> tree.heads
            (2, 3, 0, 6, 6, 3, 3)
        """
        from analyses import pipeline

        model = cast("ImpactSource", self)
        chosen = pipeline.choose(
            model,
            method=method,
            decoder=decoder,
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            attention=attention,
            adjust=adjust,
            openness_from=openness_from,
        )
        return pipeline.parse(model, sentence, chosen)

    @overload
    def pipe(
        self,
        sentences: Iterable[Parsable],
        *,
        method: str | None = ...,
        decoder: str | None = ...,
        metric: str | None = ...,
        layer: LayerChoice | None = ...,
        pool: PoolChoice | None = ...,
        perturb: str | None = ...,
        attention: str | None = ...,
        adjust: str | None = ...,
        openness_from: str | None = ...,
        batch_tokens: int = ...,
        errors: Literal["raise"] = ...,
    ) -> Iterator[DependencyTree]: ...
    @overload
    def pipe(
        self,
        sentences: Iterable[Parsable],
        *,
        method: str | None = ...,
        decoder: str | None = ...,
        metric: str | None = ...,
        layer: LayerChoice | None = ...,
        pool: PoolChoice | None = ...,
        perturb: str | None = ...,
        attention: str | None = ...,
        adjust: str | None = ...,
        openness_from: str | None = ...,
        batch_tokens: int = ...,
        errors: Literal["return"],
    ) -> Iterator[DependencyTree | SentenceError]: ...
    def pipe(
        self,
        sentences: Iterable[Parsable],
        *,
        method: str | None = None,
        decoder: str | None = None,
        metric: str | None = None,
        layer: LayerChoice | None = None,
        pool: PoolChoice | None = None,
        perturb: str | None = None,
        attention: str | None = None,
        adjust: str | None = None,
        openness_from: str | None = None,
        batch_tokens: int = 4_096,
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[DependencyTree | SentenceError]:
        """The dependency trees of many sentences, streamed in input order; many share a batch of the model.

        Args:
            sentences: each as ``parse`` takes it; taken as they are needed.
            method, decoder, metric, layer, pool, perturb, attention, adjust, openness_from: as of ``parse``.
            batch_tokens: pieces in one forward pass; halved by itself when memory runs out.
            errors: "return" yields a SentenceError in the place of a sentence that cannot be parsed.

        Raises:
            SentenceError, OptionError, ModelError: as ``parse`` does.

        Example:
            >>> import probe
            >>> model = probe.load("bert", dtype="float32")
            >>> [len(tree) for tree in model.pipe(["The cat sat.", ["Dogs", "bark"]])]
            [4, 2]
        """
        from analyses import pipeline
        from probe.model import raised

        model = cast("ImpactSource", self)
        chosen = pipeline.choose(
            model,
            method=method,
            decoder=decoder,
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            attention=attention,
            adjust=adjust,
            openness_from=openness_from,
            batch_tokens=batch_tokens,
        )
        return raised(pipeline.pipe(model, sentences, chosen), errors)
