"""`avtool serve`: the server from its start to its end."""

from __future__ import annotations

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NoReturn

import typer

from avtool.cli.browser import opened
from avtool.cli.signals import INTERRUPTED, Interrupted
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.pipelines.serve.tasks import Tasks
from avtool.scratch import temporary_folder

PATIENCE = 2  # seconds that answers have to end


def run(host: str, port: int, *, open: bool, most_bytes: int, keep: float, device: str) -> NoReturn:
    """Serve until the user has had enough.

    Raises:
        InputError: packages are missing, or the address cannot be listened on.
    """
    try:
        import uvicorn

        from avtool.pipelines.serve.server import Keys, application
    except ModuleNotFoundError as error:
        raise InputError(f"serve needs {error.name}; pip install 'avtool[serve]'") from error
    if device not in ("auto", "cpu"):
        from avtool.models import weights

        weights.device(device)  # one wrong option, not one failure per file
    keys = Keys(host)
    with (
        _listening(host, port) as listener,
        temporary_folder() as folder,
        closing(Tasks(folder, keep, device)) as tasks,
        ThreadPoolExecutor(1) as thread,  # so that Ctrl-C finds another that listens
    ):
        config = uvicorn.Config(
            application(tasks, keys, most_bytes),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None if say.debug else "critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
        server = uvicorn.Server(config)
        try:
            running = thread.submit(server.run, [listener])
            _tell(host, listener.getsockname()[1], keys.token, keys.once if open else "")
            running.result()
        except Interrupted:
            say.note("ended; what was sent and made is removed")
        finally:
            server.should_exit = True
    raise typer.Exit(INTERRUPTED)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        where = f"--host {host} --port {port}"
        more = "--port 0 takes a free one" if host in ("127.0.0.1", "localhost") else "correct it"
        raise InputError(f"{where}: cannot be listened on ({error.strerror}); {more}") from error


def _tell(host: str, port: int, token: str, once: str) -> None:
    """Where the page is; shown in the browser if there is one, which takes ``once`` for a token."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_own, name = host == "localhost", host
    else:
        is_own = address.is_loopback
        name = "127.0.0.1" if address.is_unspecified else f"[{host}]" if ":" in host else host
    if not is_own:
        say.warning(f"--host {host}: others can reach this machine; what is sent can be read")
    place = f"http://{name}:{port}/?token="
    say.data(place + token)
    if once and not opened(place + once):
        say.note("no browser could be opened here; open the address above; Ctrl-C ends")
