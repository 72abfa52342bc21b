"""Every data set with its places and how to get it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set.

    Attributes:
        name: what it is called in messages.
        places: where it may be in the folder of ``--data``; the first that is there is read.
        get: how to get it, with its licence; ``{data}`` stands for the folder.
    """

    name: str
    places: tuple[str, ...]
    get: str

    def find(self, data: Path) -> Path | None:
        """Where it is; None if it is not there."""
        return next((data / place for place in self.places if (data / place).exists()), None)


PUD = Source(
    name="PUD",
    places=("ud/en_pud-wu2020.conllu", "ud/en_pud-ud-test.conllu", "ud-english-pud/en_pud-ud-test.conllu"),
    get="probe fetch ud-english-pud --cache {data} (CC BY-SA 3.0; the paper's file has other heads "
    "for 412 words)",
)


WSJ_HEADS = Source(
    name="WSJ sample, dependencies",
    places=("wsj-sample/dependencies", "dependency_treebank"),
    get="python -m nltk.downloader -d {data} dependency_treebank, unpacked (LDC, non-commercial use)",
)


WSJ_TREES = Source(
    name="WSJ sample, trees",
    places=("wsj-sample", "treebank/combined"),
    get="python -m nltk.downloader -d {data} treebank, unpacked (LDC, non-commercial use); all of the "
    "treebank: https://catalog.ldc.upenn.edu/LDC99T42",
)


SCIDTB = Source(
    name="SciDTB, test part",
    places=("scidtb/test", "scidtb/dataset/test/gold"),
    get="probe fetch scidtb --cache {data} (no licence stated)",
)


SCIDTB_HUMAN = Source(
    name="SciDTB, second annotation",
    places=("scidtb/test-second-annotator", "scidtb/dataset/test/second_annotate"),
    get="probe fetch scidtb --cache {data} (no licence stated)",
)


STS = Source(
    name="SemEval STS 2012-2016",
    places=("geometry/sts",),
    get="the yearly archives of https://ixa2.si.ehu.eus/stswiki as geometry/sts/YEAR/*.tsv, lines of score, "
    "sentence, sentence (licence per data set)",
)


LAMA = Source(
    name="LAMA",
    places=("lama",),
    get="https://github.com/facebookresearch/LAMA: its data folder as lama (CC BY-NC 4.0)",
)


ABSA = Source(
    name="SemEval-2014 task 4",
    places=("absa",),
    get="https://github.com/GeneZC/PWCN: its datasets/*.seg as absa (SemEval-2014, for research)",
)


CURVES = Source(
    name="released curves of BERT (Ethayarajh 2019)",
    places=("geometry/ethayarajh2019-curves/bert",),
    get="https://github.com/kawine/contextual: its results for BERT as geometry/ethayarajh2019-curves/bert "
    "(no licence stated)",
)


BLIMP = Source(
    name="BLiMP",
    places=("blimp", "blimp/data"),
    get="https://github.com/alexwarstadt/blimp: its data/*.jsonl as blimp (CC BY 4.0)",
)
