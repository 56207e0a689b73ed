"""A parametric head: who it is by a few named numbers, what it does by the 52 ARKit face units.

Vertices are metres; the origin lies midway between the eyes, x to the head's own left, y up,
z out of the face. The head, the neck, the chest, both eyeballs, teeth, tongue and lashes
come from MakeHuman's base mesh, the units from Mika Suominen's Face Units (all CC0).

Who: MakeHuman's macro-details, a shape for each sex x age x muscle x weight and one for
each origin x sex x age, mixed by products of hat functions (as Brégier et al., Anny, 2025), and
symmetrical local shapes that add. What: linear blend shapes named as in Apple's ARKit (2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from safetensors import safe_open

from avtool.values import Array

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "head.safetensors"

SEXES = ("female", "male")
AGES = ("child", "young", "old")
AGE_YEARS = (10.0, 25.0, 90.0)
MUSCLES = ("min", "average", "max")
WEIGHTS = ("min", "average", "max")
ORIGINS = ("african", "asian", "caucasian")
REGIONS = ("skin", "eye", "teeth", "tongue", "lash")

PHENOTYPE = {  # name: default; `sex` 0 is female, 1 male; `age` in years, 10 to 90
    "sex": 0.5,
    "age": 30.0,
    "muscle": 0.5,
    "weight": 0.5,
    "african": 1.0,  # shares of origin: only their proportions count
    "asian": 1.0,
    "caucasian": 1.0,
}

# fmt: off
UNITS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft",
    "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)
# fmt: on


@dataclass(frozen=True, eq=False)
class Head:
    """A head's shapes.

    Shape:
        mean: float32 [v, 3]; faces: int32 [f, 3], counter-clockwise seen from outside;
        region: uint8 [f], index into ``REGIONS``; paint: float32 [v, p], 0 to 1, named by
        ``paints``; basis: float32 [r, v, 3]; mix: float32 [72, r];
        local: float32 [l, v, 3], named by ``locals``; units: float32 [52, v, 3];
        uv: float32 [t, 2], from a texture's upper left corner, 0 to 1, each of the vertex
        uv_vertex [t]; uv_faces: int32 [f, 3], the same faces by their texture coordinates.
    """

    mean: Array
    faces: Array
    region: Array
    paint: Array
    paints: tuple[str, ...]
    basis: Array
    mix: Array
    local: Array
    locals: tuple[str, ...]
    units: Array
    uv: Array
    uv_vertex: Array
    uv_faces: Array

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names that an identity may give: the phenotype's, then the local shapes'."""
        return (*PHENOTYPE, *self.locals)

    def shape(self, identity: Mapping[str, float] | None = None) -> Array:
        """Vertices of someone at rest, float32 [v, 3].

        Args:
            identity: values by name: sex, muscle, weight 0 to 1, age in years, shares of origin,
                local shapes -1 to 1; what is not named has its default or 0.

        Raises:
            KeyError: a name that is no parameter.
        """
        given = dict(identity or {})
        values = {name: float(given.pop(name, default)) for name, default in PHENOTYPE.items()}
        amounts = np.zeros(len(self.locals), np.float32)
        for name, amount in given.items():
            if name not in self.locals:
                raise KeyError(f"{name!r} is no parameter of the head; {self.parameters} are")
            amounts[self.locals.index(name)] = amount
        coordinates = _mixture(values) @ self.mix
        moved = np.tensordot(coordinates, self.basis, 1) + np.tensordot(amounts, self.local, 1)
        return np.asarray(self.mean + moved, np.float32)

    def vertices(
        self,
        identity: Mapping[str, float] | Array | None = None,
        units: Mapping[str, float] | Array | None = None,
    ) -> Array:
        """Vertices of someone doing something, float32 [..., v, 3].

        Args:
            identity: as for ``shape``, or its answer [v, 3], to spare its cost at every frame.
            units: 0 to 1 by name, or an array [..., 52] in the order of ``UNITS``.

        Raises:
            KeyError: a name that is no parameter or no unit.
        """
        rest = identity if isinstance(identity, np.ndarray) else self.shape(identity)
        if units is None:
            return rest
        if isinstance(units, Mapping):
            units = activations(units)
        flat = np.asarray(units, np.float32) @ self.units.reshape(len(UNITS), -1)
        return np.asarray(rest + flat.reshape(*flat.shape[:-1], -1, 3), np.float32)

    def turned(self, vertices: Array, pitch: float, yaw: float, roll: float) -> Array:
        """The same with the head turned on its neck, angles in radians, float32 [v, 3].

        Positive pitch nods down, positive yaw turns to the head's left, positive roll tilts
        towards its left shoulder. The chest stays; the neck follows in part.
        """
        pivot = np.array([0.0, -0.075, -0.055], np.float32)
        cx, cy, cz = np.cos([pitch, yaw, roll])
        sx, sy, sz = np.sin([pitch, yaw, roll])
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
        rotation = (about_y @ about_x @ about_z).astype(np.float32)
        turned = (vertices - pivot) @ rotation.T + pivot
        follows = self._follows[:, None]
        return np.asarray(vertices + follows * (turned - vertices), np.float32)

    @cached_property
    def _follows(self) -> Array:
        """How far each vertex follows the head's turn, 0 (chest) to 1, float32 [v]."""
        return smooth(-0.20, -0.09, self.mean[:, 1] + 0.25 * np.minimum(self.mean[:, 2], 0))


def activations(units: Mapping[str, float]) -> Array:
    """Named units as an array, float32 [52].

    >>> activations({"browDownLeft": 0.5})[:2].tolist()
    [0.5, 0.0]
    """
    values = np.zeros(len(UNITS), np.float32)
    for name, value in units.items():
        if name not in UNITS:
            raise KeyError(f"{name!r} is no ARKit face unit")
        values[UNITS.index(name)] = value
    return values


def smooth(low: Array | float, high: Array | float, x: Array | float) -> Array:
    """0 at ``low`` and beyond, 1 at ``high`` and beyond, Hermite's cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _hats(value: float, knots: tuple[float, ...]) -> Array:
    """Weights of the knots for linear interpolation, float [len(knots)]."""
    return np.array([np.interp(value, knots, row) for row in np.eye(len(knots))])


def _mixture(values: Mapping[str, float]) -> Array:
    """Weights of the 72 macro shapes, float32 [72]."""
    sex = np.array([1 - values["sex"], values["sex"]])
    age = _hats(values["age"], AGE_YEARS)
    muscle = _hats(values["muscle"], (0, 0.5, 1))
    weight = _hats(values["weight"], (0, 0.5, 1))
    origin = np.array([values[name] for name in ORIGINS])
    origin = origin / origin.sum()
    body = np.einsum("s,a,m,w->samw", sex, age, muscle, weight)
    face = np.einsum("o,s,a->osa", origin, sex, age)
    return np.concatenate([body.ravel(), face.ravel()]).astype(np.float32)


@cache
def load(path: Path = WEIGHTS_PATH) -> Head:
    """The head that the package ships."""
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        notice = file.metadata()
    vertices = len(tensors["mean"])
    return Head(
        mean=tensors["mean"],
        faces=tensors["faces"].astype(np.int32),
        region=tensors["region"],
        paint=tensors["paint"].astype(np.float32) / 255,
        paints=tuple(notice["paint"].split()),
        basis=tensors["basis"].astype(np.float32),
        mix=tensors["mix"],
        local=_dense("local", tensors, vertices),
        locals=tuple(notice["local"].split()),
        units=_dense("unit", tensors, vertices),
        uv=tensors["uv"].astype(np.float32) / 65535,
        uv_vertex=tensors["uv.vertex"].astype(np.int32),
        uv_faces=tensors["uv.faces"].astype(np.int32),
    )


def _dense(name: str, tensors: Mapping[str, Array], vertices: int) -> Array:
    """Sparse fields of millimetres as metres, float32 [fields, v, 3]."""
    ends = tensors[f"{name}.end"].astype(int)
    fields = np.zeros((len(ends), vertices, 3), np.float32)
    for field, first, end in zip(fields, [0, *ends[:-1]], ends, strict=True):
        field[tensors[f"{name}.index"][first:end]] = tensors[f"{name}.offset"][first:end]
    return fields / 1000
