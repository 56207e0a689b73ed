"""What is in a file, without decoding it.

ffmpeg alone is asked (a machine may have no ffprobe): its banner names the streams, and its
``framecrc`` muxer prints packet times, exact, in each stream's own time base.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from avtool.errors import MediaError
from avtool.media import ffmpeg
from avtool.media.door import input_arguments, let_in, picture_format
from avtool.media.integrity import whole
from avtool.media.packets import Packets, rate_of

# Read by libsndfile: exact, fast, and without a child process; and what they begin with.
SOUND_SUFFIXES = {".wav", ".wave", ".flac", ".aif", ".aiff", ".au", ".w64", ".rf64", ".caf"}
SOUND_MARKS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"FORM", b".snd", b"dns.", b"riff", b"caff")
# Likewise, where they are whole: as what, and the codec as libsndfile names it.
COMPRESSED = {
    ".mp3": ("mp3", "mpeg_layer_iii"),
    ".ogg": ("ogg", "vorbis"),
    ".oga": ("ogg", "vorbis"),
    ".opus": ("ogg", "opus"),
}
BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}  # that an mp4 begins with
MOST_BOXES = 10_000  # of an mp4 that are looked at for its index
WIDEST = 16  # pixels, for their height or the other way round; what is beyond is damage
QUICK_PACKETS = 300  # enough to know the rate of a stream; `scan` reads them all
UNREADABLE = "is not sound or video that avtool can read"


@dataclass(frozen=True)
class AudioStream:
    """One sound track. ``start``: seconds from the container's zero to its first sample.

    ``index``: its number among the file's sound tracks, as ffmpeg counts them.
    """

    index: int
    codec: str
    rate: int
    channels: int
    layout: str
    start: float


@dataclass(frozen=True)
class VideoStream:
    """One picture track. ``width``, ``height``: as a person sees it, turned and with square pixels.

    ``coded``: the stored size; ``rotation``: degrees clockwise to turn the stored picture by.
    ``frames`` is counted by a scan only. ``index``: its number among the file's picture tracks,
    as ffmpeg counts them (cover art included).
    """

    index: int
    codec: str
    width: int
    height: int
    coded: tuple[int, int]
    rotation: int
    sample_aspect: Fraction
    fps: Fraction
    variable: bool
    start: float
    frames: int | None = None


@dataclass(frozen=True)
class Info:
    """What a file holds. ``duration`` in seconds, None where the container does not say."""

    path: Path
    format: str
    bytes: int
    duration: float | None
    audio: tuple[AudioStream, ...] = ()
    video: tuple[VideoStream, ...] = ()
    sound_file: bool = False  # libsndfile reads it
    length_samples: int | None = None  # where it follows from the file's size
    warnings: tuple[str, ...] = ()
    zero: float = 0.0  # the container's first time stamp


def by_libsndfile(path: Path) -> bool:
    """Whether a file's name is one that libsndfile is tried on first."""
    return path.suffix.lower() in SOUND_SUFFIXES | COMPRESSED.keys()


def probe(path: str | os.PathLike[str], *, scan: bool = False, name: str = "") -> Info:
    """Facts of a media file.

    Args:
        scan: read every packet: exact duration and frame count, and whether the rate varies
            anywhere. Without it the first few hundred packets speak for the file.
        name: what to call the file in messages (a spooled stdin has another name).

    Raises:
        MediaError: missing, empty, no regular file, a playlist, unreadable, protected, not media.
    """
    path = Path(path)
    name = name or str(path)
    size, head = let_in(path, name)
    if by_libsndfile(path) and (info := _probe_sound(path, size, head)):
        return info
    return _probe_ffmpeg(path, name, size, head, scan)


def _probe_sound(path: Path, size: int, head: bytes) -> Info | None:
    import soundfile

    framing, wanted = COMPRESSED.get(path.suffix.lower(), ("", ""))
    # An mp3 called wav is ffmpeg's: libsndfile's decoder would pass over its damage.
    if not (whole(path, framing) if framing else head.startswith(SOUND_MARKS)):
        return None
    try:
        # A RIFF header may promise more than the file holds; libsndfile says so in its log only.
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
            short = re.search(r"^\s*data\s*: \d+ \(should be (\d+)\)", file.extra_info, re.M)
            warnings = ("truncated: the header promises more sound",) if short else ()
            codec, kind = file.subtype.lower(), file.format.lower()
    except soundfile.LibsndfileError:
        return None  # perhaps a codec or a container that ffmpeg knows
    # Opus is played at 48 kHz whatever was recorded (RFC 7845); libsndfile would not.
    if framing and (codec != wanted or (codec == "opus" and rate != 48_000)):
        return None
    kind, codec = framing or kind, "mp3" if framing == "mp3" else codec
    stream = AudioStream(0, codec, rate, channels, _layout_name(channels), 0.0)
    # A compressed file's header can promise what a damaged file does not hold.
    certain = frames if codec.startswith(("pcm", "float", "double")) and kind != "flac" else None
    return Info(path, kind, size, frames / rate, (stream,), (), True, certain, warnings)


@dataclass(frozen=True)
class Banner:
    """What ffmpeg's banner says of its input, in its own words; see ``read_banner``.

    ``kinds``: the container's names, none where ffmpeg could not open it. ``video``, ``audio``:
    the tracks in ffmpeg's order. ``rotations``: degrees clockwise, by number of picture track.
    """

    kinds: tuple[str, ...] = ()
    duration: float | None = None
    zero: float | None = None
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    rotations: dict[int, int] = field(default_factory=dict)

    @property
    def protected(self) -> bool:
        """Whether a track is named as encrypted."""
        return any(re.search(r"\((drms|drmi) /", text) for text in self.video + self.audio)

    @property
    def begins_late(self) -> bool:
        """Whether only packets tell its length: old ffmpegs count it from 0, new ones from here."""
        return self.kinds[0] == "mov" and (self.zero or 0) > 1


# The banner's lines: "Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / ...), 44100 Hz, stereo, ..."
_STREAM = re.compile(r"^\s*Stream #0:(\d+)(?:\[\w+\])?(?:\([^)]*\))?: (Video|Audio): (.*)$")
_DURATION = re.compile(r"^\s*Duration: (?:(\d+):(\d\d):([\d.]+)|N/A)(?:, start: (-?[\d.]+))?")
_ROTATION = re.compile(r"^\s*display ?matrix: rotation of (-?[\d.]+) degrees", re.I)
_INPUT = re.compile(r"^Input #0, (.*), from '")


def read_banner(lines: Iterable[str]) -> Banner:
    """What the lines say of the input, whatever the version of ffmpeg; tests/data has several."""
    kinds: list[str] = []
    duration, zero, last = None, None, -1
    # By number: a stream of two programs is told twice, and one of a group before its turn.
    streams: dict[str, dict[int, str]] = {"Video": {}, "Audio": {}}
    rotations: dict[int, int] = {}
    for line in lines:
        if line.startswith("Output #0"):
            break
        if match := _INPUT.match(line):
            kinds = match[1].split(",")
        elif match := _DURATION.match(line):
            if match[1]:
                duration = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
            zero = float(match[4]) if match[4] else None
        elif match := _STREAM.match(line):
            last = int(match[1])
            streams[match[2]][last] = match[3]
        elif match := _ROTATION.match(line):
            rotations[last] = round(-float(match[1])) % 360
    video, audio = (dict(sorted(streams[kind].items())) for kind in ("Video", "Audio"))
    turned = {k: rotations[number] for k, number in enumerate(video) if number in rotations}
    texts = tuple(video.values()), tuple(audio.values())
    return Banner(tuple(kinds), duration, zero, *texts, rotations=turned)


def _probe_ffmpeg(path: Path, name: str, size: int, head: bytes, scan: bool) -> Info:
    limit = [] if scan else ["-frames:v", str(QUICK_PACKETS), "-frames:a", str(QUICK_PACKETS)]
    encrypted = is_encrypted(path, name, size, head)
    arguments = ["-nostdin", "-hide_banner", *input_arguments(path, picture_format(path, head))]
    arguments += ["-map", "0:v?", "-map", "0:a?"]
    arguments += ["-c", "copy", "-copyinkf", "-copyts", *limit, "-f", "framecrc", "-"]
    with ffmpeg.Run(arguments) as run:
        packets = Packets(line.decode("ascii", "replace") for line in run.stdout)
    banner = read_banner(run.complaints)
    if not banner.kinds:
        raise MediaError(f"{name}: {_why_unreadable(run)}")
    if banner.begins_late and not scan:
        return _probe_ffmpeg(path, name, size, head, True)
    if encrypted or banner.protected:
        raise MediaError(f"{name}: is protected (encrypted); only an unprotected copy can be read")
    if not banner.video + banner.audio:
        raise MediaError(f"{name}: holds neither sound nor pictures")
    if not banner.video and all(_rateless(text) for text in banner.audio):
        raise MediaError(f"{name}: {UNREADABLE}")
    info = facts(path, size, banner, packets, scan)
    if scan and run.returncode:
        info = replace(info, warnings=(f"damaged: {run.last_words}", *info.warnings))
    return info


def facts(path: Path, size: int, banner: Banner, packets: Packets, scan: bool = False) -> Info:
    """What a file holds: the words of ffmpeg's banner, and its packets' times."""
    kind, duration, zero = banner.kinds[0], banner.duration, banner.zero
    if zero is None:
        count = len(banner.video) + len(banner.audio)
        zero = min((packets.start(i) for i in range(count)), default=0.0)
    if kind == "matroska" and duration is not None:
        duration = max(0.0, duration - zero)  # its header says when it ends, counted from 0
    audio, video = tracks(banner, packets, zero, scan)
    if scan and packets.ends:
        duration = max(packets.ends.values()) - zero
    warnings = [
        f"damaged: pixels {aspect} times as wide as high are taken as square"
        for aspect in map(_aspect, banner.video)
        if not _is_usual(aspect)
    ]
    if any(not _coded(text) for text in banner.video):
        warnings.append("damaged: pictures of unknown size are left out")
    if any(_rateless(text) for text in banner.audio):
        warnings.append("damaged: sound of unknown rate is left out")
    end = path.suffix.lower().lstrip(".")
    shown = end if end in banner.kinds else kind  # of one container's many names, "mov,mp4,m4a"
    return Info(path, shown, size, duration, audio, video, warnings=tuple(warnings), zero=zero)


def tracks(
    banner: Banner, packets: Packets, zero: float, scan: bool = False
) -> tuple[tuple[AudioStream, ...], tuple[VideoStream, ...]]:
    """The sound tracks and the picture tracks: a banner's words, and the packets' times."""
    video, audio = [], []
    for number, text in enumerate(banner.video):
        # Cover art is a picture of the record, not a track of frames.
        if "(attached pic)" not in text and "unknown codec" not in text and _coded(text):
            turned = banner.rotations.get(number, 0)
            video.append(_video(text, number, turned, packets, zero, scan))
    for number, text in enumerate(banner.audio):
        if "unknown codec" not in text and not _rateless(text):
            start = packets.start(len(banner.video) + number) - zero
            audio.append(_audio(text, number, max(0.0, start)))
    return tuple(audio), tuple(video)


def _why_unreadable(run: ffmpeg.Run) -> str:
    text = "\n".join(run.complaints)
    if "moov atom not found" in text and "misdetection possible" not in text:
        return "is cut off before its index (an unfinished recording or download); get it whole"
    if "Permission denied" in text:
        return "cannot be read (permission denied)"
    if "Cannot allocate memory" in text:
        return "cannot be read (not enough memory)"
    return UNREADABLE


def is_encrypted(path: Path, name: str, total: int, head: bytes) -> bool:
    """Whether a file is an mp4 whose index names encrypted tracks; ffmpeg tells not.

    Raises:
        MediaError: no index is found among so many boxes that ffmpeg would look for minutes.
    """
    if head[4:8] not in BOXES:
        return False
    with path.open("rb") as file:
        for _ in range(MOST_BOXES):
            if len(box := file.read(8)) < 8:
                return False
            size, kind = int.from_bytes(box[:4], "big"), box[4:]
            rest = int.from_bytes(file.read(8), "big") - 16 if size == 1 else size - 8
            if kind == b"moov":
                index = file.read(min(max(rest, 0), total))
                return b"encv" in index or b"enca" in index
            if not 0 <= rest <= total:  # the last box, which lasts to the file's end
                return False
            file.seek(rest, os.SEEK_CUR)
    raise MediaError(
        f"{name}: is damaged (no index in its first {MOST_BOXES:,} boxes); get it anew"
    )


def _audio(text: str, index: int, start: float) -> AudioStream:
    rate = re.search(r"(\d+) Hz", text)
    layout = re.search(r"Hz, ([^,]+)", text)
    name = layout[1].strip() if layout else ""
    codec = text.split(" ")[0].rstrip(",")
    return AudioStream(index, codec, int(rate[1]) if rate else 0, _channels(name), name, start)


def _rateless(text: str) -> bool:
    """Whether ffmpeg takes a stream for sound by its file's name alone: no packet told a rate."""
    return "unknown codec" not in text and not re.search(r"\b[1-9]\d* Hz", text)


# ffmpeg's layout names that do not say their number as "5.1" does.
_LAYOUTS = {"mono": 1, "stereo": 2, "downmix": 2, "binaural": 2, "quad": 4, "cube": 8}
_LAYOUTS |= {"hexagonal": 6, "octagonal": 8, "hexadecagonal": 16}


def _channels(layout: str) -> int:
    """Number of channels of a layout's name.

    >>> [_channels(n) for n in ("mono", "5.1(side)", "7.1.4", "24 channels", "quad(side)")]
    [1, 6, 12, 24, 4]
    """
    name = layout.split("(")[0].strip()
    if match := re.match(r"(\d+) channels", layout):
        return int(match[1])
    if re.fullmatch(r"\d+(\.\d+)+", name):
        return sum(int(part) for part in name.split("."))
    return _LAYOUTS.get(name, 0)


def _layout_name(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")


def _coded(text: str) -> tuple[int, int] | None:
    """The stored size of a stream's pictures, as its text says; None where ffmpeg found none."""
    size = re.search(r"\b([1-9]\d*)x([1-9]\d*)", text)
    return (int(size[1]), int(size[2])) if size else None


def _aspect(text: str) -> Fraction:
    """How wide a pixel is for its height, as a stream's text says."""
    # In brackets what the codec says; after a comma the container, which is right.
    sar = re.search(r", SAR (\d+):([1-9]\d*)", text) or re.search(r"\[SAR (\d+):([1-9]\d*)", text)
    return (Fraction(int(sar[1]), int(sar[2])) if sar else None) or Fraction(1)


def _is_usual(aspect: Fraction) -> bool:
    """Whether pixels can have this shape; no camera's are wider than twice their height."""
    return Fraction(1, WIDEST) <= aspect <= WIDEST


def _video(
    text: str, number: int, rotation: int, packets: Packets, zero: float, scan: bool
) -> VideoStream:
    coded = _coded(text) or (0, 0)
    aspect = _aspect(text)
    if not _is_usual(aspect):
        aspect = Fraction(1)
    width, height = round(coded[0] * aspect), coded[1]
    if rotation in (90, 270):
        width, height = height, width
    stated = re.search(r"([\d.]+)(k?) fps", text) or re.search(r"([\d.]+)(k?) tbr", text)
    average = float(stated[1]) * (1000 if stated[2] else 1) if stated else 25.0
    pts = sorted(packets.pts.get(number, []))
    known = [] if number in packets.untimed else pts
    fps, variable = rate_of(known, packets.base.get(number, Fraction(1, 1000)), average)
    return VideoStream(
        index=number,
        codec=text.split(" ")[0].rstrip(","),
        width=width,
        height=height,
        coded=coded,
        rotation=rotation,
        sample_aspect=aspect,
        fps=fps,
        variable=variable,
        start=max(0.0, packets.start(number) - zero),
        frames=len(pts) if scan else None,
    )
