"""What is let in: regular files, in containers that hold their sound and pictures themselves.

A playlist under a film's name would make ffmpeg read whatever other files it names, so what a file
is called counts for nothing: its first bytes do.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from avtool.errors import MediaError
from avtool.media import ffmpeg

# Names of ffmpeg's demuxers, of any version. None of them opens a second file: no playlists (hls,
# dash, concat, sdp, imf), no numbered pictures (image2), nothing that looks beside itself (mlv).
CONTAINERS = (
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "ast", "au", "caf", "dsf"),
    *("dts", "dtshd", "eac3", "flac", "g722", "gsm", "iff", "ircam", "latm", "loas", "mlp", "mp3"),
    *("mpc", "mpc8", "nistsphere", "oma", "qcp", "shn", "sox", "spdif", "tak", "truehd", "tta"),
    *("voc", "w64", "wav", "wv", "xwma"),
    *("av1", "obu", "avi", "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "dv", "evc", "flic"),
    *("flv", "gxf", "h261", "h263", "h264", "hevc", "ivf", "lxf", "m4v", "matroska", "mjpeg"),
    *("mjpeg_2000", "mov", "mpeg", "mpegts", "mpegvideo", "mxf", "nsv", "nut", "ogg", "pva", "rm"),
    *("smjpeg", "swf", "vc1", "vc1test", "vvc", "wtv", "yuv4mpegpipe"),
    *("apng", "gif", "ico", "jpegxl_anim", "webp_anim", "bmp_pipe", "dds_pipe", "dpx_pipe"),
    *("exr_pipe", "hdr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "pam_pipe"),
    *("pbm_pipe", "pcx_pipe", "pfm_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "psd_pipe"),
    *("qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe", "xbm_pipe", "xwd_pipe"),
)
HEAD_BYTES = 2048  # of a file, by which it is told

_PLAYLIST = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat version|\[playlist\]|v=0\s"
    rb"|<(?:[^\0]*<)?(?:MPD|SmoothStreamingMedia)\b)",
    re.I,
)
# Pictures by their first bytes. Ffmpeg goes by the name: it asks image2 for a jpg, and takes
# "img%d.png" for img0.png, img1.png and so on.
_PICTURES = (
    (rb"\xff\xd8\xff[^\xf7]", "jpeg_pipe"),
    (rb"\x89PNG", "png_pipe"),
    (rb"BM", "bmp_pipe"),
    (rb"II\*\0|MM\0\*", "tiff_pipe"),
    (rb"RIFF....WEBP", "webp_pipe"),
)


def let_in(path: Path, name: str) -> tuple[int, bytes]:
    """A file's size in bytes, and its first bytes.

    Raises:
        MediaError: missing, empty, a folder, no regular file, unreadable, or a playlist.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{name}: is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):  # reading it might never end, or never begin
            what = _kind(status.st_mode)
            raise MediaError(f"{name}: is {what}, no file; save what comes out of it, or use '-'")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        if "://" in name:
            raise MediaError(
                f"{name}: is an address; avtool reads files, so download it first"
            ) from None
        raise MediaError(f"{name}: no such file; check the name") from None
    except OSError as error:
        why = "permission denied" if error.errno == errno.EACCES else error.strerror
        raise MediaError(f"{name}: cannot be read ({why})") from error
    if not status.st_size:
        raise MediaError(f"{name}: is empty (0 bytes)")
    if _PLAYLIST.match(head):
        raise MediaError(f"{name}: is a playlist; name the files that it lists instead")
    return status.st_size, head


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def picture_format(path: Path, head: bytes) -> str:
    """The demuxer of a picture that ffmpeg would take for several, or else ''."""
    found = next((kind for mark, kind in _PICTURES if re.match(mark, head, re.S)), "")
    return found if found == "jpeg_pipe" or "%" in os.fspath(path) else ""


def input_options(format: str = "") -> dict[str, str]:
    """Ffmpeg's options of every file that it is given to read.

    Args:
        format: of the file, as ``probe`` found it; a picture's is not to be guessed again.
    """
    forced = {"f": format} if format.endswith("_pipe") else {}
    return {
        "format_whitelist": ",".join(CONTAINERS),
        "protocol_whitelist": "file,pipe",
        **forced,
    }


def input_arguments(path: Path, format: str = "") -> list[str]:
    """The same as arguments, with the file."""
    options = (part for key, value in input_options(format).items() for part in (f"-{key}", value))
    return [*options, "-i", ffmpeg.url(path)]
