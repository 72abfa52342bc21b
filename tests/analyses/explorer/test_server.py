"""The explorer's server and its command: limits, errors, the queue, stopping."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import probe
from analyses.explorer import command as app
from analyses.explorer.view import Request, view
from analyses.trees.methods import METHODS
from data import parse_conllu
from tests.conftest import ModelFolder

pytest.importorskip("starlette", reason="the extra app is not installed")
pytest.importorskip("uvicorn", reason="the extra app is not installed")

from starlette.testclient import TestClient

from analyses.explorer.server import Busy, Job, Limits, Queue, create_app, passes

TEXT = "Nobody slept ."
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def models(model_folder: ModelFolder) -> dict[str, probe.Probe]:
    names = ("bert", "bert_without_head")
    return {name: probe.load(model_folder(name), device="cpu", dtype="float32") for name in names}


@pytest.fixture(scope="module")
def client(models: dict[str, probe.Probe]) -> Iterator[TestClient]:
    application = create_app(models, limits=Limits(words=20, characters=200), hosts=["testserver"])
    with TestClient(application) as made:
        yield made


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


# --- what it answers


def test_a_view_is_streamed(client: TestClient, models: dict[str, probe.Probe]) -> None:
    answer = client.get("/view", params={"text": TEXT, "layer": "2", "decoder": "cle"})
    assert answer.status_code == 200
    *progress, last = lines(answer)
    assert all(set(line) == {"done", "passes"} and line["passes"] == 8 for line in progress)
    expected = view(models["bert"], Request(text=TEXT, layer=2, decoder="cle", model="bert"))
    pictures = last["view"].pop("pictures")
    assert last == json.loads(json.dumps({"view": expected.as_dict()}))
    assert all(pictures[name].startswith("<svg") for name in ("arcs", "brackets"))


def test_a_view_since_another(client: TestClient) -> None:
    since = Request(text="Nobody slept .", layer=1).query()
    last = lines(client.get("/view", params={"text": "Nobody ever slept .", "layer": "1", "since": since}))[
        -1
    ]
    assert [change["kind"] == "word" for change in last["view"]["changes"]] == [False, True, False, False]


def test_options(client: TestClient) -> None:
    found = client.get("/options").json()
    assert found["models"] == [{"name": "bert", "layers": 3}, {"name": "bert_without_head", "layers": 3}]
    assert found["choices"]["metric"] == ["dist", "cos", "prob", "kl"]
    assert list(found["methods"]) == list(METHODS) and set(found["choices"]["method"]) == set(METHODS)
    assert found["methods"]["paper"]["layer"] == -1
    assert len(found["examples"]) == 4
    assert found["limits"]["words"] == 20


@pytest.mark.parametrize("method", METHODS)
def test_passes_are_counted_before_they_are_run(models: dict[str, probe.Probe], method: str) -> None:
    run: list[int] = []
    for text in ("Nobody", "Nobody ever slept ."):
        run.clear()
        request = Request(text=text, method=method)
        view(models["bert"], request, on_passes=run.append)
        assert sum(run) == passes(request, len(text.split()))


def test_files(client: TestClient, models: dict[str, probe.Probe]) -> None:
    answer = client.get("/files/tree.conllu", params={"text": TEXT})
    assert answer.headers["content-disposition"] == 'attachment; filename="tree.conllu"'
    (sentence,) = parse_conllu(answer.text.splitlines(), name="answer")
    assert sentence.heads == view(models["bert"], Request(text=TEXT)).heads
    assert client.get("/files/arcs.svg", params={"text": TEXT}).headers["content-type"] == "image/svg+xml"
    assert client.get("/files/secret", params={"text": TEXT}).status_code == 404
    assert client.get("/files/arcs.svg", params={"text": ""}).status_code == 400


def test_the_page_asks_only_this_server(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    for name in re.findall(r'(?:src|href)="(page/[^"]+)"', page.text):
        found = client.get(f"/{name}")
        assert found.status_code == 200
        assert not re.search(r"https?://", found.text)
    # A link is followed when it is clicked, not before.
    assert re.findall(r"(\S+)https?://", page.text) == ['href="']
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/%2e%2e/app.py").status_code == 404


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "no text"),
        ({"text": "a " * 21}, "21 words: up to 20 are taken"),
        ({"text": "a" * 201}, "201 characters: up to 200"),
        ({"text": "a\0b"}, "U+0000"),
        ({"text": "a", "layer": "4"}, "layers 0 (embeddings) to 3"),
        ({"text": "a", "model": "brt"}, "unknown model 'brt': did you mean 'bert'?"),
        ({"text": "a", "metric": "prob", "pool": "state"}, "goes with metrics"),
        ({"text": "a", "nonsense": "1"}, "unknown option 'nonsense'"),
        ({"text": "a", "since": "layer=1"}, "no text"),
        ({"text": "a", "since": "text=" + "b+" * 21}, "21 words"),
    ],
)
def test_bad_requests_are_refused(client: TestClient, query: dict[str, str], message: str) -> None:
    answer = client.get("/view", params=query)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_what_the_model_refuses_is_said(client: TestClient) -> None:
    (*_, last) = lines(
        client.get("/view", params={"text": TEXT, "model": "bert_without_head", "metric": "kl"})
    )
    assert "has no masked-LM head" in last["error"]
    (*_, last) = lines(client.get("/view", params={"text": "unhappily " * 15}))
    assert "32" in last["error"]


def test_other_names_of_the_host_are_refused(client: TestClient) -> None:
    assert client.get("/options", headers={"host": "elsewhere.example"}).status_code == 400


def test_a_fault_of_ours_is_said_and_the_server_lives(
    models: dict[str, probe.Probe], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with TestClient(create_app(models, hosts=["testserver"])) as client:
        monkeypatch.setattr("analyses.explorer.server.view", lambda *args, **options: 1 / 0)
        assert "terminal" in lines(client.get("/view", params={"text": TEXT}))[-1]["error"]
        assert "ZeroDivisionError" in capsys.readouterr().err
        monkeypatch.undo()
        assert "view" in lines(client.get("/view", params={"text": TEXT}))[-1]


def test_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one model"):
        create_app({})


# --- the queue


async def last(items: AsyncIterator[Any]) -> Any:
    return [item async for item in items][-1]


def test_jobs_run_one_at_a_time_in_order() -> None:
    running: list[int] = []
    log: list[tuple[int, int]] = []

    def work(number: int) -> Callable[[], int]:
        def do() -> int:
            running.append(number)
            log.append((number, len(running)))
            running.remove(number)
            return number

        return do

    async def many() -> list[Any]:
        queue = Queue(10)
        return await asyncio.gather(*(last(queue.run(Job(0), work(number))) for number in range(8)))

    assert asyncio.run(many()) == list(range(8))
    assert log == [(number, 1) for number in range(8)]


def test_a_full_queue_refuses_and_recovers() -> None:
    async def crowd() -> None:
        queue, gate = Queue(1), threading.Event()
        try:
            waiting = [asyncio.create_task(last(queue.run(Job(0), gate.wait))) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Busy, match="1 requests are waiting"):
                await last(queue.run(Job(0), gate.wait))
        finally:
            gate.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await last(queue.run(Job(0), lambda: "next")) == "next"

    asyncio.run(crowd())


def test_who_leaves_stops_the_work(models: dict[str, probe.Probe]) -> None:
    """The browser goes away after the first report of progress: the model stops after its forward pass."""
    begun, stopped = threading.Event(), threading.Event()

    class Endless:
        """A model whose passes never end by themselves."""

        def __getattr__(self, name: str) -> Any:
            return getattr(models["bert"], name)

        def impact_many(self, sentences: Any, *, on_passes: Callable[[int], None], **options: Any) -> Any:
            begun.set()
            try:
                for _ in range(3_000):
                    threading.Event().wait(0.01)
                    on_passes(1)
            except BaseException:
                stopped.set()
                raise
            yield from ()

    async def visit() -> None:
        application = create_app({"bert": Endless()}, hosts=["*"])  # type: ignore[dict-item]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/view",
            "query_string": b"text=Nobody+slept",
            "headers": [],
        }

        async def receive() -> dict[str, str]:
            await asyncio.to_thread(begun.wait, 10)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        await application(scope, receive, send)

    asyncio.run(visit())
    assert stopped.wait(10)


# --- the command


def test_options_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    args = app.build_parser().parse_args(["--model", "a", "--model", "b", "--port", "0"])
    assert (args.model, args.host, args.port, args.max_words) == (["a", "b"], "127.0.0.1", 0, 60)
    for wrong in (["--port", "65536"], ["--max-words", "0"], ["--queue", "x"]):
        with pytest.raises(SystemExit) as ended:
            app.build_parser().parse_args(wrong)
        assert ended.value.code == 2
    assert capsys.readouterr().err.count("probe app: error: ") == 3


def test_a_taken_port_is_said_before_a_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port), "--model", "no-such-folder"]) == 2
    written = capsys.readouterr()
    assert (written.out, written.err.count("\n")) == ("", 1)
    assert f"port {port} of 127.0.0.1: it is taken; choose others with --port" in written.err


def test_a_model_that_is_none_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert app.main(["--port", "0", "--model", str(tmp_path)]) == 2
    written = capsys.readouterr()
    assert (written.out, written.err.count("\n")) == ("", 1)


def test_without_the_extra_the_error_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    assert app.main(["--port", "0"]) == 2
    assert "pip install 'perturbed-probe[app]'" in capsys.readouterr().err


def test_it_answers_on_this_machine_and_stops_at_ctrl_c(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    # Tests in the background of a shell begin with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = str(model_folder("bert"))
    capsys.readouterr()  # what making the model wrote
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers = []

    def visit() -> None:
        try:
            for _ in range(500):
                with contextlib.suppress(urllib.error.URLError):
                    with urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/view?text=Nobody+slept", timeout=120
                    ) as found:
                        answers.append(json.loads(found.read().splitlines()[-1]))
                    break
                threading.Event().wait(0.02)
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # what Ctrl-C sends

    visitor = threading.Thread(target=visit)
    visitor.start()
    code = app.main(["--model", folder, "--port", str(port), "--device", "cpu"])
    visitor.join()
    assert [list(answer) for answer in answers] == [["view"]]
    written = capsys.readouterr()
    assert code == 130
    assert written.out == f"The explorer is at http://127.0.0.1:{port}/ (Ctrl-C stops it)\n"
    assert written.err == "probe app: error: interrupted\n"


_SLEEPS = """
import sys, time
import analyses.explorer.server as server
from probe.commands import start

def sleeps(*args, **options):
    print("asked", flush=True)
    time.sleep(60)

server.view = sleeps
sys.exit(start("app", sys.argv[1:]))
"""


def test_ctrl_c_does_not_wait_for_requests(model_folder: ModelFolder) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _SLEEPS,
            "--model",
            str(model_folder("bert")),
            "--port",
            "0",
            "--device",
            "cpu",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[4]

    def visit(route: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(f"{url}{route}?text=Nobody+slept", timeout=60).read()

    visitors = [threading.Thread(target=visit, args=(route,)) for route in ("view", "files/tree.conllu")]
    for visitor in visitors:
        visitor.start()
        assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = process.communicate(timeout=60)
    for visitor in visitors:
        visitor.join()
    assert time.monotonic() - asked < 2
    assert (process.returncode, err) == (130, "probe app: error: interrupted\n")
