"""Real browsers for the pages' tests: Chromium and Firefox, by WebDriver BiDi (W3C), headless."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

T = TypeVar("T")
KEYS = {"Space": " ", "Left": "\ue012", "Right": "\ue014", "Escape": "\ue00c", "Shift": "\ue008"}
FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
FLAGS += ["--no-first-run", "--disable-background-networking", "--mute-audio"]
# As people have it; a remote agent is otherwise let off.
STRICT = 'user_pref("security.fileuri.strict_origin_policy", true);\n'
SECONDS = 60.0  # that an answer may take


def missing(name: str) -> str:
    """Why a browser cannot be had here; empty where it can."""
    wanted = {"chromium": ["chromium", "chromedriver"], "firefox": ["firefox-esr|firefox"]}[name]
    lacks = [each for each in wanted if not _found(each)]
    return f"{' and '.join(lacks)}: not installed here" if lacks else ""


def _found(names: str) -> str:
    return next(filter(None, map(shutil.which, names.split("|"))), "")


class Browser:
    """One window of a browser; everything is waited for."""

    def __init__(self, name: str) -> None:
        self._name, self._number = name, 0
        self._loop = asyncio.new_event_loop()
        self._started_ones: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        try:
            self._do(self._begun())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_socket"):
            self._do(self._ended())
        for each in self._started_ones:
            each.terminate()
            try:
                each.wait(10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
            for pipe in (each.stdout, each.stderr):
                if pipe:
                    pipe.close()
        self._loop.close()
        self._folder.cleanup()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    async def _begun(self) -> None:
        folder = self._folder.name
        self._http = aiohttp.ClientSession()
        if self._name == "firefox":
            (Path(folder) / "user.js").write_text(STRICT)
            line = [_found("firefox-esr|firefox"), "--headless", "--no-remote"]
            line += ["--remote-debugging-port", "0", "--profile", folder]
            address = self._started(line, r"(ws://[\d.:]+)") + "/session"
        else:
            log = f"--log-path={folder}/log"
            port = self._started(
                [_found("chromedriver"), "--port=0", log], r"successfully on port (\d+)"
            )
            options = {"binary": _found("chromium"), "args": [*FLAGS, f"--user-data-dir={folder}"]}
            wanted = {"webSocketUrl": True, "goog:chromeOptions": options}
            asked = {"capabilities": {"alwaysMatch": wanted}}
            async with self._http.post(f"http://127.0.0.1:{port}/session", json=asked) as answer:
                address = (await answer.json())["value"]["capabilities"]["webSocketUrl"]
        self._socket = await self._http.ws_connect(address, max_msg_size=0)
        if self._name == "firefox":
            await self._tell("session.new", capabilities={})
        tree = await self._tell("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    def _started(self, line: list[str], pattern: str) -> str:
        """The program runs; what it says of itself."""
        words = "stderr" if self._name == "firefox" else "stdout"
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        pipes: Any = silent | {words: subprocess.PIPE}
        env = os.environ | {"XDG_RUNTIME_DIR": self._folder.name, "HOME": self._folder.name}
        if self._name == "firefox" and shutil.which("pulseaudio"):  # else it has no clock of sound
            sound = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
            sound += [f"--load=module-{name}" for name in ("null-sink", "native-protocol-unix")]
            self._started_ones.append(subprocess.Popen(sound, env=env, **silent))  # type: ignore[call-overload]
        process = subprocess.Popen(line, env=env, text=True, **pipes)
        self._started_ones.append(process)
        said = process.stderr or process.stdout
        assert said is not None
        for text in said:
            if found := re.search(pattern, text):
                return found[1]
        raise RuntimeError(f"{line[0]}: did not start")

    async def _ended(self) -> None:
        await self._tell("session.end" if self._name == "firefox" else "browser.close")
        await self._socket.close()
        await self._http.close()

    async def _tell(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            said = json.loads((await self._socket.receive()).data)
            if said.get("id") == self._number:
                if said["type"] == "error":
                    raise RuntimeError(f"{method}: {said['message']}")
                return said["result"]

    @property
    def folder(self) -> str:
        """One of its own, as long-lived as it is."""
        return self._folder.name

    def tell(self, method: str, **parameters: Any) -> Any:
        """A command of BiDi and what it gives."""
        return self._do(self._tell(method, **parameters))

    def before(self, function: str) -> None:
        """A function that each page calls before its own scripts."""
        self.tell("script.addPreloadScript", functionDeclaration=function)

    def open(self, address: str, width: int = 1280, height: int = 800) -> None:
        self.size(width, height)
        self.tell("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def size(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.tell("browsingContext.setViewport", context=self._context, viewport=size)

    def value(self, expression: str) -> Any:
        """Of an expression of JavaScript, which may be a promise."""
        found = self.tell(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])
        text = found["result"].get("value")
        return None if text is None else json.loads(text)

    def click(self, selector: str, *, shift: bool = False) -> None:
        """The middle of an element."""
        x, y = self.value(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            f" return [r.x + r.width / 2, r.y + r.height / 2] }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        press = [{"type": "keyDown" if shift else "pause", "value": KEYS["Shift"]}]
        release = [{"type": "keyUp" if shift else "pause", "value": KEYS["Shift"]}]
        still = [{"type": "pause"}]
        pointer = [{"type": "pointerMove", "x": round(x), "y": round(y)}]
        pointer += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._act(press + still * 3 + release, still + pointer)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._act([], [
            {"type": "pointerMove", "x": round(start[0]), "y": round(start[1])},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": round(end[0]), "y": round(end[1]), "duration": 100},
            {"type": "pointerUp", "button": 0},
        ])  # fmt: skip

    def press(self, key: str) -> None:
        value = KEYS.get(key, key)
        self._act([{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}], [])

    def _act(self, keys: list[dict[str, Any]], pointer: list[dict[str, Any]]) -> None:
        actions: list[dict[str, Any]] = []
        if keys:
            keys = [each if each["type"] != "pause" else {"type": "pause"} for each in keys]
            actions.append({"type": "key", "id": "keys", "actions": keys})
        if pointer:
            actions.append({"type": "pointer", "id": "mouse", "actions": pointer})
        self.tell("input.performActions", context=self._context, actions=actions)

    def picture(self, path: Path) -> None:
        """What is seen, as a png."""
        found = self.tell("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(found["data"]))
