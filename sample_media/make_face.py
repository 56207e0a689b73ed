"""Make face.png, a portrait to give words to. Run in this folder.

A drawn person, nobody's likeness: avtool's own head (MakeHuman's shapes and Mika Suominen's face
units, CC0 1.0) by avtool's renderer. What comes out is ours to give (Apache-2.0 as the rest).

The face.png that is kept here was drawn by an earlier model of hair, and measurements stand on it:
a run now draws the same face under other hair.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from avtool.head import model
from avtool.head.hairdo import Hairdo
from avtool.head.render import Camera, render
from avtool.head.shade import Appearance

WIDTH, HEIGHT = 512, 640

IDENTITY = {
    "sex": 0.0,
    "age": 28,
    "caucasian": 0.35,
    "asian": 0.65,
    "african": 0.15,
    "mouth_corners": 0.35,
    "jaw_drop": -0.2,
    "eye_size": 0.4,
    "brow_height": -0.2,
    "forehead_height": -0.6,
}
LOOK = Appearance(
    skin=(0.56, 0.335, 0.225),
    lips=(0.44, 0.135, 0.115),
    hair=(0.028, 0.018, 0.014),
    iris=(0.075, 0.040, 0.020),
    shirt=(0.07, 0.20, 0.19),
    style=Hairdo(length=0.5, volume=0.0, curl=0.05, parting=0.35),
    background=((0.42, 0.37, 0.30), (0.17, 0.14, 0.11)),
)
# A face at rest is not slack.
REST = {
    "mouthSmileLeft": 0.04,
    "mouthSmileRight": 0.06,
    "mouthPressLeft": 0.3,
    "mouthPressRight": 0.3,
    "mouthShrugLower": 0.3,
    "browInnerUp": 0.08,
}


def main() -> None:
    head = model.load()
    vertices = head.turned(head.vertices(IDENTITY, REST), 0.012, 0.035, 0.01)
    camera = Camera(2 * WIDTH, 2 * HEIGHT, centre=(0.0, -0.04))
    image = Image.fromarray(render(head, vertices, LOOK, camera))
    image = image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    image.save(Path(__file__).parent / "face.png", optimize=True)


if __name__ == "__main__":
    main()
