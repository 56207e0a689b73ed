"""From pictures to faces with a number each: who is where, and what the lips do.

Between key frames each face's mesh is found where the last one was. At key frames the detector
looks at the whole picture and at some of its tiles for faces that no mesh follows yet. A face
that got lost (hidden, turned away, gone, cut) waits; a newly found one that fits it in place and
size, or looks the same, takes up its number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from avtool.face.align import align, lips
from avtool.face.appearance import Appearance, Look, overlap
from avtool.face.detect import Detector, iou, tiles, whole
from avtool.face.detect import Square as Tile
from avtool.face.landmarks import Landmarker, Square, cut
from avtool.face.tracks import Track
from avtool.signal.cut import Cuts
from avtool.values import Array

KEY = 0.2  # seconds from one look of the detector to the next
ROUND = 11  # key frames until every tile was looked at
TILES = (640, 320)  # sides in a picture of 1280 pixels, in proportion in larger ones
SAME = 0.5  # IoU above which two meshes are one face
STRANGER = 2.0  # distance of looks beyond which a mesh may be on somebody else
FOLLOWED = 0.5  # IoU with the picture before, above which a mesh was followed and has not jumped
NEAR = 3.0  # seconds that a lost face is waited for in its place
BRIDGE = 0.4  # seconds; shorter gaps are filled
SHORTEST = 0.3  # seconds; shorter tracks are false alarms
TOGETHER = 0.5  # seconds; faces that appear within it are numbered from left to right
DOUBT = 2.0  # seconds that a mesh is believed without the detector
PORTRAIT = 160  # pixels


def track(images: Iterable[Array], fps: float = 25.0) -> list[Track]:
    """The faces in pictures, uint8 RGB [height, width, 3], in the order of their numbers.

    Memory: 0.5 KB for each face in each picture; the pictures are not kept.
    """
    tracker = Tracker(fps)
    for image in images:
        tracker.step(image)
    return tracker.tracks()


@dataclass(eq=False)
class _Face:
    """A track in the making; its rows are kept as bytes."""

    look: Look
    appearance: Appearance  # its usual look
    latest: Appearance  # its look at the last key frame
    last: int  # picture it was last seen in
    confirmed: int  # picture in which the detector last agreed
    velocity: Array = field(default_factory=lambda: np.zeros(2))  # pixels a picture
    jumped: bool = False  # since the last key frame
    lost: bool = False
    cut: bool = False  # the shot has changed since it was lost, so its place means nothing
    frames: list[int] = field(default_factory=list)
    boxes: bytearray = field(default_factory=bytearray)
    lips: bytearray = field(default_factory=bytearray)
    scores: list[float] = field(default_factory=list)
    portrait: Array | None = None
    portrait_frame: int = 0
    quality: float = 0.0

    @property
    def side(self) -> float:
        return float((self.look.box[2:] - self.look.box[:2]).max())

    def place(self, frame: int, fps: float) -> Array:
        """Its middle by constant velocity, which is believed for half a second."""
        ahead = min(frame - self.last, fps / 2)
        middle: Array = (self.look.box[:2] + self.look.box[2:]) / 2 + self.velocity * ahead
        return middle

    def add(self, frame: int, look: Look) -> None:
        moved = (look.box[:2] + look.box[2:] - self.look.box[:2] - self.look.box[2:]) / 2
        steady = not self.lost and frame == self.last + 1
        self.velocity = 0.5 * self.velocity + 0.5 * moved if steady else np.zeros(2)
        self.look, self.last, self.lost, self.cut = look, frame, False, False
        self.frames.append(frame)
        self.boxes += look.box.tobytes()
        self.lips += lips(look.points).tobytes()
        self.scores.append(look.score)

    def sit(self, frame: int, image: Array) -> None:
        """Take this picture as the portrait if it is the best so far."""
        frontal = max(float(align(self.look.points)[1][2, 2]), 0.0)
        side = self.side
        middle = (self.look.box[:2] + self.look.box[2:]) / 2 - np.array([0, 0.1 * side])
        half = min(1.7 * side, *image.shape[:2]) / 2  # a whole picture has no smeared edge
        x, y = np.clip(middle, half, np.array(image.shape[1::-1]) - half)
        picture = cut(image, Square(float(x), float(y), 2 * half), PORTRAIT)
        grey = picture.mean(2)[PORTRAIT // 4 : -PORTRAIT // 4, PORTRAIT // 4 : -PORTRAIT // 4]
        sharp = float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())
        quality = frontal**4 * min(1.0, side / PORTRAIT) * sharp
        if self.portrait is None or quality > self.quality:
            self.portrait, self.portrait_frame, self.quality = picture, frame, quality


class Tracker:
    """Takes pictures one by one; ``tracks`` may be asked at any time.

    Args:
        fps: pictures a second.
        detector, landmarker: what finds faces and meshes; a test may bring its own.
    """

    def __init__(
        self, fps: float, detector: Detector | None = None, landmarker: Landmarker | None = None
    ) -> None:
        self._fps = fps
        self._key = max(1, round(KEY * fps))  # frames
        self._detector = detector or Detector()
        self._landmarker = landmarker or Landmarker()
        self._frame = 0
        self._faces: list[_Face] = []
        self._cuts = Cuts(48)
        self._turn = 0  # whose tiles' turn it is

    def step(self, image: Array) -> None:
        """Look at the next picture, uint8 RGB [height, width, 3]."""
        frame = self._frame
        self._frame += 1
        is_cut = self._cuts.begins(image)
        if is_cut:
            for face in self._faces:
                face.lost = face.cut = True
        looks: dict[_Face, Look] = {}
        for face in self._faces:
            if not face.lost:
                old, (dx, dy) = face.look.square, face.velocity
                ahead = Square(old.x + float(dx), old.y + float(dy), old.side, old.angle)
                look = Look.at(self._landmarker, image, ahead, 1)
                if look is None:
                    face.lost = True
                else:
                    face.jumped |= overlap(face.look, look) < FOLLOWED
                    looks[face] = look
        self._untangle(image, looks)
        if is_cut or frame % self._key == 0:
            self._recognise(image, looks)
            self._discover(image, looks, is_cut or frame == 0)
        for face, look in looks.items():
            face.add(frame, look)
            if frame % self._key == 0 or face.portrait is None:
                face.sit(frame, image)
        # A short track that nothing takes up again is a false alarm; drop it for good.
        self._faces = [
            face
            for face in self._faces
            if len(face.frames) >= SHORTEST * self._fps
            or frame - face.last <= NEAR * self._fps
            or frame < self._fps
        ]

    def _untangle(self, image: Array, looks: dict[_Face, Look]) -> None:
        """Where two meshes fell on one face, the track that looks like it keeps it."""
        faces = list(looks)
        for i, one in enumerate(faces):
            for two in faces[i + 1 :]:
                if one in looks and two in looks and overlap(looks[one], looks[two]) > SAME:
                    keeps = min((one, two), key=lambda f: self._distance(image, f, looks[f]))
                    hidden = two if keeps is one else one
                    hidden.lost = True
                    del looks[hidden]

    def _distance(self, image: Array, face: _Face, look: Look) -> float:
        return face.appearance.distance(Appearance.of(image, look))

    def _recognise(self, image: Array, looks: dict[_Face, Look]) -> None:
        """Lose the tracks whose mesh is on somebody else, learn how the others look.

        A face that bends or turns may look like nobody it was, but its mesh does not jump. So a
        mesh that was followed outweighs the look, unless another face is near.
        """
        for face, look in list(looks.items()):
            seen = Appearance.of(image, look)
            near = any(overlap(look, other) for f, other in looks.items() if f is not face)
            if face.appearance.distance(seen) > STRANGER and (near or face.jumped):
                face.lost = True
                del looks[face]
            else:
                face.latest, face.jumped = seen, False
                if not near:
                    face.appearance = face.appearance.blend(seen, 0.2)

    def _discover(self, image: Array, looks: dict[_Face, Look], everywhere: bool) -> None:
        """Let the detector look; give each face that has no mesh its old track or a new one."""
        frame = self._frame - 1
        found = self._detector(image, self._squares(image, looks, everywhere))
        fresh: list[Look] = []
        for box, points in zip(found.boxes, found.keypoints, strict=True):
            followed = [face for face, look in looks.items() if _same(box, look.box)]
            for face in followed:
                face.confirmed = frame
            if not followed:
                corners = box[[0, 1, 2, 1, 0, 3, 2, 3]].reshape(4, 2)
                look = Look.at(self._landmarker, image, Square.around(corners, points[:2]), 3)
                others = [*looks.values(), *fresh]
                if look and not any(overlap(look, other) > SAME for other in others):
                    fresh.append(look)
        for face in list(looks):
            if frame - face.confirmed > DOUBT * self._fps:
                face.lost = True
                del looks[face]
        seen = [Appearance.of(image, look) for look in fresh]
        pairs = [
            (cost, f, k)
            for f, face in enumerate(self._faces)
            for k, look in enumerate(fresh)
            if face.lost and (cost := self._cost(face, look, seen[k])) is not None
        ]
        taken: set[int] = set()
        for _, f, k in sorted(pairs):
            if self._faces[f] not in looks and k not in taken:
                taken.add(k)
                looks[self._faces[f]] = fresh[k]
                self._faces[f].confirmed = frame
        for k, look in enumerate(fresh):
            if k not in taken:
                face = _Face(look, seen[k], seen[k], frame, frame)
                self._faces.append(face)
                looks[face] = look

    def _cost(self, face: _Face, look: Look, seen: Appearance) -> float | None:
        """How badly a lost face fits a found one; None if it is somebody else."""
        frame = self._frame - 1
        gap = (frame - face.last) / self._fps
        distance = face.appearance.distance(seen)
        if not face.cut:
            distance = min(distance, face.latest.distance(seen))
        limit = STRANGER * (1 + max(0.0, 1 - gap))  # at once in the same place: hardly another one
        middle = (look.box[:2] + look.box[2:]) / 2
        side = float((look.box[2:] - look.box[:2]).max())
        off = float(np.hypot(*(middle - face.place(frame, self._fps)))) / max(side, face.side)
        alike = 0.6 < side / face.side < 1.6
        if not face.cut and gap < NEAR and alike and off < 1 + gap and distance < limit:
            return distance - 1 + 0.3 * off
        return distance if distance < 1 else None

    def _squares(self, image: Array, looks: dict[_Face, Look], everywhere: bool) -> list[Tile]:
        """Where the detector looks: all of the picture, some tiles, and for small lost faces."""
        height, width = image.shape[:2]
        scale = max(1.0, max(height, width) / 1280)
        every = [tile for side in TILES for tile in tiles(height, width, round(side * scale))]
        squares = [whole(height, width)]
        if everywhere:
            return squares + every
        some = -(-len(every) // ROUND)
        squares += [every[(self._turn + k) % len(every)] for k in range(some)]
        self._turn += some
        frame = self._frame - 1
        for face in self._faces:
            since, wait = (face.last, 0.0) if face.lost else (face.confirmed, DOUBT / 2)
            due = wait <= (frame - since) / self._fps < NEAR
            if due and not face.cut and 8 * face.side < squares[0][2]:
                x, y = face.place(frame, self._fps)
                side = round(4 * face.side)
                squares.append((round(float(x)) - side // 2, round(float(y)) - side // 2, side))
        return squares

    def tracks(self) -> list[Track]:
        """The faces so far, by their numbers."""
        least = min(SHORTEST * self._fps, self._frame / 2)
        left = sorted(
            (face for face in self._faces if len(face.frames) >= least), key=lambda f: f.frames[0]
        )
        ordered: list[_Face] = []
        while left:
            until = left[0].frames[0] + TOGETHER * self._fps
            group = [face for face in left if face.frames[0] <= until]
            left = left[len(group) :]
            ordered += sorted(group, key=lambda f: float(np.frombuffer(f.boxes, "f4")[:4:2].sum()))
        return [self._finished(face, number, ordered) for number, face in enumerate(ordered, 1)]

    def _finished(self, face: _Face, number: int, others: list[_Face]) -> Track:
        frames = np.array(face.frames, np.int64)
        boxes = np.frombuffer(bytes(face.boxes), np.float32).reshape(-1, 4)
        points = np.frombuffer(bytes(face.lips), np.float32).reshape(-1, 40, 3)
        scores = np.array(face.scores, np.float32)
        # Fill short gaps, but none over which the face jumped.
        steps, moved = np.diff(frames), np.abs(np.diff(boxes, axis=0)).max(1)
        short = (steps > 1) & (steps <= BRIDGE * self._fps + 1)
        short &= moved < (boxes[:-1, 2:] - boxes[:-1, :2]).max(1)
        if short.any():
            extra = np.concatenate(
                [np.arange(frames[k] + 1, frames[k + 1]) for k in np.flatnonzero(short)]
            )
            extra = extra[~_filled(extra, boxes, frames, [o for o in others if o is not face])]
            after = np.searchsorted(frames, extra)
            part = (extra - frames[after - 1]) / (frames[after] - frames[after - 1])

            def filled(rows: Array) -> Array:
                share = part.reshape(-1, *[1] * (rows.ndim - 1)).astype(np.float32)
                return np.insert(
                    rows, after, rows[after - 1] * (1 - share) + rows[after] * share, 0
                )

            boxes, points = filled(boxes), filled(points)
            scores, frames = np.insert(scores, after, 0), np.insert(frames, after, extra)
        assert face.portrait is not None
        return Track(number, frames, boxes, points, scores, face.portrait, face.portrait_frame)


def _filled(extra: Array, boxes: Array, frames: Array, others: list[_Face]) -> Array:
    """Which pictures of a face's gaps show another track in its place: bool [pictures]."""
    place = boxes[np.searchsorted(frames, extra) - 1]
    found = np.zeros(len(extra), bool)
    for other in others:
        at = {frame: n for n, frame in enumerate(other.frames)}
        theirs = np.frombuffer(bytes(other.boxes), np.float32).reshape(-1, 4)
        for n, frame in enumerate(extra.tolist()):
            if frame in at:
                found[n] |= bool(iou(place[n][None], theirs[at[frame]][None])[0, 0] > SAME / 2)
    return found


def _same(detected: Array, followed: Array) -> bool:
    """Whether the detector's box and a mesh's are of one face: their middles agree."""
    off = np.abs(detected[:2] + detected[2:] - followed[:2] - followed[2:]) / 2
    side = (followed[2:] - followed[:2]).max()
    return bool((off < 0.4 * side).all() and 0.5 < (detected[2] - detected[0]) / side < 2)
