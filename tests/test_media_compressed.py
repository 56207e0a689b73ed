"""Mp3, Ogg Vorbis and Opus, read in process: the samples of ffmpeg, and none of its silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import naive, program, sound

from avtool import media
from avtool.errors import MediaError
from avtool.media import ffmpeg, read
from avtool.media.integrity import whole

SECONDS = 1.3
ENCODERS: dict[str, list[object]] = {
    "cbr.mp3": ["-c:a", "libmp3lame", "-b:a", "64k"],
    "vbr.mp3": ["-c:a", "libmp3lame", "-q:a", 4],
    "tagless.mp3": ["-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", 0, "-id3v2_version", 0],
    "tagged.mp3": ["-c:a", "libmp3lame", "-write_id3v1", 1, "-metadata", "title=A title"],
    "vorbis.ogg": ["-c:a", "libvorbis", "-q:a", 3],
    "vorbis.oga": ["-c:a", "libvorbis", "-q:a", 8, "-f", "ogg"],
}
RATES = [(48_000, 2), (44_100, 1), (22_050, 2), (16_000, 1), (12_000, 1)]


@pytest.fixture(scope="module", params=RATES, ids=str)
def original(made: Path, request: pytest.FixtureRequest) -> Path:
    """A wav: a rising tone in each channel, over some noise."""
    rate, channels = request.param
    path = made / f"original-{rate}-{channels}.wav"
    times = np.arange(round(SECONDS * rate)) / rate
    tones = [
        0.3 * np.sin(2 * np.pi * (300 + 200 * n) * times * (1 + times)) for n in range(channels)
    ]
    noise = 0.02 * np.random.default_rng(0).standard_normal((len(times), channels))
    soundfile.write(path, np.stack(tones, 1) + noise, rate, subtype="FLOAT")
    return path


def encoded(path: Path, name: str, how: list[object]) -> Path:
    target = path.with_name(f"{path.stem}-{name}")
    naive("-i", path, *how, target)
    return target


def by_ffmpeg(path: Path) -> np.ndarray:
    """Ffmpeg's samples [channels, time]."""
    info = media.open(path).info.audio[0]
    return (
        np.frombuffer(naive("-i", path, "-f", "f32le", "-"), np.float32)
        .reshape(-1, info.channels)
        .T
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_are_ffmpegs(original: Path, name: str) -> None:
    path = encoded(original, name, ENCODERS[name])
    source = media.open(path)
    assert source.info.sound_file
    ours, theirs = sound(source), by_ffmpeg(path)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4
    if name != "tagless.mp3":  # which does not say how much of it is padding
        assert ours.shape[1] == len(soundfile.read(original)[0])
    rate = source.info.audio[0].rate
    part = sound(source, start=0.5, duration=0.4)
    first = round(0.5 * rate)
    assert np.abs(part - ours[:, first : first + part.shape[1]]).max() < 1e-4
    assert part.shape[1] == round(0.4 * rate)


def test_opus_is_played_at_48_khz(original: Path) -> None:
    """Ffmpeg's own decoder fills in other noise than libopus: both must be as near the original."""
    path = encoded(original, "x.opus", ["-c:a", "libopus", "-b:a", "64k"])
    source = media.open(path)
    rate = soundfile.info(original).samplerate
    assert source.info.audio[0].rate == 48_000
    # An encoder keeps the rate that was recorded in the header, of those that Opus has.
    assert source.info.sound_file == (rate > 24_000)
    ours, theirs = sound(source), by_ffmpeg(path)
    assert ours.shape == theirs.shape
    if rate == 48_000:
        truth = soundfile.read(original, always_2d=True)[0].T
        errors = [np.square(each - truth).mean() for each in (ours, theirs)]
        assert errors[0] < 1.2 * errors[1] < 0.2 * np.square(truth).mean()


def damaged(data: bytes, rng: np.random.Generator, kind: str) -> bytes:
    """Bits turned, the end cut off, a hole of zeros, or a piece taken out, behind the headers."""
    place = int(rng.integers(len(data) // 3, len(data) - 300))
    if kind == "flipped":
        changed = bytearray(data)
        for each in rng.integers(len(data) // 3, len(data), 20):
            changed[each] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    if kind == "cut":
        return data[:place]
    size = int(rng.integers(1, 300))
    return data[:place] + (bytes(300) if kind == "zeroed" else b"") + data[place + size :]


@pytest.mark.parametrize("kind", ["flipped", "cut", "zeroed", "spliced"])
@pytest.mark.parametrize("name", ["cbr.mp3", "vorbis.ogg"])
def test_damage_is_left_to_ffmpeg(made: Path, name: str, kind: str) -> None:
    """Where ffmpeg complains, libsndfile, which does not, is never asked."""
    path = made / f"damage-{kind}-{name}"
    if not path.exists():
        tone = "aevalsrc=0.25*sin(2*PI*440*t*(1+t))+0.2*random(0):s=44100:d=4"
        naive("-f", "lavfi", "-i", tone, *ENCODERS[name], path)
    data = path.read_bytes()
    assert whole(path, name[-3:])
    rng, complaints, doubted = np.random.default_rng(1), 0, 0
    for n in range(6):
        part = made / f"{n}-{path.name}"
        part.write_bytes(damaged(data, rng, kind))
        clip = media.open(part).clip(media.Spec(audio=True))
        theirs = naive_complains(part)
        complaints += theirs
        doubted += not clip_is_in_process(part)
        assert clip_is_in_process(part) <= (not theirs)
        if theirs:
            assert clip.sound().samples.size and clip.warnings
    assert doubted  # the control: the damage is seen
    assert complaints or kind in ("cut", "flipped")


def clip_is_in_process(path: Path) -> bool:
    return media.open(path).info.sound_file


def naive_complains(path: Path) -> bool:
    """Whether a plain ffmpeg has a word to say."""
    command = [ffmpeg.binary(), "-nostdin", "-v", "error", "-i", str(path), "-f", "null", "-"]
    return bool(subprocess.run(command, capture_output=True).stderr.strip())


def test_two_streams_or_two_songs_are_ffmpegs(made: Path) -> None:
    """An Ogg file of two streams one after the other, or side by side, is more than one sound."""
    tones = [made / f"song-{hz}.ogg" for hz in (300, 500)]
    for hz, path in zip((300, 500), tones, strict=True):
        naive("-f", "lavfi", "-i", f"sine=f={hz}:d=0.5", "-c:a", "libvorbis", path)
    chain = made / "chain.ogg"
    chain.write_bytes(tones[0].read_bytes() + tones[1].read_bytes())
    assert whole(tones[0], "ogg") and not whole(chain, "ogg")
    both = made / "both.ogg"
    naive("-i", tones[0], "-i", tones[1], "-map", 0, "-map", 1, "-c", "copy", both)
    assert not whole(both, "ogg")
    assert len(media.open(both).info.audio) == 2


def test_a_name_that_lies(made: Path) -> None:
    """An mp3 called .ogg and an mp4 called .mp3 are read as what they are."""
    song = made / "song.mp3"
    naive("-f", "lavfi", "-i", "sine=f=300:d=0.5", "-c:a", "libmp3lame", song)
    lie = made / "lie.ogg"
    lie.write_bytes(song.read_bytes())
    assert np.array_equal(sound(lie), by_ffmpeg(song))
    film = made / "film.m4a"
    naive("-f", "lavfi", "-i", "sine=f=300:d=0.5", "-c:a", "aac", film)
    other = made / "film.mp3"
    other.write_bytes(film.read_bytes())
    assert np.array_equal(sound(other), sound(film))


@pytest.mark.parametrize("name", ["x.m4a", "x.mp4", "x.mkv", "x.webm", "x.ts", "x.avi", "mute.mp4"])
def test_one_ffmpeg_for_a_short_file(
    made: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound that is wanted alone comes with its facts; it is what two runs give."""
    path = made / f"once-{name}"
    picture = [] if name == "x.m4a" else ["-f", "lavfi", "-i", "testsrc=s=64x48:d=1.5"]
    tone = ["-f", "lavfi", "-i", "aevalsrc=0.2*sin(2*PI*440*t)|0.1*sin(2*PI*660*t):s=44100:d=1.5"]
    codec = ["-c:a", "libopus"] if name == "x.webm" else []
    naive(*picture, *([] if name == "mute.mp4" else tone), *codec, path)
    runs: list[list[str]] = []
    monkeypatch.setattr(ffmpeg, "on_start", runs.append)
    if name == "mute.mp4":
        with pytest.raises(MediaError, match="has no sound"):
            media.open(path, later=True).clip(media.Spec(audio=True))
        return
    spec = media.Spec(audio=True, channel=0, start=0.2, duration=1.0)
    clip = media.open(path, later=True).clip(spec)
    once = clip.sound().samples
    assert len(runs) == (1 if name != "x.ts" else 3)  # in mpegts, packets tell the times
    known = media.open(path)
    other = known.clip(spec)
    assert np.array_equal(once, other.sound().samples)
    assert np.array_equal(clip.sound().samples, once)  # a second reading is the same
    assert (clip.duration, clip.channels) == (other.duration, 2)
    assert clip.sound().rate == known.info.audio[0].rate


def test_damage_is_told_also_at_once(made: Path) -> None:
    whole_file, path = made / "sane.mka", made / "hurt.mka"
    naive("-f", "lavfi", "-i", "anoisesrc=d=3:a=0.3", "-c:a", "aac", whole_file)
    data = bytearray(whole_file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    told = []
    for later in (True, False):
        clip = media.open(path, later=later).clip(media.Spec(audio=True))
        samples = clip.sound().samples
        told.append((samples.shape, clip.warnings))
        with pytest.raises(MediaError, match="damaged"):
            strict = media.open(path, later=later).clip(media.Spec(audio=True), strict=True)
            assert strict.sound().samples.size
    assert told[0] == told[1] and told[0][1]


def test_long_sound_is_not_held(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made / "long.m4a"
    naive("-f", "lavfi", "-i", "sine=f=300:d=5", "-c:a", "aac", path)
    runs: list[list[str]] = []
    monkeypatch.setattr(ffmpeg, "on_start", runs.append)
    monkeypatch.setattr(read, "HELD_BYTES", 44_100 * 4)
    clip = media.open(path, later=True).clip(media.Spec(audio=True))
    assert clip.sound().samples.shape[1] >= 5 * 44_100 and len(runs) == 3


def test_what_libraries_print_is_told_in_our_words(made: Path) -> None:
    """Damage that no framing shows: mpg123 prints a line of its own, which becomes a warning."""
    path = made / "noise.mp3"
    naive("-f", "lavfi", "-i", "anoisesrc=d=3:a=0.3", "-c:a", "libmp3lame", "-b:a", "64k", path)
    sane = path.read_bytes()
    for seed in range(200):
        rng, data = np.random.default_rng(seed), bytearray(sane)
        for each in rng.integers(len(data) // 3, len(data), 20):
            data[each] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        if not whole(path, "mp3"):
            continue
        code = f"import soundfile; soundfile.read({str(path)!r})"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True).stderr
        if b"dequantization failed" in said:
            break
    fine = made / "fine.mp3"
    fine.write_bytes(sane)
    arguments = [path, fine, "-f", "npy", "-o", str(made / "noise") + "/"]
    for jobs in (1, 2):
        ran = program("mel", *arguments, "--overwrite", "--jobs", jobs)
        assert ran.returncode == 0
        first, *rest = ran.stderr.splitlines()
        assert first.startswith(f"avtool: warning: {path}: damaged: ")
        assert rest == ["avtool: 2 done, 0 already there, 0 failed"]
    assert program("mel", *arguments, "--overwrite", "--strict").returncode == 1
