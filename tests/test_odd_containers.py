"""Clocks that begin elsewhere, packets without times, pictures that an mp4 cannot hold."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Avtool, lavfi, naive, pictures, sound

from avtool import media


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts"])
def test_an_hour_before_the_first_picture(talk: Path, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"hour.{suffix}"
    naive("-i", talk, "-c", "copy", "-output_ts_offset", 3600, path)
    info = media.open(path).info
    assert info.duration == pytest.approx(2, abs=0.05)
    assert len(pictures(path)) == pytest.approx(50, abs=1)
    samples, truth = sound(path)[0], sound(talk)[0]
    assert len(samples) == pytest.approx(len(truth), abs=3000)


def test_pictures_without_times_have_the_rate_that_is_said(talk: Path, tmp_path: Path) -> None:
    path = tmp_path / "before.mkv"
    shift = ["-output_ts_offset", -0.5, "-avoid_negative_ts", "disabled"]
    naive("-i", talk, "-c", "copy", *shift, path)
    info = media.open(path).info
    assert (info.video[0].fps, info.video[0].variable) == (Fraction(25), False)
    assert info.duration == pytest.approx(2, abs=0.05)


def test_pictures_that_no_mp4_holds(avtool: Avtool) -> None:
    both = [*lavfi("testsrc2=s=160x120:d=0.4"), *lavfi("sine=440:d=0.4")]
    naive(*both, "-c:v", "prores_ks", "-c:a", "pcm_s16le", "a.mov")
    ran = avtool("separate", "--video", "a.mov")
    assert ran.code == 1 and ran.err.count("\n") == 1
    assert "(prores) that an mp4 cannot hold" in ran.err and "leave out --video" in ran.err


def test_the_same_bits_every_time(talk: Path) -> None:
    assert np.array_equal(sound(talk, rate=16000), sound(talk, rate=16000))
    assert np.array_equal(pictures(talk), pictures(talk))
