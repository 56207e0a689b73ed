"""Addresses (``s3://``, ``gs://``, ``sftp://``, ``https://``): their parts, how they are told of.

What opens them is in ``batch.remote``.
"""

from __future__ import annotations

import re
from posixpath import normpath
from urllib.parse import unquote

READABLE = ("s3", "gs", "sftp", "http", "https")
WRITABLE = ("s3", "gs", "sftp")

# Before the host: a user, perhaps with a password. One with a bare / in it is hidden as well.
_USER = re.compile(r"(?<=://)(?:[^/\n]*|[^/:\[\n]*:(?!\d*(?:/|\s|$))\S*)@")
_QUERY = re.compile(r"(?<=://)([^\s?#]*)\?\S*")


def is_address(text: object) -> bool:
    """Whether it names something that is read from another machine."""
    scheme, found, _ = str(text).partition("://")
    return bool(found) and scheme in READABLE


def hidden(text: str) -> str:
    """Text as it may be told: without user, password and query of the addresses in it.

    >>> hidden("sftp://me:secret@host/a.wav and https://host/b.wav?key=1")
    'sftp://***@host/a.wav and https://host/b.wav?***'
    >>> hidden("sftp://me:se/cr@et@host/a.wav")
    'sftp://***@host/a.wav'
    """
    text = _USER.sub("***@", text)
    return re.sub(r"https?://\S*", lambda found: _QUERY.sub(r"\1?***", found[0]), text)


def path_of(address: str) -> str:
    """Host or bucket, and the path there, as a file of this machine would be called.

    >>> path_of("https://me:secret@host/a%20b.wav?key=1"), path_of("s3://bucket/50%20?.wav")
    ('host/a b.wav', 'bucket/50%20?.wav')
    """
    scheme, _, rest = _USER.sub("", address).partition("://")
    return unquote(re.split("[?#]", rest)[0]) if scheme.startswith("http") else rest


def same(address: str) -> str:
    """What addresses of one file have in common: no user, and no signature that changes.

    >>> same("sftp://me:secret@host/a/../b.wav"), same("https://host/a.wav?id=1&Signature=x")
    ('sftp://host/b.wav', 'https://host/a.wav')
    """
    address = _USER.sub("", address)
    if re.search(r"\?(.*&)?([\w-]*signature|sig)=", address, re.I):
        address = address.partition("?")[0]
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{normpath(rest)}" if scheme == "sftp" else address
