"""The page of a face: the head, which can be turned and says the sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from avtool.media import Clip
from avtool.page import Lane, Page
from avtool.pipelines import pipeline
from avtool.pipelines.speech2face.pipeline import Result
from avtool.save import save
from avtool.scratch import temporary_folder
from avtool.values import FPS, Mesh


def save_page(found: Result, clip: Clip, path: Path, title: str, device: str) -> None:
    """Write the page of what was found for a clip."""
    report = found.face.report
    low, high = report["age"]["interval80"]
    facts = {name: f"{name} {part:.0%}" for name, part in report["sex"].items()}
    facts["age"] = f"aged {low:.0f} to {high:.0f}"
    with temporary_folder() as folder:
        save(_speaking(found.mesh, clip, device), [folder / "head.glb"], name="head", title="")
        lanes = [Lane("Sound", voice=clip.sound())]
        page = Page(
            title,
            clip.duration or 0.0,
            lanes=lanes,
            head=folder / "head.glb",
            facts=facts,
            words="A plausible face for this voice, not a likeness.",
        )
        save(page, [path], name="face", title=title)


def _speaking(head: Mesh, clip: Clip, device: str) -> Mesh:
    """The head with the lip motion that `avtool lips` gives the clip."""
    lips = pipeline("lips")
    curves = lips.curves(lips.said(clip, lips.load(device=device)), FPS)
    places = [curves.names.index(name) for name in head.names]
    return replace(head, motion=np.ascontiguousarray(curves.amounts[:, places]), fps=FPS)
