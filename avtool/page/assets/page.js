// made by web/build.mjs of 87e7743337c7ded33f3cda65b372d242a0eb27f74c686c25cd354f4155e3e336
"use strict";
(() => {
  // data.ts
  var data = JSON.parse(text("data"), (key, value) => key === "heat" ? told(value) : value);
  function told({ clip, columns, cells, ...heat2 }) {
    const names = Object.keys(columns);
    const steps = (columns["t"] ?? []).map((_, n) => Object.fromEntries(
      names.map((name) => [name, columns[name][n]]).filter(([, value]) => value !== null)
    ));
    return { ...heat2, columns: cells, sources: { steps, clip } };
  }
  function text(id) {
    return document.getElementById(id)?.textContent ?? "";
  }
  function bytes(base64) {
    const letters = atob(base64);
    const found = new Uint8Array(letters.length);
    for (let n = 0; n < letters.length; n++) found[n] = letters.charCodeAt(n);
    return found;
  }
  function make(tag, given = {}, ...inside) {
    const made = Object.assign(document.createElement(tag), given);
    made.append(...inside);
    return made;
  }
  function clock(seconds, digits = 1) {
    const whole = Math.floor(seconds / 60), rest = (seconds % 60).toFixed(digits);
    const padded = rest.padStart(digits ? digits + 3 : 2, "0");
    return whole < 60 ? `${whole}:${padded}` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}:${padded}`;
  }
  var Boxes = class {
    constructor(track, size) {
      this.track = track;
      this.size = size;
      this.parts = new Uint16Array(bytes(track.boxes).buffer);
    }
    track;
    size;
    parts;
    at(time) {
      const frame = time * this.track.fps + 1e-3;
      let before = 0;
      for (const [first, count] of this.track.runs) {
        if (frame < first) return null;
        if (frame < first + count) {
          const place = before + Math.floor(frame - first);
          return this.between(place, Math.min(place + 1, before + count - 1), frame % 1);
        }
        before += count;
      }
      return null;
    }
    between(one, other, part) {
      const box = this.box(one), next = this.box(other);
      return box.map((edge, n) => edge + (next[n] - edge) * part);
    }
    box(place) {
      return [0, 1, 2, 3].map(
        (n) => (this.parts[4 * place + n] / 32767 - 0.5) * this.size[n % 2]
      );
    }
    /** Every picture that it is in: its time and its box. */
    *all() {
      let place = 0;
      for (const [first, count] of this.track.runs)
        for (let n = 0; n < count; n++) yield [(first + n) / this.track.fps, this.box(place++)];
    }
    get seen() {
      return this.track.runs.map(([first, count]) => [first / this.track.fps, (first + count) / this.track.fps]);
    }
  };

  // player.ts
  var RATE = 48e3;
  var AHEAD = 4;
  var FADE = 6e-3;
  var FAR = 0.4;
  var NEAR = 6e-3;
  var ENOUGH = 8;
  var INSIDE = 2e-3;
  var SPEEDS = 0.3;
  var Player = class {
    constructor(lanes, duration, films, onchange) {
      this.lanes = lanes;
      this.duration = duration;
      this.onchange = onchange;
      this.films = films.map((each) => ({ ...each, ahead: [], until: 0, cost: 0, mended: false, leap: 0.1 }));
      for (const each of this.films) this.watch(each);
    }
    lanes;
    duration;
    onchange;
    playing = false;
    loop = null;
    /** What is heard alone, by number of lane; empty is everything. */
    alone = /* @__PURE__ */ new Set();
    context = null;
    output = null;
    gains = /* @__PURE__ */ new Map();
    pieces = /* @__PURE__ */ new Map();
    sources = [];
    runs = [];
    // from a clock's time on, a film's time runs
    next = { clock: 0, from: 0 };
    began = false;
    // whether it is known how late the film began
    dumb = false;
    // there is no loudspeaker, so no clock of it: the film plays in silence
    place = 0;
    // seconds, while it is paused
    turn = 0;
    // counts starts: what an earlier one still decodes is not wanted
    lag = 0.02;
    // seconds from asking the film to play until it moves
    films;
    timer = 0;
    /** What is heard now, in seconds of the film. */
    get time() {
      return this.timeIn(0);
    }
    /** The same so many seconds from now. */
    timeIn(seconds) {
      if (!this.playing || !this.runs.length) return this.place;
      const now = this.heard() + seconds;
      let run = this.runs[0];
      for (const each of this.runs) if (each.clock <= now) run = each;
      const end = this.loop && run.from < this.loop[1] ? this.loop[1] : this.duration;
      return Math.min(end, run.from + Math.max(0, now - run.clock));
    }
    /** The time on the clock of what is started next. */
    get now() {
      return this.dumb ? performance.now() / 1e3 : this.context.currentTime;
    }
    /** The time on the sound's clock of what leaves the loudspeaker. */
    heard() {
      if (this.dumb) return performance.now() / 1e3;
      const { currentTime, outputLatency } = this.context;
      const stamp = this.context.getOutputTimestamp?.();
      if (stamp?.contextTime && stamp.performanceTime) {
        const at = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1e3;
        if (Math.abs(at - currentTime) < 0.5) return at;
      }
      return currentTime - (outputLatency || 0);
    }
    async play() {
      const turn = ++this.turn;
      if (this.place >= this.duration - 0.02) this.place = this.loop?.[0] ?? 0;
      this.playing = true;
      this.onchange();
      const from = Math.round(this.place * RATE) / RATE;
      const context = this.ready();
      await Promise.all([
        Promise.race([context.resume(), wait(1)]),
        this.filmAt(from),
        ...this.decoded(this.piece(from))
      ]);
      if (turn !== this.turn) return;
      this.dumb = context.state !== "running";
      const early = Math.max(0.03, this.lag - (this.now - this.heard()));
      this.next = { clock: Math.round((this.now + early) * RATE) / RATE, from };
      this.runs = [{ ...this.next }];
      const delay = Math.max(0, this.next.clock - this.heard() - this.lag);
      this.began = false;
      for (const { film, start: start2 } of this.films)
        window.setTimeout(() => {
          if (turn === this.turn) void film.play().catch(() => void 0);
        }, 1e3 * (delay + Math.max(0, start2 - from)));
      for (const each of this.films) Object.assign(each, { ahead: [], until: 0, mended: false });
      await this.schedule(turn);
      if (turn !== this.turn) return;
      this.timer = window.setInterval(() => void this.schedule(turn), 500);
    }
    pause() {
      if (!this.playing) return;
      this.stop();
      this.seek(this.place);
    }
    stop() {
      this.place = this.time;
      this.turn++;
      this.playing = false;
      window.clearInterval(this.timer);
      for (const source of this.sources) source.stop();
      this.sources = [];
      this.runs = [];
      for (const { film } of this.films) film.pause();
      this.onchange();
    }
    seek(time) {
      const goes = this.playing;
      if (goes) this.stop();
      this.place = Math.min(Math.max(0, time), this.duration);
      if (goes) void this.play();
      else void this.filmAt(this.place);
      this.onchange();
    }
    setLoop(loop) {
      const time = this.time;
      this.loop = loop;
      if (loop) this.seek(time >= loop[0] && time < loop[1] ? time : loop[0]);
      else if (this.playing) this.seek(time);
      this.onchange();
    }
    /** Hear one alone, or everything again; with `more`, add it or take it away. */
    choose(lane, more = false) {
      const had = lane !== null && this.alone.has(lane);
      const single = this.alone.size === 1;
      if (lane === null || !more) this.alone.clear();
      if (lane !== null && more) had ? this.alone.delete(lane) : this.alone.add(lane);
      else if (lane !== null && !(had && single)) this.alone.add(lane);
      for (const [number, gain] of this.gains)
        gain.gain.setTargetAtTime(this.isHeard(number) ? 1 : 0, this.context.currentTime, FADE);
      this.onchange();
    }
    isHeard(lane) {
      return !this.alone.size || this.alone.has(lane);
    }
    /** Once a picture: keep the film with the sound. */
    follow() {
      if (!this.playing || !this.runs.length) return;
      if (this.time >= this.duration && !this.loop) {
        this.stop();
        this.place = this.duration;
        this.onchange();
        return;
      }
    }
    /** Look at each picture as it is shown. */
    watch(each) {
      const look = (_, { mediaTime, expectedDisplayTime }) => {
        if (this.playing && this.runs.length && !each.film.seeking && !each.film.paused)
          this.keep(each, mediaTime + each.start - this.timeIn((expectedDisplayTime - performance.now()) / 1e3));
        each.film.requestVideoFrameCallback(look);
      };
      each.film.requestVideoFrameCallback?.(look);
    }
    /** Keep a film, whose picture is so many seconds early, with the sound. */
    keep(each, early) {
      const { film, ahead } = each, now = performance.now() / 1e3;
      if (Math.abs(early) > FAR && this.heard() > this.runs[0].clock + 0.3) {
        film.currentTime = Math.max(0, this.time + each.leap - each.start);
        film.addEventListener("seeked", () => {
          each.leap = Math.min(1, performance.now() / 1e3 - now);
        }, { once: true });
        each.ahead = [];
      } else if (each.until && now >= each.until) {
        film.playbackRate = 1;
        Object.assign(each, { ahead: [], until: 0, mended: true });
      } else if (!each.until && ahead.push(early) > ENOUGH) {
        ahead.sort((a, b) => a - b);
        const by = ahead[ENOUGH / 2];
        each.ahead = [];
        if (each.mended) each.cost = Math.max(0, Math.min(0.03, each.cost - 0.4 * by));
        if (!this.began) this.lag = Math.max(0, Math.min(0.3, this.lag - 0.7 * by));
        this.began = true;
        each.mended = false;
        if (Math.abs(by) < Math.max(NEAR, Math.min(8e-3, each.cost / 2))) return;
        const wanted = by - each.cost, seconds = Math.max(0.2, Math.abs(wanted) / SPEEDS);
        film.playbackRate = 1 - wanted / seconds;
        each.until = now + seconds;
      }
    }
    ready() {
      if (!this.context) {
        this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
        this.output = new GainNode(this.context);
        this.output.connect(this.context.destination);
        this.context.onstatechange = () => {
          if (this.dumb && this.playing && this.context.state === "running") this.seek(this.time);
        };
        this.lanes.forEach((lane, number) => {
          if (!lane.voice) return;
          const gain = new GainNode(this.context, { gain: this.isHeard(number) ? 1 : 0 });
          gain.connect(this.output);
          this.gains.set(number, gain);
        });
      }
      return this.context;
    }
    /** The films show what belongs to a time. */
    async filmAt(time) {
      await Promise.all(this.films.map(({ film, start: start2 }) => {
        const place = Math.max(0, time - start2) + INSIDE;
        film.playbackRate = 1;
        if (!film.readyState || Math.abs(film.currentTime - place) < 1e-3) return null;
        const seeked = new Promise((done) => film.addEventListener("seeked", done, { once: true }));
        film.currentTime = place;
        return Promise.race([seeked, wait(1)]);
      }));
    }
    async schedule(turn) {
      while (turn === this.turn && this.next.clock < this.now + AHEAD) {
        const end = this.loop && this.next.from < this.loop[1] + 2 / RATE ? this.loop[1] : this.duration;
        if (this.next.from >= end - 1 / RATE) {
          if (!this.loop) return;
          this.next.from = Math.round(this.loop[0] * RATE) / RATE;
          this.runs.push({ ...this.next });
          continue;
        }
        const number = this.piece(this.next.from);
        const buffers = await Promise.all(this.decoded(number));
        if (turn !== this.turn) return;
        if (this.next.clock < this.now) {
          this.next.clock = Math.ceil((this.now + 0.1) * RATE) / RATE;
          this.runs.push({ ...this.next });
        }
        this.start(number, buffers, end);
      }
      this.forget();
    }
    start(number, buffers, end) {
      const { clock: clock2, from } = this.next;
      const { piece, margin } = this.cut;
      const last = number >= this.count - 1;
      const stop = last ? end : Math.min(end, (number + 1) * piece + margin);
      const length = Math.round((stop - from) * RATE) / RATE;
      buffers.forEach((buffer, lane) => {
        if (!buffer || this.dumb) return;
        const source = new AudioBufferSourceNode(this.context, { buffer });
        source.connect(this.gains.get(lane));
        source.start(clock2, Math.round((from - number * piece) * RATE) / RATE, length);
        source.onended = () => {
          this.sources = this.sources.filter((each) => each !== source);
        };
        this.sources.push(source);
      });
      this.next = { clock: clock2 + length, from: from + length };
    }
    get cut() {
      return this.lanes.find((lane) => lane.voice)?.voice ?? { piece: 5, margin: 0.1 };
    }
    get count() {
      return Math.max(1, ...this.lanes.map((lane) => lane.voice?.sounding.length ?? 0));
    }
    piece(time) {
      const { piece, margin } = this.cut;
      return Math.max(0, Math.min(this.count - 1, Math.floor((time - margin) / piece + 1e-9)));
    }
    /** The sound of every lane in a piece; null where it is silent. */
    decoded(number) {
      return this.lanes.map(async (lane, place) => {
        if (!lane.voice?.sounding[number]) return null;
        const key = `v${place}-${number}`;
        let found = this.pieces.get(key);
        if (!found) {
          found = this.ready().decodeAudioData(bytes(text(key)).buffer);
          this.pieces.set(key, found);
        }
        return found;
      });
    }
    /** Ten minutes of decoded voices would not fit: what is far away is decoded again when wanted. */
    forget() {
      const here = this.piece(this.time), there = this.loop ? this.piece(this.loop[0]) : here;
      for (const key of this.pieces.keys()) {
        const number = Number(key.split("-")[1]);
        if (Math.abs(number - here) > 2 && Math.abs(number - there) > 2) this.pieces.delete(key);
      }
    }
  };
  function wait(seconds) {
    return new Promise((done) => setTimeout(done, 1e3 * seconds));
  }

  // wav.ts
  async function wav(place, lane, duration) {
    const { piece, margin, sounding } = lane.voice;
    const context = new OfflineAudioContext(1, 1, RATE);
    const total = Math.round(duration * RATE);
    let whole = null, channels = 1;
    for (let number = 0; number < sounding.length; number++) {
      if (!sounding[number]) continue;
      const buffer = await context.decodeAudioData(bytes(text(`v${place}-${number}`)).buffer);
      channels = buffer.numberOfChannels;
      whole ??= new Int16Array(total * channels);
      const first = number ? Math.round(margin * RATE) : 0;
      const last = number < sounding.length - 1 ? Math.round((piece + margin) * RATE) : buffer.length;
      for (let channel = 0; channel < channels; channel++) {
        const samples2 = buffer.getChannelData(channel);
        for (let n = first; n < last; n++) {
          const at = (Math.round(number * piece * RATE) + n) * channels + channel;
          if (at < whole.length) whole[at] = Math.max(-1, Math.min(1, samples2[n] ?? 0)) * 32767;
        }
      }
    }
    const samples = whole ?? new Int16Array(total);
    const head = new DataView(new ArrayBuffer(44));
    const words = [[0, "RIFF"], [8, "WAVE"], [12, "fmt "], [36, "data"]];
    for (const [at, word] of words) for (let n = 0; n < 4; n++) head.setUint8(at + n, word.charCodeAt(n));
    head.setUint32(4, 36 + samples.byteLength, true);
    head.setUint32(16, 16, true);
    head.setUint16(20, 1, true);
    head.setUint16(22, channels, true);
    head.setUint32(24, RATE, true);
    head.setUint32(28, RATE * channels * 2, true);
    head.setUint16(32, channels * 2, true);
    head.setUint16(34, 16, true);
    head.setUint32(40, samples.byteLength, true);
    return new Blob([head, samples], { type: "audio/wav" });
  }

  // downloads.ts
  function downloads() {
    const found = [];
    const faces = data.lanes.filter((lane) => lane.face);
    const add = (words, end, kind, content) => {
      const name = `${data.title.replace(/\.[^.]*$/, "")}.${end}`;
      found.push({ name, words, make: () => new Blob([content()], { type: kind }) });
    };
    if (faces.some((lane) => lane.speaking.length)) {
      add("Who speaks when, as subtitles", "speech.srt", "application/x-subrip", srt);
      add("Who speaks when, as a table", "speech.csv", "text/csv", speech);
    }
    if (faces.length) {
      add("Faces: boxes and speech", "faces.json", "application/json", () => json({ faces: faces.map(told2) }));
      add("Faces: boxes as a table", "faces.csv", "text/csv", boxes);
    }
    if (data.heat) {
      add("Where the sound comes from", "sources.json", "application/json", () => json(data.heat.sources));
      add("Where the sound comes from, as a table", "sources.csv", "text/csv", sources);
    }
    data.lanes.forEach((lane, place) => {
      if (!lane.voice) return;
      const stem = data.title.replace(/\.[^.]*$/, ""), end = lane.face ? `face${lane.face}` : faces.length ? "rest" : "sound";
      found.push({
        name: `${stem}.${end}.wav`,
        words: `${lane.name}: the sound as it is heard here, from Opus`,
        make: () => wav(place, lane, data.duration)
      });
    });
    return found;
  }
  function save(name, content) {
    const link = make("a", { href: URL.createObjectURL(content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 6e4);
  }
  function json(value) {
    return `${JSON.stringify(value)}
`;
  }
  function table(head, rows) {
    return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
  }
  var short = (value, digits) => Number(value.toFixed(digits));
  function told2(lane) {
    const track = [...new Boxes(lane.track, data.film.size).all()];
    return {
      face: lane.face,
      track: track.map(([t, box]) => ({ t: short(t, 3), box: box.map((edge) => short(edge, 1)) })),
      speaking: lane.speaking
    };
  }
  function spoken() {
    const every = data.lanes.flatMap((lane) => lane.speaking.map(
      ([a, b]) => [lane.name, lane.face, a, b]
    ));
    return every.sort((one, other) => one[2] - other[2]);
  }
  function speech() {
    return table(["face", "start", "end"], spoken().map(([, face, a, b]) => [face, a, b]));
  }
  function srt() {
    const stamp = (time) => {
      const ms = Math.round(time * 1e3), pad = (n, wide) => String(n).padStart(wide, "0");
      const hours = Math.floor(ms / 36e5), minutes = Math.floor(ms / 6e4) % 60;
      return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(Math.floor(ms / 1e3) % 60, 2)},${pad(ms % 1e3, 3)}`;
    };
    return spoken().map(([name, , a, b], n) => `${n + 1}
${stamp(a)} --> ${stamp(b)}
${name}
`).join("\n");
  }
  function boxes() {
    return table(["face", "t", "x0", "y0", "x1", "y1"], data.lanes.flatMap((lane) => lane.track && data.film ? [...new Boxes(lane.track, data.film.size).all()].map(
      ([t, box]) => [lane.face, short(t, 3), ...box.map((edge) => short(edge, 1))]
    ) : []));
  }
  function sources() {
    return table(["t", "visible", "x", "y", "x0", "y0", "x1", "y1", "cue", "face"], data.heat.sources.steps.map(
      (step) => [step.t, step.visible, ...step.peak, ...step.box, step.cue, step.face ?? ""]
    ));
  }

  // lanes.ts
  var SHORTEST = 0.25;
  var View = class {
    constructor(duration, changed) {
      this.duration = duration;
      this.changed = changed;
      this.to = duration;
    }
    duration;
    changed;
    from = 0;
    to;
    width = 1;
    x(time) {
      return (time - this.from) / (this.to - this.from) * this.width;
    }
    time(x) {
      return this.from + x / this.width * (this.to - this.from);
    }
    get whole() {
      return this.to - this.from > this.duration - 1e-6;
    }
    show(from, length) {
      const shown = Math.min(this.duration, Math.max(Math.min(SHORTEST, this.duration), length));
      this.from = Math.max(0, Math.min(from, this.duration - shown));
      this.to = this.from + shown;
      this.changed();
    }
    zoom(factor, about) {
      const length = (this.to - this.from) / factor;
      this.show(about - (about - this.from) / (this.to - this.from) * length, length);
    }
    pan(seconds) {
      this.show(this.from + seconds, this.to - this.from);
    }
    /** Keep a moving time in sight. */
    follow(time) {
      const length = this.to - this.from;
      if (!this.whole && (time < this.from || time > this.to - 0.06 * length))
        this.show(time - 0.1 * length, length);
    }
  };
  var HEAT = ["oklab(0.1 0.01 -0.04)", "oklab(0.3 0.07 -0.13)", "oklab(0.52 0.17 -0.03)", "oklab(0.73 0.11 0.11)", "oklab(0.97 -0.02 0.08)"];
  var TOLD = [100, 200, 500, 1e3, 2e3, 4e3, 8e3, 16e3];
  var Drawn = class _Drawn {
    constructor(lane, data2, again) {
      this.lane = lane;
      this.again = again;
      const parts = (lane.voice?.peaks ?? []).map(bytes);
      this.peaks = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        this.peaks.set(part, at);
        at += part.length;
      }
      for (const peak of this.peaks) _Drawn.loudest = Math.max(_Drawn.loudest, peak);
      this.boxes = lane.track && data2.film ? new Boxes(lane.track, data2.film.size) : null;
    }
    lane;
    again;
    canvas = document.createElement("canvas");
    peaks;
    boxes;
    tiles = [];
    shades = /* @__PURE__ */ new Map();
    /** The loudest of all lanes, 0 to 255, which fills its lane. */
    static loudest = 1;
    /** How loud it is at a time, 0 to 1. */
    level(time) {
      const voice = this.lane.voice;
      if (!voice) return 0;
      const at = Math.floor(time / voice.peak);
      let most = 0;
      for (let n = Math.max(0, at - 3); n <= at + 3; n++) most = Math.max(most, this.peaks[n] ?? 0);
      return most / _Drawn.loudest;
    }
    draw(view, mode, colour, paper) {
      const scale = Math.min(3, window.devicePixelRatio || 1);
      const width = view.width, height = this.canvas.clientHeight;
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      const pen = this.canvas.getContext("2d");
      pen.scale(scale, scale);
      const hasTracks = this.boxes !== null || this.lane.speaking.length > 0;
      const thick = Math.round(rem() / 3), room = hasTracks ? height - 1.8 * thick : height;
      const asPicture = this.lane.picture && (mode === "spectrogram" || !this.peaks.length);
      if (asPicture) this.picture(pen, view, this.lane.picture, room, colour, paper);
      else this.waveform(pen, view, room, colour);
      if (!hasTracks) return;
      pen.fillStyle = colour;
      pen.globalAlpha = 0.28;
      for (const span of this.boxes?.seen ?? []) this.bar(pen, view, span, height - 0.8 * thick, 0.6 * thick);
      pen.globalAlpha = 1;
      for (const span of this.lane.speaking) this.bar(pen, view, span, height - thick, thick);
    }
    bar(pen, view, span, y, high) {
      const x = view.x(span[0]), wide = view.x(span[1]) - x;
      if (x > view.width || x + wide < 0) return;
      pen.beginPath();
      pen.roundRect(x, y, Math.max(2, wide), high, high / 2);
      pen.fill();
    }
    waveform(pen, view, room, colour) {
      const seconds = this.lane.voice?.peak ?? 1, wide = Math.max(2, Math.round(rem() / 8)), step = 1.5 * wide;
      const inside = (time) => !this.lane.speaking.length || this.lane.speaking.some(([a, b]) => time >= a && time <= b);
      pen.fillStyle = colour;
      for (let x = 0; x < view.width; x += step) {
        const first = Math.floor(view.time(x) / seconds);
        const last = Math.max(first + 1, Math.floor(view.time(x + step) / seconds));
        let most = 0;
        for (let n = first; n < last; n++) most = Math.max(most, this.peaks[n] ?? 0);
        const high = Math.max(1.5, (most / _Drawn.loudest) ** 1.5 * (room - 2));
        pen.globalAlpha = inside(view.time(x + 1)) ? 1 : 0.4;
        pen.beginPath();
        pen.roundRect(x, (room - high) / 2, wide, high, wide / 2);
        pen.fill();
      }
      pen.globalAlpha = 1;
    }
    picture(pen, view, picture, room, colour, paper) {
      pen.fillStyle = paper;
      pen.fillRect(0, 0, view.width, room);
      const first = Math.max(0, Math.floor((view.from - picture.start) / picture.each) - 1);
      const last = Math.min(picture.tiles.length - 1, Math.floor((view.to - picture.start) / picture.each));
      for (let n = first; n <= last; n++) {
        const tile = this.tile(picture, n);
        if (!tile) continue;
        const x = view.x(picture.start + n * picture.each - picture.hop / 2);
        const wide = view.x(picture.start + n * picture.each + (tile.width - 0.5) * picture.hop) - x;
        pen.imageSmoothingEnabled = wide < 2 * tile.width;
        pen.drawImage(this.shaded(tile, n, colour, paper), x, 0, wide, room);
      }
      if (!this.peaks.length) this.scale(pen, view, picture, room);
    }
    /** Frequencies at the right end. */
    scale(pen, view, picture, room) {
      const count = picture.bins.length;
      pen.font = `${0.75 * rem()}px system-ui, sans-serif`;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.shadowColor = "black";
      pen.shadowBlur = 4;
      pen.fillStyle = "white";
      let last = Infinity;
      for (const [hz, row] of TOLD.map((hz2) => [hz2, picture.bins.findIndex((bin) => bin >= hz2)])) {
        const y = room * (1 - (row + 0.5) / count);
        if (row <= 0 || picture.axis === "index" || last - y < 1.3 * rem() || y < rem()) continue;
        pen.fillText(hz < 1e3 ? `${hz} Hz` : `${hz / 1e3} kHz`, view.width - 10, y);
        pen.fillRect(view.width - 6, y - 0.5, 6, 1);
        last = y;
      }
      pen.shadowBlur = 0;
    }
    tile(picture, n) {
      if (this.tiles[n] === void 0) {
        this.tiles[n] = null;
        const address2 = picture.tiles[n];
        if (address2) void decoded(address2).then((tile) => {
          this.tiles[n] = tile;
          this.again();
        });
      }
      return this.tiles[n];
    }
    shaded(tile, n, colour, paper) {
      const key = `${colour} ${paper}`;
      if (!this.shades.has(key)) {
        this.shades.clear();
        this.shades.set(key, []);
      }
      return this.shades.get(key)[n] ??= coloured(tile, this.peaks.length ? ramp(paper, colour) : heat());
    }
    /** What lies at a height of a picture: frequency and level, as words. */
    told(time, part) {
      const picture = this.lane.picture;
      if (!picture) return "";
      const row = Math.min(picture.bins.length - 1, Math.floor((1 - part) * picture.bins.length));
      const bin = picture.bins[row];
      const place = picture.axis === "index" ? `coefficient ${bin}` : bin < 1e3 ? `${bin.toFixed(0)} Hz` : `${(bin / 1e3).toFixed(2)} kHz`;
      const frame = Math.round((time - picture.start) / picture.hop), each = Math.round(picture.each / picture.hop);
      const tile = this.tiles[Math.min(picture.tiles.length - 1, Math.floor(frame / each))];
      if (!tile) return place;
      const x = frame - Math.floor(frame / each) * each, y = picture.bins.length - 1 - row;
      const value = pixels(tile, x, y, 1, 1).data[0] / 255;
      const level = picture.low + value * (picture.high - picture.low);
      return `${place}, ${level.toFixed(picture.unit.startsWith("dB") ? 0 : 2)} ${picture.unit}`;
    }
  };
  function axis(canvas, view, ink) {
    const scale = Math.min(3, window.devicePixelRatio || 1);
    canvas.width = Math.round(view.width * scale);
    canvas.height = Math.round(canvas.clientHeight * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = ink;
    pen.font = `${0.8 * rem()}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    const least = (view.to - view.from) * 5 * rem() / view.width;
    const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];
    const step = steps.find((each) => each >= least) ?? 3600;
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (let n = Math.ceil(view.from / step - 1e-9); n * step <= view.to + 1e-9; n++) {
      const time = n * step, x = view.x(time);
      const words = `${Math.floor(time / 60)}:${(time % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
      const room = pen.measureText(words).width;
      pen.globalAlpha = 1;
      if (x + room + 4 < view.width) pen.fillText(words, x + 4, canvas.clientHeight / 2);
      pen.globalAlpha = 0.35;
      pen.fillRect(Math.min(x, view.width - 1), 2, 1, canvas.clientHeight - 4);
    }
  }
  function rem() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize);
  }
  async function decoded(address2) {
    const image = new Image();
    image.src = address2;
    await image.decode();
    return createImageBitmap(image);
  }
  function pixels(image, x, y, w, h) {
    const canvas = document.createElement("canvas");
    canvas.width = w;
    canvas.height = h;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, x, y, w, h, 0, 0, w, h);
    return pen.getImageData(0, 0, w, h);
  }
  function coloured(tile, colours) {
    const found = pixels(tile, 0, 0, tile.width, tile.height);
    for (let n = 0; n < found.data.length; n += 4) {
      const level = found.data[n] * 4;
      for (let c = 0; c < 3; c++) found.data[n + c] = colours[level + c];
    }
    const canvas = document.createElement("canvas");
    canvas.width = tile.width;
    canvas.height = tile.height;
    canvas.getContext("2d").putImageData(found, 0, 0);
    return canvas;
  }
  function heat() {
    return shades(HEAT.map((colour, n) => [n / (HEAT.length - 1), colour]));
  }
  function ramp(paper, colour) {
    const dark = shades([[0, paper], [1, paper]])[0] < 128;
    return shades([[0.1, paper], [0.72, colour], [1, dark ? "white" : "black"]]);
  }
  function shades(stops) {
    const canvas = document.createElement("canvas");
    canvas.width = 256;
    canvas.height = 1;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const between = pen.createLinearGradient(0, 0, 256, 0);
    for (const [place, colour] of stops) between.addColorStop(place, colour);
    pen.fillStyle = between;
    pen.fillRect(0, 0, 256, 1);
    return pen.getImageData(0, 0, 256, 1).data;
  }

  // film.ts
  function address(film) {
    if (!film.id) return film.src;
    const parts = [];
    const letters = text(film.id), most = 4 << 20;
    for (let at = 0; at < letters.length; at += most) parts.push(bytes(letters.slice(at, at + most)));
    document.getElementById(film.id).remove();
    return URL.createObjectURL(new Blob(parts, { type: film.type }));
  }
  var Ring = class {
    constructor(lane, data2, level) {
      this.lane = lane;
      this.level = level;
      const { name, face, track } = data2.lanes[lane];
      this.boxes = new Boxes(track, data2.film.size);
      this.last = data2.duration - 1 / track.fps;
      this.button = make(
        "button",
        { className: "ring", type: "button", title: `Hear only ${name.toLowerCase()}` },
        make("span", { className: "number", ariaHidden: "true" }, String(face))
      );
      this.button.setAttribute("aria-label", `${name}: hear it alone`);
    }
    lane;
    level;
    button;
    boxes;
    last;
    // seconds: at the end of a film its last picture is still seen
    breath = 0;
    move(time, speaks, size, shown) {
      const box = this.boxes.at(Math.max(0, Math.min(time, this.last)));
      this.button.hidden = !box;
      if (!box) return;
      const [x0, y0, x1, y1] = box;
      const scale = shown[0] / size[0], wide = 1.2 * Math.max(x1 - x0, y1 - y0) * scale;
      const x = (x0 + x1) / 2 * scale - wide / 2, y = (y0 + y1) / 2 * scale - wide / 2;
      this.button.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      this.button.style.width = this.button.style.height = `${wide.toFixed(1)}px`;
      const goal = speaks ? 0.15 + 0.85 * this.level(time) : 0;
      this.breath += (goal - this.breath) * (goal > this.breath ? 0.35 : 0.12);
      this.button.style.setProperty("--breath", this.breath.toFixed(3));
      this.button.classList.toggle("speaks", speaks);
    }
  };
  var HeatLayer = class {
    constructor(heat2) {
      this.heat = heat2;
      this.colours = bytes(heat2.colours);
      this.canvas.width = heat2.columns;
      this.canvas.height = heat2.rows;
    }
    heat;
    canvas = make("canvas", { className: "heat", ariaHidden: "true" });
    sheets = [];
    colours;
    shown = -1;
    move(time) {
      const { heat: heat2 } = this;
      const step = Math.max(0, Math.min(heat2.steps - 1, Math.round(time / heat2.every)));
      const each = heat2.across * heat2.across, number = Math.floor(step / each);
      if (!(number in this.sheets)) {
        this.sheets[number] = void 0;
        void decoded(heat2.sheets[number]).then((sheet2) => {
          this.sheets[number] = sheet2;
        });
      }
      const sheet = this.sheets[number];
      if (step === this.shown || !sheet) return;
      this.shown = step;
      const n = step % each, x = n % heat2.across * heat2.columns, y = Math.floor(n / heat2.across) * heat2.rows;
      const cell = pixels(sheet, x, y, heat2.columns, heat2.rows);
      for (let at = 0; at < cell.data.length; at += 4) {
        const hot = Math.max(0, cell.data[at] / 255 - heat2.cold) / (1 - heat2.cold);
        cell.data.set(this.colours.subarray(3 * Math.round(255 * hot), 3 * Math.round(255 * hot) + 3), at);
        cell.data[at + 3] = 255 * (1 - (1 - hot) ** 2);
      }
      this.canvas.getContext("2d").putImageData(cell, 0, 0);
    }
  };

  // index.ts
  function index() {
    const pages = data.pages, list = make("ul", { className: "cards" }), count = make("p", { role: "status" });
    const search = make("input", { type: "search", placeholder: "Search", ariaLabel: "Search by name" });
    const cards = pages.map(([address2, title, seconds, words, picture]) => {
      const shown = picture ? make("img", { src: picture, alt: "", loading: "lazy", decoding: "async" }) : make("span", { className: "wave" });
      return make("li", {}, make(
        "a",
        { href: address2 },
        shown,
        make("strong", {}, title),
        make("small", {}, [clock(seconds, 0), words].filter(Boolean).join("  ·  "))
      ));
    });
    const find = () => {
      const wanted = search.value.toLowerCase();
      let found = 0;
      pages.forEach(([, title], n) => {
        const fits = title.toLowerCase().includes(wanted);
        cards[n].hidden = !fits;
        found += Number(fits);
      });
      count.textContent = found === 1 ? "1 file" : `${found} files`;
    };
    search.addEventListener("input", find);
    list.append(...cards);
    document.body.append(make("main", {}, make("header", {}, make("h1", {}, data.title), count, search), list));
    find();
  }

  // parts.ts
  var KEYS = [
    ["Space", "play, pause"],
    ["← →", "a picture back, on"],
    ["Shift ← →", "five seconds back, on"],
    ["1 … 9", "hear one face; with Shift, add it"],
    ["0", "hear everything"],
    ["+ −", "zoom"],
    ["M", "waveform or spectrogram"],
    ["Esc", "no loop, everything is heard"]
  ];
  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", name === "play" ? "M8 5.2v13.6c0 .8.9 1.3 1.5.8l10-6.8a1 1 0 0 0 0-1.6l-10-6.8c-.6-.5-1.5 0-1.5.8z" : "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z");
    svg.append(path);
    return svg;
  }
  function keysDialog() {
    return make(
      "dialog",
      { className: "keys" },
      make("h2", {}, "Keys"),
      make("dl", {}, ...KEYS.flatMap(([key, words]) => [make("dt", {}, key), make("dd", {}, words)])),
      make("p", {}, "Drag over the lanes to repeat a part; turn the wheel with Ctrl to zoom, with Shift to move."),
      make("form", { method: "dialog" }, make("button", { className: "plain" }, "Close"))
    );
  }
  function compared(other) {
    const both = ["Before", "After"].map((words) => {
      const button = make("button", { type: "button" }, words);
      button.addEventListener("click", () => turn(words === "Before"));
      return button;
    });
    const turn = (shows) => {
      other.style.visibility = shows ? "visible" : "hidden";
      both.forEach((button, n) => button.setAttribute("aria-pressed", String(shows === (n === 0))));
    };
    turn(false);
    return make("div", { className: "modes compared", role: "group", ariaLabel: "Before or after" }, ...both);
  }
  function lost(film, video) {
    const file = make("input", { type: "file", accept: "video/*" });
    file.addEventListener("change", () => {
      if (!file.files?.[0]) return;
      video.src = URL.createObjectURL(file.files[0]);
      note.remove();
    });
    const note = make("label", { className: "lost" }, `${film.name} is not beside this page, or this browser cannot play it. Its voices are here; choose the film to see it too.`, file);
    return note;
  }
  function likelihood(canvas, steps, view, ink) {
    const scale = Math.min(3, window.devicePixelRatio || 1), high = canvas.clientHeight;
    canvas.width = Math.round(view.width * scale);
    canvas.height = Math.round(high * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.beginPath();
    for (const each of steps) pen.lineTo(view.x(each.t), high - 3 - each.visible * (high - 6));
    pen.lineWidth = 2;
    pen.strokeStyle = ink;
    pen.lineJoin = "round";
    pen.stroke();
    pen.lineTo(view.x(steps.at(-1)?.t ?? 0), high);
    pen.lineTo(view.x(steps[0]?.t ?? 0), high);
    pen.globalAlpha = 0.15;
    pen.fillStyle = ink;
    pen.fill();
  }

  // main.ts
  var HUES = [28, 250, 150, 320, 85, 200, 290, 120];
  function start(more) {
    if (data.pages) return index();
    const { lanes, film } = data, faces = lanes.filter((lane) => lane.face);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let mode = lanes.some((lane) => lane.voice) ? "waveform" : "spectrogram", dirty = true, asked = false;
    const colour = (place2) => {
      const face = lanes[place2].face;
      const hue = HUES[(face - 1) % HUES.length];
      return face ? `oklch(${dark.matches ? 0.76 : 0.6} 0.17 ${hue})` : dark.matches ? "#9aa0ad" : "#7c818d";
    };
    const moving = (each) => make("video", { src: address(each), muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    const videos = film ? [{ film: moving(film), start: film.start }] : [];
    const before = !film?.before ? null : film.before.type?.startsWith("image/") ? make("img", { src: address(film.before), alt: "" }) : moving(film.before);
    if (before instanceof HTMLVideoElement) videos.push({ film: before, start: film.before.start });
    const screen = make("div", { className: "screen" });
    const stage = make("section", { className: "stage", ariaLabel: more ? "Head" : "Film" }, ...film ? [screen] : []);
    const big = make("button", { className: "big", type: "button", ariaLabel: "Play", title: "Play (space bar)" }, icon("play"));
    const player = new Player(lanes, data.duration, videos, () => {
      dirty = true;
      wake();
    });
    const drawn = lanes.map((lane) => new Drawn(lane, data, () => {
      dirty = true;
      wake();
    }));
    const rings = lanes.flatMap((lane, place2) => lane.track && film ? [new Ring(place2, data, (time) => drawn[place2].level(time))] : []);
    const heat2 = data.heat && new HeatLayer(data.heat);
    if (film) {
      screen.style.aspectRatio = `${film.size[0]} / ${film.size[1]}`;
      screen.style.setProperty("--shape", String(film.size[0] / film.size[1]));
      screen.append(videos[0].film);
      if (before) screen.append(before, compared(before));
      if (heat2) screen.append(heat2.canvas);
      screen.append(...rings.map((ring) => ring.button), big);
      videos[0].film.addEventListener("error", () => screen.append(lost(film, videos[0].film)));
      screen.addEventListener("click", (event) => {
        if (event.target === screen || event.target instanceof HTMLVideoElement) toggle();
      });
    }
    const step = more?.(stage);
    const said = make("p", { className: "said", role: "status" });
    const everyone = make("button", { type: "button", className: "plain" }, faces.length ? "Hear everyone" : "Hear everything");
    const play = make("button", { type: "button", className: "play", ariaLabel: "Play", title: "Play (space bar)" }, icon("play"));
    const now = make("output", { className: "now" });
    const place = make("input", { type: "range", className: "place", min: "0", max: String(data.duration), step: "0.01", ariaLabel: "Play head" });
    const unloop = make("button", { type: "button", className: "plain chip", title: "Play on (Esc)" });
    const modes = make(
      "div",
      { className: "modes", role: "group", ariaLabel: "What the lanes show" },
      ...["waveform", "spectrogram"].map((each) => {
        const button = make("button", { type: "button" }, each === "waveform" ? "Waveform" : "Spectrogram");
        button.addEventListener("click", () => {
          mode = each;
          refresh();
        });
        return button;
      })
    );
    const glow = make("input", { type: "range", min: "0", max: "1", step: "0.05", value: faces.length ? "0" : "0.7", ariaLabel: "Heat of where the sound comes from" });
    const glowing = make("label", { className: "glow", title: "Where the sound comes from, as heat over the film" }, "Heat", glow);
    const near = make("button", { type: "button", className: "round", ariaLabel: "Zoom in", title: "Zoom in (+)" }, "+");
    const far = make("button", { type: "button", className: "round", ariaLabel: "Zoom out", title: "Zoom out (−)" }, "−");
    const keys = keysDialog();
    const help = make("button", { type: "button", className: "round", ariaLabel: "Keys", title: "Keys (?)" }, "?");
    const files = downloads();
    const menu = make(
      "details",
      { className: "files" },
      make("summary", { title: "Every number as a file" }, "Downloads"),
      make("ul", {}, ...files.map((file) => {
        const button = make("button", { type: "button" }, make("span", {}, file.words), make("small", {}, file.name));
        button.addEventListener("click", async () => {
          menu.open = false;
          save(file.name, await file.make());
        });
        return make("li", {}, button);
      }))
    );
    const hasModes = lanes.some((lane) => lane.voice && lane.picture) && !lanes.some((lane) => lane.picture && !lane.voice);
    const bar = make(
      "div",
      { className: "bar", role: "toolbar", ariaLabel: "Player" },
      play,
      now,
      place,
      unloop,
      make(
        "span",
        { className: "tools" },
        ...hasModes ? [modes] : [],
        ...heat2 ? [glowing] : [],
        make("span", { className: "zoom" }, far, near),
        ...files.length ? [menu] : [],
        help
      )
    );
    const marks = make("canvas", { ariaHidden: "true" });
    const head = make("div", { className: "head" }), region = make("div", { className: "region" });
    const hover = make("output", { className: "hover", hidden: true });
    const over = make("div", { className: "over", ariaHidden: "true" }, region, head, hover);
    const rows = lanes.map((lane, n) => {
      const talk = lane.speaking.reduce((sum, [a, b]) => sum + b - a, 0);
      const words = lane.face ? talk ? `speaks ${talk.toFixed(1)} s` : "never speaks" : lane.voice ? faces.length ? "all other sound" : "" : lane.picture?.unit ?? "";
      const who = make(
        "button",
        { type: "button", className: "who", title: lane.voice ? `Hear only ${lane.name.toLowerCase()}` : "" },
        lane.portrait ? make("img", { src: lane.portrait, alt: "" }) : make("span", { className: "wave", ariaHidden: "true" }),
        make("span", { className: "name" }, lane.name, make("small", {}, words))
      );
      who.disabled = !lane.voice;
      who.addEventListener("click", (event) => choose(n, event.shiftKey));
      const row = make("div", { className: lane.picture && !lane.voice ? "lane tall" : "lane" }, who, make("div", { className: "drawn" }, drawn[n].canvas));
      drawn[n].canvas.setAttribute("role", "img");
      drawn[n].canvas.ariaLabel = `${lane.name}: ${lane.voice ? "sound over time" : lane.picture?.unit ?? ""}${words ? `, ${words}` : ""}`;
      return row;
    });
    const visible = make("canvas", { role: "img", ariaLabel: "How likely the source of the sound is in the picture, over time" });
    const likely = make(
      "div",
      { className: "lane likely" },
      make("span", { className: "who" }, make("span", { className: "name" }, "Source in view", make("small", {}))),
      make("div", { className: "drawn" }, visible)
    );
    const thumb = make("div", { className: "thumb" }), scroll = make("div", { className: "scroll", ariaHidden: "true" }, thumb);
    const board = make(
      "section",
      { className: "lanes", ariaLabel: "Who is heard when" },
      make("div", { className: "lane axis" }, make("span", { className: "who" }), make("div", { className: "drawn" }, marks)),
      ...rows,
      ...heat2 ? [likely] : [],
      over,
      scroll
    );
    board.classList.toggle("many", lanes.length > 8);
    const view = new View(data.duration, () => {
      dirty = true;
      wake();
    });
    const facts = [faces.length ? `${faces.length} ${faces.length === 1 ? "face" : "faces"}` : "", clock(data.duration), ...Object.values(data.facts)];
    document.body.append(make(
      "main",
      {},
      make("header", {}, make("h1", {}, data.title), make("p", {}, facts.filter(Boolean).join("  ·  "))),
      ...film || more ? [stage] : [],
      said,
      bar,
      board
    ), keys);
    function toggle() {
      asked = true;
      if (player.playing) player.pause();
      else void player.play();
    }
    function choose(lane, adds = false) {
      if (lane !== null && !lanes[lane]?.voice) return;
      player.choose(lane, adds);
      if (lane !== null && !player.playing && !asked) toggle();
    }
    function refresh() {
      dirty = true;
      for (const button of [play, big]) {
        button.replaceChildren(icon(player.playing ? "pause" : "play"));
        button.ariaLabel = player.playing ? "Pause" : "Play";
      }
      big.hidden = player.playing || asked && player.time > 0.05 && player.time < data.duration;
      const alone = [...player.alone].sort((a, b) => a - b);
      const names = alone.flatMap((n, at) => {
        const name = make("strong", {}, lanes[n].face ? lanes[n].name : lanes[n].name.toLowerCase());
        name.style.setProperty("--colour", colour(n));
        return at ? [at === alone.length - 1 ? " and " : ", ", name] : [name];
      });
      const invited = rings.length ? [make("strong", { className: "invite" }, "Click a face to hear only its voice."), " Shift-click adds another."] : data.words ? [data.words] : heat2 ? ["The warm glow is where the sound comes from."] : [];
      said.replaceChildren(...alone.length ? ["You hear only ", ...names, ". ", everyone] : invited);
      said.hidden = !alone.length && !invited.length;
      rows.forEach((row, n) => {
        row.style.setProperty("--colour", colour(n));
        row.classList.toggle("off", !player.isHeard(n) && lanes[n].voice !== void 0);
        row.querySelector("button")?.setAttribute("aria-pressed", String(player.alone.has(n)));
      });
      for (const ring of rings) {
        ring.button.style.setProperty("--colour", colour(ring.lane));
        ring.button.classList.toggle("off", !player.isHeard(ring.lane));
        ring.button.classList.toggle("alone", player.alone.has(ring.lane));
        ring.button.setAttribute("aria-pressed", String(player.alone.has(ring.lane)));
      }
      [...modes.children].forEach((button, n) => button.setAttribute("aria-pressed", String(mode === (n ? "spectrogram" : "waveform"))));
      if (heat2) heat2.canvas.style.opacity = glow.value;
      unloop.hidden = !player.loop;
      if (player.loop) unloop.textContent = `Repeats ${clock(player.loop[0])} – ${clock(player.loop[1])}  ×`;
      wake();
    }
    function layout() {
      view.width = Math.max(1, marks.parentElement.clientWidth);
      over.style.setProperty("--left", `${marks.parentElement.offsetLeft}px`);
      dirty = true;
      wake();
    }
    function resolved(name) {
      board.style.outlineColor = `var(${name})`;
      return getComputedStyle(board).outlineColor;
    }
    function drawLanes() {
      const paper = resolved("--paper");
      axis(marks, view, resolved("--soft"));
      drawn.forEach((each, n) => each.draw(view, mode, colour(n), paper));
      if (data.heat) likelihood(visible, data.heat.sources.steps, view, resolved("--accent"));
      region.hidden = !player.loop && !dragged;
      const span = dragged ?? player.loop;
      if (span) {
        const x = Math.max(0, view.x(span[0]));
        region.style.transform = `translateX(${x}px)`;
        region.style.width = `${Math.max(0, Math.min(view.width, view.x(span[1])) - x)}px`;
      }
      scroll.hidden = view.whole;
      thumb.style.left = `${100 * view.from / data.duration}%`;
      thumb.style.width = `${100 * (view.to - view.from) / data.duration}%`;
    }
    function frame() {
      waiting = false;
      player.follow();
      const time = player.time;
      if (player.playing && !holding) view.follow(time);
      if (dirty) {
        dirty = false;
        drawLanes();
      }
      const x = view.x(time);
      head.style.transform = `translateX(${x}px)`;
      head.hidden = x < -1 || x > view.width + 1;
      const words = `${clock(time)} / ${clock(data.duration)}`;
      if (now.value !== words) now.value = words;
      if (document.activeElement !== place || player.playing) place.value = String(time);
      place.setAttribute("aria-valuetext", clock(time));
      place.style.setProperty("--part", `${100 * time / Math.max(1e-9, data.duration)}%`);
      if (film) {
        const shown = [screen.clientWidth, screen.clientHeight];
        for (const ring of rings)
          ring.move(time, lanes[ring.lane].speaking.some(([a, b]) => time >= a && time < b), film.size, shown);
        if (heat2 && glow.value !== "0") heat2.move(time);
      }
      if (data.heat) {
        const steps = data.heat.sources.steps, at = steps[Math.round(time / data.heat.every)];
        if (at) likely.querySelector("small").textContent = `${Math.round(100 * at.visible)} % likely`;
      }
      step?.(time);
      if (player.playing) wake();
    }
    let waiting = false;
    function wake() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(frame);
    }
    let dragged = null, holding = null;
    const timeAt = (event) => view.time(event.clientX - marks.getBoundingClientRect().left);
    board.addEventListener("pointerdown", (event) => {
      if (event.button || !event.target.closest(".drawn")) return;
      holding = { x: event.clientX, time: timeAt(event) };
      board.setPointerCapture(event.pointerId);
    });
    board.addEventListener("pointermove", (event) => {
      const row = event.target.closest?.(".lane"), n = rows.indexOf(row);
      hover.hidden = n < 0 || !!holding;
      if (n >= 0 && !holding) {
        const rect = drawn[n].canvas.getBoundingClientRect(), time2 = timeAt(event);
        const asPicture = lanes[n].picture && (mode === "spectrogram" || !lanes[n].voice);
        const told3 = asPicture ? drawn[n].told(time2, (event.clientY - rect.top) / (rect.height - (lanes[n].track ? 0.6 * rem() : 0))) : "";
        hover.value = `${clock(Math.max(0, time2), 2)}${told3 ? `  ${told3}` : ""}`;
        const base = over.getBoundingClientRect(), right = event.clientX - base.left > base.width - 220;
        hover.style.transform = `translate(${event.clientX - base.left + (right ? -12 : 12)}px, ${event.clientY - base.top + 14}px) translateX(${right ? "-100%" : "0"})`;
      }
      if (!holding || Math.abs(event.clientX - holding.x) < 5 && !dragged) return;
      const time = Math.min(data.duration, Math.max(0, timeAt(event)));
      dragged = [Math.min(time, holding.time), Math.max(time, holding.time)];
      dirty = true;
      wake();
    });
    board.addEventListener("pointerleave", () => {
      hover.hidden = true;
    });
    board.addEventListener("pointerup", (event) => {
      if (!holding) return;
      const span = dragged;
      dragged = holding = null;
      if (span && span[1] - span[0] > 0.05) player.setLoop(span);
      else {
        const time = timeAt(event);
        if (player.loop && (time < player.loop[0] || time > player.loop[1])) player.setLoop(null);
        player.seek(time);
      }
    });
    board.addEventListener("pointercancel", () => {
      dragged = holding = null;
      dirty = true;
      wake();
    });
    board.addEventListener("wheel", (event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      if (!(event.ctrlKey || event.metaKey || sideways)) return;
      event.preventDefault();
      const second = (view.to - view.from) / view.width;
      if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(-event.deltaY / 300), timeAt(event));
      else view.pan((Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY) * second);
    }, { passive: false });
    scroll.addEventListener("pointerdown", (event) => scroll.setPointerCapture(event.pointerId));
    scroll.addEventListener("pointermove", (event) => {
      if (event.buttons) view.pan(event.movementX / scroll.clientWidth * data.duration);
    });
    for (const ring of rings) ring.button.addEventListener("click", (event) => choose(ring.lane, event.shiftKey));
    for (const button of [play, big]) button.addEventListener("click", toggle);
    everyone.addEventListener("click", () => choose(null));
    unloop.addEventListener("click", () => player.setLoop(null));
    place.addEventListener("input", () => player.seek(Number(place.value)));
    glow.addEventListener("input", refresh);
    near.addEventListener("click", () => view.zoom(1.6, player.time));
    far.addEventListener("click", () => view.zoom(1 / 1.6, player.time));
    help.addEventListener("click", () => keys.showModal());
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => {
      const target = event.target;
      if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
      if (target === glow && event.key.startsWith("Arrow")) return;
      const one = film ? 1 / film.fps : 0.04;
      const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? (/^\d$/.test(event.key) ? event.key : void 0);
      const move = (seconds) => {
        if (!event.shiftKey) player.pause();
        const time = player.time + seconds;
        player.seek(event.shiftKey ? time : Math.round(time / one) * one);
      };
      if (event.key === " ") toggle();
      else if (event.key === "ArrowLeft") move(event.shiftKey ? -5 : -one);
      else if (event.key === "ArrowRight") move(event.shiftKey ? 5 : one);
      else if (event.key === "Home") player.seek(0);
      else if (event.key === "End") player.seek(data.duration);
      else if (digit === "0") choose(null);
      else if (digit) choose(lanes.findIndex((lane) => lane.face === Number(digit)) >= 0 ? lanes.findIndex((lane) => lane.face === Number(digit)) : null, event.shiftKey);
      else if (event.key === "Escape") {
        menu.open = false;
        player.setLoop(null);
        choose(null);
      } else if (event.key === "+" || event.key === "=") view.zoom(1.6, player.time);
      else if (event.key === "-") view.zoom(1 / 1.6, player.time);
      else if (event.key === "m" && hasModes) {
        mode = mode === "waveform" ? "spectrogram" : "waveform";
        refresh();
      } else if (event.key === "?") keys.showModal();
      else return;
      event.preventDefault();
    });
    dark.addEventListener("change", refresh);
    new ResizeObserver(layout).observe(board);
    new ResizeObserver(wake).observe(screen);
    player.onchange = refresh;
    Object.assign(window, { avtool: player });
    layout();
    refresh();
  }

  // page.ts
  start();
})();
