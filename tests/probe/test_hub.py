"""Models of a hub: downloaded once, and one line of error where they cannot be had."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import probe
from tests.conftest import ModelFolder

ROOT = Path(__file__).parents[2]
COMMIT = "c0ffee" + 34 * "0"
WORDS = ["The", "gardener", "slept", "."]


class _Hub(BaseHTTPRequestHandler):
    """As much of a model hub as its client needs to download ``someone/tiny``."""

    folder: Path

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        file = self.folder / path.rpartition("/")[2]
        if path == "/api/models/someone/tiny":
            files = [{"rfilename": entry.name} for entry in self.folder.iterdir()]
            self.reply(200, json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": files}).encode(), {})
        elif path.startswith("/someone/tiny/resolve/") and file.is_file():
            body = file.read_bytes()
            headers = {"ETag": f'"{sha256(body).hexdigest()}"', "Content-Length": str(len(body))}
            self.reply(200, body if with_body else b"", headers)
        else:
            known = path.startswith(("/someone/tiny/", "/api/models/someone/tiny/"))
            self.reply(404, b"", {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


Hub = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(model_folder: ModelFolder, tmp_path: Path) -> Iterator[Hub]:
    """Load a name from a local hub in a fresh interpreter, where its address and cache are read."""
    handler = type("Handler", (_Hub,), {"folder": model_folder("bert")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    cache = {"HF_HOME": str(tmp_path / "cache"), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    code = """if True:
        import json, sys, probe
        try:
            loaded = probe.load(sys.argv[1], device="cpu", dtype="float32")
        except probe.ModelError as error:
            sys.exit(f"ModelError: {error}")
        print(json.dumps(loaded.impact(sys.argv[2:]).values.tolist()))
    """

    def run(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, name, *WORDS],
            cwd=ROOT,
            env={**kept, **cache, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,  # the hub's own client would ask a silent hub for longer
        )

    yield run
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_there_when_the_hub_is_not(hub: Hub, model_folder: ModelFolder) -> None:
    expected = probe.load(model_folder("bert"), device="cpu", dtype="float32").impact(WORDS).values
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        done = hub("someone/tiny", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("someone/none", {}),
        ("someone/tiny", {"HF_HUB_OFFLINE": "1"}),
        ("someone/tiny", {"HF_ENDPOINT": "http://127.0.0.1:9"}),
    ],
    ids=["unknown", "offline", "unreachable"],
)
def test_a_model_that_cannot_be_had_is_one_line(name: str, environment: dict[str, str], hub: Hub) -> None:
    done = hub(name, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ModelError: cannot load '{name}'")
    assert "Check the name and the connection" in done.stderr
    assert done.stderr.count("\n") == 1
