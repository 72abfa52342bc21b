"""Every data set, one entry each: its places, size and licence, and how to get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from data.errors import InputError
from data.messages import quoted

__all__ = ["SOURCES", "Source", "source"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set.

    Attributes:
        key: its name on command lines, in `SOURCES`, and that of its download's folder.
        name: what it is called in messages and results.
        title: what it is, in a line.
        places: where it may be in the folder of ``--data``; the first that is there is read.
        licence: as stated by its publisher.
        size: of its files, in bytes.
        download: what ``probe fetch`` is told to download it; None where that cannot be done.
        how: how to get it otherwise; ``{data}`` stands for the folder.
        note: what else is to be said of it.
    """

    key: str
    name: str
    title: str
    places: tuple[str, ...]
    licence: str
    size: int
    download: str | None = None
    how: str = ""
    note: str = ""

    @property
    def get(self) -> str:
        """How to get it, with its licence; ``{data}`` stands for the folder."""
        how = f"probe fetch {self.download} --cache {{data}}" if self.download else self.how
        return f"{how} ({'; '.join(filter(None, [self.licence, self.note]))})"

    def find(self, data: Path) -> Path | None:
        """Where it is; None if it is not there."""
        return next((data / place for place in self.places if (data / place).exists()), None)


PUD = Source(
    key="ud-english-pud",
    name="PUD",
    title="UD English-PUD, 1,000 sentences, 21,180 words",
    places=("ud/en_pud-wu2020.conllu", "ud/en_pud-ud-test.conllu", "ud-english-pud/en_pud-ud-test.conllu"),
    licence="CC BY-SA 3.0",
    size=1_386_858,
    download="ud-english-pud",
    note="the paper's file has other heads for 412 words",
)

EWT = Source(
    key="ud-english-ewt-dev",
    name="EWT, development part",
    title="UD English-EWT, development part, 2,001 sentences, 25,147 words",
    places=("ud/en_ewt-ud-dev.conllu", "ud-english-ewt-dev/en_ewt-ud-dev.conllu"),
    licence="CC BY-SA 4.0",
    size=1_805_545,
    download="ud-english-ewt-dev",
)

SCIDTB = Source(
    key="scidtb",
    name="SciDTB, test part",
    title="SciDTB, development and test abstracts, with the second annotation of the test part",
    places=("scidtb/test", "scidtb/dataset/test/gold"),
    licence="no licence stated",
    size=946_372,
    download="scidtb",
)

SCIDTB_HUMAN = Source(
    key="scidtb-second-annotation",
    name="SciDTB, second annotation",
    title="the test part of SciDTB as a second annotator saw it; comes with scidtb",
    places=("scidtb/test-second-annotator", "scidtb/dataset/test/second_annotate"),
    licence="no licence stated",
    size=313_582,
    download="scidtb",
)

WSJ_HEADS = Source(
    key="ptb-dependencies",
    name="WSJ sample, dependencies",
    title="dependencies of the Penn Treebank sample of NLTK, 3,914 sentences",
    places=("wsj-sample/dependencies", "dependency_treebank"),
    licence="LDC, non-commercial use",
    size=1_069_540,
    how="python -m nltk.downloader -d {data} dependency_treebank, unpacked",
)

WSJ_TREES = Source(
    key="ptb",
    name="WSJ sample, trees",
    title="constituents of the Penn Treebank sample of NLTK, 3,914 trees",
    places=("wsj-sample", "treebank/combined"),
    licence="LDC, non-commercial use",
    size=2_733_426,
    how="python -m nltk.downloader -d {data} treebank, unpacked",
    note="the whole treebank needs a licence of the LDC: https://catalog.ldc.upenn.edu/LDC99T42",
)

STS = Source(
    key="sts",
    name="SemEval STS 2012-2016",
    title="sentence pairs of SemEval's Semantic Textual Similarity, 39,404 sentences",
    places=("geometry/sts",),
    licence="a licence per data set",
    size=3_925_975,
    how="the yearly archives of https://ixa2.si.ehu.eus/stswiki as geometry/sts/YEAR/*.tsv, lines of score, "
    "sentence, sentence",
)

LAMA = Source(
    key="lama",
    name="LAMA",
    title="facts as cloze questions: Google-RE, T-REx, ConceptNet, SQuAD",
    places=("lama",),
    licence="CC BY-NC 4.0",
    size=14_408_130,
    how="https://github.com/facebookresearch/LAMA: its data folder as lama",
)

ABSA = Source(
    key="absa",
    name="SemEval-2014 task 4",
    title="aspect sentiment of laptops and restaurants",
    places=("absa",),
    licence="SemEval-2014, for research",
    size=835_897,
    how="https://github.com/GeneZC/PWCN: its datasets/*.seg as absa",
)

CURVES = Source(
    key="ethayarajh2019-curves",
    name="released curves of BERT (Ethayarajh 2019)",
    title="contextuality by layer, as released",
    places=("geometry/ethayarajh2019-curves/bert",),
    licence="no licence stated",
    size=1_332_635,
    how="https://github.com/kawine/contextual: its results for BERT as geometry/ethayarajh2019-curves/bert",
)

BLIMP = Source(
    key="blimp",
    name="BLiMP",
    title="67,000 minimal pairs of 67 paradigms",
    places=("blimp", "blimp/data"),
    licence="CC BY 4.0",
    size=15_747_913,
    how="https://github.com/alexwarstadt/blimp: its data/*.jsonl as blimp",
)

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        each.key: each
        for each in (
            PUD,
            EWT,
            SCIDTB,
            SCIDTB_HUMAN,
            WSJ_HEADS,
            WSJ_TREES,
            STS,
            LAMA,
            ABSA,
            CURVES,
            BLIMP,
        )
    }
)
"""Every data set by its key."""


def source(key: str) -> Source:
    """Return a data set by its key.

    Raises:
        InputError: There is none of this key; names the nearest one.
    """
    if key in SOURCES:
        return SOURCES[key]
    near = get_close_matches(key, SOURCES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"unknown data set {quoted(key)}: {hint}known are {', '.join(SOURCES)}")
