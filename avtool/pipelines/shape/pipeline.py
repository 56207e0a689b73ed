"""`avtool shape`: one thing in six forms: views, voxels, parts, points, mesh, signed distance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from avtool.errors import InputError
from avtool.pipelines.shape import forms
from avtool.pipelines.shape.read import Form, told
from avtool.pipelines.shape.solid import (
    THIN,
    Pieces,
    distances,
    frame_of,
    pieces,
    sampled,
    thickness,
)
from avtool.pipelines.shape.values import (
    FORMS,
    Distances,
    Parts,
    Points,
    Shape,
    Surface,
    Views,
    Voxels,
)
from avtool.values import Array

if TYPE_CHECKING:
    from avtool.pipelines.shape.pointnet import PointNet
    from avtool.pipelines.shape.voxnet import VoxNet

KINDS = ("chair", "table", "lamp", "mug", "head")  # whose parts are known
LIKE = {"chair": "chair", "table": "table", "desk": "table"}  # of what VoxNet says
NAMED = 24  # pieces of a mesh that are parts of their own
CLOUDS, NEAR = 4, 8  # that say a thing's parts, and points that say a spot's
SPOTS = 20_000  # on all faces together, by which a face's part is told


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        to: the forms that are wanted, of views, voxels, parts, points, mesh and sdf; none is all.
        resolution: cells along a side of the grid, 16 to 192.
        points: of the cloud; views: how many, and view_size: how large each is, in pixels.
        up: the axis that is up in the file, y or z; auto is y in .obj and .glb, z in others.
        what: whether it is told what it is.
        parts: pieces of the mesh, or those of a chair, table, lamp, mug or head; auto is those of
            a chair or table where ``what`` says so, else the pieces.
        weights: VoxNet's, instead of those that ship.
    """

    to: tuple[str, ...] = ()
    resolution: int = 64
    points: int = 16384
    views: int = 24
    view_size: int = 256
    up: str = "auto"
    what: bool = False
    parts: str = "auto"
    weights: str | None = None

    def __post_init__(self) -> None:
        for form in self.to:
            if form not in FORMS:
                raise InputError(f"--to {form} is no form; there are {', '.join(FORMS)}")
        if not 16 <= self.resolution <= 192:
            raise InputError(f"--resolution {self.resolution}: a grid has 16 to 192 cells a side")
        if not 100 <= self.points <= 1_000_000:
            raise InputError(f"--points {self.points}: a cloud has 100 to 1,000,000 points")
        if not 4 <= self.views <= 100:
            raise InputError(f"--views {self.views}: there are 4 to 100")
        if not 32 <= self.view_size <= 1024:
            raise InputError(
                f"--view-size {self.view_size}: pictures have 32 to 1024 pixels a side"
            )
        if self.up not in ("auto", "y", "z"):
            raise InputError(f"--up {self.up} is no axis that can be up; it is auto, y or z")
        if self.parts not in ("auto", "pieces", *KINDS):
            known = ", ".join(("auto", "pieces", *KINDS))
            raise InputError(f"--parts {self.parts} is unknown; there are {known}")


@dataclass(frozen=True, eq=False)
class Models:
    """The networks that the options need."""

    voxnet: VoxNet | None = None
    pointnet: PointNet | None = None


def load(options: Options, device: str = "cpu") -> Models:
    """Read the networks, if any is needed."""
    if not options.what and options.parts not in KINDS:
        return Models()
    from avtool.models import weights
    from avtool.pipelines.shape.pointnet import PointNet
    from avtool.pipelines.shape.voxnet import VoxNet

    voxnet = weights.load(VoxNet, options.weights, device) if options.what else None
    pieces_only = options.parts == "pieces"
    return Models(voxnet, None if pieces_only else weights.load(PointNet, None, device))


class Forms:
    """A thing in all forms, each made when it is first asked for."""

    def __init__(self, given: Form, options: Options, models: Models = Models()) -> None:
        self.given, self._options, self._models = given, options, models

    @cached_property
    def mesh(self) -> Surface:
        return forms.mesh_of(self.given, self._options.resolution)

    @cached_property
    def _pieces(self) -> Pieces:
        return pieces(self.mesh)

    @cached_property
    def sdf(self) -> Distances:
        return forms.sdf_of(self.given, self.mesh, self._options.resolution)

    @cached_property
    def voxels(self) -> Voxels:
        return forms.voxels_of(self.given, self.sdf)

    @cached_property
    def points(self) -> Points:
        return forms.points_of(self.given, self.mesh, self.sdf, self._options.points)

    @cached_property
    def views(self) -> Views:
        from avtool.pipelines.shape.render import views_of

        if isinstance(self.given, Views):
            return self.given
        solid = None if self._pieces.closed.all() else self._outside
        return views_of(self.mesh, self._options.views, self._options.view_size, solid)

    @cached_property
    def what(self) -> dict[str, float]:
        """Probabilities of VoxNet's kinds, the likeliest first; none where it is not asked."""
        if self._models.voxnet is None:
            return {}
        import torch

        from avtool.pipelines.shape.voxnet import KINDS as TOLD

        grid = torch.from_numpy(occupied(self.given, self.mesh).astype(np.float32))[None]
        likely = self._models.voxnet.vote(grid)[0].numpy()
        return {TOLD[n]: float(likely[n]) for n in np.argsort(-likely)}

    @cached_property
    def parts(self) -> Parts:
        kind = self._options.parts
        if kind == "auto":
            best = next(iter(self.what), "")
            kind = LIKE.get(best, "pieces") if self.what.get(best, 0) > 0.5 else "pieces"
        if kind == "pieces" or self._models.pointnet is None:
            return by_pieces(self.mesh, self._pieces)
        return by_network(self.mesh, self._outside, kind, self._models.pointnet)

    @cached_property
    def _outside(self) -> Surface:
        """The surface that is seen: without what lies inside."""
        parted = self._pieces
        if len(parted.closed) == 1 and parted.closed.all():
            return self.mesh
        return forms.contour(self.sdf.values, self.sdf.frame)

    @property
    def says(self) -> tuple[str, ...]:
        """What is to be known of it: whether it is open, and what is too thin for the grid."""
        parted, frame = self._pieces, self.sdf.frame
        thick = thickness(self.mesh, parted)
        count = int((parted.closed & (thick < THIN * frame.cell)).sum())
        if not count:
            return told(parted.closed)
        which = f"{count} of its pieces " + ("is" if count == 1 else "are")
        if len(parted.closed) == 1:
            which = "it is"
        thin = f"{which} thinner than a cell of {frame.side}, and made that thick"
        return (*told(parted.closed), thin)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of it, as JSON has it."""
        mesh, frame = self.mesh, self.sdf.frame
        closed = bool(self._pieces.closed.all())
        volume = mesh.volume if closed else float(self.voxels.full.sum()) * frame.cell**3
        size = np.ptp(mesh.vertices, axis=0)
        return {
            "watertight": closed,
            "says": list(self.says),
            "pieces": len(self._pieces.closed),
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "size": [float(f"{side:.6g}") for side in size],
            "area": float(f"{mesh.area:.6g}"),
            "volume": float(f"{volume:.6g}"),
            "volume of": "the mesh" if closed else "the full cells",
            "cells": int(self.voxels.full.sum()),
            "resolution": frame.side,
            **({"what": {kind: round(p, 4) for kind, p in self.what.items()}} if self.what else {}),
            "parts": dict(
                zip(
                    self.parts.names,
                    np.bincount(self.parts.part, minlength=len(self.parts.names)).tolist(),
                    strict=True,
                )
            ),
        }

    def shape(self) -> Shape:
        """All of it."""
        return Shape(
            self.views, self.voxels, self.parts, self.points, self.mesh, self.sdf, self.facts
        )


def by_pieces(mesh: Surface, parted: Pieces) -> Parts:
    """A mesh by what hangs together, the largest first."""
    spans = np.linalg.norm(mesh.spans, axis=1)
    area = np.bincount(parted.label, spans)
    rank = np.empty(len(area), int)
    rank[np.argsort(-area)] = np.arange(len(area))
    part = np.minimum(rank[parted.label], NAMED)
    names = [f"piece {n + 1}" for n in range(min(len(area), NAMED))]
    return Parts(mesh, part, (*names, "others") if len(area) > NAMED else tuple(names))


def by_network(mesh: Surface, outside: Surface, kind: str, network: PointNet) -> Parts:
    """A mesh by the parts that PointNet says the points near each face belong to."""
    import torch
    from scipy.spatial import cKDTree

    from avtool.pipelines.shape.pointnet import FIRST, PARTS, POINTS, centred
    from avtool.pipelines.shape.pointnet import KINDS as TOLD

    rng = np.random.default_rng(0)
    places, _ = sampled(outside.corners, CLOUDS * POINTS, rng)
    order = rng.permutation(len(places)).reshape(CLOUDS, POINTS)
    device = next(network.parameters()).device
    clouds = centred(torch.from_numpy(places[order].astype(np.float32))).to(device)
    with torch.no_grad():
        outputs, whole = network.heard(clouds)
        kinds = torch.full((CLOUDS,), TOLD.index(kind), device=device)
        likely = network.parts(outputs, whole, kinds).exp().flatten(0, 1).cpu().numpy()
        sure = float(network.kinds(whole).exp().mean(0)[TOLD.index(kind)])
    names = PARTS[kind]
    likely = likely[:, FIRST[kind] : FIRST[kind] + len(names)]
    tree = cKDTree(places[order.ravel()])
    # A face has what most of it has: it may be large, and its middle close to another part.
    spots, owner = sampled(mesh.corners, SPOTS, rng)
    spots = np.concatenate([spots, mesh.corners.mean(1)])
    owner = np.append(owner, np.arange(len(mesh.faces)))
    _, near = tree.query(spots, NEAR)
    votes = np.zeros((len(mesh.faces), len(names)))
    np.add.at(votes, owner, likely[near].sum(1))
    part: Array = votes.argmax(1)
    return Parts(mesh, part, names, kind, sure)


def occupied(given: Form, mesh: Surface) -> Array:
    """The grid that VoxNet knows, bool [32, 32, 32]: the inside, and the cells that the surface
    passes through, the longest side 24 cells.
    """
    from avtool.pipelines.shape.voxnet import LONGEST, SIDE

    if isinstance(given, Voxels):
        cells = np.argwhere(given.full)
        low, high = cells.min(0), cells.max(0) + 1
        if (high - low).max() == LONGEST:
            full = np.zeros((SIDE,) * 3, bool)
            first = (SIDE - (high - low)) // 2
            full[tuple((cells - low + first).T)] = True
            return full
    frame = frame_of(mesh.vertices, SIDE, (SIDE - LONGEST + 1) / 2)
    return np.asarray(distances(mesh, frame).values < 0.5 * frame.cell)
