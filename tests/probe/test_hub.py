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


Hub = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def hub(model_folder: ModelFolder, tmp_path: Path) -> Iterator[Hub]:
    """Load names from a local hub in a fresh interpreter, where its address and cache are read.

    What was written for each of them: a matrix to the output, or what was wrong to the errors.
    """
    handler = type("Handler", (_Hub,), {"folder": model_folder("bert")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    cache = {"HF_HOME": str(tmp_path / "cache"), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    code = f"""if True:
        import json, sys, probe
        for name in sys.argv[1:]:
            try:
                loaded = probe.load(name, device="cpu", dtype="float32")
                print(json.dumps(loaded.impact({WORDS}).values.tolist()))
            except probe.ModelError as error:
                print("ModelError:", error, file=sys.stderr)
            for stream in (sys.stdout, sys.stderr):
                print("--", file=stream)
    """

    def run(*names: str, **environment: str) -> list[tuple[str, str]]:
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            cwd=ROOT,
            env={**kept, **cache, **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=90,  # the hub's own client would ask a silent hub for longer
        )
        parts = [written.split("--\n") for written in (done.stdout, done.stderr)]
        assert [written.pop() for written in parts] == ["", ""]
        return list(zip(*parts, strict=True))

    yield run
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_there_when_the_hub_is_not_and_others_are_one_line(
    hub: Hub, model_folder: ModelFolder
) -> None:
    expected = probe.load(model_folder("bert"), device="cpu", dtype="float32").impact(WORDS).values
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        (out, err), (nothing, said) = hub("someone/tiny", "someone/none", **environment)
        assert err == ""
        np.testing.assert_allclose(json.loads(out), expected, rtol=1e-5, atol=1e-6)
        assert nothing == ""
        assert said.startswith("ModelError: cannot load 'someone/none'")
        assert "Check the name and the connection" in said
        assert said.count("\n") == 1
