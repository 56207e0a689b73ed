"""What the lip motion learns from: meshes that talk, and what is heard, in one packed file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avtool import media
from avtool.faces import LIPS
from avtool.head.model import UNITS, smooth
from avtool.models.lipmotion import PHONES, Config
from avtool.pipelines import faces, mel
from avtool.pipelines import film as filming
from avtool.pipelines.hearing import FPS, RATE, opening
from avtool.pipelines.speech import HEARD
from avtool.training import corpus
from avtool.training.lipvoice import VALID
from avtool.values import Array, Audio

VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg"}
FRAMES = 75  # pictures of a clip; the sound's frames are four times as many
STEPS, LEAST = 8.0, -23.0  # log-mel in a byte: nepers from the least, in eighths
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
    return mel.run(clip, HEARD).mel.values


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
    from avtool.faces import Detector, Landmarker
    from avtool.faces.detect import whole
    from avtool.head import model
    from avtool.head.raster import rasterise
    from avtool.head.render import Camera, render
    from avtool.head.shade import Look

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
        image = render(head, vertices, Look(), camera)
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


def pack(data: Path, out: Path, spoken: Path | None) -> None:
    """Write what is learned from to one file, no pickle."""
    from avtool.training.throats import other_throats

    rng = np.random.default_rng(0)
    mels, motion, names = [], [], []
    place = data / "grid" / "s1" if (data / "grid" / "s1").is_dir() else data
    files = sorted(path for path in place.rglob("*") if path.suffix.lower() in VIDEOS)
    for path in files:
        source = media.open(path)
        if not (source.info.audio and source.info.video):
            continue
        clip = source.clip(faces.SPEC)
        tracks = faces.find(clip)
        if len(tracks) != 1 or clip.audio is None or clip.frames is None:
            continue
        own = filming.meshes(clip.frames, tracks[0])
        sound = clip.audio.samples[0]
        for first in range(0, len(own) - FRAMES + 1, FRAMES):
            gap = opening(own[first : first + FRAMES, list(LIPS)])
            if not np.isfinite(gap).all():
                continue  # the face is not seen all the time
            part = own[first : first + FRAMES]
            motion.append(part - part[np.argsort(gap)[: FRAMES // 5]].mean(0))
            begin = first * RATE // FPS
            own_voice = corpus.sized(sound[begin : begin + FRAMES * RATE // FPS], 48_000)
            voices = [own_voice, *other_throats(rng, own_voice)]
            mels.append([packed(log_mel(each)[:, : 4 * FRAMES]) for each in voices])
            names.append(f"{path.stem}.{first}")
    write(out, np.array(mels), np.array(motion), names, noises_of(data), spoken)


def noises_of(data: Path) -> Array:
    """Noise and other people, uint8 [n, mels, frames]."""
    items = [item for item in corpus.recordings(data) if item.split == "train"]
    return np.stack([packed(log_mel(corpus.sized(item.samples, 80_000))) for item in items])


def write(
    out: Path, mels: Array, motion: Array, names: Sequence[str], noise: Array, spoken: Path | None
) -> None:
    """The packed file of log-mels, meshes' motion [clips, frames, 468, 3], noise and speech."""
    learned = max(1, len(motion) - VALID)
    units = units_of()
    shapes, _ = shapes_of(motion[:learned].reshape(-1, *motion.shape[2:]), Config().shapes)
    shapes *= reach_of(units)[:, None]
    flat = shapes[:, list(LIPS), :2].reshape(len(shapes), -1)
    moves = motion[:, :, list(LIPS), :2].reshape(*motion.shape[:2], -1) @ np.linalg.pinv(flat)
    heard, phones, ends = [], [], []
    if spoken is not None:
        with np.load(spoken) as file:
            first, count, told = file["first"], file["count"], file["phones"]
            sound = file["sound"]
        for begin, length, text in zip(first, count, told, strict=True):
            each = log_mel(sound[begin : begin + length].astype(np.float32) / 32768)
            each = each[:, : each.shape[1] // 2 * 2]
            if each.shape[1] >= 4 * FRAMES:
                heard.append(packed(each))
                phones.append(labels(json.loads(str(text)), each.shape[1] // 2))
                ends.append(each.shape[1])
    nothing = np.zeros((mels.shape[2], 0), np.uint8)
    with out.open("wb") as file_:
        np.savez_compressed(
            file_,
            mel=mels,
            moves=moves.astype(np.float16),
            names=np.array(names),
            shapes=shapes,
            units=units,
            noise=noise,
            spoken=np.concatenate([nothing, *heard], 1),
            phones=np.concatenate([np.zeros(0, np.int64), *phones]).astype(np.int8),
            ends=np.cumsum(ends, dtype=np.int64),
        )


def labels(phones: Sequence[tuple[str, float, float]], frames: int) -> Array:
    """The phone of each fiftieth of a second, int64 [frames], of (ARPABET, start, end) in s."""
    found = np.full(frames, PHONES.index("SIL"))
    for phone, start, end in phones:
        found[max(0, round(50 * start)) : max(0, round(50 * end))] = PHONES.index(phone)
    return found
