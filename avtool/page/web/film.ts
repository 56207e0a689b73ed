// The film, a ring around each face, and the heat of where the sound comes from.

import { Boxes, bytes, make, text, type Data, type Film, type Heat } from "./data";
import { decoded, pixels } from "./lanes";


export function address(film: Film): string {
  if (!film.id) return film.src!;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const letters = text(film.id), most = 4 << 20; // of base64 at once
  for (let at = 0; at < letters.length; at += most) parts.push(bytes(letters.slice(at, at + most)));
  document.getElementById(film.id)!.remove();
  return URL.createObjectURL(new Blob(parts, { type: film.type! }));
}

export class Ring {
  readonly button: HTMLButtonElement;
  private readonly boxes: Boxes;
  private readonly last: number; // seconds: at the end of a film its last picture is still seen
  private breath = 0;

  constructor(
    readonly lane: number, data: Data, private readonly level: (time: number) => number,
  ) {
    const { name, face, track } = data.lanes[lane]!;
    this.boxes = new Boxes(track!, data.film!.size);
    this.last = data.duration - 1 / track!.fps;
    this.button = make("button", { className: "ring", type: "button", title: `Hear only ${name.toLowerCase()}` },
      make("span", { className: "number", ariaHidden: "true" }, String(face)));
    this.button.setAttribute("aria-label", `${name}: hear it alone`);
  }

  move(time: number, speaks: boolean, size: [number, number], shown: [number, number]): void {
    const box = this.boxes.at(Math.max(0, Math.min(time, this.last)));
    this.button.hidden = !box;
    if (!box) return;
    const [x0, y0, x1, y1] = box as [number, number, number, number];
    const scale = shown[0] / size[0], wide = 1.2 * Math.max(x1 - x0, y1 - y0) * scale;
    const x = ((x0 + x1) / 2) * scale - wide / 2, y = ((y0 + y1) / 2) * scale - wide / 2;
    this.button.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    this.button.style.width = this.button.style.height = `${wide.toFixed(1)}px`;
    const goal = speaks ? 0.15 + 0.85 * this.level(time) : 0;
    this.breath += (goal - this.breath) * (goal > this.breath ? 0.35 : 0.12);
    this.button.style.setProperty("--breath", this.breath.toFixed(3));
    this.button.classList.toggle("speaks", speaks);
  }
}

export class HeatLayer {
  readonly canvas = make("canvas", { className: "heat", ariaHidden: "true" });
  private readonly sheets: (ImageBitmap | undefined)[] = [];
  private readonly colours: Uint8Array;
  private shown = -1;

  constructor(private readonly heat: Heat) {
    this.colours = bytes(heat.colours);
    this.canvas.width = heat.columns;
    this.canvas.height = heat.rows;
  }

  move(time: number): void {
    const { heat } = this;
    const step = Math.max(0, Math.min(heat.steps - 1, Math.round(time / heat.every)));
    const each = heat.across * heat.across, number = Math.floor(step / each);
    if (!(number in this.sheets)) {
      this.sheets[number] = undefined;
      void decoded(heat.sheets[number]!).then((sheet) => { this.sheets[number] = sheet; });
    }
    const sheet = this.sheets[number];
    if (step === this.shown || !sheet) return;
    this.shown = step;
    const n = step % each, x = (n % heat.across) * heat.columns, y = Math.floor(n / heat.across) * heat.rows;
    const cell = pixels(sheet, x, y, heat.columns, heat.rows);
    for (let at = 0; at < cell.data.length; at += 4) {
      const hot = Math.max(0, cell.data[at]! / 255 - heat.cold) / (1 - heat.cold);
      cell.data.set(this.colours.subarray(3 * Math.round(255 * hot), 3 * Math.round(255 * hot) + 3), at);
      cell.data[at + 3] = 255 * (1 - (1 - hot) ** 2);
    }
    this.canvas.getContext("2d")!.putImageData(cell, 0, 0);
  }
}
