// What is drawn over time: every lane on a canvas of its own, all of the same stretch of time.

import { Boxes, bytes, type Data, type Lane, type Picture, type Span } from "./data";

export type Mode = "waveform" | "spectrogram";
const SHORTEST = 0.25; // seconds that can be seen at once

/** The stretch of time that is seen. */
export class View {
  from = 0;
  to: number;
  width = 1;
  constructor(readonly duration: number, private readonly changed: () => void) {
    this.to = duration;
  }

  x(time: number): number { return ((time - this.from) / (this.to - this.from)) * this.width; }
  time(x: number): number { return this.from + (x / this.width) * (this.to - this.from); }
  get whole(): boolean { return this.to - this.from > this.duration - 1e-6; }

  show(from: number, length: number): void {
    const shown = Math.min(this.duration, Math.max(Math.min(SHORTEST, this.duration), length));
    this.from = Math.max(0, Math.min(from, this.duration - shown));
    this.to = this.from + shown;
    this.changed();
  }

  zoom(factor: number, about: number): void {
    const length = (this.to - this.from) / factor;
    this.show(about - ((about - this.from) / (this.to - this.from)) * length, length);
  }

  pan(seconds: number): void { this.show(this.from + seconds, this.to - this.from); }

  /** Keep a moving time in sight. */
  follow(time: number): void {
    const length = this.to - this.from;
    if (!this.whole && (time < this.from || time > this.to - 0.06 * length))
      this.show(time - 0.1 * length, length);
  }
}

// The house's heat: equal steps of level are equal steps of lightness.
const HEAT = ["oklab(0.1 0.01 -0.04)", "oklab(0.3 0.07 -0.13)", "oklab(0.52 0.17 -0.03)", "oklab(0.73 0.11 0.11)", "oklab(0.97 -0.02 0.08)"];
const TOLD = [100, 200, 500, 1000, 2000, 4000, 8000, 16000]; // Hz that are marked

export class Drawn {
  readonly canvas = document.createElement("canvas");
  private readonly peaks: Uint8Array;
  private readonly boxes: Boxes | null;
  private readonly tiles: (ImageBitmap | null | undefined)[] = [];
  private readonly shades = new Map<string, HTMLCanvasElement[]>();

  /** The loudest of all lanes, 0 to 255, which fills its lane. */
  private static loudest = 1;

  constructor(readonly lane: Lane, data: Data, private readonly again: () => void) {
    const parts = (lane.voice?.peaks ?? []).map(bytes);
    this.peaks = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { this.peaks.set(part, at); at += part.length; }
    for (const peak of this.peaks) Drawn.loudest = Math.max(Drawn.loudest, peak);
    this.boxes = lane.track && data.film ? new Boxes(lane.track, data.film.size) : null;
  }

  /** How loud it is at a time, 0 to 1. */
  level(time: number): number {
    const voice = this.lane.voice;
    if (!voice) return 0;
    const at = Math.floor(time / voice.peak);
    let most = 0;
    for (let n = Math.max(0, at - 3); n <= at + 3; n++) most = Math.max(most, this.peaks[n] ?? 0);
    return most / Drawn.loudest;
  }

  draw(view: View, mode: Mode, colour: string, paper: string): void {
    const scale = Math.min(3, window.devicePixelRatio || 1);
    const width = view.width, height = this.canvas.clientHeight;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d")!;
    pen.scale(scale, scale);
    const hasTracks = this.boxes !== null || this.lane.speaking.length > 0;
    const thick = Math.round(rem() / 3), room = hasTracks ? height - 1.8 * thick : height;
    const asPicture = this.lane.picture && (mode === "spectrogram" || !this.peaks.length);
    if (asPicture) this.picture(pen, view, this.lane.picture!, room, colour, paper);
    else this.waveform(pen, view, room, colour);
    if (!hasTracks) return;
    pen.fillStyle = colour;
    pen.globalAlpha = 0.28;
    for (const span of this.boxes?.seen ?? []) this.bar(pen, view, span, height - 0.8 * thick, 0.6 * thick);
    pen.globalAlpha = 1;
    for (const span of this.lane.speaking) this.bar(pen, view, span, height - thick, thick);
  }

  private bar(pen: CanvasRenderingContext2D, view: View, span: Span, y: number, high: number): void {
    const x = view.x(span[0]), wide = view.x(span[1]) - x;
    if (x > view.width || x + wide < 0) return;
    pen.beginPath();
    pen.roundRect(x, y, Math.max(2, wide), high, high / 2);
    pen.fill();
  }

  private waveform(pen: CanvasRenderingContext2D, view: View, room: number, colour: string): void {
    const seconds = this.lane.voice?.peak ?? 1, wide = Math.max(2, Math.round(rem() / 8)), step = 1.5 * wide;
    const inside = (time: number): boolean =>
      !this.lane.speaking.length || this.lane.speaking.some(([a, b]) => time >= a && time <= b);
    pen.fillStyle = colour;
    for (let x = 0; x < view.width; x += step) {
      const first = Math.floor(view.time(x) / seconds);
      const last = Math.max(first + 1, Math.floor(view.time(x + step) / seconds));
      let most = 0;
      for (let n = first; n < last; n++) most = Math.max(most, this.peaks[n] ?? 0);
      const high = Math.max(1.5, (most / Drawn.loudest) ** 1.5 * (room - 2));
      pen.globalAlpha = inside(view.time(x + 1)) ? 1 : 0.4;
      pen.beginPath();
      pen.roundRect(x, (room - high) / 2, wide, high, wide / 2);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  private picture(
    pen: CanvasRenderingContext2D, view: View, picture: Picture, room: number, colour: string,
    paper: string,
  ): void {
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
  private scale(pen: CanvasRenderingContext2D, view: View, picture: Picture, room: number): void {
    const count = picture.bins.length;
    pen.font = `${0.75 * rem()}px system-ui, sans-serif`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.shadowColor = "black";
    pen.shadowBlur = 4;
    pen.fillStyle = "white";
    let last = Infinity;
    for (const [hz, row] of TOLD.map((hz) => [hz, picture.bins.findIndex((bin) => bin >= hz)] as const)) {
      const y = room * (1 - (row + 0.5) / count);
      if (row <= 0 || picture.axis === "index" || last - y < 1.3 * rem() || y < rem()) continue;
      pen.fillText(hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, view.width - 10, y);
      pen.fillRect(view.width - 6, y - 0.5, 6, 1);
      last = y;
    }
    pen.shadowBlur = 0;
  }

  private tile(picture: Picture, n: number): ImageBitmap | null {
    if (this.tiles[n] === undefined) {
      this.tiles[n] = null;
      const address = picture.tiles[n];
      if (address) void decoded(address).then((tile) => { this.tiles[n] = tile; this.again(); });
    }
    return this.tiles[n]!;
  }

  private shaded(tile: ImageBitmap, n: number, colour: string, paper: string): HTMLCanvasElement {
    const key = `${colour} ${paper}`;
    if (!this.shades.has(key)) { this.shades.clear(); this.shades.set(key, []); }
    return (this.shades.get(key)![n] ??= coloured(tile, this.peaks.length ? ramp(paper, colour) : heat()));
  }

  /** What lies at a height of a picture: frequency and level, as words. */
  told(time: number, part: number): string {
    const picture = this.lane.picture;
    if (!picture) return "";
    const row = Math.min(picture.bins.length - 1, Math.floor((1 - part) * picture.bins.length));
    const bin = picture.bins[row]!;
    const place = picture.axis === "index" ? `coefficient ${bin}` : bin < 1000 ? `${bin.toFixed(0)} Hz`
      : `${(bin / 1000).toFixed(2)} kHz`;
    const frame = Math.round((time - picture.start) / picture.hop), each = Math.round(picture.each / picture.hop);
    const tile = this.tiles[Math.min(picture.tiles.length - 1, Math.floor(frame / each))];
    if (!tile) return place;
    const x = frame - Math.floor(frame / each) * each, y = picture.bins.length - 1 - row;
    const value = pixels(tile, x, y, 1, 1).data[0]! / 255;
    const level = picture.low + value * (picture.high - picture.low);
    return `${place}, ${level.toFixed(picture.unit.startsWith("dB") ? 0 : 2)} ${picture.unit}`;
  }
}

/** Marks of time above the lanes. */
export function axis(canvas: HTMLCanvasElement, view: View, ink: string): void {
  const scale = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = Math.round(view.width * scale);
  canvas.height = Math.round(canvas.clientHeight * scale);
  const pen = canvas.getContext("2d")!;
  pen.scale(scale, scale);
  pen.fillStyle = ink;
  pen.font = `${0.8 * rem()}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const least = ((view.to - view.from) * 5 * rem()) / view.width;
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

/** The size of the page's letters, in pixels. */
export function rem(): number { return parseFloat(getComputedStyle(document.documentElement).fontSize); }

export async function decoded(address: string): Promise<ImageBitmap> {
  const image = new Image();
  image.src = address;
  await image.decode();
  return createImageBitmap(image);
}

export function pixels(image: CanvasImageSource, x: number, y: number, w: number, h: number): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  pen.drawImage(image, x, y, w, h, 0, 0, w, h);
  return pen.getImageData(0, 0, w, h);
}

/** Levels 0 to 255 in the colours of a ramp, [256 * 3]. */
function coloured(tile: ImageBitmap, colours: Uint8ClampedArray): HTMLCanvasElement {
  const found = pixels(tile, 0, 0, tile.width, tile.height);
  for (let n = 0; n < found.data.length; n += 4) {
    const level = found.data[n]! * 4;
    for (let c = 0; c < 3; c++) found.data[n + c] = colours[level + c]!;
  }
  const canvas = document.createElement("canvas");
  canvas.width = tile.width;
  canvas.height = tile.height;
  canvas.getContext("2d")!.putImageData(found, 0, 0);
  return canvas;
}

function heat(): Uint8ClampedArray {
  return shades(HEAT.map((colour, n) => [n / (HEAT.length - 1), colour]));
}

/** From paper over a colour to what is far from paper. */
function ramp(paper: string, colour: string): Uint8ClampedArray {
  const dark = shades([[0, paper], [1, paper]])[0]! < 128;
  return shades([[0.1, paper], [0.72, colour], [1, dark ? "white" : "black"]]);
}

/** 256 colours between some, [256 * 4]. */
function shades(stops: [number, string][]): Uint8ClampedArray {
  const canvas = document.createElement("canvas");
  canvas.width = 256;
  canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  const between = pen.createLinearGradient(0, 0, 256, 0);
  for (const [place, colour] of stops) between.addColorStop(place, colour);
  pen.fillStyle = between;
  pen.fillRect(0, 0, 256, 1);
  return pen.getImageData(0, 0, 256, 1).data;
}
