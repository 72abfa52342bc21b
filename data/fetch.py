"""Downloading data sets: ``probe fetch NAME``.

A data set is there with all its files and the right hashes, or not at all. What an interrupted download has
got is kept beside it, in ``NAME.part``, and the next one goes on from there.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from platformdirs import user_cache_path

from data.errors import InputError
from data.messages import one_line
from data.registry import Dataset, RemoteFile, datasets
from data.sources import SOURCES, source

__all__ = ["FetchError", "default_cache", "fetch", "main"]

CACHE_VARIABLE = "PROBE_CACHE"
_CHUNK = 1 << 16
_TIMEOUT_S = 30
# The GitHub API gives the bytes of a file, not JSON, on this request; other servers ignore it.
_HEADERS = {"User-Agent": "perturbed-probe", "Accept": "application/vnd.github.raw, */*"}


class FetchError(Exception):
    """A data set could not be downloaded; the message says why and names the file or the address."""


def default_cache() -> Path:
    """Return the cache folder: that of ``PROBE_CACHE``, else ``perturbed-probe`` in the platform's."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return user_cache_path("perturbed-probe", appauthor=False, opinion=False)


def fetch(
    dataset: Dataset, *, cache: Path | None = None, on_file: Callable[[], object] | None = None
) -> Path:
    """Download a data set unless it is there, and return its folder.

    Args:
        dataset: One of `data.registry.datasets`.
        cache: The folder to put its folder in; `default_cache` without.
        on_file: Called after each file.

    Raises:
        FetchError: A file cannot be had, its hash is another one, or it cannot be written.
    """
    folder = (default_cache() if cache is None else cache) / dataset.name
    staging = folder.with_name(f"{folder.name}.part")
    try:
        if folder.exists():
            _check_present(dataset, folder)
            return folder
        for file in dataset.files:
            _fetch_file(file, staging / file.path)
            if on_file is not None:
                on_file()
        staging.rename(folder)
    except OSError as error:
        raise FetchError(
            f"{error.filename or folder}: cannot be written: {error.strerror or error}"
        ) from error
    return folder


def _check_present(dataset: Dataset, folder: Path) -> None:
    """Check a data set that was downloaded before."""
    for file in dataset.files:
        path = folder / file.path
        if not path.is_file() or _sha256(path) != file.sha256:
            raise FetchError(
                f"{path}: the file as published is expected; remove {folder} to download it again"
            )


def _fetch_file(file: RemoteFile, target: Path) -> None:
    """Download one file next to its place, check it and move it there."""
    if target.is_file() and _sha256(target) == file.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    if have < file.size:
        _receive(file, part, have)
        have = part.stat().st_size
    if have < file.size:
        raise FetchError(
            f"{file.url}: {file.size:,} bytes are expected, found {have:,}; run again to go on from there"
        )
    if have > file.size or _sha256(part) != file.sha256:
        part.unlink()
        raise FetchError(f"{file.url}: SHA-256 {file.sha256} is expected, the file received has another one")
    part.replace(target)


def _receive(file: RemoteFile, part: Path, have: int) -> None:
    """Append what is missing; without the server's support for ranges, begin again."""
    headers = _HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response: HTTPResponse = urlopen(Request(file.url, headers=headers), timeout=_TIMEOUT_S)
    except HTTPError as error:
        raise FetchError(f"{file.url}: HTTP {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise FetchError(f"{file.url}: {getattr(error, 'reason', error)}") from None
    goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    with response, part.open("ab" if goes_on else "wb") as stream:
        # One byte too many is enough to tell that the file is another one.
        while stream.tell() <= file.size and (chunk := _read(response, file)):
            stream.write(chunk)


def _read(response: HTTPResponse, file: RemoteFile) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise FetchError(f"{file.url}: {error}; run again to go on from there") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {one_line(message)} (see --help)\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("perturbed-probe")
        except PackageNotFoundError:  # run from a folder that was not installed
            found = "(not installed)"
        print(f"perturbed-probe {found}")
        parser.exit(0)


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="probe fetch",
        description="Download data sets; their hashes are checked.",
        epilog="Exit codes: 0 done, 1 not downloaded, 2 wrong use, 130 interrupted.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a data set; see --list")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument("--list", action="store_true", help="show the data sets")
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"default: {CACHE_VARIABLE}, else the platform's cache folder",
    )
    return parser


def _show(known: dict[str, Dataset]) -> None:
    for dataset in known.values():
        print(f"{dataset.name:24} {dataset.size / 1e6:5.1f} MB  {dataset.title} ({dataset.licence})")
    for each in SOURCES.values():
        if each.key not in known:
            how = each.get.format(data="DIR")
            print(f"{each.key:24} {each.size / 1e6:5.1f} MB  {each.title}: {how}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    known = datasets()
    if options.list:
        _show(known)
        return 0
    if not options.names:
        parser.error("the name of a data set is expected; see --list")
    try:
        lacking = [source(name) for name in options.names if name not in known]
    except InputError as error:
        parser.error(str(error))
    try:
        for each in lacking:
            how = each.get.format(data=options.cache or default_cache())
            raise FetchError(f"{each.key}: cannot be downloaded by itself; {how}")
        for name in options.names:
            print(_fetch_with_progress(known[name], options.cache))
    except FetchError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; run again to go on from there", file=sys.stderr)
        return 130
    return 0


def _fetch_with_progress(dataset: Dataset, cache: Path | None) -> Path:
    """Download with a bar on stderr; nothing where stderr is no terminal."""
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    with tqdm(total=len(dataset.files), desc=dataset.name, unit="file", leave=False, disable=quiet) as bar:
        return fetch(dataset, cache=cache, on_file=bar.update)


if __name__ == "__main__":
    sys.exit(main())
