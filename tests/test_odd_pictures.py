"""Pictures that are very wide, very small, very large, or of 16 bits; absurd pixels."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Avtool, lavfi, naive, pictures
from PIL import Image

from avtool import media
from avtool.errors import MediaError
from avtool.media.image import read_picture
from avtool.media.packets import Packets
from avtool.media.probe import read_banner, tracks
from avtool.pipelines.localize import optical_flow


def facts(text: str) -> media.Info:
    (video,) = tracks(read_banner([f"  Stream #0:0: Video: {text}"]), Packets([]), 0.0)[1]
    return media.Info(Path("a.mkv"), "matroska", 1, 1.0, video=(video,))


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("SAR 16:1", (5120, 240)),
        ("SAR 1:16", (20, 240)),
        ("SAR 100:1", (320, 240)),
        ("SAR 1:30000", (320, 240)),
    ],
)
def test_absurd_pixels_are_square(said: str, size: tuple[int, int]) -> None:
    (video,) = facts(f"h264, yuv420p, 320x240 [{said} DAR 4:3], 25 fps").video
    assert (video.width, video.height) == size
    assert video.sample_aspect == Fraction(size[0], 320)


def test_absurd_pixels_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    naive(*lavfi("testsrc2=s=320x240:d=0.2,setsar=100/1:max=100"), "-c:v", "libx264", path)
    assert pictures(path).shape == (5, 240, 320, 3)
    assert "100 times as wide" in media.open(path).info.warnings[0]
    with pytest.raises(MediaError, match="taken as square"):
        list(media.open(path).clip(media.Spec(frames=True), strict=True).pictures().images())


def test_pictures_larger_than_any_are_refused() -> None:
    with pytest.raises(MediaError, match="pictures of 65000x2000 are too large; "):
        media.Media(facts("h264, yuv420p, 65000x2000, 25 fps"), "a.mkv").clip(
            media.Spec(frames=True, size=(64, 48))
        )


FLOW = """
import sys
import numpy as np
from avtool.pipelines.localize import optical_flow
for width, height in ((640, 64), (64, 640), (1280, 20), (64, 2), (1, 1), (2, 2), (32000, 240)):
    images = np.random.default_rng(0).integers(0, 255, (3, height, width, 3)).astype(np.uint8)
    assert len(list(optical_flow.fields(images, width, height))) == 3
"""


def test_wide_pictures_have_a_motion() -> None:
    import sys

    done = subprocess.run([sys.executable, "-c", FLOW], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr  # in a process of its own: OpenCV may take it down
    assert optical_flow.grid_of(1280, 160) == (8, 64)


@pytest.mark.parametrize("size", ["1x1", "2x2", "64x2"])
def test_localize_in_the_smallest_pictures(size: str, avtool: Avtool) -> None:
    both = [*lavfi(f"testsrc=s={size}:d=0.4"), *lavfi("sine=440:d=0.4")]
    naive(*both, "-c:v", "ffv1", "-c:a", "pcm_s16le", "small.mkv")
    ran = avtool("localize", "small.mkv")
    assert ran.code == 0, ran.err
    assert {Path(line).suffix for line in ran.lines} == {".mp4", ".png", ".json"}


def test_grey_of_16_bits_is_not_cut_off(tmp_path: Path) -> None:
    grey = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    for end in ("png", "tiff"):
        Image.fromarray(grey).save(tmp_path / f"grey.{end}")
        assert np.array_equal(read_picture(tmp_path / f"grey.{end}")[..., 1], grey >> 8)
