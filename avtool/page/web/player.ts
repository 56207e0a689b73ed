// One clock for all that is heard and seen: the sound card's. Voices are cut into pieces of Opus,
// which are decoded a few seconds ahead and started on exact samples of that clock; who is heard
// is a matter of gains. The film is mute, and follows by changes of its speed that nobody sees.

import { bytes, text, type Lane, type Span } from "./data";

export const RATE = 48000; // Hz, Opus's own: decoding then keeps every sample in its place
const AHEAD = 4; // seconds that are decoded before they are heard
const FADE = 0.006; // seconds in which a gain comes two thirds of its way: no click
const FAR = 0.4, NEAR = 0.006; // seconds: a film is set anew; it is left as it is
const ENOUGH = 8; // pictures by which it is judged how far a film is ahead
const INSIDE = 0.002; // seconds: a time within its picture, not between two
const SPEEDS = 0.3; // how much faster or slower the film may run

/** A film, and how it keeps to the sound. */
interface Follower {
  film: HTMLVideoElement;
  start: number; // of its first picture, in seconds of the page
  ahead: number[]; // seconds that its last pictures were early
  until: number; // when its own speed begins again
  cost: number; // seconds that it loses by a change of speed: some browsers stumble
  mended: boolean;
  leap: number; // seconds that its last leap took
}

export class Player {
  playing = false;
  loop: Span | null = null;
  /** What is heard alone, by number of lane; empty is everything. */
  readonly alone = new Set<number>();
  private context: AudioContext | null = null;
  private output: GainNode | null = null;
  private readonly gains = new Map<number, GainNode>();
  private readonly pieces = new Map<string, Promise<AudioBuffer>>();
  private sources: AudioBufferSourceNode[] = [];
  private runs: { clock: number; from: number }[] = []; // from a clock's time on, a film's time runs
  private next = { clock: 0, from: 0 };
  private began = false; // whether it is known how late the film began
  private dumb = false; // there is no loudspeaker, so no clock of it: the film plays in silence
  private place = 0; // seconds, while it is paused
  private turn = 0; // counts starts: what an earlier one still decodes is not wanted
  private lag = 0.02; // seconds from asking the film to play until it moves
  private readonly films: Follower[];
  private timer = 0;

  constructor(
    private readonly lanes: Lane[], readonly duration: number,
    films: { film: HTMLVideoElement; start: number }[], public onchange: () => void,
  ) {
    this.films = films.map((each) => ({ ...each, ahead: [], until: 0, cost: 0, mended: false, leap: 0.1 }));
    for (const each of this.films) this.watch(each);
  }

  /** What is heard now, in seconds of the film. */
  get time(): number { return this.timeIn(0); }

  /** The same so many seconds from now. */
  private timeIn(seconds: number): number {
    if (!this.playing || !this.runs.length) return this.place;
    const now = this.heard() + seconds;
    let run = this.runs[0]!;
    for (const each of this.runs) if (each.clock <= now) run = each;
    const end = this.loop && run.from < this.loop[1] ? this.loop[1] : this.duration;
    return Math.min(end, run.from + Math.max(0, now - run.clock));
  }

  /** The time on the clock of what is started next. */
  private get now(): number { return this.dumb ? performance.now() / 1000 : this.context!.currentTime; }

  /** The time on the sound's clock of what leaves the loudspeaker. */
  private heard(): number {
    if (this.dumb) return performance.now() / 1000;
    const { currentTime, outputLatency } = this.context!;
    const stamp = this.context!.getOutputTimestamp?.();
    if (stamp?.contextTime && stamp.performanceTime) {
      const at = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1000;
      if (Math.abs(at - currentTime) < 0.5) return at;
    }
    return currentTime - (outputLatency || 0);
  }

  async play(): Promise<void> {
    const turn = ++this.turn;
    if (this.place >= this.duration - 0.02) this.place = this.loop?.[0] ?? 0;
    this.playing = true;
    this.onchange();
    const from = Math.round(this.place * RATE) / RATE;
    const context = this.ready();
    await Promise.all([
      Promise.race([context.resume(), wait(1)]), this.filmAt(from), ...this.decoded(this.piece(from)),
    ]);
    if (turn !== this.turn) return;
    this.dumb = context.state !== "running";
    // The film is asked to play so much earlier than its sound is heard as it takes to begin.
    const early = Math.max(0.03, this.lag - (this.now - this.heard()));
    this.next = { clock: Math.round((this.now + early) * RATE) / RATE, from };
    this.runs = [{ ...this.next }];
    const delay = Math.max(0, this.next.clock - this.heard() - this.lag);
    this.began = false;
    for (const { film, start } of this.films)
      window.setTimeout(() => {
        if (turn === this.turn) void film.play().catch(() => undefined);
      }, 1000 * (delay + Math.max(0, start - from)));
    for (const each of this.films) Object.assign(each, { ahead: [], until: 0, mended: false });
    await this.schedule(turn);
    if (turn !== this.turn) return;
    this.timer = window.setInterval(() => void this.schedule(turn), 500);
  }

  pause(): void {
    if (!this.playing) return;
    this.stop();
    this.seek(this.place);
  }

  private stop(): void {
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

  seek(time: number): void {
    const goes = this.playing;
    if (goes) this.stop();
    this.place = Math.min(Math.max(0, time), this.duration);
    if (goes) void this.play();
    else void this.filmAt(this.place);
    this.onchange();
  }

  setLoop(loop: Span | null): void {
    const time = this.time;
    this.loop = loop;
    if (loop) this.seek(time >= loop[0] && time < loop[1] ? time : loop[0]);
    else if (this.playing) this.seek(time);
    this.onchange();
  }

  /** Hear one alone, or everything again; with `more`, add it or take it away. */
  choose(lane: number | null, more = false): void {
    const had = lane !== null && this.alone.has(lane);
    const single = this.alone.size === 1;
    if (lane === null || !more) this.alone.clear();
    if (lane !== null && more) had ? this.alone.delete(lane) : this.alone.add(lane);
    else if (lane !== null && !(had && single)) this.alone.add(lane);
    for (const [number, gain] of this.gains)
      gain.gain.setTargetAtTime(this.isHeard(number) ? 1 : 0, this.context!.currentTime, FADE);
    this.onchange();
  }

  isHeard(lane: number): boolean {
    return !this.alone.size || this.alone.has(lane);
  }

  /** Once a picture: keep the film with the sound. */
  follow(): void {
    if (!this.playing || !this.runs.length) return;
    if (this.time >= this.duration && !this.loop) {
      this.stop();
      this.place = this.duration;
      this.onchange();
      return;
    }
  }

  /** Look at each picture as it is shown. */
  private watch(each: Follower): void {
    const look: VideoFrameRequestCallback = (_, { mediaTime, expectedDisplayTime }) => {
      if (this.playing && this.runs.length && !each.film.seeking && !each.film.paused)
        this.keep(each, mediaTime + each.start - this.timeIn((expectedDisplayTime - performance.now()) / 1000));
      each.film.requestVideoFrameCallback(look);
    };
    each.film.requestVideoFrameCallback?.(look);
  }

  /** Keep a film, whose picture is so many seconds early, with the sound. */
  private keep(each: Follower, early: number): void {
    const { film, ahead } = each, now = performance.now() / 1000;
    if (Math.abs(early) > FAR && this.heard() > this.runs[0]!.clock + 0.3) {
      // Where the sound will be when the film has found its place, which took so long last time.
      film.currentTime = Math.max(0, this.time + each.leap - each.start);
      film.addEventListener("seeked", () => {
        each.leap = Math.min(1, performance.now() / 1000 - now);
      }, { once: true });
      each.ahead = [];
    } else if (each.until && now >= each.until) {
      film.playbackRate = 1;
      Object.assign(each, { ahead: [], until: 0, mended: true });
    } else if (!each.until && ahead.push(early) > ENOUGH) {
      ahead.sort((a, b) => a - b);
      const by = ahead[ENOUGH / 2]!;
      each.ahead = [];
      if (each.mended) each.cost = Math.max(0, Math.min(0.03, each.cost - 0.4 * by));
      if (!this.began) this.lag = Math.max(0, Math.min(0.3, this.lag - 0.7 * by));
      this.began = true;
      each.mended = false;
      if (Math.abs(by) < Math.max(NEAR, Math.min(0.008, each.cost / 2))) return;
      const wanted = by - each.cost, seconds = Math.max(0.2, Math.abs(wanted) / SPEEDS);
      film.playbackRate = 1 - wanted / seconds;
      each.until = now + seconds;
    }
  }

  private ready(): AudioContext {
    if (!this.context) {
      this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
      this.output = new GainNode(this.context);
      this.output.connect(this.context.destination);
      this.context.onstatechange = () => {
        if (this.dumb && this.playing && this.context!.state === "running") this.seek(this.time);
      };
      this.lanes.forEach((lane, number) => {
        if (!lane.voice) return;
        const gain = new GainNode(this.context!, { gain: this.isHeard(number) ? 1 : 0 });
        gain.connect(this.output!);
        this.gains.set(number, gain);
      });
    }
    return this.context;
  }

  /** The films show what belongs to a time. */
  private async filmAt(time: number): Promise<void> {
    await Promise.all(this.films.map(({ film, start }) => {
      const place = Math.max(0, time - start) + INSIDE;
      film.playbackRate = 1;
      if (!film.readyState || Math.abs(film.currentTime - place) < 0.001) return null;
      const seeked = new Promise((done) => film.addEventListener("seeked", done, { once: true }));
      film.currentTime = place;
      return Promise.race([seeked, wait(1)]);
    }));
  }

  private async schedule(turn: number): Promise<void> {
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
      if (this.next.clock < this.now) { // decoding was too slow
        this.next.clock = Math.ceil((this.now + 0.1) * RATE) / RATE;
        this.runs.push({ ...this.next });
      }
      this.start(number, buffers, end);
    }
    this.forget();
  }

  private start(number: number, buffers: (AudioBuffer | null)[], end: number): void {
    const { clock, from } = this.next;
    const { piece, margin } = this.cut;
    const last = number >= this.count - 1;
    const stop = last ? end : Math.min(end, (number + 1) * piece + margin);
    const length = Math.round((stop - from) * RATE) / RATE;
    buffers.forEach((buffer, lane) => {
      if (!buffer || this.dumb) return;
      const source = new AudioBufferSourceNode(this.context!, { buffer });
      source.connect(this.gains.get(lane)!);
      source.start(clock, Math.round((from - number * piece) * RATE) / RATE, length);
      source.onended = () => { this.sources = this.sources.filter((each) => each !== source); };
      this.sources.push(source);
    });
    this.next = { clock: clock + length, from: from + length };
  }

  private get cut(): { piece: number; margin: number } {
    return this.lanes.find((lane) => lane.voice)?.voice ?? { piece: 5, margin: 0.1 };
  }

  private get count(): number {
    return Math.max(1, ...this.lanes.map((lane) => lane.voice?.sounding.length ?? 0));
  }

  private piece(time: number): number {
    const { piece, margin } = this.cut;
    return Math.max(0, Math.min(this.count - 1, Math.floor((time - margin) / piece + 1e-9)));
  }

  /** The sound of every lane in a piece; null where it is silent. */
  private decoded(number: number): Promise<AudioBuffer | null>[] {
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
  private forget(): void {
    const here = this.piece(this.time), there = this.loop ? this.piece(this.loop[0]) : here;
    for (const key of this.pieces.keys()) {
      const number = Number(key.split("-")[1]);
      if (Math.abs(number - here) > 2 && Math.abs(number - there) > 2) this.pieces.delete(key);
    }
  }
}

function wait(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, 1000 * seconds));
}
