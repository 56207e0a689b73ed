"""How long `avtool search` looks through a large index: random places, 100 moments a film.

python tests/bench/search.py [--films 1000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from avtool.pipelines.search import pipeline
from avtool.pipelines.search.index import Entry, Index

EACH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=1000)
    given = parser.parse_args()
    models = pipeline.load()
    query = pipeline.Query("two dogs play in snow")
    place = pipeline.asked(query, models).place
    assert place is not None
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        index, paths = Index(Path(folder, "index"), "bench"), []
        for n in range(given.films):
            paths.append(Path(folder, f"{n}.mp4"))
            paths[-1].touch()
            places = rng.normal(0, len(place) ** -0.5, (EACH, len(place))).astype(np.float16)
            times = np.zeros((EACH, 3), np.float32)
            index.add(Entry(paths[-1], True, times, places, places[:, :64], []))
        for _ in range(3):
            began, spent = time.perf_counter(), time.process_time()
            entries = list(index.entries(paths))
            read = time.perf_counter() - began
            hits = pipeline.ranked(entries, query, pipeline.asked(query, models), models)
            print(
                f"{hits.looked} moments: {time.perf_counter() - began:.2f} s, of them "
                f"{read:.2f} s to read the index; {time.process_time() - spent:.2f} s of processor"
            )
        size = Path(folder, "index").stat().st_size
        print(f"index: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
