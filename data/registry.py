"""The sources that `data.fetch` can download, with the size and the hash of every file."""

from dataclasses import dataclass
from importlib import resources

from data.sources import EWT, PUD, SCIDTB

__all__ = ["Dataset", "RemoteFile", "datasets"]


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


def datasets() -> dict[str, Dataset]:
    """Return the data sets that can be downloaded, by the keys of their sources."""
    files = {
        PUD: (
            _of_treebank(
                repository="UD_English-PUD",
                blob="f0288b7292bdfebe3eab1bcd012666f5fd83adf0",
                path="en_pud-ud-test.conllu",
                size=1_386_858,
                sha256="c80584f2bc2b31d5bada78a1136f9feec7ac49e5e18898db02dea434b5b8f0aa",
            ),
        ),
        EWT: (
            _of_treebank(
                repository="UD_English-EWT",
                blob="a994b6990643429070ecc6e236d26ad6a04bfefb",
                path="en_ewt-ud-dev.conllu",
                size=1_805_545,
                sha256="531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            ),
        ),
        SCIDTB: _manifest(
            "scidtb.tsv",
            base="https://raw.githubusercontent.com/PKU-TANGENT/SciDTB/cb21ae6398b7cb7da2c0285f38430b2fdd57d1ad/",
        ),
    }
    return {
        source.key: Dataset(name=source.key, title=source.title, licence=source.licence, files=each)
        for source, each in files.items()
    }


def _of_treebank(*, repository: str, blob: str, path: str, size: int, sha256: str) -> RemoteFile:
    """The file of a treebank, named by its Git object: the same bytes whatever the release."""
    url = f"https://api.github.com/repos/UniversalDependencies/{repository}/git/blobs/{blob}"
    return RemoteFile(path=path, url=url, size=size, sha256=sha256)


def _manifest(name: str, *, base: str) -> tuple[RemoteFile, ...]:
    """Read lines of hash, size and path, separated by tabs; the path is also the rest of the address."""
    text = resources.files("data").joinpath("downloads", name).read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        RemoteFile(path=path, url=base + path, size=int(size), sha256=sha256) for sha256, size, path in rows
    )
