"""The data sets that `data.fetch` can download, with the size and the hash of every file."""

from dataclasses import dataclass
from importlib import resources

__all__ = ["NEEDS_LICENCE", "Dataset", "RemoteFile", "datasets"]


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file to download.

    Attributes:
        path: Where it goes, relative to the folder of its data set, with forward slashes.
        url: Where it is, at a commit or under the hash of its content, so that it cannot change.
        size: In bytes.
        sha256: Hash of the content, in hexadecimal digits.
    """

    path: str
    url: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set that may be downloaded.

    Attributes:
        name: On the command line, and of its folder in the cache.
        title: What it is, in a line.
        licence: As stated by its publisher.
        files: At least one.
    """

    name: str
    title: str
    licence: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


NEEDS_LICENCE = {
    "ptb": "the Penn Treebank needs a licence of the LDC (https://catalog.ldc.upenn.edu/LDC99T42); "
    "data.read_ptb reads its folder combined/wsj, and the 5% sample that NLTK distributes for "
    "non-commercial use: python -m nltk.downloader treebank",
}
"""Data sets that cannot be downloaded here, and how to get them."""


def datasets() -> dict[str, Dataset]:
    """Return the data sets by their names."""
    found = (
        _treebank(
            name="ud-english-pud",
            title="UD English-PUD, 1,000 sentences, 21,180 words",
            licence="CC BY-SA 3.0",
            repository="UD_English-PUD",
            blob="f0288b7292bdfebe3eab1bcd012666f5fd83adf0",
            path="en_pud-ud-test.conllu",
            size=1_386_858,
            sha256="c80584f2bc2b31d5bada78a1136f9feec7ac49e5e18898db02dea434b5b8f0aa",
        ),
        _treebank(
            name="ud-english-ewt-dev",
            title="UD English-EWT, development part, 2,001 sentences, 25,147 words",
            licence="CC BY-SA 4.0",
            repository="UD_English-EWT",
            blob="a994b6990643429070ecc6e236d26ad6a04bfefb",
            path="en_ewt-ud-dev.conllu",
            size=1_805_545,
            sha256="531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
        ),
        Dataset(
            name="scidtb",
            title="SciDTB, development and test abstracts, with the second annotation of the test part",
            licence="none stated",
            files=_manifest(
                "scidtb.tsv",
                base="https://raw.githubusercontent.com/PKU-TANGENT/SciDTB/"
                "cb21ae6398b7cb7da2c0285f38430b2fdd57d1ad/",
            ),
        ),
    )
    return {dataset.name: dataset for dataset in found}


def _treebank(
    *, name: str, title: str, licence: str, repository: str, blob: str, path: str, size: int, sha256: str
) -> Dataset:
    """A treebank of one file, named by its Git object: the same bytes whatever the release."""
    url = f"https://api.github.com/repos/UniversalDependencies/{repository}/git/blobs/{blob}"
    file = RemoteFile(path=path, url=url, size=size, sha256=sha256)
    return Dataset(name=name, title=title, licence=licence, files=(file,))


def _manifest(name: str, *, base: str) -> tuple[RemoteFile, ...]:
    """Read lines of hash, size and path, separated by tabs; the path is also the rest of the address."""
    text = resources.files("data").joinpath("downloads", name).read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        RemoteFile(path=path, url=base + path, size=int(size), sha256=sha256) for sha256, size, path in rows
    )
