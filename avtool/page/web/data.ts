// What a page holds, as page/html.py writes it. Times are seconds, boxes are pixels of the film.

export type Span = [start: number, end: number];

export interface Track { runs: [first: number, count: number][]; boxes: string; fps: number }

export interface Picture {
  tiles: string[]; // images of `each` seconds; empty where it is silent
  each: number; hop: number; start: number;
  bins: number[]; // from the lowest row on
  axis: "linear" | "mel" | "index"; unit: string; low: number; high: number;
}

export interface Voice {
  piece: number; margin: number; // seconds
  peak: number; // seconds that one of peaks stands for
  sounding: boolean[]; peaks: string[]; // of each piece
}

export interface Lane {
  name: string; face: number; speaking: Span[];
  portrait?: string; track?: Track; voice?: Voice; picture?: Picture;
}

export interface Step {
  t: number; visible: number; peak: [number, number]; box: [number, number, number, number];
  cue: string; face?: number;
}

export interface Heat {
  every: number; rows: number; columns: number; steps: number; across: number; sheets: string[];
  cold: number; colours: string; // heat that is not drawn; RGB of what is hotter, 256 steps
  sources: { steps: Step[]; clip: Omit<Step, "t"> };
}

/** Heat as it is written: steps by column, null where one has no face. */
type Written = Omit<Heat, "columns" | "sources"> & {
  cells: number; clip: Omit<Step, "t">; columns: Record<string, (unknown | null)[]>;
};

export interface Film {
  size: [number, number]; fps: number; name: string; start: number;
  id?: string; type?: string; src?: string; before?: Film; poster?: string;
}

export interface Data {
  title: string; duration: number; facts: Record<string, string>; words?: string; lanes: Lane[];
  film?: Film; heat?: Heat; head?: string;
  forms?: { name: string; title: string; words: string }[]; views?: string; // of a shape, which `head` holds
  pages?: [address: string, title: string, seconds: number, words: string, picture: string][];
}

export const data: Data = JSON.parse(text("data"), (key, value) => key === "heat" ? told(value) : value);

function told({ clip, columns, cells, ...heat }: Written): Heat {
  const names = Object.keys(columns);
  const steps = (columns["t"] ?? []).map((_, n) => Object.fromEntries(
    names.map((name) => [name, columns[name]![n]]).filter(([, value]) => value !== null)) as unknown as Step);
  return { ...heat, columns: cells, sources: { steps, clip } };
}

export function text(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

export function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const letters = atob(base64);
  const found = new Uint8Array(letters.length);
  for (let n = 0; n < letters.length; n++) found[n] = letters.charCodeAt(n);
  return found;
}

/** An element; what is given as text stays text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, given: Partial<Omit<HTMLElementTagNameMap[K], "style">> = {}, ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
}

export function clock(seconds: number, digits = 1): string {
  const whole = Math.floor(seconds / 60), rest = (seconds % 60).toFixed(digits);
  const padded = rest.padStart(digits ? digits + 3 : 2, "0");
  return whole < 60 ? `${whole}:${padded}`
    : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}:${padded}`;
}

/** Where a face is at a time: its box, or null. */
export class Boxes {
  private readonly parts: Uint16Array;
  constructor(private readonly track: Track, private readonly size: [number, number]) {
    this.parts = new Uint16Array(bytes(track.boxes).buffer);
  }

  at(time: number): number[] | null {
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

  private between(one: number, other: number, part: number): number[] {
    const box = this.box(one), next = this.box(other);
    return box.map((edge, n) => edge + (next[n]! - edge) * part);
  }

  box(place: number): number[] {
    return [0, 1, 2, 3].map(
      (n) => (this.parts[4 * place + n]! / 32767 - 0.5) * this.size[n % 2]!);
  }

  /** Every picture that it is in: its time and its box. */
  *all(): Generator<[number, number[]]> {
    let place = 0;
    for (const [first, count] of this.track.runs)
      for (let n = 0; n < count; n++) yield [(first + n) / this.track.fps, this.box(place++)];
  }

  get seen(): Span[] {
    return this.track.runs.map(([first, count]) =>
      [first / this.track.fps, (first + count) / this.track.fps]);
  }
}
