"""Downloading from a local server: whole or nothing, resumed, checked, with errors that name the cause."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from data import fetch as command
from data.fetch import FetchError, default_cache, fetch
from data.registry import Dataset, RemoteFile, datasets
from data.sources import SOURCES, source

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

CONTENT = bytes(range(256)) * 1000
LICENCE = "CC0"


class Server(ThreadingHTTPServer):
    """Serves `files`; can cut a connection after some bytes, or ignore ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        self.knows_ranges = True

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def dataset(self, *names: str) -> Dataset:
        """A data set of these files as they are now."""
        files = (
            RemoteFile(
                path=name,
                url=self.base + name,
                size=len(self.files[name]),
                sha256=hashlib.sha256(self.files[name]).hexdigest(),
            )
            for name in names
        )
        return Dataset(name="set", title="A set", licence=LICENCE, files=tuple(files))


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, asked = self.path.lstrip("/"), self.headers["Range"]
        self.server.requests.append((name, asked))
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start and self.server.knows_ranges:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.files = {"a/one": CONTENT, "two": b"two"}
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def files_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_whole_data_set(server: Server, tmp_path: Path) -> None:
    dataset = server.dataset("a/one", "two")
    done: list[int] = []
    folder = fetch(dataset, cache=tmp_path / "new" / "cache", on_file=lambda: done.append(1))
    assert folder == tmp_path / "new" / "cache" / "set"
    assert (folder / "a" / "one").read_bytes() == CONTENT
    assert files_under(tmp_path) == {"new/cache/set/a/one", "new/cache/set/two"}
    assert server.requests == [("a/one", None), ("two", None)]
    assert len(done) == 2
    assert fetch(dataset, cache=tmp_path / "new" / "cache") == folder
    assert len(server.requests) == 2  # it is there: nothing is asked again


def test_a_cut_download_goes_on(server: Server, tmp_path: Path) -> None:
    dataset = server.dataset("two", "a/one")
    server.cut_after = 100_000
    message = r"a/one: 256,000 bytes are expected, found 100,000; run again to go on from there"
    with pytest.raises(FetchError, match=message):
        fetch(dataset, cache=tmp_path)
    assert files_under(tmp_path) == {"set.part/two", "set.part/a/one.part"}
    server.cut_after = None
    folder = fetch(dataset, cache=tmp_path)
    assert (folder / "a" / "one").read_bytes() == CONTENT
    assert server.requests == [("two", None), ("a/one", None), ("a/one", "bytes=100000-")]
    assert files_under(tmp_path) == {"set/two", "set/a/one"}


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    dataset = server.dataset("a/one")
    server.cut_after = 1000
    with pytest.raises(FetchError):
        fetch(dataset, cache=tmp_path)
    server.cut_after, server.knows_ranges = None, False
    assert (fetch(dataset, cache=tmp_path) / "a" / "one").read_bytes() == CONTENT


@pytest.mark.parametrize("received", [b"tow", b"two and more" * 100_000])
def test_another_content(server: Server, tmp_path: Path, received: bytes) -> None:
    dataset = server.dataset("two")
    server.files["two"] = received
    with pytest.raises(FetchError, match=rf"/two: SHA-256 {dataset.files[0].sha256} is expected"):
        fetch(dataset, cache=tmp_path)
    assert files_under(tmp_path) == set()  # nothing wrong is kept to go on from
    server.files["two"] = b"two"
    assert files_under(fetch(dataset, cache=tmp_path)) == {"two"}


def test_a_file_from_an_older_release_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.part").mkdir()
    (tmp_path / "set.part" / "two").write_bytes(b"old")
    assert (fetch(server.dataset("two"), cache=tmp_path) / "two").read_bytes() == b"two"


def test_a_missing_file(server: Server, tmp_path: Path) -> None:
    dataset = server.dataset("two", "a/one")
    del server.files["a/one"]
    with pytest.raises(FetchError, match=rf"^{server.base}a/one: HTTP 404 Not Found$"):
        fetch(dataset, cache=tmp_path)
    assert not (tmp_path / "set").exists()


def test_no_server(server: Server, tmp_path: Path) -> None:
    dataset = server.dataset("two")
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchError, match=rf"^{server.base}two: .*refused"):
        fetch(dataset, cache=tmp_path)


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(FetchError, match=rf"^{tmp_path / 'cache'}.*: cannot be written: Not a directory$"):
        fetch(server.dataset("two"), cache=tmp_path / "cache")


def test_a_full_disk(server: Server, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    (tmp_path / "set.part").mkdir()
    (tmp_path / "set.part" / "two.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"cannot be written: No space left on device$"):
        fetch(server.dataset("two"), cache=tmp_path)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"tow")])
def test_a_damaged_data_set(server: Server, tmp_path: Path, damage: Callable[[Path], object]) -> None:
    dataset = server.dataset("two")
    folder = fetch(dataset, cache=tmp_path)
    damage(folder / "two")
    message = f"^{folder / 'two'}: the file as published is expected; remove {folder} to download it again$"
    with pytest.raises(FetchError, match=message):
        fetch(dataset, cache=tmp_path)


def test_default_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROBE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache().name == "perturbed-probe"
    if sys.platform == "linux":
        assert default_cache() == tmp_path / "perturbed-probe"
    monkeypatch.setenv("PROBE_CACHE", str(tmp_path / "given"))
    assert default_cache() == tmp_path / "given"


def test_command(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = server.dataset("two")
    monkeypatch.setattr(command, "datasets", lambda: {"set": dataset})
    monkeypatch.setenv("PROBE_CACHE", str(tmp_path))
    assert command.main(["set"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{tmp_path / 'set'}\n", "")
    server.files.clear()
    assert command.main(["set", "--cache", str(tmp_path / "other")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"probe fetch: error: {server.base}two: HTTP 404 Not Found\n"


def test_command_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "fetch", interrupt)
    assert command.main(["scidtb"]) == 130
    assert "interrupted; run again to go on from there" in capsys.readouterr().err


def test_command_names_what_needs_a_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ptb"]) == 1
    assert "needs a licence of the LDC" in capsys.readouterr().err
    assert command.main(["scidtb-second-annotation"]) == 1
    assert "probe fetch scidtb --cache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the name of a data set is expected"),
        (["scidtb", "pud"], "unknown data set 'pud': .*known are ud-english-pud, "),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        command.main(arguments)
    assert error.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_the_list_in_a_fresh_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "data.fetch", "--list"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert sorted(names) == sorted(SOURCES)
    assert names[: len(datasets())] == [*datasets()]


def test_registry() -> None:
    for name, dataset in datasets().items():
        assert name == dataset.name == source(name).download
        assert (dataset.title, dataset.licence, dataset.size) == (
            source(name).title,
            source(name).licence,
            source(name).size,
        )
        paths = [file.path for file in dataset.files]
        assert paths and len(set(paths)) == len(paths)
        for file in dataset.files:
            assert not Path(file.path).is_absolute() and ".." not in Path(file.path).parts
            assert file.size > 0 and re.fullmatch("[0-9a-f]{64}", file.sha256)
            assert urlsplit(file.url).scheme == "https"
            # At a commit, or under the hash of the content: not at a branch, which moves.
            assert re.search("/[0-9a-f]{40}(/|$)", file.url)
    assert len(datasets()["scidtb"].files) == 152 + 154 + 152


LOCAL_FOLDERS = {
    "dataset/dev/gold/": "scidtb/dev/",
    "dataset/test/gold/": "scidtb/test/",
    "dataset/test/second_annotate/": "scidtb/test-second-annotator/",
    "": "ud/",
}


@needs_data
@pytest.mark.parametrize("dataset", datasets().values(), ids=lambda dataset: dataset.name)
def test_registry_agrees_with_local_copies(dataset: Dataset) -> None:
    for file in dataset.files:
        prefix = next(prefix for prefix in LOCAL_FOLDERS if file.path.startswith(prefix))
        local = Path(os.environ["PROBE_DATA"], LOCAL_FOLDERS[prefix], file.path.removeprefix(prefix))
        content = local.read_bytes()
        assert len(content) == file.size
        assert hashlib.sha256(content).hexdigest() == file.sha256
        if "/git/blobs/" in file.url:
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            assert file.url.endswith(f"/{blob}")
