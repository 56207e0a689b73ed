"""What the lip motion learns from: meshes that talk, and what is heard, in one packed file."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from avtool import media
from avtool.face import LIPS
from avtool.face.lip_points import opening
from avtool.head.model import UNITS, smooth
from avtool.models.speech_frontend import MELS
from avtool.pipelines.faces import pipeline as faces
from avtool.pipelines.features import mel
from avtool.pipelines.features.mel import SPEECH
from avtool.pipelines.lips import video_face as filming
from avtool.pipelines.lips.model import Config
from avtool.pipelines.separate.train.lipvoice_data import VALID
from avtool.speakers.tracks import find
from avtool.training import corpus
from avtool.training.phone_alignment import PhoneAligner, labels, transcripts
from avtool.values import FPS, RATE, Array, Audio

VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg"}
FRAMES = 75  # pictures of a clip; the sound's frames are four times as many
STEPS, LEAST = 4.0, -23.0  # log-mel in a byte: nepers from the least, in quarters
UNKNOWN = -1  # no phone is known
MOVERS = ("jawOpen", "mouthPucker", "mouthFunnel", "mouthUpperUpLeft", "mouthUpperUpRight")


def packed(log_mel: Array) -> Array:
    """Log-mel as bytes."""
    return np.clip((log_mel - LEAST) * STEPS + 0.5, 0, 255).astype(np.uint8)


def unpacked(mels: Array) -> Array:
    """The bytes as log-mel in nepers, float32."""
    return mels.astype(np.float32) / np.float32(STEPS) + np.float32(LEAST)


def log_mel(sound: Array) -> Array:
    """What the network hears of a sound at 16 kHz, float [time] -> float32 [mels, frames]."""
    clip = media.Clip("", Audio.of(sound, RATE), None, None)
    return mel.run(clip, SPEECH).mel.values


def shapes_of(motion: Array, count: int) -> tuple[Array, Array]:
    """The principal shapes of a talking mouth, and how much of each moves.

    Shape:
        motion: [n, 468, 3], away from the closed mouth, in head coordinates. Returns shapes
        float32 [count, 468, 3], of lips that move by 1 standard deviation, and amounts float32
        [n, count]. The rest of the face follows the lips as it usually does.
    """
    flat = motion[:, list(LIPS), :2].reshape(len(motion), -1)
    axes = np.linalg.svd(flat[:: max(1, len(flat) // 20_000)], full_matrices=False)[2][:count]
    amounts = flat @ axes.T
    amounts = amounts / np.sqrt((amounts**2).mean(0))
    shapes = np.linalg.lstsq(amounts, motion.reshape(len(motion), -1), rcond=None)[0]
    return shapes.reshape(count, -1, 3).astype(np.float32), amounts.astype(np.float32)


def reach_of(units: Array) -> Array:
    """Which points speech moves, 0 to 1, float32 [468]: those that a jaw and lips move."""
    sizes = np.sqrt((units[[UNITS.index(name) for name in MOVERS], :, :2] ** 2).sum(-1))
    return smooth(0.02, 0.06, sizes.max(0))


def units_of(count: int = 5) -> Array:
    """How ARKit's units move the mesh, float32 [52, 468, 3]: the drawn head, seen as a face is."""
    from avtool.face import Detector, Landmarker
    from avtool.face.detect import whole
    from avtool.head import model
    from avtool.head.raster import rasterise
    from avtool.head.render import Camera, render
    from avtool.head.shade import Appearance

    head, camera = model.load(), Camera(640, 720)
    inside = head.paint[:, head.paints.index("cavity")][head.faces].mean(1) > 0.3
    skin = np.flatnonzero((head.region == model.REGIONS.index("skin")) & ~inside)
    apart = {"jawOpen": 0.25, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3}  # both lips seen
    rng = np.random.default_rng(0)
    found = []
    for sex in np.linspace(0, 1, count):
        identity = {"sex": float(sex), "age": float(rng.uniform(20, 45))}
        rest = head.shape(identity)
        vertices = head.vertices(rest, apart)
        image = render(head, vertices, Appearance(), camera)
        box = Detector()(image, [whole(*image.shape[:2])]).boxes[0]
        points, _ = Landmarker().in_box(image, box)
        focal = camera.height / 2 / np.tan(np.radians(camera.fov / 2))
        depth = camera.distance - vertices[:, 2]
        slope = (vertices[:, :2] - np.array(camera.centre)) / depth[:, None] * focal
        middle = np.array([camera.width, camera.height]) / 2
        flat = np.column_stack([middle + slope * [1, -1], depth])
        pixel, face, weight = rasterise(flat, head.faces[skin], camera.width, camera.height)
        at = np.column_stack([pixel % camera.width, pixel // camera.width]) + 0.5
        near = [int(((at - point) ** 2).sum(1).argmin()) for point in points[:, :2]]
        corners, share = head.faces[skin][face[near]], weight[near]
        moved = np.einsum("nk,unkc->unc", share, head.units[:, corners])
        eyes = np.einsum("nk,nkc->nc", share, rest[corners])[[33, 263]]
        found.append(moved * [1, -1, -1] / np.linalg.norm(eyes[0] - eyes[1]))
    return np.mean(found, 0).astype(np.float32)


def pack(data: Path, out: Path) -> None:
    """Write what is learned from to one file, no pickle; a process a core."""
    place = data / "grid" / "s1" if (data / "grid" / "s1").is_dir() else data
    words = transcripts(place)
    files = sorted(path for path in place.rglob("*") if path.suffix.lower() in VIDEOS)
    given = [words.get(path.stem, ()) for path in files]
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found = pool.map(talk, files, given, range(len(files)), chunksize=4)
        clips = [clip for each in found for clip in each]
        readers = corpus.recordings(data, "readers") if (data / "librispeech").is_dir() else ()
        sounds = [item.samples for item in readers if item.split != "test"]
        spoken = [each for each in pool.map(speech, sounds) if each is not None]
    write(out, clips, noises_of(data), spoken)


@dataclass(frozen=True, eq=False)
class Talk:
    """A piece of a talking face.

    Shape:
        mels: uint8 [voices, mels, 4 * frames]; motion: of its mesh, away from the closed mouth,
        float32 [frames, 468, 3]; told: phones, int64 [2 * frames], -1 where they are not known.
    """

    name: str
    mels: Array
    motion: Array
    told: Array


def talk(path: Path, words: Sequence[str], seed: int) -> list[Talk]:
    """The pieces of a video in which one face is seen all the time, its voice by other throats."""
    from avtool.training.voice_conversion import other_voices

    source, rng, found = media.open(path), np.random.default_rng(seed), []
    if not (source.info.audio and source.info.video):
        return []
    clip = source.clip(faces.SPEC)
    tracks = find(clip)
    if len(tracks) != 1 or clip.audio is None or clip.frames is None:
        return []
    own = filming.meshes(clip.frames, tracks[0])
    sound = clip.audio.samples[0]
    phones = ear().phones(sound, words)
    said = labels(phones, 2 * len(own)) if phones else np.full(2 * len(own), UNKNOWN)
    for first in range(0, len(own) - FRAMES + 1, FRAMES):
        part = own[first : first + FRAMES]
        gap = opening(part[:, list(LIPS)])
        if not np.isfinite(gap).all():
            continue  # the face is not seen all the time
        begin = first * RATE // FPS
        voice = corpus.sized(sound[begin : begin + FRAMES * RATE // FPS], FRAMES * RATE // FPS)
        voices = [voice, *other_voices(rng, voice)]
        mels = np.stack([packed(log_mel(each)[:, : 4 * FRAMES]) for each in voices])
        motion = part - part[np.argsort(gap)[: FRAMES // 5]].mean(0)
        found.append(Talk(f"{path.stem}.{first}", mels, motion, said[2 * first :][: 2 * FRAMES]))
    return found


def speech(sound: Array) -> tuple[Array, Array] | None:
    """A reader: uint8 [mels, frames] and phones [frames / 2]; None where too little is heard."""
    mels = packed(log_mel(sound))
    frames = mels.shape[1] // 2
    phones = ear().phones(sound) if frames >= 2 * FRAMES else []
    return (mels[:, : 2 * frames], labels(phones, frames)) if phones else None


@cache
def ear() -> PhoneAligner:
    """One a process."""
    return PhoneAligner()


def noises_of(data: Path) -> Array:
    """Noise and other people, uint8 [n, mels, frames]."""
    items = [item for item in corpus.recordings(data) if item.split == "train"][::2]
    return np.stack([packed(log_mel(corpus.sized(item.samples, 80_000))) for item in items])


def write(
    out: Path, clips: Sequence[Talk], noise: Array, spoken: Sequence[tuple[Array, Array]]
) -> None:
    """The packed file of clips, their phones, noise and speech, as of ``speech``."""
    motion = np.stack([clip.motion for clip in clips])
    learned = max(1, len(motion) - VALID)
    units = units_of()
    shapes, _ = shapes_of(motion[:learned].reshape(-1, *motion.shape[2:]), Config().shapes)
    shapes *= reach_of(units)[:, None]
    flat = shapes[:, list(LIPS), :2].reshape(len(shapes), -1)
    moves = motion[:, :, list(LIPS), :2].reshape(*motion.shape[:2], -1) @ np.linalg.pinv(flat)
    heard = [each for each, _ in spoken] or [np.zeros((MELS, 0), np.uint8)]
    phones = [said for _, said in spoken] or [np.zeros(0)]
    with out.open("wb") as file:
        np.savez_compressed(
            file,
            mel=np.stack([clip.mels for clip in clips]),
            moves=moves.astype(np.float16),
            told=np.stack([clip.told for clip in clips]).astype(np.int8),
            names=np.array([clip.name for clip in clips]),
            shapes=shapes,
            units=units,
            noise=noise,
            spoken=np.concatenate(heard, 1),
            phones=np.concatenate(phones).astype(np.int8),
            ends=np.cumsum([each.shape[1] for each, _ in spoken], dtype=np.int64),
        )
