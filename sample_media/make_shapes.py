"""Make shapes.png: a drawn scene as `avtool ask` knows them.

python sample_media/make_shapes.py
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from PIL import Image

from avtool.pipelines.ask.train.questions import asked
from avtool.pipelines.ask.train.scenes import drawn, scene

if __name__ == "__main__":
    rng = Random(2026)
    while True:  # the first one that has something behind something, and six things
        made = scene(rng)
        if made.behind and len(made.things) == 6:
            break
    Image.fromarray(drawn(made, 512)).save(Path(__file__).with_name("shapes.png"), optimize=True)
    for question in asked(made, rng, 12):
        print(question.text, question.answer)
