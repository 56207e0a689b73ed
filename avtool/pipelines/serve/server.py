"""The web server: who may ask, and what is answered.

Only whoever has the address with its token gets in, and is then known by a cookie. That is bound to
a path which nobody else knows, because a browser sends cookies to all ports of a machine.
"""

from __future__ import annotations

import ipaddress
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from starlette.responses import Response as Answer
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avtool.cli.asked import for_files, options
from avtool.errors import told
from avtool.page.html import served
from avtool.pipelines.serve.tasks import Tasks, fit

MOST_TASKS = 20  # that are kept at a time
COOKIE = "avtool"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # each page has the rest in itself
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Keys:
    """Who may come in.

    Args:
        host: where the server listens, as its user said.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.token, self.room, self._session = (secrets.token_urlsafe(24) for _ in range(3))
        # Of one use: what a browser is started with, all users of a machine can see.
        self.once = secrets.token_urlsafe(24)
        self._names = {"localhost", host.lower()}

    def is_let_in(self, token: str) -> bool:
        """Whether a token is right."""
        if _same(token, self.token):
            return True
        right = _same(token, self.once)
        if right:
            self.once = secrets.token_urlsafe(24)
        return right

    def admit(self, answer: Answer) -> Answer:
        """Let whoever gets this answer in."""
        answer.set_cookie(
            COOKIE, self._session, path=f"/{self.room}/", httponly=True, samesite="strict"
        )
        return answer

    def fault(self, request: Request) -> tuple[int, str] | None:
        """Why a request is refused: code and words; None where it is not."""
        host = request.headers.get("host", "")
        if not self._is_own(host):
            return 421, "This server is not asked under that name (Host)."
        if request.url.path == "/":
            return None  # the door, which looks at the token
        if not _same(request.cookies.get(COOKIE, ""), self._session):
            return 403, "Open the address with its token, as 'avtool serve' tells it."
        safe = request.method in ("GET", "HEAD")
        if not safe and request.headers.get("origin") != f"http://{host}":
            return 403, "Another page may not ask for this (Origin)."
        return None

    def _is_own(self, host: str) -> bool:
        """Whether a Host is a name of this server; a foreign name may be made to lead here."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
        except ValueError:
            return host.rpartition(":")[0].lower() in self._names or host.lower() in self._names
        return True


def _same(one: str, other: str) -> bool:
    """Whether texts are the same, in a time that tells nothing of them."""
    return secrets.compare_digest(one.encode(), other.encode())


class Guarded:
    """An application behind its keys; every answer carries the headers."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if message["status"] >= 400:
                    headers["Connection"] = "close"  # what is still being sent is not read
            await send(message)

        app = self._app
        if fault := self._keys.fault(Request(scope)):
            app = PlainTextResponse(fault[1], fault[0])
        await app(scope, receive, sent)


def application(tasks: Tasks, keys: Keys, most_bytes: int) -> ASGIApp:
    """What answers: the page, its tasks, their files.

    Args:
        most_bytes: of a file that is sent.
    """
    commands = for_files()
    facts = {"commands": list(commands.items()), "most": most_bytes, "keep": tasks.keep}
    page = served("avtool", facts)

    async def enter(request: Request) -> Answer:
        if not keys.is_let_in(request.query_params.get("token", "")):
            return PlainTextResponse("Open the address with its token, as the terminal tells.", 403)
        # A page of ours leads on: a browser sends the cookie nowhere that a foreign link led to.
        onward = f'<meta http-equiv="refresh" content="0; url=/{keys.room}/">'
        return keys.admit(HTMLResponse(onward))

    async def shown(request: Request) -> Answer:
        return HTMLResponse(page)

    async def listed(request: Request) -> Answer:
        return JSONResponse(tasks.facts())

    async def taken(request: Request) -> Answer:
        name, command = (request.query_params.get(each, "") for each in ("name", "command"))
        if command not in commands:
            return PlainTextResponse(f"There is no command '{command}' for a file.", 404)
        if len(tasks) >= MOST_TASKS:
            return PlainTextResponse(f"{MOST_TASKS} tasks are kept; remove one first.", 429)
        large = f"{fit(name)}: has more than {most_bytes / 1e6:g} MB; --max-upload takes more"
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most_bytes:
            return PlainTextResponse(large, 413)
        task = tasks.new(name, command, options(command))
        try:
            if not await _stored(request, task.source, most_bytes):
                tasks.remove(task.id)
                return PlainTextResponse(large, 413)
        except ClientDisconnect:
            tasks.remove(task.id)
            return PlainTextResponse("The file did not come to its end.", 400)
        except OSError as error:
            tasks.remove(task.id)
            return PlainTextResponse(told(error, task.name), 507)
        tasks.begin(task)
        return JSONResponse(task.facts(), 201)

    async def removed(request: Request) -> Answer:
        tasks.remove(request.path_params["id"])
        return Answer(status_code=204)

    async def given(request: Request) -> Answer:
        task = tasks.get(request.path_params["id"])
        path = task.files.get(request.path_params["name"]) if task else None
        if path is None:
            return PlainTextResponse("There is no such file, or no longer.", 404)
        is_page = path.suffix == ".html"
        return FileResponse(
            path, filename=path.name, content_disposition_type="inline" if is_page else "attachment"
        )

    room = f"/{keys.room}"
    routes = [
        Route("/", enter),
        Route(f"{room}/", shown),
        Route(f"{room}/tasks", listed),
        Route(f"{room}/tasks", taken, methods=["POST"]),
        Route(f"{room}/tasks/{{id}}", removed, methods=["DELETE"]),
        Route(f"{room}/tasks/{{id}}/{{name}}", given),
    ]
    return Guarded(Starlette(routes=routes), keys)


async def _stored(request: Request, path: Path, most_bytes: int) -> bool:
    """Write what is sent to a file, as it comes; False as soon as it is too much."""
    count = 0
    with path.open("xb") as file:
        async for chunk in request.stream():
            count += len(chunk)
            if count > most_bytes:
                return False
            file.write(chunk)
    return True
