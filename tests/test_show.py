"""`avtool show`: what is in a page, and what real browsers make of it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from browser import Browser, missing
from conftest import Avtool, naive, sine_wav
from PIL import Image

import avtool as house
from avtool import app
from avtool.page import Film, Heat, Lane, Page, pack
from avtool.save import save
from avtool.values import Audio

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_media"
FILM = SAMPLE / "cocktail.mp4"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">&amp;.mp4"
# Each page keeps what goes to the loudspeaker, and what its policy forbids.
WATCH = """() => {
  window.faults = [];
  addEventListener("error", (event) => faults.push(String(event.message)));
  addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
  document.addEventListener("securitypolicyviolation", (event) => faults.push(event.blockedURI));
  const own = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode && to.context instanceof AudioContext)
      window.output = this;
    this.into = to;
    return own.call(this, to, ...more);
  };
  const begin = AudioBufferSourceNode.prototype.start;
  window.started = [];
  AudioBufferSourceNode.prototype.start = function (when, offset, length) {
    started.push({ source: this, when, offset, length });
    return begin.call(this, when, offset, length);
  };
  const letters = (bytes) => {
    let found = "";
    for (const byte of new Uint8Array(bytes)) found += String.fromCharCode(byte);
    return btoa(found);
  };
  // What was started, through the gains as they are now, from its beginning on, as Base64.
  window.rendered = async (seconds) => {
    const context = new OfflineAudioContext(1, seconds * 48000, 48000);
    const first = Math.min(...started.map(({ when }) => when));
    for (const { source, when, offset, length } of started) {
      const gain = new GainNode(context, { gain: source.into.gain.value });
      const again = new AudioBufferSourceNode(context, { buffer: source.buffer });
      own.call(own.call(again, gain), context.destination);
      begin.call(again, when - first, offset, length);
    }
    const made = await context.startRendering();
    return [first, letters(made.getChannelData(0).buffer)];
  };
  // So many seconds of what is heard, as Base64, with a click of one sample at a time of the clock.
  window.record = async (seconds) => {
    const context = output.context, into = context.createMediaStreamDestination();
    const buffer = context.createBuffer(1, 1, 48000), click = context.createBufferSource();
    const recorder = new MediaRecorder(into.stream, { audioBitsPerSecond: 256000 }), parts = [];
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    own.call(output, into);
    own.call(click, into);
    buffer.getChannelData(0)[0] = 8;
    click.buffer = buffer;
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((done) => { recorder.onstop = done; });
    await new Promise((done) => { recorder.onstart = done; recorder.start(); });
    await wait(200);
    const at = context.currentTime + 0.2;
    click.start(at);
    await wait(1000 * seconds + 500);
    recorder.stop();
    await stopped;
    output.disconnect(into);
    return [at, letters(await new Blob(parts).arrayBuffer())];
  };
}"""
Facts = dict[str, Any]


def block(page: str, name: str) -> str:
    found = re.search(rf'<script type="[\w/]+" id="{name}">(.*?)</script>', page, re.S)
    assert found, name
    return found[1]


def facts(path: Path) -> Facts:
    found: Facts = json.loads(block(path.read_text(), "data"))
    return found


def heard(path: Path, lane: int) -> np.ndarray:
    """A voice of a page as another decoder gives it, at 48 kHz; pieces where they belong."""
    page = path.read_text()
    told = json.loads(block(page, "data"))
    voice, parts = told["lanes"][lane]["voice"], []
    for number, sounds in enumerate(voice["sounding"]):
        first, last = (voice["margin"] if number else 0.0), voice["piece"] + voice["margin"]
        if not sounds:
            parts.append(np.zeros(round((last - first) * 48000), np.float32))
            continue
        with av.open(io.BytesIO(b64decode(block(page, f"v{lane}-{number}"))), "r") as file:
            frames = [frame.to_ndarray().mean(0) for frame in file.decode(audio=0)]
        whole = np.concatenate(frames)
        is_last = number == len(voice["sounding"]) - 1
        parts.append(whole[round(first * 48000) : None if is_last else round(last * 48000)])
    return np.concatenate(parts)


def alike(whole: np.ndarray, part: np.ndarray) -> float:
    """The highest correlation of a sound with a somewhat longer one, wherever it lies in it."""
    count = len(whole) - len(part) + 1
    found = [np.corrcoef(whole[lag : lag + len(part)], part)[0, 1] for lag in range(count)]
    return float(max(found))


def ran(*words: object) -> None:
    """The program in this process, whose networks are read once; it says that all went well."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["avtool", *map(str, words)])
        app.main()
    assert not ended.value.code


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's voices, its page, and that of the sample under a hostile name."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(FILM, folder / HOSTILE)
    ran("separate", FILM, "-o", f"{folder}/")
    for name in ("face1", "face2", "rest"):  # which need not be found again
        stem = HOSTILE.removesuffix(".mp4")
        shutil.copy(folder / f"cocktail.{name}.wav", folder / f"{stem}.{name}.wav")
    ran("show", "--no-open", "-j", "1", FILM, folder / HOSTILE, "-o", f"{folder}/")
    return folder


@pytest.fixture(scope="module")
def cocktail(made: Path) -> Path:
    return made / "cocktail.html"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the commands write of the sample, by field, elsewhere than beside its page."""
    folder = tmp_path_factory.mktemp("found")
    for command in ("faces", "localize"):
        ran(command, FILM, "-f", "json", "-o", f"{folder}/")
    return {path.suffixes[0]: json.loads(path.read_text()) for path in folder.iterdir()}


def test_a_page_holds_what_the_commands_find(cocktail: Path, found: dict[str, Any]) -> None:
    told = facts(cocktail)
    faces = found[".faces"]["faces"]
    assert [lane["name"] for lane in told["lanes"]] == ["Face 1", "Face 2", "The rest"]
    for lane, face in zip(told["lanes"], faces, strict=False):
        assert lane["speaking"] == face["speaking"]
        parts = np.frombuffer(b64decode(lane["track"]["boxes"]), "<u2").reshape(-1, 4)
        boxes = (parts / 32767 - 0.5) * np.tile(told["film"]["size"], 2)
        assert np.abs(boxes - [each["box"] for each in face["track"]]).max() < 0.1
    sources = found[".sources"]
    assert told["heat"]["clip"] == sources["clip"]
    assert told["heat"]["columns"]["visible"] == [step["visible"] for step in sources["steps"]]
    for lane, name in enumerate(("face1", "face2", "rest")):
        voice, written = heard(cocktail, lane), wide(cocktail.parent / f"cocktail.{name}.wav")
        assert len(voice) == pytest.approx(len(written), abs=2)
        assert alike(voice, written[4:-4]) > (0.98 if lane < 2 else 0.7)


def test_what_is_there_is_taken(avtool: Avtool) -> None:
    Path("cocktail.faces.json").write_text('{"faces": [{"face": 1, "speaking": [[1, 2]]}]}')
    told = avtool("show", FILM, "--no-open", "--json")
    assert told.code == 0 and json.loads(told.out)["outputs"] == ["cocktail.html"]
    assert [lane["speaking"] for lane in facts(Path("cocktail.html"))["lanes"]] == [
        [[1, 2]],
        [],
        [],
    ]
    assert sorted(path.name for path in Path().iterdir()) == [
        "cocktail.faces.json",
        "cocktail.html",
    ]
    assert "exists" in avtool("show", FILM, "--no-open").err


def test_nothing_comes_into_a_page_but_its_own_script(made: Path) -> None:
    for path in made.glob("*.html"):
        page = path.read_text()
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
        assert policy and policy[1].startswith("default-src 'none';")
        for kind, tag in (("script", "<script>"), ("style", "<style>")):
            content = page.split(tag)[1].split(f"</{kind}>")[0]
            own = b64encode(sha256(content.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{own}'" in policy[1]
        assert "unsafe" not in policy[1] and "http" not in policy[1]
        markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
        assert not re.search(r"<[^>]*\s(src|href|on\w+|style)=|<img", markup)


def test_a_hostile_name_stays_text(made: Path) -> None:
    page = (made / f"{HOSTILE.removesuffix('.mp4')}.html").read_text()
    assert f"<title>{HOSTILE}" not in page and "&lt;img src=x" in page
    assert json.loads(block(page, "data"))["title"] == HOSTILE
    film = Film(Path("</script><b>"), (2, 2), 25.0, "</script><script>alert(1)</script>")
    save(
        Page("</script><script>alert(2)</script>", film=film), [made / "x.html"], name="", title=""
    )
    text = (made / "x.html").read_text()
    assert "alert(2)</script>" not in text and "alert(1)</script>" not in text
    (made / "x.html").unlink()


def test_the_committed_script_is_of_these_sources() -> None:
    """By their sums, without node: ``npm run build`` in avtool/page/web writes it anew."""
    web, sum = ROOT / "avtool" / "page" / "web", sha256()
    for path in sorted(web.iterdir(), key=lambda path: path.name):
        if path.suffix in (".ts", ".json", ".mjs"):
            sum.update(path.read_bytes())
    scripts = list((web.parent / "assets").glob("*.js"))
    assert scripts
    for path in scripts:
        assert path.read_text().split("\n")[0] == f"// made by web/build.mjs of {sum.hexdigest()}"
        assert "</script" not in path.read_text() and "<!--" not in path.read_text()


def test_a_page_is_small_beside_its_media(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes of three voices, two faces and heat."""
    monkeypatch.setattr(pack, "opus", lambda samples, rate: b"sound")  # it takes its time
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(16_000 * 600).astype(np.float32) * 0.05
    noise *= np.repeat(rng.uniform(0, 1, 600 * 4) > 0.4, 4000)
    frames = np.arange(15_000)
    boxes = np.cumsum(rng.standard_normal((15_000, 4)), 0) % 300
    lanes = [Lane("a", n, Audio.of(noise, 16_000), frames=frames, boxes=boxes) for n in (1, 2)]
    warm = np.hanning(36)[:, None] * np.hanning(64)
    step = {
        "visible": 0.5,
        "peak": [312.5, 205.5],
        "box": [90.6, 78.5, 234.2, 253.7],
        "cue": "face",
    }
    steps = [{"t": n / 5, **step, "face": 1} for n in range(3000)]
    heat = Heat(rng.uniform(0, 1, (3000, 1, 1)) * warm, 0.2, {"steps": steps, "clip": step})
    film = Film(FILM, (640, 360), 25.0, "talk.mp4")
    page = Page("talk.mp4", 600.0, film, [*lanes, Lane("b", 0, Audio.of(noise, 16_000))], heat)
    save(page, [made / "long.html"], name="", title="")
    text = (made / "long.html").read_text()
    (made / "long.html").unlink()
    beside = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.S)
    assert len(beside) < 1.5e6, len(beside)


def test_a_film_stands_beside_its_page_where_it_is_asked_to(avtool: Avtool, tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "knock.mp4", tmp_path / "a b#c.mp4")
    told = avtool("show", "a b#c.mp4", "--no-open", "--no-embed", "-o", "out/", "--json")
    assert json.loads(told.out)["outputs"] == ["out/a b#c.html", "out/a b#c.film.mp4"]
    film = facts(Path("out/a b#c.html"))["film"]
    assert film["src"] == "a%20b%23c.film.mp4" and "id" not in film
    with av.open("a b#c.mp4", "r") as one, av.open("out/a b#c.film.mp4", "r") as other:
        assert not other.streams.audio
        packets = ([bytes(each) for each in film.demux(video=0)] for film in (one, other))
        assert next(packets) == next(packets)  # bit for bit
    naive("-i", SAMPLE / "knock.mp4", "-t", 1, "-c:v", "mpeg4", tmp_path / "old.avi")
    told = avtool("show", "old.avi", "--no-open", "--json")
    assert json.loads(told.out)["outputs"] == ["old.html", "old.film.mp4"]
    assert facts(Path("old.html"))["film"]["src"] == "old.film.mp4"
    assert not json.loads(avtool("info", "old.film.mp4", "--json").out)["info"]["audio"]


def test_a_film_that_starts_late_is_shown_late(avtool: Avtool, tmp_path: Path) -> None:
    naive("-itsoffset", 0.5, "-i", SAMPLE / "knock.mp4", "-i", SAMPLE / "knock.mp4", "-t", 2,
          "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / "late.mp4")  # fmt: skip
    for words in ([], ["--no-embed", "-o", "beside.html", "--overwrite"]):
        assert avtool("show", "late.mp4", "--no-open", *words).code == 0
    for name in ("late", "beside"):
        page = Path(f"{name}.html").read_text()
        film = json.loads(block(page, "data"))["film"]
        assert film["start"] == pytest.approx(0.5)
        data = b64decode(block(page, "film")) if "id" in film else Path(film["src"]).read_bytes()
        with av.open(io.BytesIO(data), "r") as file:
            assert next(file.decode(video=0)).time == 0 and not file.streams.audio


def test_sound_without_pictures_has_a_page(avtool: Avtool, tmp_path: Path) -> None:
    sine_wav(tmp_path / "hum.wav", 0.5, channels=2)
    assert avtool("show", "hum.wav", "--no-open").code == 0
    told = facts(Path("hum.html"))
    assert [lane["name"] for lane in told["lanes"]] == ["Sound"] and "film" not in told
    assert len(heard(Path("hum.html"), 0)) == 24_000


def test_a_recording_that_does_not_tell_its_length(avtool: Avtool, tmp_path: Path) -> None:
    """As a browser's recorder writes it: nothing goes back to its beginning."""
    sound = ["-f", "lavfi", "-i", "sine=d=2.5", "-c:a", "libopus", "-f", "webm", "pipe:1"]
    film = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2", "-c:v", "libvpx"]
    for name, words in (("both", [*film[:4], *sound]), ("mute", [*film, *sound[-3:]])):
        (tmp_path / f"{name}.webm").write_bytes(naive(*words))
        assert avtool("show", f"{name}.webm", "--no-open").code == 0
        true = 2.5 if name == "both" else 2.0
        assert facts(Path(f"{name}.html"))["duration"] == pytest.approx(true, abs=0.05)
    assert avtool("mel", "both.webm", "--page", "-f", "npz").code == 0
    assert facts(Path("both.mel.html"))["duration"] == pytest.approx(2.5, abs=0.05)


def test_a_folder_has_a_page_of_its_pages(avtool: Avtool, tmp_path: Path) -> None:
    for name in ("b/two.wav", "one.wav"):
        sine_wav(tmp_path / "in" / name, 0.2)
    assert avtool("show", "in", "--no-open", "-o", "out/").lines[-1] == "out/index.html"
    rows = facts(Path("out/index.html"))["pages"]
    assert [row[:3] for row in rows] == [
        ["b/two.html", "two.wav", 0.2],
        ["one.html", "one.wav", 0.2],
    ]
    Path("out/index.html").write_text("<h1>mine</h1>")
    ran = avtool("show", "in", "--no-open", "-o", "out/")
    assert ran.code == 1 and "is not avtool's" in ran.err
    assert Path("out/index.html").read_text() == "<h1>mine</h1>"


def test_what_cannot_be_shown_is_told_of(avtool: Avtool, tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no film")
    assert avtool("show", "no.mp4", "--no-open").code == 1
    assert avtool("show", "https://host/a.mp4", "--no-open").code == 2


def test_silence_takes_no_room() -> None:
    sound = np.zeros((1, 16_000 * 12), np.float32)
    sound[:, :1000] = 0.1
    pieces = list(pack.voice(Audio.of(sound, 16_000)))
    assert [bool(opus) for opus, *_ in pieces] == [True, False, False]
    assert sum(len(peaks) for _, peaks, _ in pieces) == 1200


# Pages of other commands.


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of `mel`, `lips` and `speech2face`."""
    folder = tmp_path_factory.mktemp("others")
    speech = SAMPLE / "speech.wav"
    for words in (
        ["mel", speech, "--start", "0.5"],
        ["lips", SAMPLE / "face.png", speech, "--preview", "1"],
        ["speech2face", speech, "--samples", "1", "-f", "json"],
    ):
        ran(*words, "--page", "-o", f"{folder}/")
    return folder


def test_a_features_page_shows_its_numbers(others: Path) -> None:
    told = facts(others / "speech.mel.html")
    shown = told["lanes"][0]["picture"]
    tiles = [io.BytesIO(b64decode(tile.partition(",")[2])) for tile in shown["tiles"]]
    levels = np.concatenate([np.asarray(Image.open(tile).convert("L")) for tile in tiles], 1)[::-1]
    values = shown["low"] + levels / 255 * (shown["high"] - shown["low"])
    with np.load(others / "speech.mel.npz") as file:
        mel, times = file["mel"], file["time"]
    assert np.abs(values - mel).max() <= (shown["high"] - shown["low"]) / 510 + 1e-3
    assert shown["hop"] * np.arange(len(times)) + shown["start"] == pytest.approx(times - 0.5)
    assert told["duration"] == pytest.approx(len(heard(others / "speech.mel.html", 1)) / 48000)


def test_a_lips_page_has_the_face_before_and_after(others: Path) -> None:
    told = facts(others / "face.speech.preview.html")["film"]
    assert told["before"]["type"] == "image/jpeg" and told["type"] == "video/mp4"
    page = (others / "face.speech.preview.html").read_text()
    photo = Image.open(io.BytesIO(b64decode(block(page, "before"))))
    assert list(photo.size) == told["size"]
    with av.open(io.BytesIO(b64decode(block(page, "film"))), "r") as file:
        first = next(file.decode(video=0)).to_ndarray(format="rgb24")
        assert not file.streams.audio
    gap = first[: photo.height, : photo.width].astype(int) - np.asarray(photo)
    assert np.abs(gap).mean() < 8


def test_a_head_says_the_sound(others: Path) -> None:
    made = b64decode(block((others / "speech.face.html").read_text(), "head"))
    length = int.from_bytes(made[12:16], "little")
    gltf = json.loads(made[20 : 20 + length])
    (animation,) = gltf["animations"]
    (end,) = gltf["accessors"][animation["samplers"][0]["input"]]["max"]
    assert animation["channels"]
    assert end == pytest.approx(facts(others / "speech.face.html")["duration"], abs=0.05)


def test_a_page_of_a_part_or_into_a_file_is_refused(avtool: Avtool) -> None:
    for words in (
        ["faces", FILM, "--page", "-o", "a.json"],
        ["localize", FILM, "--page", "--start", 1],
    ):
        ran = avtool(*words)
        assert ran.code == 2 and ran.err.startswith("avtool: --page ")
    assert avtool("mel", FILM, "--page", "-f", "tar").code == 2


def test_a_commands_page_is_that_of_show(avtool: Avtool) -> None:
    """And its heat is what `localize` lays over its pictures."""
    knock = SAMPLE / "knock.mp4"
    assert avtool("faces", knock, "--page", "-f", "json").code == 0
    told = facts(Path("knock.page.html"))
    assert [lane["name"] for lane in told["lanes"]] == ["Sound"]
    heat = told["heat"]
    (sheet,) = (Image.open(io.BytesIO(b64decode(s.partition(",")[2]))) for s in heat["sheets"])
    across, rows, columns = heat["across"], heat["rows"], heat["cells"]
    cells = np.asarray(sheet.convert("L")).reshape(-1, rows, across, columns).swapaxes(1, 2)
    shown = cells.reshape(-1, rows, columns)[: heat["steps"]] / 255
    true = np.array(list(house.localize(knock).sources.heats()))
    assert np.abs(shown - true).mean() < 0.01


# In real browsers.


# A small run; AVTOOL_BROWSERS=chromium,firefox is the whole one.
BROWSERS = os.environ.get("AVTOOL_BROWSERS", "chromium").split(",")


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if why := missing(request.param):
        pytest.skip(f"no {request.param} to try the pages in ({why})")
    with Browser(request.param) as found:
        found.before(WATCH)
        yield found


def shown(browser: Browser, path: Path, width: int = 1280, height: int = 800) -> None:
    browser.open(path.as_uri(), width, height)
    ready = "document.querySelector('video')?.readyState >= 2"
    for _ in range(100):
        if browser.value(f"!document.querySelector('video') || {ready}"):
            return
        time.sleep(0.05)


def until(browser: Browser, expression: str) -> Any:
    for _ in range(200):
        if found := browser.value(expression):
            return found
        time.sleep(0.05)
    raise AssertionError(expression)


def rendered(browser: Browser, seconds: float) -> tuple[np.ndarray, float]:
    """What the page's graph gives, at 48 kHz, and the time in the film of its first sample."""
    until(browser, "avtool.playing && avtool.runs.length && started.length && !avtool.dumb")
    time.sleep(0.3)  # gains have come to rest
    clock, data = browser.value(f"rendered({seconds})")
    sound = np.frombuffer(b64decode(data), np.float32)
    return sound, place_at(browser, clock)


def place_at(browser: Browser, clock: float) -> float:
    """The time in the film of a time of the sound card's clock."""
    run = [run for run in browser.value("avtool.runs") if run["clock"] <= clock + 1e-6][-1]
    return run["from"] + clock - run["clock"]


def recorded(browser: Browser, seconds: float) -> tuple[np.ndarray, float]:
    """The same as the browser plays it; a busy machine may drop some.

    A click of one sample tells where in it the page's clock stood.
    """
    until(browser, "avtool.playing && avtool.runs.length && !avtool.dumb")
    at, data = browser.value(f"record({seconds})")
    with av.open(io.BytesIO(b64decode(data)), "r") as file:
        parts = av.AudioResampler("fltp", "mono", 48000)
        frames = [part for frame in file.decode(audio=0) for part in parts.resample(frame)]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    first = int(np.abs(sound).argmax()) + 480  # the click has died away
    return sound[first : first + round(seconds * 48000)], place_at(browser, at + 480 / 48000)


def seen(browser: Browser) -> bytes:
    """A picture of the page, when it has been drawn."""
    browser.value("new Promise((done) => setTimeout(done, 500))")
    path = Path(browser.folder) / "seen.png"
    browser.picture(path)
    return path.read_bytes()


def wide(path: Path) -> np.ndarray:
    import soxr

    samples, rate = soundfile.read(path, dtype="float32")
    return soxr.resample(samples, rate, 48000)


# In the whole run it is also recorded as it is played, on a machine that has time for it.
HEARD = [rendered, recorded] if len(BROWSERS) > 1 else [rendered]


def test_a_click_on_a_face_solos_its_voice(browser: Browser, cocktail: Path) -> None:
    """As `separate` wrote it, at the very samples that the clock tells; and it is the right one."""
    shown(browser, cocktail)
    for face in (1, 2):
        browser.click(f".ring:nth-of-type({face})")
        browser.value(
            "(started.length = 0, avtool.seek(0.5), avtool.playing || void avtool.play())"
        )
        for sound, at in [how(browser, 2) for how in HEARD]:
            near = slice(round(at * 48000) - 96, round(at * 48000) + len(sound) + 96)  # 2 ms
            written, true, other = (
                wide(folder / f"cocktail.face{number}.wav")[near]
                for folder, number in ((cocktail.parent, face), (SAMPLE, face), (SAMPLE, 3 - face))
            )
            assert alike(written, sound) > 0.95
            assert alike(true, sound) > 0.85 and alike(other, sound) < 0.3
        words = browser.value("document.querySelector('.said').textContent")
        assert words.startswith(f"You hear only Face {face}")
    assert browser.value("faults") == []


def test_gains_change_without_a_click(browser: Browser, cocktail: Path) -> None:
    """The gain of a voice is drawn as the browser computes it: no step is larger than 1 %."""
    shown(browser, cocktail)
    browser.value("avtool.play()")
    until(browser, "avtool.runs.length")
    browser.value("""(() => {  // the same orders to a gain whose every sample can be seen
        window.offline = new OfflineAudioContext(1, 48000 * (avtool.now + 1), 48000);
        const gain = new GainNode(offline), one = new ConstantSourceNode(offline);
        one.connect(gain).connect(offline.destination);
        one.start();
        avtool.gains.set(1, gain);
        avtool.choose(0);
        return null;
    })()""")
    drawn = "offline.startRendering().then((made) => [...made.getChannelData(0)])"
    gain = np.array(browser.value(drawn))
    assert np.abs(np.diff(gain)).max() < 0.01 and gain[0] == 1 and gain[-1] < 0.01


def test_the_film_stays_with_the_sound(browser: Browser, cocktail: Path) -> None:
    """Also after ten seeks; docs/show.md tells how close."""
    shown(browser, cocktail)
    browser.value("""(() => {
        const film = document.querySelector("video");
        window.early = [];
        const look = (_, { mediaTime, expectedDisplayTime: due }) => {
          const left = (due - performance.now()) / 1000;
          if (avtool.playing) early.push(mediaTime - avtool.timeIn(left));
          film.requestVideoFrameCallback(look);
        };
        film.requestVideoFrameCallback(look);
        avtool.setLoop([0.2, 6.8]);
        avtool.play();
    })()""")
    rng = np.random.default_rng(0)
    found = []
    for _ in range(10 if len(BROWSERS) > 1 else 3):
        browser.value(f"avtool.seek({rng.uniform(0.3, 5)}), early.length = 0, true")
        until(browser, "early.length > 25")
        found.append(np.median(browser.value("early.slice(-12)")))
    assert np.median(np.abs(found)) < 0.04, found  # a picture
    assert browser.value("faults") == []


def test_keys_do_what_the_page_says(browser: Browser, cocktail: Path) -> None:
    shown(browser, cocktail)
    state = "[avtool.playing, [...avtool.alone]]"
    browser.press("Right")
    browser.press("Right")
    assert browser.value("avtool.time") == pytest.approx(2 / 25)
    browser.press("Left")
    assert browser.value("avtool.time") == pytest.approx(1 / 25)
    until(browser, "!document.querySelector('video').seeking")
    assert browser.value("document.querySelector('video').currentTime") == pytest.approx(0.042)
    browser.press("2")
    until(browser, "avtool.playing")
    assert browser.value(state) == [True, [1]]
    browser.press("Space")
    assert browser.value(state) == [False, [1]]
    browser.value("document.querySelector('.ring').focus()")
    browser.press("0")
    assert browser.value(state) == [False, []]
    browser.click(".ring:nth-of-type(2)")
    browser.click(".ring:nth-of-type(1)", shift=True)
    assert browser.value(state) == [False, [1, 0]]
    pressed = "[...document.querySelectorAll('.ring')].map((each) => each.ariaPressed)"
    assert browser.value(pressed) == ["true", "true"]
    browser.press("Escape")
    assert browser.value(state) == [False, []]


def test_a_face_can_be_chosen_when_the_film_has_ended(browser: Browser, cocktail: Path) -> None:
    shown(browser, cocktail)
    browser.value("(avtool.seek(6.8), void avtool.play())")
    until(browser, "avtool.time >= avtool.duration && !avtool.playing")
    browser.click(".ring:nth-of-type(2)")
    assert browser.value("[...avtool.alone]") == [1]
    assert browser.value("avtool.playing && avtool.time < 5")  # the first click is for hearing


def test_a_drag_over_the_lanes_loops(browser: Browser, cocktail: Path) -> None:
    shown(browser, cocktail)
    box = "document.querySelector('.drawn canvas').getBoundingClientRect()"
    left, top, width = browser.value(f"[{box}.left, {box}.top, {box}.width]")
    browser.drag((left + width / 7, top + 60), (left + width * 2 / 7, top + 60))
    assert browser.value("avtool.loop") == pytest.approx([1, 2], abs=0.03)
    browser.press("Space")
    until(browser, "avtool.runs.length > 2")
    sound, at = rendered(browser, 2.5)  # longer than the loop: it begins again on a sample
    runs = browser.value("avtool.runs")
    first, last = (round(each * 48000) for each in browser.value("avtool.loop"))
    assert [run["from"] for run in runs[1:]] == [first / 48000] * (len(runs) - 1)
    whole = wide(cocktail.parent / "cocktail.face1.wav") + wide(
        cocktail.parent / "cocktail.face2.wav"
    )
    begin = round(at * 48000) - first + (last - first)
    wanted = np.tile(whole[first:last], 5)[begin - 96 : begin + len(sound) + 96]
    assert alike(wanted, sound) > 0.95
    browser.press("Escape")
    assert browser.value("avtool.loop") is None


def test_a_hostile_name_does_nothing(browser: Browser, made: Path) -> None:
    shown(browser, made / f"{HOSTILE.removesuffix('.mp4')}.html")
    assert browser.value("[document.title, document.querySelector('h1').textContent]") == [
        HOSTILE,
        HOSTILE,
    ]
    images = "[...document.images].map((each) => each.src.slice(0, 5))"
    assert set(browser.value(images)) == {"data:"} and browser.value("faults") == []


def test_fifty_lanes_and_every_width(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lanes = []
    for face in range(1, 51):
        sound = rng.standard_normal(16_000 * 3).astype(np.float32) * 0.02
        x, y = 60 * (face % 10), 70 * (face // 10)
        boxes = np.tile([x, y, x + 40.0, y + 50.0], (75, 1))
        lanes.append(
            Lane(
                f"Face {face}", face, Audio.of(sound, 16_000), None, [(0, 2)], np.arange(75), boxes
            )
        )
    film = Film(FILM, (640, 360), 25.0)
    save(Page("many", 3.0, film, lanes), [tmp_path / "many.html"], name="", title="")
    for width in (360, 1280, 3840):
        shown(browser, tmp_path / "many.html", width, width * 9 // 16)
        assert browser.value("document.querySelectorAll('.lane canvas').length") == 51
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert browser.value(wide)
    browser.click(".lane:nth-of-type(48) button")
    until(browser, "avtool.playing && avtool.time > 0.3")
    assert browser.value("[...avtool.alone]") == [46]
    assert browser.value("faults") == []


def test_a_page_of_a_thousand_pages(browser: Browser, tmp_path: Path) -> None:
    image = pack.webp(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8), 50)
    rows = [(f"{n}.html", f"talk {n:03}.mp4", 60.0 + n, "2 faces", image) for n in range(1000)]
    save(Page("talks", pages=rows), [tmp_path / "index.html"], name="", title="")
    shown(browser, tmp_path / "index.html")
    assert browser.value("document.querySelectorAll('.cards a').length") == 1000
    browser.value("""(() => {
        const search = document.querySelector("[type=search]");
        search.value = "K 99";
        search.dispatchEvent(new Event("input"));
        return null;
    })()""")
    left = "[...document.querySelectorAll('.cards li:not([hidden]) a')].map((a) => a.textContent)"
    assert len(browser.value(left)) == 10
    assert browser.value("document.querySelector('header p').textContent") == "10 files"
    assert browser.value("faults") == []


def test_every_number_is_a_download(
    browser: Browser, cocktail: Path, found: dict[str, Any]
) -> None:
    shown(browser, cocktail)
    browser.value("""(() => {
        window.saved = {};
        HTMLAnchorElement.prototype.click = function () { saved[this.download] = this.href; };
        return null;
    })()""")
    # A page may not fetch: what would be saved is read where it is made.
    browser.value("""(() => {
        const own = URL.createObjectURL;
        window.blobs = {};
        URL.createObjectURL = (blob) => { const at = own(blob); blobs[at] = blob; return at; };
        return null;
    })()""")
    for n in range(1, 10):
        browser.value(f"document.querySelector('.files li:nth-child({n}) button').click()")
    until(browser, "Object.keys(saved).length == 9")
    text = "Promise.all(Object.entries(saved).filter(([n]) => !n.endsWith('wav'))"
    text += ".map(async ([n, at]) => [n, await blobs[at].text()]))"
    files = dict(browser.value(text))
    told = facts(cocktail)
    spans = [span for lane in told["lanes"] for span in lane["speaking"]]
    assert files["cocktail.speech.srt"].count("-->") == len(spans)
    assert "00:00:00,200 --> 00:00:03,160\nFace 1\n" in files["cocktail.speech.srt"]
    assert len(files["cocktail.speech.csv"].splitlines()) == len(spans) + 1
    assert [each["face"] for each in json.loads(files["cocktail.faces.json"])["faces"]] == [1, 2]
    assert json.loads(files["cocktail.sources.json"]) == found[".sources"]
    data = browser.value(
        "blobs[saved['cocktail.face1.wav']].arrayBuffer().then((b) => [...new Uint8Array(b)])"
    )
    samples, rate = soundfile.read(io.BytesIO(bytes(data)))
    assert (
        rate == 48_000 and alike(samples, wide(cocktail.parent / "cocktail.face1.wav")[4:-4]) > 0.95
    )


def test_a_head_turns_and_moves(browser: Browser, others: Path) -> None:
    shown(browser, others / "speech.face.html")
    if not browser.value("!!document.createElement('canvas').getContext('webgl2')"):
        assert "no WebGL" in browser.value("document.querySelector('.stage').textContent")
        return
    until(browser, "document.querySelector('.head3d')?.dataset.ready")
    names = browser.value("[...document.querySelectorAll('.units span')].map((e) => e.textContent)")
    assert len(names) == 52 and "jaw open" in names
    browser.click(".panel summary")
    pictures = []
    box = "document.querySelector('.head3d').getBoundingClientRect()"
    x, y = browser.value(f"[{box}.x, {box}.y]")
    for act in ("", "jaw", "turn"):
        if act == "jaw":
            browser.value(f"""((slider) => {{
                slider.value = 1;
                slider.dispatchEvent(new Event("input"));
                return null;
            }})(document.querySelectorAll(".units input")[{names.index("jaw open")}])""")
        if act == "turn":
            browser.drag((x + 200, y + 150), (x + 320, y + 150))
        pictures.append(seen(browser))
    assert len(set(pictures)) == 3
    assert browser.value("faults") == []


def test_before_and_after(browser: Browser, others: Path) -> None:
    shown(browser, others / "face.speech.preview.html")
    browser.click(".compared button:nth-child(1)")
    state = "[document.querySelector('.screen > img').style.visibility, avtool.playing]"
    assert browser.value(state) == ["visible", False]
    browser.click(".compared button:nth-child(2)")
    assert browser.value(state) == ["hidden", False] and browser.value("faults") == []
