"""What a living head does besides speaking: it sways, nods at what is stressed, and blinks."""

from __future__ import annotations

import numpy as np

from avtool.head.model import UNITS
from avtool.pipelines.lips.speech_to_motion import Motion
from avtool.values import Array

SEED = 7  # the same face and speech give the same pictures
PIVOT = np.array([0.0, 0.85, 0.9], np.float32)  # of the head on its neck, head coordinates
SWAY = (0.010, 0.022, 0.012)  # radians: nod, shake, tilt
NOD = 0.02  # radians, where the mouth has been wide open
STEP = 0.02  # seconds from one of the stresses to the next
BLINK = 0.24  # seconds
PAUSE = (1.8, 4.5)  # seconds from one blink to the next
OPEN = 0.06  # eyes' distances between lids: 0.06 to 0.13 on people, 0.05 to 0.07 half shut
EYES = {"eyeBlinkRight": (159, 145), "eyeBlinkLeft": (386, 374)}  # middles of the lids


def eyes_open(own: Array) -> bool:
    """Whether both eyes of a mesh [468, 3] in head coordinates are open enough to blink."""
    return all(float(own[lower, 1] - own[upper, 1]) > OPEN for upper, lower in EYES.values())


class IdleMotion:
    """How a head and its eyes move while it speaks.

    Args:
        own: float32 [468, 3], the face at rest in head coordinates.
    """

    def __init__(self, moved: Motion, own: Array | None = None) -> None:
        rng = np.random.default_rng(SEED)
        self._pace = rng.uniform([0.10, 0.2, 0.35], [0.16, 0.3, 0.5], (3, 3))  # Hz
        self._phase = rng.uniform(0, 2 * np.pi, (3, 3))
        times = np.arange(0, moved.seconds + 2, STEP)
        wide = moved.at(times) @ moved.shapes[:, 17, 1]
        window = np.hanning(51)
        stress = np.convolve(wide, window / window.sum(), "same")
        self._stress = stress / max(float(np.abs(stress).max()), 1e-6)
        pauses = rng.uniform(*PAUSE, 1 + int(moved.seconds))
        self._blinks = np.cumsum(pauses) - 0.5
        self._lids = np.zeros((468, 3), np.float32)
        if own is not None:
            for name, (upper, lower) in EYES.items():
                unit = moved.units[UNITS.index(name)]
                closes = float(unit[upper, 1] - unit[lower, 1])
                if closes > 1e-3 and eyes_open(own):
                    self._lids += unit * float((own[lower, 1] - own[upper, 1]) / closes)

    def turn(self, time: float) -> tuple[float, float, float]:
        """Nod, shake and tilt in radians at a time in seconds; at first there is none."""
        waves = np.sin(2 * np.pi * self._pace * time + self._phase) - np.sin(self._phase)
        pitch, yaw, roll = (float(part) for part in np.array(SWAY) * waves.mean(1))
        nods = np.interp(time, np.arange(len(self._stress)) * STEP, self._stress)
        return pitch + NOD * float(nods), yaw, roll

    def blink(self, time: float) -> float:
        """How far the eyes are closed, 0 to 1: down faster than up."""
        since = (time - self._blinks) / BLINK
        now = since[(since > 0) & (since < 1)]
        if not len(now):
            return 0.0
        x = float(now[0])
        return float(np.sin(np.pi / 2 * min(x / 0.4, (1 - x) / 0.6, 1.0)) ** 2)

    def pose_at(self, own: Array, time: float) -> Array:
        """The face [468, 3] in head coordinates at a time."""
        pitch, yaw, roll = self.turn(time)
        (cx, cy, cz), (sx, sy, sz) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        turned = (own + self.blink(time) * self._lids - PIVOT) @ (about_z @ about_y @ about_x).T
        return np.asarray(turned + PIVOT, np.float32)
