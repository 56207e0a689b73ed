// Every number of a page as a file.

import { Boxes, data, make, type Lane } from "./data";
import { wav } from "./wav";

interface Download { name: string; words: string; make: () => Blob | Promise<Blob> }

export function downloads(): Download[] {
  const found: Download[] = [];
  const faces = data.lanes.filter((lane) => lane.face);
  const add = (words: string, end: string, kind: string, content: () => string): void => {
    const name = `${data.title.replace(/\.[^.]*$/, "")}.${end}`;
    found.push({ name, words, make: () => new Blob([content()], { type: kind }) });
  };
  if (faces.some((lane) => lane.speaking.length)) {
    add("Who speaks when, as subtitles", "speech.srt", "application/x-subrip", srt);
    add("Who speaks when, as a table", "speech.csv", "text/csv", speech);
  }
  if (faces.length) {
    add("Faces: boxes and speech", "faces.json", "application/json", () => json({ faces: faces.map(told) }));
    add("Faces: boxes as a table", "faces.csv", "text/csv", boxes);
  }
  if (data.heat) {
    add("Where the sound comes from", "sources.json", "application/json", () => json(data.heat!.sources));
    add("Where the sound comes from, as a table", "sources.csv", "text/csv", sources);
  }
  data.lanes.forEach((lane, place) => {
    if (!lane.voice) return;
    const stem = data.title.replace(/\.[^.]*$/, ""), end = lane.face ? `face${lane.face}` : faces.length ? "rest" : "sound";
    found.push({
      name: `${stem}.${end}.wav`, words: `${lane.name}: the sound as it is heard here, from Opus`,
      make: () => wav(place, lane, data.duration),
    });
  });
  return found;
}

export function save(name: string, content: Blob): void {
  const link = make("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function json(value: unknown): string { return `${JSON.stringify(value)}\n`; }

function table(head: string[], rows: (string | number)[][]): string {
  return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
}

const short = (value: number, digits: number): number => Number(value.toFixed(digits));

function told(lane: Lane): unknown {
  const track = [...new Boxes(lane.track!, data.film!.size).all()];
  return {
    face: lane.face,
    track: track.map(([t, box]) => ({ t: short(t, 3), box: box.map((edge) => short(edge, 1)) })),
    speaking: lane.speaking,
  };
}

function spoken(): [string, number, number, number][] {
  const every = data.lanes.flatMap((lane) => lane.speaking.map(
    ([a, b]): [string, number, number, number] => [lane.name, lane.face, a, b]));
  return every.sort((one, other) => one[2] - other[2]);
}

function speech(): string {
  return table(["face", "start", "end"], spoken().map(([, face, a, b]) => [face, a, b]));
}

export function srt(): string {
  const stamp = (time: number): string => {
    const ms = Math.round(time * 1000), pad = (n: number, wide: number): string => String(n).padStart(wide, "0");
    const hours = Math.floor(ms / 3_600_000), minutes = Math.floor(ms / 60_000) % 60;
    return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)},${pad(ms % 1000, 3)}`;
  };
  return spoken().map(([name, , a, b], n) => `${n + 1}\n${stamp(a)} --> ${stamp(b)}\n${name}\n`).join("\n");
}

function boxes(): string {
  return table(["face", "t", "x0", "y0", "x1", "y1"], data.lanes.flatMap((lane) =>
    lane.track && data.film ? [...new Boxes(lane.track, data.film.size).all()].map(
      ([t, box]) => [lane.face, short(t, 3), ...box.map((edge) => short(edge, 1))]) : []));
}

function sources(): string {
  return table(["t", "visible", "x", "y", "x0", "y0", "x1", "y1", "cue", "face"], data.heat!.sources.steps.map(
    (step) => [step.t, step.visible, ...step.peak, ...step.box, step.cue, step.face ?? ""]));
}
