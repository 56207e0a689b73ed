"""Inputs and outputs at addresses: ``s3://``, ``gs://``, ``sftp://``, ``https://``, by fsspec.

A job reads a copy of its input that is deleted when it ends, and its outputs appear there whole: a
store of objects shows one when it is complete, elsewhere a file is renamed when it is. Credentials
are each system's own affair (its variables, files and agents) and are never said.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from posixpath import normpath
from secrets import token_hex
from traceback import format_exception
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from avtool.batch.address import hidden, is_address, path_of
from avtool.batch.jobs import MEDIA_SUFFIXES, Job, Shard
from avtool.batch.journal import attended
from avtool.batch.request import Report, Tick
from avtool.batch.worker import Worker
from avtool.errors import AvtoolError, InputError, MediaError, OutputError, told
from avtool.scratch import temporary_folder

CONNECT, STALL = 20, 60  # seconds without an answer, without a byte
PAUSES = (1.0, 4.0)  # seconds until a broken connection is tried again
_DENIED = re.compile("[Aa]uthentication|Credential|Token|HostKey|known_hosts")
_NEEDS = {"s3": "s3fs", "gs": "gcsfs", "sftp": "paramiko", "http": "aiohttp", "https": "aiohttp"}


def found(address: str) -> Iterator[tuple[str, Path | None]]:
    """Addresses of media files with their folders below ``address``, listed as they are wanted.

    A name with a suffix is one file, whether or not it is there; of a web server, one without ``/``
    at its end.

    Raises:
        InputError: there are none, or the address cannot be listed.
    """
    _, _, path = path_of(address).partition("/")
    web = address.startswith("http")
    if not address.endswith("/") and (web or PurePosixPath(path).suffix):
        yield address, None
        return
    root, none = address.rstrip("/") + "/", True
    for name in _names(root):
        file = path_of(root + name)
        if PurePosixPath(file).suffix.lower() in MEDIA_SUFFIXES:
            none = False
            # What a server calls .. leads out of no folder of ours.
            yield root + name, Path(normpath("/" + file.removeprefix(path_of(root)))[1:]).parent
    if none:
        raise InputError(f"{hidden(address)}: holds no media files")


def shards(store: str) -> Iterator[str]:
    """Names of the files in a folder at an address."""
    return (name for name in _names(store, deep=False) if "/" not in name)


def everything(store: str) -> Iterator[str]:
    """Names of all files in a folder at an address and below it."""
    return _names(store)


def _names(root: str, deep: bool = True) -> Iterator[str]:
    """Names in a folder, below ``root``; of a bucket by pages of a thousand, in their order."""
    own = _inside(root)
    if root.startswith("s3://"):
        bucket, _, prefix = own.partition("/")
        asked = {"Bucket": bucket, "Prefix": prefix} | ({} if deep else {"Delimiter": "/"})
        more = True
        while more:
            page = _listed(root, lambda system: system.call_s3("list_objects_v2", **asked))
            yield from (each["Key"][len(prefix) :] for each in page.get("Contents", ()))
            more = page.get("IsTruncated", False)
            asked["ContinuationToken"] = page.get("NextContinuationToken", "")
        return
    folders = [own]
    while folders:
        place = folders.pop()
        entries = _listed(root, partial(_entries, place))
        below = []
        for name, kind in sorted((each["name"], each["type"]) for each in entries):
            if not name.startswith(place.rstrip("/") + "/") or not name[len(place) :].strip("/"):
                continue  # a page may lead to itself and to others
            if kind == "directory":
                below.append(name.rstrip("/") + "/")
            else:
                yield name[len(own) :]
        folders += reversed(below if deep else [])


def _entries(place: str, system: Any) -> list[dict[str, Any]]:
    return list(system.ls(place, detail=True))


def _untold(part: float | None, stage: str) -> None:
    """A ``Tick`` of what belongs to no job."""


def _listed(address: str, call: Callable[[Any], Any]) -> Any:
    return _tried(call, _untold, address, "be listed", InputError)


@contextmanager
def here(job: Job, tick: Tick) -> Iterator[Job]:
    """The same job, with a copy of its input on this machine, if that is at an address."""
    if not job.address:
        yield job
        return
    with temporary_folder() as folder:
        source = folder / f"in{job.source.suffix}"
        fetch(job.address, source, tick)
        yield replace(job, source=source)


@dataclass(frozen=True)
class Fetching:
    """A ``Work``: jobs at addresses are done on files of this machine, others as they are.

    Args:
        do: does them.
    """

    do: Worker

    def __call__(self, job: Job, tick: Tick) -> Report:
        if not (job.address or job.store):
            return self.do(job, tick)
        try:
            with temporary_folder() as folder:
                return self._done(job, tick, folder)
        except OSError as error:  # there is no room for temporary files
            return Report(job.name, "failed", error=told(error, job.name))

    def _done(self, job: Job, tick: Tick, folder: Path) -> Report:
        out = folder / "out"
        name = f"{job.name}: {hidden(job.store)}"  # not each output's: a journal counts by reason
        local = job
        if job.store:
            outputs = {name: [out / path for path in job.outputs[name]] for name in job.outputs}
            local = replace(job, base=out / job.base, outputs=outputs)
            local.base.parent.mkdir(parents=True)
        if job.address:
            local = replace(local, source=folder / f"in{job.source.suffix}")

        def address(path: Path | str) -> str:
            return job.store + Path(path).relative_to(out).as_posix()

        def fetched(ours: Job) -> Job:
            if job.address and not local.source.exists():
                fetch(job.address, local.source, tick)
            return ours

        def work(ours: Job, ticked: Tick) -> Report:
            # A shard that is put after another run began would take the place of that run's.
            is_shard = job.store and isinstance(job, Shard)
            command = job.base.name.rpartition("-")[0]
            with attended(job.store, command) if is_shard else nullcontext():
                report = self.do.work(fetched(ours), ticked)
                for path in report.outputs if job.store and report.status == "done" else ():
                    put(Path(path), address(path), ticked, name)
            return report

        complete = self.do.complete
        report = replace(
            self.do,
            work=work,
            complete=complete and (lambda ours, ticked: complete(fetched(ours), ticked)),
            there=(lambda path: exists(address(path), tick, name)) if job.store else None,
        )(local, tick)
        for each in (report, *report.parts) if job.store else ():
            each.outputs = [hidden(address(path)) for path in each.outputs]
        return report


def fetch(address: str, path: Path, tick: Tick) -> None:
    """Copy a file from an address.

    Raises:
        MediaError: it cannot be read.
    """

    def get(system: Any) -> None:
        system.get_file(_inside(address), str(path))

    _tried(get, tick, address, "be read", MediaError)


def put(path: Path, address: str, tick: Tick, name: str) -> None:
    """Copy a file to an address, where it appears whole; ``name`` is what errors call it.

    Raises:
        OutputError: it cannot be written.
    """
    there = _inside(address)
    folder, _, _ = there.rpartition("/")
    part = f"{folder}/.avtool-{token_hex(8)}.part"

    def renamed(system: Any) -> None:
        try:
            try:
                system.put_file(str(path), part)
            except FileNotFoundError:
                system.makedirs(folder, exist_ok=True)
                system.put_file(str(path), part)
            system.ftp.posix_rename(part, there)
        except BaseException:
            if system.exists(part):
                system.rm_file(part)
            raise

    def whole(system: Any) -> None:
        system.put_file(str(path), there)

    is_sftp = address.startswith("sftp://")
    _tried(renamed if is_sftp else whole, tick, address, "be written", OutputError, name)


def exists(address: str, tick: Tick, name: str) -> bool:
    """Whether there is a file at an address; ``name`` is what errors call it.

    Raises:
        OutputError: it cannot be asked.
    """

    def ask(system: Any) -> bool:
        there = _inside(address)
        try:  # system.exists takes every error for a no, and system.info lists what is not there
            if address.startswith("s3://"):
                bucket, _, key = there.partition("/")
                return bool(system.call_s3("head_object", Bucket=bucket, Key=key))
            return bool(system.info(there))
        except FileNotFoundError:
            return False

    return bool(_tried(ask, tick, address, "be looked into", OutputError, name))


def remove(address: str) -> None:
    """Remove a file at an address.

    Raises:
        OutputError: it cannot be removed.
    """
    _tried(lambda s: s.rm_file(_inside(address)), _untold, address, "be removed", OutputError)


def _inside(address: str) -> str:
    """What the file system of an address calls it."""
    if address.startswith("http"):
        return quote(address, safe="%/:=&?~#+!$,;'@()*[]")  # as it stands, but for what is no URL
    path = path_of(address)
    return "/" + path.partition("/")[2] if address.startswith("sftp") else path


def _tried(
    call: Callable[[Any], Any],
    tick: Tick,
    address: str,
    deed: str,
    kind: type[AvtoolError],
    name: str = "",
) -> Any:
    """What a call of a file system gives; a thread of its own lets Ctrl-C not wait for it.

    Raises:
        AvtoolError: of ``kind``: it failed, after three tries where the connection broke.
    """
    for pause in (*PAUSES, None):
        ended: list[Any] = []

        def run(ended: list[Any] = ended) -> None:
            try:
                ended += [call(_system(address)), None]
            except Exception as fault:
                ended += [None, fault]

        _waited(threading.Thread(target=run, daemon=True), tick)
        value, error = ended
        if error is None:
            return value
        if isinstance(error, AvtoolError):
            raise error
        if pause is None or not _may_pass(error):
            failed = kind(_said(error, name or hidden(address), deed))
            # Not as its cause: what --debug shows of that would tell the whole address.
            failed.add_note(hidden("".join(format_exception(error))))
            raise failed
        _shared.cache_clear()  # what is broken is connected anew
        _waited(threading.Timer(pause, lambda: None), tick)
    raise AssertionError


def _waited(thread: threading.Thread, tick: Tick) -> None:
    thread.daemon = True
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
        tick(None, "transfer")


def _status(error: Exception) -> int:
    return int(getattr(error, "status", 0) or getattr(error, "code", 0) or 0)


def _may_pass(error: Exception) -> bool:
    """Whether another try may help: the connection broke, or the server has a bad moment."""
    if isinstance(error, FileNotFoundError | PermissionError | ValueError):
        return False
    if _DENIED.search(f"{type(error).__name__} {error}"):
        return False
    if 400 <= _status(error) < 500 and _status(error) != 429:
        return False
    return not (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def _said(error: Exception, name: str, deed: str) -> str:
    """A line: the address, the fact, the next step."""
    kind, text = type(error).__name__, hidden(" ".join(str(error).split()))
    text = re.sub(r"(https?://[^/\s\"']*)[^\s\"']*", r"\1", text)[:160]  # of URLs, the servers
    if isinstance(error, FileNotFoundError) or _status(error) == 404:
        return f"{name}: is not there; check the address"
    if "BadHostKey" in kind:
        return f"{name}: its host key is not the one in known_hosts; ask those who run it"
    if "known_hosts" in text:
        return f"{name}: its host key is not known; connect once with ssh, or see known_hosts"
    denied = isinstance(error, PermissionError) or _status(error) in (401, 403)
    if denied or _DENIED.search(f"{kind} {text}"):
        return f"{name}: access denied; check the keys that its other programs use"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{name}: does not fit among the temporary files; TMPDIR names another place"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return f"{name}: cannot {deed} (nothing came for {STALL} s); run it again, it goes on"
    return f"{name}: cannot {deed} ({text or kind}); check address and network, then run it again"


def _system(address: str) -> Any:
    """The file system of an address: one a process and host."""
    try:
        parts = urlsplit(address)
        assert parts.port is None or parts.port
    except (ValueError, AssertionError):  # whose words may hold a piece of a password
        raise InputError(
            f"{hidden(address)}: is no address; in a user or password write / as %2F, @ as %40"
        ) from None
    return _shared(parts.scheme, parts.netloc if parts.scheme == "sftp" else "")


@cache
def _shared(scheme: str, host: str) -> Any:
    try:
        import fsspec

        if scheme == "sftp":
            return _sftp(host)
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if scheme in ("http", "https"):
            import aiohttp

            patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=STALL)
            options["client_kwargs"] = {"timeout": patience, "trust_env": True}
            options["encoded"] = True
        if scheme == "s3":
            options["config_kwargs"] = {"connect_timeout": CONNECT, "read_timeout": STALL}
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:
        raise InputError(
            f"{scheme}://: needs {_NEEDS[scheme]}; pip install 'avtool[remote]'"
        ) from error


def _sftp(host: str) -> Any:
    """As ssh connects: by ~/.ssh/config, the agent and keys, and to known hosts alone."""
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class Sftp(SFTPFileSystem):  # type: ignore[misc]
        def _connect(self) -> None:
            parts = urlsplit(f"sftp://{host}")
            own = Path("~/.ssh/config").expanduser()
            config = (
                paramiko.SSHConfig.from_path(str(own)) if own.exists() else paramiko.SSHConfig()
            )
            said = config.lookup(parts.hostname or "")
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            self.client.connect(
                said["hostname"],
                port=parts.port or int(said.get("port", 22)),
                username=parts.username or said.get("user"),
                password=parts.password and unquote(parts.password),
                key_filename=said.get("identityfile"),
                timeout=CONNECT,
                banner_timeout=CONNECT,
                auth_timeout=CONNECT,
            )
            # Else the system waits 40 ms for more to send, several times a file.
            self.client.get_transport().sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(STALL)

    return Sftp(host, skip_instance_cache=True)


def reading(keys: Callable[[Path], Iterable[str]]) -> Callable[[str], Iterable[str]]:
    """What reads the keys in a shard, also in one at an address."""

    def read(place: str) -> Iterator[str]:
        source = Job(Path(place), "", address=place if is_address(place) else "")
        with here(source, _untold) as near:
            yield from keys(near.source)

    return read
