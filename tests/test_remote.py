"""Addresses: real servers on 127.0.0.1 (HTTP, nginx, OpenSSH's sftp, Swift's S3), also bad ones."""

from __future__ import annotations

import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Avtool, sine_wav

from avtool.batch import remote
from avtool.batch.address import hidden, is_address, same
from avtool.batch.listing import key_of

SECRET = "s3cr3t-4711"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(port: int, *command: object) -> Iterator[subprocess.Popen[bytes]]:
    """A server, from when it answers."""
    words = [str(word) for word in command]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, **quiet) as process:
        try:
            for _ in range(1000):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, "the server has ended"
                time.sleep(0.02)
            else:
                raise AssertionError("the server does not answer")
            yield process
        finally:
            process.terminate()


def program_of(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections of this test alone; what is broken is tried again at once."""
    monkeypatch.setattr(remote, "PAUSES", (0.0,))
    remote._shared.cache_clear()
    yield
    remote._shared.cache_clear()


def near(avtool: Avtool, source: object, *more: object) -> dict[str, bytes]:
    """The files of a run that reads and writes them on this machine, below ``near``."""
    ran = avtool("mfcc", source, "-o", "near/", "-f", "npy", *more)
    assert ran.code == 0, ran.err
    return files(Path("near"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.npy")}


def shards_of(folder: Path) -> dict[str, np.ndarray]:
    """The arrays in the tar shards of a folder, by keys."""
    found = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as shard:
            for name in shard.getnames():
                if name.endswith(".npy"):
                    assert name not in found
                    file = shard.extractfile(name)
                    assert file
                    found[name.removesuffix(".npy")] = np.load(io.BytesIO(file.read()))
    return found


def told_nowhere(avtool: Avtool, secret: str, *arguments: object) -> str:
    """Words of a run, which keeps a secret: there, in its json and traceback, and in its files."""
    words = ""
    for more in ([], ["--json"], ["--debug"]):
        with suppress(Exception):
            ran = avtool(*arguments, *more)
            words += ran.err + ran.out
    for path in Path().rglob("*"):
        assert secret not in str(path)
        assert not path.is_file() or secret.encode() not in path.read_bytes()
    assert secret not in words
    return words


# ---- addresses ----


def test_what_an_address_tells() -> None:
    assert (
        hidden("s3://me:secret@b/a.wav, sftp://h/a@b.wav") == "s3://***@b/a.wav, sftp://h/a@b.wav"
    )
    for bad in ("p@ss", "p:ss", "p/ss", "p/s@s", "p ss"):
        assert hidden(f"cannot: sftp://me:{bad}@host/a") == "cannot: sftp://***@host/a"
        assert key_of(f"sftp://me:{bad}@host/a.wav") == "host/a"
    assert hidden("http://[::1]:80/a@b?c=1 no") == "http://[::1]:80/a@b?*** no"
    assert not is_address("rtmp://host/a") and not is_address("a.wav") and not is_address("s3:/a")
    assert key_of("https://me:x@host/a%20b/c.wav?key=1") == "host/a b/c"
    assert key_of("http://host/%2e%2e/%2e%2e/c.wav") == "c" and key_of("s3://b/../../c.wav") == "c"
    # Signed anew for each run; but another query is another input.
    assert same("https://b/a.wav?X-Amz-Date=1&X-Amz-Signature=2") == "https://b/a.wav"
    assert same("https://b/a?id=1") != same("https://b/a?id=2")


def test_without_the_extra(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    ran = avtool("mfcc", "s3://bucket/a.wav")
    assert ran.code == 1
    assert ran.err == "avtool: s3://: needs s3fs; pip install 'avtool[remote]'\n"


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["mfcc", "a.wav", "-o", "https://me:s3cr3t-4711@h/x/"], "cannot be written to; use s3://"),
        (["mfcc", "a.wav", "-o", "ftp://h/x/"], "cannot be written to; use s3://"),
        (["mfcc", "a.wav", "b.wav", "-o", "sftp://me:s3cr3t-4711@h/a.npy"], "is one file for 2"),
        (["waveform", "s3://b/a.wav", "-o", "s3://b/a.wav"], "would be written over it"),
        (["waveform", "sftp://h/a.wav", "-o", "sftp://me:s3cr3t-4711@h/x/../a.wav"], "over it"),
        (["lips", "me.png", "s3://b/a.wav"], "'avtool lips' takes files of this machine"),
        (["mfcc", "sftp://me:s3cr3t-4711/@h/"], "is no address; in a user or password write /"),
        (["status", "sftp://me:s3cr3t-4711@h/x/"], "holds no run over a list"),
    ],
)
def test_wrong_calls(avtool: Avtool, arguments: list[str], fact: str) -> None:
    pytest.importorskip("fsspec")
    ran = avtool(*arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert fact in ran.err and SECRET not in ran.err


# ---- HTTP ----


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files as they are; pages as servers of other kinds write them; what is asked is kept."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        own = Path(self.directory, "pages" + self.path.replace("/", "_"))
        if not own.exists():
            return super().do_GET()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(own.read_bytes())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Python's own web server: its address, its folder, what it was asked for."""
    pytest.importorskip("aiohttp")
    folder, asked = tmp_path / "served", list[str]()
    folder.mkdir()
    handler = partial(type("", (Pages,), {"asked": asked}), directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder, asked
        server.shutdown()


def test_a_folder_of_a_web_server(avtool: Avtool, web: tuple[str, Path, list[str]]) -> None:
    address, folder, asked = web
    for name in ("a.wav", "below/b c#1?.wav"):
        sine_wav(folder / "set" / name, 0.3)
    (folder / "set/notes.txt").write_text("no media")
    ran = avtool("mfcc", f"{address}/set/", "-o", "far/", "-f", "npy")
    assert ran.code == 0, ran.err
    made = files(Path("far"))
    assert made == near(avtool, "served/set")
    assert set(made) == {"a.mfcc.npy", "below/b c#1?.mfcc.npy"}
    asked.clear()
    ran = avtool("mfcc", f"{address}/set/a.wav", "-o", "far/", "-f", "npy")
    assert ran.code == 0 and "exists" in ran.err and not asked  # what is there is not fetched
    # One that is asked for as it stands: a signature holds for these very bytes.
    avtool("info", f"{address}/set/a.wav?sig=%2Fa%3D+b/c")
    assert asked == ["/set/a.wav?sig=%2Fa%3D+b/c"]


def test_a_page_leads_nowhere_else(avtool: Avtool, web: tuple[str, Path, list[str]]) -> None:
    """Neither up, nor to other servers, nor out of -o."""
    address, folder, asked = web
    sine_wav(folder / "set/a.wav", 0.3)
    sine_wav(folder / "evil.wav", 0.3)
    links = ["/", "/set/", "../", "?C=M;O=A", "a.wav", "/evil.wav", "..%2f..%2fevil.wav"]
    links += ["http://localhost:1/b.wav"]
    page = "".join(f'<a href="{link}">{link}</a>' for link in links)
    (folder / "pages_set_").write_text(page)
    avtool("mfcc", f"{address}/set/", "-o", "out/deep/", "-f", "npy")
    assert sorted({path for path in asked if "evil" not in path}) == ["/set/", "/set/a.wav"]
    assert "/evil.wav" not in asked
    made = {str(path) for path in Path().rglob("*.npy")}
    assert made - {"out/deep/evil.mfcc.npy"} == {"out/deep/a.mfcc.npy"}


def test_a_list_of_addresses(avtool: Avtool, web: tuple[str, Path, list[str]]) -> None:
    address, folder, asked = web
    lines = []
    for number in range(3):
        sine_wav(folder / f"{number}.wav", 0.3 + number / 10)
        lines.append(f"{address}/{number}.wav")
    Path("list.txt").write_text("\n".join([*lines, f"{address}/none.wav", "served/0.wav"]))
    command = ["mfcc", "--files", "list.txt", "-o", "far/", "-f", "npy"]
    ran = avtool(*command, "--jobs", 2)
    assert ran.code == 1 and "4 done, 0 already there, 1 failed" in ran.err
    host = address.removeprefix("http://")
    assert {name for name in files(Path("far"))} == {
        *(f"{host}/{number}.mfcc.npy" for number in range(3)),
        "served/0.mfcc.npy",
    }
    asked.clear()
    ran = avtool(*command)
    assert ran.code == 1 and {"/none.wav"} == set(asked)  # the journal knows the others
    ran = avtool("status", "far")
    assert ran.lines == ["far: avtool mfcc: 4 done, 1 failed, 0 left", ran.lines[1]]
    assert ran.lines[1].split(maxsplit=1) == ["1", "is not there; check the address"]


def test_shards_of_addresses(avtool: Avtool, web: tuple[str, Path, list[str]]) -> None:
    address, folder, asked = web
    for name in ("a", "below/b", "below/c"):
        sine_wav(folder / "set" / f"{name}.wav", 0.3)
    (folder / "set/d.wav").write_bytes(b"RIFF")
    command = ["mfcc", f"{address}/set/", "-f", "tar", "-o", "far/", "--jobs", 1]
    command += ["--per-shard", 2]
    ran = avtool(*command)
    assert ran.code == 1 and "3 done, 0 already there, 1 failed" in ran.err
    made, own = shards_of(Path("far")), near(avtool, "served/set/a.wav", "served/set/below/b.wav")
    assert set(made) == {"a", "below/b", "below/c"} and set(own) == {"a.mfcc.npy", "b.mfcc.npy"}
    np.testing.assert_array_equal(made["a"], np.load("near/a.mfcc.npy"))
    np.testing.assert_array_equal(made["below/b"], np.load("near/b.mfcc.npy"))
    asked.clear()
    assert "0 done, 3 already there, 1 failed" in avtool(*command).err
    assert [path for path in asked if path.endswith(".wav")] == ["/set/d.wav"]


def test_secrets_are_told_nowhere(
    avtool: Avtool, web: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    address, folder, _ = web
    sine_wav(folder / "a.wav", 0.3)
    far = address.replace("://", f"://me:{SECRET}@")
    for name in ("a.wav", "none.wav"):
        place = f"{far}/{name}?key={SECRET}"
        words = told_nowhere(
            avtool, SECRET, "mfcc", place, "-o", "out/", "-f", "npz", "--overwrite"
        )
        assert name == "a.wav" or f"{hidden(far)}/none.wav?***: is not there" in words
    avtool("mfcc", f"{far}/a.wav?key={SECRET}", "-o", "out/", "-f", "npz,png,csv,parquet")
    listed = tmp_path.parent / f"{tmp_path.name}-list.txt"  # which is the user's own
    listed.write_text(f"{far}/a.wav?key={SECRET}\n{far}/none.wav?key={SECRET}\n")
    told_nowhere(avtool, SECRET, "mfcc", "--files", listed, "-o", "lists/")
    told_nowhere(
        avtool, SECRET, "mfcc", "--files", listed, "-o", "shards/", "-f", "tar", "--jobs", 1
    )
    told_nowhere(avtool, SECRET, "status", "lists", "--failed")


def broken(port: int, sound: bytes, how: str) -> None:
    """A server that promises more than it sends, and hangs up or falls silent."""
    with socket.create_server(("127.0.0.1", port)) as server:
        for number in count():
            client, _ = server.accept()
            with client, suppress(BrokenPipeError):
                if not client.recv(4096):
                    return
                whole = how == "recovers" and number
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sound))
                client.sendall(sound if whole else sound[: len(sound) // 2])
                if how == "stalls":
                    time.sleep(0.5)


@pytest.mark.parametrize("how", ["stalls", "breaks", "recovers"])
def test_a_broken_connection(
    avtool: Avtool, monkeypatch: pytest.MonkeyPatch, how: str, tmp_path: Path
) -> None:
    pytest.importorskip("aiohttp")
    if how == "stalls":
        monkeypatch.setattr(remote, "STALL", 0.2)
    port, sound = free_port(), sine_wav(tmp_path / "a.wav").read_bytes()
    threading.Thread(target=broken, args=(port, sound, how), daemon=True).start()
    ran = avtool("mfcc", f"http://127.0.0.1:{port}/a.wav", "-o", "out/", "-f", "npy")
    if how == "recovers":
        assert ran.code == 0 and files(Path("out")) == near(avtool, "a.wav")
    else:
        assert ran.code == 1 and ran.err.count("\n") == 1
        assert ("nothing came" if how == "stalls" else "run it again") in ran.err
        assert not Path("out").exists() or not os.listdir("out")
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        pass  # which ends it


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An nginx that lists its folders; one of them wants a password, one is slow."""
    pytest.importorskip("aiohttp")
    program, folder, port = program_of("nginx"), tmp_path / "nginx", free_port()
    (folder / "files").mkdir(parents=True)
    (folder / "users").write_text(f"me:{{PLAIN}}{SECRET}")
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "conf").write_text(
        ("" if os.geteuid() else "user root;")  # else its workers may not look into our folder
        + f"daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; autoindex on;"
        f"root {folder}/files; location /slow/ {{ limit_rate 20k; limit_rate_after 1k; }}"
        f"location /closed/ {{ auth_basic closed; auth_basic_user_file {folder}/users; }} }} }}"
    )
    with served(port, program, "-c", folder / "conf", "-e", folder / "errors"):
        yield f"http://127.0.0.1:{port}", folder / "files"


def test_nginx(avtool: Avtool, nginx: tuple[str, Path]) -> None:
    address, folder = nginx
    for name in ("set/a.wav", "set/below/b c.wav", "slow/a.wav", "closed/a.wav"):
        sine_wav(folder / name, 0.3)
    ran = avtool("mfcc", f"{address}/set/", "-o", "far/", "-f", "npy")
    assert ran.code == 0 and files(Path("far")) == near(avtool, folder / "set")
    ran = avtool("mfcc", f"{address}/slow/a.wav", "-o", "slow/", "-f", "npy")
    assert files(Path("slow"))["a.mfcc.npy"] == files(Path("near"))["a.mfcc.npy"]
    ran = avtool("mfcc", f"{address}/closed/a.wav", "-o", "closed/")
    assert ran.code == 1 and "access denied; check the keys" in ran.err
    known = address.replace("://", f"://me:{SECRET}@")
    assert avtool("mfcc", f"{known}/closed/a.wav", "-o", "closed/").code == 0
    ran = avtool("mfcc", f"{address}/none.wav", "-o", "none/")
    assert ran.code == 1 and "none.wav: is not there; check the address" in ran.err


# ---- sftp ----


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """OpenSSH's sftp server, and a home whose key it knows."""
    pytest.importorskip("paramiko")
    sshd, keygen, port = program_of("sshd"), program_of("ssh-keygen"), free_port()
    server = Path("/usr/lib/openssh/sftp-server")
    if not server.exists():
        pytest.skip("no sftp-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it of root
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for name in ("host", "home/.ssh/id_ed25519"):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name]
        subprocess.run([str(word) for word in command], check=True)
    (home / ".ssh/authorized_keys").write_bytes((home / ".ssh/id_ed25519.pub").read_bytes())
    host = (tmp_path / "host.pub").read_text()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {home}/.ssh/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp {server}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with served(port, sshd, "-D", "-f", tmp_path / "sshd_config"):
        yield f"sftp://127.0.0.1:{port}{tmp_path}", home


def test_files_of_an_sftp_server(avtool: Avtool, shell: tuple[str, Path], tmp_path: Path) -> None:
    there, _ = shell
    for name in ("a.wav", "below/b#1.wav"):
        sine_wav(tmp_path / "set" / name, 0.3)
    ran = avtool("mfcc", f"{there}/set", "-o", f"{there}/far/", "-f", "npy")
    assert ran.code == 0, ran.err
    assert ran.lines == [f"{there}/far/a.mfcc.npy", f"{there}/far/below/b#1.mfcc.npy"]
    assert files(tmp_path / "far") == near(avtool, "set")
    ran = avtool("mfcc", f"{there}/set", "-o", f"{there}/far/", "-f", "npy")
    assert ran.code == 0 and "0 done, 2 already there" in ran.err
    assert not list((tmp_path / "far").rglob(".*"))  # nor anything else
    # A list, whose journal is here.
    Path("list.txt").write_text(f"{there}/set/a.wav\n{there}/set/none.wav\nset/below/b#1.wav\n")
    command = ["mfcc", "--files", "list.txt", "-o", f"{there}/lists", "-f", "npy"]
    assert "2 done, 0 already there, 1 failed" in avtool(*command).err
    assert "0 done, 2 already there, 1 failed" in avtool(*command, "--jobs", 2).err
    assert set(map(len, files(tmp_path / "lists").values())) == set(
        map(len, files(tmp_path / "far").values())
    )
    gone = next((tmp_path / "lists").rglob("b#1.mfcc.npy"))
    gone.unlink()
    ran = avtool("status", f"{there}/lists/", "--check")
    assert "the files of 1 inputs are gone" in ran.err
    assert ran.lines[0] == f"{there}/lists/: avtool mfcc: 1 done, 1 failed, 1 left"


def test_keys_of_an_sftp_server(avtool: Avtool, shell: tuple[str, Path], tmp_path: Path) -> None:
    """A wrong key, a wrong password, a host that is not known, one that is another."""
    there, home = shell
    sine_wav(tmp_path / "a.wav")

    def fails(fact: str, address: str = there) -> None:
        remote._shared.cache_clear()
        ran = avtool("mfcc", f"{address}/a.wav", "-o", "out/")
        assert ran.code == 1 and ran.err.count("\n") == 1 and fact in ran.err, ran.err
        assert SECRET not in ran.err

    (home / ".ssh/authorized_keys").write_text("")
    fails("access denied")
    fails("access denied", there.replace("://", f"://root:{SECRET}@"))
    (home / ".ssh/id_ed25519").unlink()
    fails("access denied")
    known = (home / ".ssh/known_hosts").read_text()
    (home / ".ssh/known_hosts").write_text("")
    fails("its host key is not known; connect once with ssh")
    own = (home / ".ssh/id_ed25519.pub").read_text()
    (home / ".ssh/known_hosts").write_text(f"{known.split()[0]} {own}")
    fails("its host key is not the one in known_hosts")


# ---- S3 ----


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], None]]:
    """Swift with its S3 API, and a bucket of that name in it; gives what kills and starts it."""
    s3fs = pytest.importorskip("s3fs")
    program_of("swift-proxy-server")
    port, folder = free_port(), tmp_path_factory.mktemp("swift")
    script = Path(__file__).with_name("s3_server.py")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ACCESS_KEY_ID", "test:tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        running: list[subprocess.Popen[bytes]] = []

        def now(deed: str) -> None:
            if deed == "kill":
                running[-1].kill()
                running[-1].wait()
            else:
                words = ["/usr/bin/python3", script, folder, port]
                running.append(stack.enter_context(served(port, *words)))

        now("start")
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield now


def stored(prefix: str) -> dict[str, bytes]:
    """Everything in the bucket below a prefix."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    return {name.removeprefix(prefix): system.cat(name) for name in system.find(prefix)}


def test_files_of_a_bucket(
    avtool: Avtool, bucket: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.wav", "below/b 1%20.wav"):
        sine_wav(Path("set") / name, 0.3)
    assert avtool("waveform", "set", "-o", "s3://bucket/set/", "-f", "wav").code == 0
    ran = avtool("mfcc", "s3://bucket/set", "-o", "s3://bucket/far/", "-f", "npy")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "s3://bucket/far/a.waveform.mfcc.npy"
    assert avtool("mfcc", "s3://bucket/set/", "-o", "s3", "-f", "npy").code == 0
    assert stored("bucket/far/") == files(Path("s3"))
    own = near(avtool, "set")
    assert own["a.mfcc.npy"] == files(Path("s3"))["a.waveform.mfcc.npy"]
    assert own["below/b 1%20.mfcc.npy"] == files(Path("s3"))["below/b 1%20.waveform.mfcc.npy"]
    ran = avtool("mfcc", "s3://bucket/set", "-o", "s3://bucket/far/", "-f", "npy")
    assert ran.code == 0 and "0 done, 2 already there" in ran.err
    # Shards, which its journal and the bucket agree on.
    command = ["mfcc", "s3://bucket/set", "-o", "s3://bucket/shards", "-f", "tar"]
    command += ["--per-shard", "1", "--jobs", "1"]
    assert "2 done, 0 already there" in avtool(*command).err
    assert "0 done, 2 already there" in avtool(*command).err
    assert sorted(stored("bucket/shards/")) == ["mfcc-000000.tar", "mfcc-000001.tar"]
    remote.remove("s3://bucket/shards/mfcc-000000.tar")
    ran = avtool(*command)
    assert "1 shards are gone" in ran.err and "1 done, 1 already there" in ran.err
    assert "2 done, 0 already there" in avtool(*command, "--overwrite").err
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    remote._shared.cache_clear()
    ran = avtool("mfcc", "s3://bucket/set/a.waveform.wav", "-o", "no/")
    assert ran.code == 1 and "a.waveform.wav: access denied; check the keys" in ran.err
    ran = avtool("mfcc", "set/a.wav", "-o", "s3://bucket/no/")
    assert ran.code == 1 and "set/a.wav: s3://bucket/no/: access denied" in ran.err


def test_a_server_dies_and_comes_back(avtool: Avtool, bucket: Callable[[str], None]) -> None:
    for number in range(3):
        sine_wav(Path(f"set/{number}.wav"), 0.3 + number / 10)
    Path("list.txt").write_text("".join(f"set/{number}.wav\n" for number in range(3)))
    command = ["mfcc", "--files", "list.txt", "-o", "s3://bucket/x/", "-f", "npy"]
    own = near(avtool, "set")
    puts = iter(["", "kill"])
    put = remote.put

    def dies(*given: Any) -> None:
        if next(puts, "") == "kill":
            bucket("kill")
        put(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "put", dies)
        ran = avtool(*command)
    assert ran.code == 1 and "1 done, 0 already there, 2 failed" in ran.err
    bucket("start")
    assert set(stored("bucket/x/set/")) == {"0.mfcc.npy"}
    told = json.loads(avtool("status", "s3://bucket/x", "--json").out)
    assert (told["done"], told["failed"], told["left"]) == (1, 2, 0)
    assert all(SECRET not in reason for reason in told["reasons"])
    ran = avtool(*command)
    assert ran.code == 0 and "2 done, 1 already there, 0 failed" in ran.err
    assert stored("bucket/x/set/") == own
    for journal in Path().glob(".avtool*"):
        assert SECRET.encode() not in journal.read_bytes()
