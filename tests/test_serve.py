"""`avtool serve`: what it lets in, what it refuses, and that nothing stays behind."""

from __future__ import annotations

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
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import uvicorn
from browser import Browser, missing
from conftest import Avtool, sine_wav

from avtool.batch.jobs import Job
from avtool.batch.request import Report, Tick
from avtool.batch.worker import Worker
from avtool.cli.asked import Asked, asked, for_files
from avtool.pipelines.serve import tasks as module
from avtool.pipelines.serve.server import MOST_TASKS, Keys, application
from avtool.pipelines.serve.tasks import Tasks
from avtool.pipelines.serve.work import _tell

ROOT = Path(__file__).parents[1]
KNOCK = ROOT / "sample_media" / "knock.mp4"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">&amp;.wav"
MOST = 300_000  # bytes that are taken


@dataclass
class Got:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server in a thread, asked by somebody who is let in."""

    port: int
    keys: Keys
    tasks: Tasks
    folder: Path

    @property
    def room(self) -> str:
        return f"/{self.keys.room}/"

    def ask(
        self, method: str, path: str, body: Any = None, *, cookie: bool = True, **more: str
    ) -> Got:
        """An answer; ``more`` are headers, of which None is left out."""
        headers = {"Origin": f"http://127.0.0.1:{self.port}"}
        if cookie:
            headers["Cookie"] = f"avtool={self.keys._session}"
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        headers = {name: value for name, value in headers.items() if value}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as line:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Got(answer.status, got, answer.read())

    def send(self, command: str, name: str, body: Any) -> Got:
        query = urlencode({"command": command, "name": name})
        return self.ask("POST", f"{self.room}tasks?{query}", body)

    def all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"{self.room}tasks").json
        return found

    def ended(self, id: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            mine = (each for each in self.all() if each["id"] == id)
            return [each for each in mine if each["state"] in ("done", "failed")]

        (told,) = until(found)
        return told

    def file(self, id: str, name: str) -> Got:
        return self.ask("GET", f"{self.room}tasks/{id}/{name}")


def until(found: Callable[[], Any]) -> Any:
    for _ in range(1200):
        try:
            if value := found():
                return value
        except RuntimeError as error:  # the page is just going on to its address without a token
            if "context" not in str(error):
                raise
        time.sleep(0.05)
    raise AssertionError("it does not come")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, keys = tmp_path_factory.mktemp("served") / "kept", Keys()
    with closing(Tasks(folder, 3600.0)) as tasks, socket.create_server(("127.0.0.1", 0)) as place:
        config = uvicorn.Config(application(tasks, keys, MOST), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([place],))
        thread.start()
        yield Served(place.getsockname()[1], keys, tasks, folder)
        server.should_exit = True
        thread.join()


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    """The server; what a test sends there leaves nothing."""
    yield server
    for each in server.all():
        server.tasks.remove(each["id"])
    until(lambda: not list(server.folder.glob("*")))


# Stand-ins for what a command line asks for, with work that can be watched.


def held(job: Job, tick: Tick) -> Report:
    """Half a file, then no end until it is told to stop."""
    job.paths[0].write_bytes(b"half")
    while True:
        tick(0.5, "working")
        time.sleep(0.02)


def quick(job: Job, tick: Tick) -> Report:
    for path in job.paths:
        path.write_text("<p>a page")
    return Report(job.name, outputs=[str(path) for path in job.paths], warnings=["loud"])


def asking(work: Any) -> Callable[[str, list[str]], Asked]:
    def made(command: str, line: list[str]) -> Asked:
        source, out = Path(line[-1]), Path(line[line.index("-o") + 1])
        outputs = {"a": [out / "a.csv", out / f"{source.stem}.html"]}
        job = Job(source, str(source), out / source.stem, outputs)
        return Asked(None, [job], Worker(work))

    return made


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "asked", asking(held))


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "asked", asking(quick))


def test_the_values_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that takes a file and can be served; the work is not begun."""
    monkeypatch.chdir(tmp_path)
    assert next(iter(for_files())) == "show"
    assert not {"info", "serve", "cache", "search"} & set(for_files())
    for command in for_files():
        tasks = Tasks(tmp_path, 1.0)
        task = tasks.new("knock.mp4", command, module_options(command))
        line = asked(command, [*task.flags, "-o", f"{tmp_path}/", "--", str(KNOCK)])
        (job,) = line.jobs
        paged = command == "show" or "page" in module_options(command)
        assert job.source == KNOCK and job.paths
        assert paged == any(path.suffix == ".html" for path in job.paths)
        assert all(path.parent == tmp_path for path in job.paths)
        tasks.close()
    from avtool.pipelines.separate.pipeline import Options

    line = asked("separate", ["--device", "cpu", "--face", "2", "--start", "1:00", str(KNOCK)])
    assert line.request is not None
    assert line.request.options == Options(face=2) and line.request.start == 60.0
    assert line.request.device == "cpu" and not list(tmp_path.glob("*"))


def module_options(command: str) -> set[str]:
    from avtool.cli.asked import options

    return options(command)


def test_a_film_becomes_what_the_command_makes_of_it(
    served: Served, avtool: Avtool, tmp_path: Path
) -> None:
    sine_wav(tmp_path / "hum.wav", 0.5)
    got = served.send("mel", "../../my hum.wav", (tmp_path / "hum.wav").read_bytes())
    assert got.code == 201
    told = served.ended(got.json["id"])
    assert told["state"] == "done" and told["name"] == "my hum.wav"
    names = [name for name, _ in told["files"]]
    assert names == ["my hum.mel.html", "my hum.mel.npz", "my hum.mel.png"]
    (tmp_path / "hum.wav").rename(tmp_path / "my hum.wav")
    assert avtool("mel", "my hum.wav", "--page").code == 0
    for name, size in told["files"]:
        file = served.file(told["id"], quote(name))
        written = Path(name).read_bytes()
        assert file.code == 200 and len(file.body) == size
        assert file.body == written or name.endswith("npz")
        kind = "inline" if name.endswith("html") else "attachment"
        assert file.headers["content-disposition"].startswith(kind)
    part = served.ask(
        "GET", f"{served.room}tasks/{told['id']}/{quote(names[0])}", Range="bytes=0-8"
    )
    assert part.code == 206 and part.body == b"<!doctype"  # a film is sought in so
    assert served.ask("DELETE", f"{served.room}tasks/{told['id']}").code == 204
    assert served.all() == [] and served.file(told["id"], quote(names[0])).code == 404
    until(lambda: not list(served.folder.glob("*")))


def test_what_is_no_media_is_told_of(served: Served) -> None:
    got = served.send("mel", "no.mp4", b"no film")
    told = served.ended(got.json["id"])
    assert told["state"] == "failed" and told["files"] == []
    (words,) = told["words"]
    assert words == "is not sound or video that avtool can read"


@pytest.mark.usefixtures("holding")
def test_two_at_a_time_and_each_can_be_stopped(served: Served) -> None:
    ids = [served.send("mel", f"{n}.wav", b"sound").json["id"] for n in range(4)]
    until(lambda: [each["part"] for each in served.all()][-2:] == [0.5, 0.5])
    told = {each["id"]: each for each in served.all()}
    assert [told[id]["state"] for id in ids] == ["running", "running", "waiting", "waiting"]
    assert [told[id]["before"] for id in ids[2:]] == [2, 3]
    assert told[ids[0]]["stage"] == "working" and told[ids[0]]["left"] is not None
    served.ask("DELETE", f"{served.room}tasks/{ids[2]}")  # which has not begun
    served.ask("DELETE", f"{served.room}tasks/{ids[0]}")
    until(lambda: served.all() and served.all()[0]["state"] == "running")
    until(lambda: {each.name for each in served.folder.iterdir()} == {ids[1], ids[3]})


@pytest.mark.usefixtures("quickly")
def test_what_has_ended_is_removed_after_a_while(tmp_path: Path) -> None:
    with closing(Tasks(tmp_path / "kept", 0.0)) as tasks:
        task = tasks.new("a.wav", "mel", set())
        task.source.write_bytes(b"sound")
        tasks.begin(task)
        until(lambda: not len(tasks))
        until(lambda: not list((tmp_path / "kept").glob("*")))
        assert task.state == "done" and task.words == ["loud"]


@pytest.mark.parametrize("way", ["told", "chunked"])
def test_a_file_that_is_too_large_is_refused_before_its_end(served: Served, way: str) -> None:
    """Neither by its length as it is told, nor as it comes, is more read than is taken."""
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for _ in range(4000):
            read += 10_000
            yield bytes(10_000)

    query = urlencode({"command": "mel", "name": "a.wav"})
    length = str(MOST + 1) if way == "told" else ""
    body = None if way == "told" else chunks()
    try:
        got = served.ask("POST", f"{served.room}tasks?{query}", body, Content_Length=length)
        assert got.code == 413 and b"--max-upload" in got.body
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up while more was sent
    assert read < 30_000_000 and served.all() == []
    assert not list(served.folder.glob("*/in/*"))


def test_a_file_that_breaks_off_leaves_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.sendall(
            f"POST {served.room}tasks?command=mel&name=a.wav HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{served.port}\r\nOrigin: http://127.0.0.1:{served.port}\r\n"
            f"Cookie: avtool={served.keys._session}\r\nContent-Length: 1000\r\n\r\nhalf".encode()
        )
        until(lambda: [each["state"] for each in served.all()] == ["sent"])
    until(lambda: served.all() == [] and not list(served.folder.glob("*")))


@pytest.mark.usefixtures("holding")
def test_no_more_tasks_than_there_is_room_for(served: Served) -> None:
    for n in range(MOST_TASKS):
        assert served.send("mel", f"{n}.wav", b"x").code == 201
    got = served.send("mel", "more.wav", b"x")
    assert got.code == 429 and b"remove one" in got.body


def test_nobody_gets_in_without_the_token(served: Served) -> None:
    for path in ("/", "/?token=", "/?token=wrong", f"/?token={quote('ä€')}"):
        got = served.ask("GET", path, cookie=False)
        assert got.code == 403 and "set-cookie" not in got.headers
    for method, path in (
        ("GET", served.room),
        ("GET", f"{served.room}tasks"),
        ("GET", f"{served.room}tasks/a/b"),
        ("GET", "/nothing"),
        ("POST", f"{served.room}tasks?command=mel&name=a.wav"),
        ("DELETE", f"{served.room}tasks/a"),
    ):
        for cookie in ("", "avtool=", "avtool=wrong", f"avtool={served.keys.token}"):
            got = served.ask(method, path, cookie=False, Cookie=cookie)
            assert got.code == 403, (method, path, cookie)
    assert not list(served.folder.glob("*"))


def test_the_token_is_exchanged_for_a_cookie(served: Served) -> None:
    got = served.ask("GET", f"/?token={served.keys.token}", cookie=False)
    given = got.headers["set-cookie"]
    assert got.code == 200 and f"url={served.room}" in got.body.decode()
    assert "HttpOnly" in given and "SameSite=strict" in given and f"Path={served.room}" in given
    assert served.keys.token not in given
    inside = served.ask("GET", served.room, cookie=False, Cookie=given.split(";")[0])
    assert inside.code == 200 and b"<script" in inside.body
    # What a browser was started with, others may see: it opens once.
    once = served.keys.once
    assert served.ask("GET", f"/?token={once}", cookie=False).code == 200
    assert served.ask("GET", f"/?token={once}", cookie=False).code == 403


@pytest.mark.parametrize("origin", ["", "null", "https://evil.example", "http://127.0.0.1:1"])
def test_other_pages_cannot_ask_for_anything(served: Served, origin: str) -> None:
    """CSRF: also where the browser sends the cookie."""
    for method, path in (("POST", "tasks?command=mel&name=a.wav"), ("DELETE", "tasks/a")):
        got = served.ask(method, served.room + path, b"x", Origin=origin)
        assert got.code == 403 and b"Origin" in got.body
    assert served.all() == []


def test_a_foreign_name_of_the_host_is_refused(served: Served) -> None:
    """DNS rebinding: a page of a name that was made to lead here."""
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example", ""):
        got = served.ask("GET", served.room, Host=host or " ")
        assert got.code in (400, 421), host
        assert b"<script" not in got.body
    for host in ("localhost", f"localhost:{served.port}", f"127.0.0.1:{served.port}", "[::1]:1"):
        assert served.ask("GET", served.room, Host=host).code == 200, host


@pytest.mark.usefixtures("quickly")
def test_no_path_leads_out_of_a_task(served: Served) -> None:
    secret = served.folder.parent / "secret.wav"
    secret.write_text("secret")
    told = served.ended(served.send("mel", "..\\..\\a.wav", b"x").json["id"])
    assert told["name"] == "a.wav"
    for name in ("../in/a.wav", "..%2fin%2fa.wav", "%2e%2e/%2e%2e/%2e%2e/secret.wav", "a.wav",
                 quote(str(secret), safe=""), "..", "%00", "a.csv/../../in/a.wav"):  # fmt: skip
        assert served.file(told["id"], name).code == 404, name
    assert served.file(told["id"], "a.csv").code == 200
    assert served.file("..", "a.csv").code == 404
    assert not list(served.folder.parent.glob("*.html"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/etc/passwd", "passwd"),
        ("C:\\a\\b.mp4", "b.mp4"),
        ("", "film"),
        ("..", "film"),
        ("a\0\r\n\u202eb.mp4", "ab.mp4"),
        ("-o.mp4", "-o.mp4"),
        ("ä" * 300 + ".mp4", "ä" * 58 + ".mp4"),
        ("a." + "b" * 300, "a." + "b" * 9),
    ],
)
def test_a_name_is_made_fit(given: str, kept: str) -> None:
    assert module.fit(given) == kept


def test_pages_load_and_let_in_nothing_else(served: Served) -> None:
    for got in (served.ask("GET", served.room), served.ask("GET", "/", cookie=False)):
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert got.headers["referrer-policy"] == "no-referrer"
        assert got.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in got.headers
    page = served.ask("GET", served.room).body.decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1] and "http" not in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_what_cannot_be_asked_for_is_refused(served: Served) -> None:
    for command in ("serve", "info", "doctor", "nothing", ""):
        assert served.send(command, "a.wav", b"x").code == 404
    assert served.ask("PUT", f"{served.room}tasks").code == 405
    assert served.all() == []


def test_without_the_extra_the_next_step_is_told(
    avtool: Avtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ran = avtool("serve", "--no-open")
    assert ran.code == 2
    assert ran.err == "avtool: serve needs uvicorn; pip install 'avtool[serve]'\n"


def test_a_port_that_is_taken_is_told_of(avtool: Avtool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        ran = avtool("serve", "--no-open", "--port", place.getsockname()[1])
    assert ran.code == 2 and "--port 0 takes a free one" in ran.err and ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "named", "warned"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "localhost", False),
        ("::1", "[::1]", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("192.168.1.2", "192.168.1.2", True),
    ],
)
def test_who_else_can_reach_it_is_told(
    host: str, named: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(host, 1, "t", "")
    said = capsys.readouterr()
    assert said.out == f"http://{named}:1/?token=t\n" and ("warning" in said.err) == warned


def test_ctrl_c_ends_all_and_leaves_nothing(tmp_path: Path) -> None:
    """The program itself, while it works on a film."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    line = [sys.executable, "-m", "avtool", "serve", "--no-open", "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(
        line,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in a shell's background, Ctrl-C is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    place = urlsplit(process.stdout.readline().decode().strip())
    assert place.hostname == "127.0.0.1"
    with closing(http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=60)) as http_line:
        http_line.request("GET", f"/?{place.query}")
        answer = http_line.getresponse()
        cookie, _, more = str(answer.headers["Set-Cookie"]).partition(";")
        answer.read()
        room = re.search(r"Path=([^;]*)", more)
        assert room
        headers = {"Cookie": cookie, "Origin": f"http://{place.netloc}"}
        path = f"{room[1]}tasks?command=localize&name=knock.mp4"
        http_line.request("POST", path, KNOCK.read_bytes(), headers)
        assert http_line.getresponse().read()
    (folder,) = tmp_path.glob("avtool-*.tmp")
    assert folder.stat().st_mode & 0o777 == 0o700
    until(lambda: list(folder.glob("*/tmp/cache")))  # it has begun
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130 and words.count(b"\n") == 1 and b"removed" in words
    assert not list(tmp_path.iterdir())


def test_a_browser_sends_a_hostile_name_and_gets_its_page(served: Served, tmp_path: Path) -> None:
    if why := missing("chromium"):
        pytest.skip(f"no chromium to try the page in ({why})")
    sine_wav(tmp_path / "hum.wav", 0.5)
    with Browser("chromium") as browser:
        browser.before("""() => { window.faults = [];
          addEventListener("error", (event) => faults.push(String(event.message)));
          document.addEventListener("securitypolicyviolation", (e) => faults.push(e.blockedURI));
        }""")
        browser.open(f"http://127.0.0.1:{served.port}/?token={served.keys.token}")
        until(lambda: browser.value("!!document.querySelector('.drop')"))
        assert browser.value("location.search + location.hash") == ""
        browser.click("input[value=mel]")
        data = list((tmp_path / "hum.wav").read_bytes())
        browser.value(f"""(() => {{
            const files = new DataTransfer(), input = document.querySelector("[type=file]");
            files.items.add(new File([new Uint8Array({data})], {json.dumps(HOSTILE)}));
            input.files = files.files;
            input.dispatchEvent(new Event("change"));
            return null;
        }})()""")
        browser.click(".start")
        until(lambda: browser.value("document.querySelector('.made a.start')?.href"))
        assert browser.value("document.querySelector('.tasks h2').textContent") == HOSTILE
        assert browser.value("document.images.length") == 0
        assert browser.value("[document.title, faults]") == ["avtool", []]
        browser.open(browser.value("document.querySelector('.made a.start').href"))
        assert browser.value("[document.title, faults]") == [HOSTILE, []]
        assert browser.value("document.querySelectorAll('.lane canvas').length") > 1
