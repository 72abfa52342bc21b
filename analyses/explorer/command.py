"""A page to play with: ``probe app --model bert`` (extra ``app``).

This module and its parts ``probe.app_*`` join the four packages, as ``probe.parse`` does.
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from probe.command_line import DONE, Parser, UsageError, command_main, positive
from probe.inputs import say_guess
from probe.option_groups import ModelOptions, OutputOptions

if TYPE_CHECKING:
    from probe.source import ImpactSource

_ANYWHERE = ("0.0.0.0", "::")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe app",
        description="Explore in a browser what a masked language model says of a sentence: impact matrix, "
        "dependency tree, brackets.",
        epilog="It answers on this machine only, unless --host says otherwise. Ctrl-C stops it.",
        failures="failed",
    )
    add = parser.add_argument
    ModelOptions.add(parser, several=True)
    add("--host", default="127.0.0.1", help="address to answer on (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, default=7860, help="0: any that is free (default: 7860)")
    add("--max-words", type=positive, default=60, metavar="N", help="longest sentence (default: 60)")
    add("--queue", type=positive, default=8, metavar="N", help="requests that may wait (default: 8)")
    OutputOptions.add(parser, out=None)
    return parser


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) >= 2**16:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 65535 is expected, found {value!r}")
    return int(value)


def _serve(args: argparse.Namespace) -> int:
    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise UsageError(f"the explorer needs {' and '.join(missing)}: pip install 'perturbed-probe[app]'")
    # The port is taken before the models are loaded: whether it is free should not take a minute to learn.
    with listen(args.host, args.port) as listener:
        models = _models(args)
        if not args.quiet:
            print(f"The explorer is at {_url(args.host, listener)} (Ctrl-C stops it)", flush=True)
        _run(args, models, listener)
    return DONE


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and takes connections; they wait until the server runs."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise UsageError(
            f"cannot answer on port {port} of {host}: {why}; choose others with --port and --host"
        ) from error


def _models(args: argparse.Namespace) -> Mapping[str, ImpactSource]:
    """The models, by name, in the order given."""
    from probe.loading import load

    chosen = ModelOptions.of(args)
    models = {name: load(name, device=chosen.device, dtype=chosen.dtype) for name in chosen.models}
    for model in models.values():
        say_guess(model, args)
    return models


def _url(host: str, listener: socket.socket) -> str:
    shown = "localhost" if host in _ANYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/"


def _run(args: argparse.Namespace, models: Mapping[str, ImpactSource], listener: socket.socket) -> None:
    """Answer until the process is told to stop."""
    import uvicorn

    from analyses.explorer.server import Limits, create_app

    class Server(uvicorn.Server):
        """Ends requests without a word: that they are cut off is what Ctrl-C asks for."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            logging.getLogger("uvicorn.error").disabled = True
            await super().shutdown(sockets)

    limits = Limits(words=args.max_words, waiting=args.queue, batch_tokens=args.batch_tokens)
    names = ["*"] if args.host in _ANYWHERE else [args.host, "127.0.0.1", "localhost", "[::1]"]
    config = uvicorn.Config(
        create_app(models, limits=limits, hosts=names),
        log_level="error",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    Server(config).run(sockets=[listener])


main = command_main(build_parser, _serve)
