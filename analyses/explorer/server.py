"""The explorer's server: one page, its views and their files, computed one at a time."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from analyses.explorer.files import FILES, arcs_svg, brackets_svg
from analyses.explorer.view import (
    Remembering,
    Request,
    View,
    choices,
    method_settings,
    read_sentence,
    view,
)
from analyses.trees.adjust import needs_openness
from analyses.trees.methods import METHODS
from probe import __version__
from probe.errors import OptionError, ProbeError
from probe.perturbations import n_passes
from probe.registry import check_name

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from probe.source import ImpactSource

T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
EXAMPLES = (
    "The dog sat on the mat.",
    "The keys to the cabinet were rusty.",
    "I saw the man with the telescope.",
    "For those who follow social media transitions on Capitol Hill, this will be a little different.",
)
"""Sentences that the page offers; it opens with the first."""

# The page asks nobody but this server, whatever a sentence or a model's name may hold.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_TICK = 0.1
"""Seconds between two reports of progress, and so until a request that nobody waits for is noticed."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a request may ask for.

    Attributes:
        words: of a sentence.
        characters: of a sentence.
        waiting: requests that may wait for their turn.
        batch_tokens: pieces in one forward pass.
    """

    words: int = 60
    characters: int = 2_000
    waiting: int = 8
    batch_tokens: int = 4_096


class Busy(Exception):
    """Too many requests are waiting already."""


class _Stopped(Exception):
    """Nobody waits for the result any more."""


class Job:
    """One computation: how far it is, and whether it is still wanted."""

    def __init__(self, passes: int) -> None:
        self.passes, self.done = passes, 0
        self._stopped = threading.Event()

    def on_passes(self, count: int) -> None:
        """Count forward passes; ends the computation where it is no longer wanted."""
        self.done += count
        if self._stopped.is_set():
            raise _Stopped

    def stop(self) -> None:
        """Let the computation end after its forward pass."""
        self._stopped.set()


class Queue:
    """Runs jobs one at a time: a model's forward pass uses all cores, and its tokenizer is not for two threads."""

    def __init__(self, waiting: int) -> None:
        self._waiting, self._inside = waiting, 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")

    async def run(self, job: Job, work: Callable[[], T]) -> AsyncGenerator[T | None, None]:
        """Yield None while the work waits or runs, then its result; leaving the loop ends the work.

        Raises:
            Busy: too many are waiting.
        """
        if self._inside > self._waiting:
            raise Busy(f"{self._waiting} requests are waiting already: try again in a moment")
        self._inside += 1
        future = asyncio.wrap_future(self._thread.submit(work))
        try:
            while not future.done():
                yield None
                await asyncio.wait([future], timeout=_TICK)
            yield future.result()
        finally:
            job.stop()
            future.cancel()
            self._inside -= 1

    def close(self) -> None:
        """Drop what is waiting."""
        self._thread.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A request that was read and is within the limits."""

    request: Request
    former: Request | None
    passes: int


class Explorer:
    """What the routes of the server do."""

    def __init__(self, models: Mapping[str, ImpactSource], limits: Limits) -> None:
        if not models:
            raise ValueError("expected at least one model, found none")
        self._models = {name: Remembering(model) for name, model in models.items()}
        self._limits = limits
        self._queue = Queue(limits.waiting)

    def close(self) -> None:
        """Drop what is waiting."""
        self._queue.close()

    async def options(self, http: HttpRequest) -> Response:
        """What there is to choose from."""
        models = [{"name": name, "layers": model.n_layers} for name, model in self._models.items()]
        found = {
            "models": models,
            "choices": choices(),
            "methods": {
                name: {"about": entry.about, **method_settings(name)} for name, entry in METHODS.items()
            },
            "examples": EXAMPLES,
            "limits": asdict(self._limits),
            "version": __version__,
        }
        return JSONResponse(found)

    async def view(self, http: HttpRequest) -> Response:
        """A view as lines of JSON: ``{"done", "passes"}`` while it is made, then ``{"view"}`` or ``{"error"}``."""
        try:
            asked = self._read(http)
        except _EXPECTED as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return StreamingResponse(self._lines(asked), media_type="application/x-ndjson")

    async def file(self, http: HttpRequest) -> Response:
        """A file of a view."""
        name = http.path_params["name"]
        try:
            kind = FILES[check_name("file", name, FILES)]
            async with aclosing(self._compute(self._read(http), Job(0))) as states:
                async for found in states:
                    if found is not None:
                        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
                        return Response(kind.make(found), media_type=kind.media_type, headers=headers)
                    if await http.is_disconnected():
                        break
        except Busy as error:
            return _refused(error, 503)
        except _EXPECTED as error:
            return _refused(error, 404 if name not in FILES else 400)
        return Response(status_code=499)

    def _read(self, http: HttpRequest) -> _Asked:
        """The request of a query string; ``since`` in it is the query string of a former view.

        Raises:
            ProbeError, ValueError: it is not one, or beyond the limits.
        """
        query = dict(http.query_params)
        since = query.pop("since", None)
        request = self._checked(Request.from_query(query))
        former = self._checked(Request.from_query(since)) if since else None
        asked = [one for one in (request, former) if one is not None]
        total = sum(passes(one, len(read_sentence(one).words)) for one in asked)
        return _Asked(request=request, former=former, passes=total)

    def _checked(self, request: Request) -> Request:
        """The request with the name of its model, if the model can serve it."""
        model = request.model or next(iter(self._models))
        source = self._models[check_name("model", model, self._models)]
        source.resolve(**{name: request.settings[name] for name in ("metric", "layer", "pool", "perturb")})
        if len(request.text) > self._limits.characters:
            raise OptionError(
                f"the sentence has {len(request.text)} characters: up to {self._limits.characters} are taken"
            )
        if (n := len(read_sentence(request).words)) > self._limits.words:
            raise OptionError(
                f"the sentence has {n} words: up to {self._limits.words} are taken (--max-words)"
            )
        return replace(request, model=model)

    def _compute(self, asked: _Asked, job: Job) -> AsyncGenerator[View | None, None]:
        def make(request: Request, former: View | None) -> View:
            return view(
                self._models[request.model],
                request,
                former=former,
                batch_tokens=self._limits.batch_tokens,
                on_passes=job.on_passes,
            )

        def work() -> View:
            return make(asked.request, None if asked.former is None else make(asked.former, None))

        return self._queue.run(job, work)

    async def _lines(self, asked: _Asked) -> AsyncIterator[str]:
        job = Job(asked.passes)
        try:
            async with aclosing(self._compute(asked, job)) as states:
                async for found in states:
                    if found is None:
                        yield _line({"done": job.done, "passes": job.passes})
                    else:
                        drawn = {"arcs": arcs_svg(found), "brackets": brackets_svg(found)}
                        yield _line({"view": found.as_dict() | {"pictures": drawn}})
        except (Busy, *_EXPECTED) as error:
            yield _line({"error": str(error)})
        except Exception:  # a fault of ours must not leave the page waiting
            traceback.print_exc(file=sys.stderr)
            yield _line({"error": "the explorer failed at this sentence; its terminal says why"})


def passes(request: Request, n: int) -> int:
    """Forward passes of a request for n words; to read what a model predicts takes n + 1 more."""
    settings = request.settings
    return n_passes(n, [settings["perturb"]]) + (n + 1 if needs_openness(settings["adjust"]) else 0)


_EXPECTED = (ProbeError, ValueError)
"""Errors of the input; those of the readers of ``data`` and of the decoders are ValueErrors."""


def _line(found: Mapping[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False) + "\n"


def _refused(error: Exception, status: int) -> Response:
    return Response(f"{error}\n", status_code=status, media_type="text/plain; charset=utf-8")


class _Guarded:
    """Adds the headers that keep a browser from asking anyone else, and from keeping old pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, guarded)


def create_app(
    models: Mapping[str, ImpactSource], *, limits: Limits = Limits(), hosts: Sequence[str] = ("127.0.0.1",)
) -> Starlette:
    """The explorer as an ASGI application.

    Args:
        models: by the name that the page shows; the first is the default.
        limits: what a request may ask for.
        hosts: names under which the server answers, "*" for any. Others are refused, since a page elsewhere
            could otherwise reach the loopback address by a name of its own (DNS rebinding).

    Raises:
        ValueError: there is no model.
    """
    explorer = Explorer(models, limits)

    async def page(http: HttpRequest) -> Response:
        return FileResponse(PAGE / "index.html")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        explorer.close()

    return Starlette(
        routes=[
            Route("/", page),
            Route("/options", explorer.options),
            Route("/view", explorer.view),
            Route("/files/{name}", explorer.file),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        middleware=[
            Middleware(_Guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        lifespan=lifespan,
    )
