"""Whether a compressed sound file is whole, told from its framing without decoding it.

libsndfile reads past damage without a word. A file in which these checks find any is left to
ffmpeg, which tells of what it could not decode. No library that could be asked was found.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from avtool.values import Array

Bytes = bytes | mmap.mmap

# Ogg's checksum takes the highest bit first, zlib's the lowest: bytes are mirrored, and its result.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_LAYER_3 = 0b01
# Bit rates in kbit/s by the header's index: MPEG 1; MPEG 2 and 2.5 (ISO 11172-3, 13818-3).
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
MOST_BIG_VALUES = 288


def whole(path: Path, kind: str) -> bool:
    """Whether a file's frames follow each other without a gap, and hold what they promise.

    Args:
        kind: "ogg" or "mp3".
    """
    check: Callable[[Bytes], bool] = {"ogg": _whole_ogg, "mp3": _whole_mp3}[kind]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return check(data)


def _whole_ogg(data: Bytes) -> bool:
    """Pages of one stream, counted up, each with its right checksum (RFC 3533)."""
    place, number, stream = 0, 0, b""
    while place < len(data):
        head = data[place : place + 27]
        if len(head) < 27 or head[:5] != b"OggS\0":
            return False
        table = data[place + 27 : place + 27 + head[26]]
        end = place + 27 + len(table) + sum(table)
        stream = stream or head[14:18]
        if (
            end > len(data)
            or head[14:18] != stream
            or int.from_bytes(head[18:22], "little") != number
        ):
            return False
        page = head[:22] + bytes(4) + data[place + 26 : end]
        found = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
        if found.to_bytes(4, "big").translate(_MIRRORED) != head[22:26]:
            return False
        place, number = end, number + 1
    return number > 0


def _whole_mp3(data: Bytes) -> bool:
    """Layer III frames end to end between tags, whose side information can be true."""
    place = _after_id3(data)
    last = len(data) - _trailer(data)
    headers: dict[int, tuple[int, int]] = {}  # by its first bytes: size, and kind of a frame
    places, sizes, kinds = [], [], []
    while place < last:
        head = int.from_bytes(data[place : place + 4], "big")
        if head not in headers:
            headers[head] = _mp3_header(head)
        size, kind = headers[head]
        if not size or place + size > last:
            return False
        places.append(place)
        sizes.append(size)
        kinds.append(kind)
        place += size
    if not places or len(set(kinds)) > 1:
        return False
    return _true_side_info(data, np.array(places), np.array(sizes), kinds[0])


def _after_id3(data: Bytes) -> int:
    place = 0
    while data[place : place + 3] == b"ID3":
        size = 0
        for byte in data[place + 6 : place + 10]:
            size = size << 7 | byte & 127
        place += 10 + size + (10 if data[place + 5] & 16 else 0)
    return place


def _trailer(data: Bytes) -> int:
    """Bytes of tags at the end: ID3v1, APE."""
    size = 128 if data[-128:-125] == b"TAG" else 0
    foot = data[len(data) - size - 32 : len(data) - size]
    if foot[:8] == b"APETAGEX":
        size += int.from_bytes(foot[12:16], "little") + (32 if foot[23] & 128 else 0)
    return size


def _mp3_header(head: int) -> tuple[int, int]:
    """Bytes of a frame, 0 where this is none; and what all frames of a file share."""
    version, layer = head >> 19 & 3, head >> 17 & 3
    kbits, rate = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or layer != _LAYER_3 or version == 1 or rate == 3 or kbits in (0, 15):
        return 0, 0
    slots, table = (144_000, _KBITS_1) if version == 3 else (72_000, _KBITS_2)
    size = slots * table[kbits] // _RATES[version][rate] + (head >> 9 & 1)
    mono, bare = (head >> 6 & 3) == 3, head >> 16 & 1
    return size, version << 4 | rate << 2 | mono << 1 | bare


def _true_side_info(data: Bytes, places: Array, sizes: Array, kind: int) -> bool:
    """Whether each frame's granules end before the bits that it has, and begin in bits there were.

    Side information of Layer III, ISO 11172-3, 2.4.1.7: where the main data begins (back in the
    frames before), then for each granule and channel the length of its part and its big values.
    """
    first, mono, bare = kind >> 4 == 3, kind >> 1 & 1, kind & 1
    channels = 1 if mono else 2
    granules, width = (2, 59) if first else (1, 63)
    begins = 4 if bare else 6
    length = (17 if mono else 32) if first else (9 if mono else 17)
    if (sizes < begins + length).any():
        return False
    sound = np.frombuffer(data, np.uint8)
    bits = np.unpackbits(sound[places[:, None] + np.arange(begins, begins + length)], axis=1)
    del sound  # or the map could not be closed
    at = 9 if first else 8
    back = _number(bits, 0, at)
    at += (5 if mono else 3) + 4 * channels if first else (1 if mono else 2)
    used = np.zeros(len(places), np.int64)
    for _ in range(granules * channels):
        used += _number(bits, at, 12)
        if (_number(bits, at + 12, 9) > MOST_BIG_VALUES).any():
            return False
        at += width
    held = sizes - begins - length
    before = np.concatenate([[0], np.cumsum(held)[:-1]])
    return bool((back <= before).all() and (used <= 8 * (back + held)).all())


def _number(bits: Array, first: int, count: int) -> Array:
    """An unsigned number in each row of bits."""
    found: Array = bits[:, first : first + count] @ (1 << np.arange(count)[::-1])
    return found
