// Parts of the page that stand alone.

import { make, type Film, type Step } from "./data";
import type { View } from "./lanes";

const KEYS: [string, string][] = [
  ["Space", "play, pause"], ["← →", "a picture back, on"], ["Shift ← →", "five seconds back, on"],
  ["1 … 9", "hear one face; with Shift, add it"], ["0", "hear everything"],
  ["+ −", "zoom"], ["M", "waveform or spectrogram"], ["Esc", "no loop, everything is heard"],
];

export function icon(name: "play" | "pause"): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", name === "play" ? "M8 5.2v13.6c0 .8.9 1.3 1.5.8l10-6.8a1 1 0 0 0 0-1.6l-10-6.8c-.6-.5-1.5 0-1.5.8z" : "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z");
  svg.append(path);
  return svg;
}

/** What each key does. */
export function keysDialog(): HTMLDialogElement {
  return make("dialog", { className: "keys" }, make("h2", {}, "Keys"),
    make("dl", {}, ...KEYS.flatMap(([key, words]) => [make("dt", {}, key), make("dd", {}, words)])),
    make("p", {}, "Drag over the lanes to repeat a part; turn the wheel with Ctrl to zoom, with Shift to move."),
    make("form", { method: "dialog" }, make("button", { className: "plain" }, "Close")));
}

/** Which of two films is seen. */
export function compared(other: HTMLElement): HTMLElement {
  const both = (["Before", "After"] as const).map((words) => {
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => turn(words === "Before"));
    return button;
  });
  const turn = (shows: boolean): void => {
    other.style.visibility = shows ? "visible" : "hidden";
    both.forEach((button, n) => button.setAttribute("aria-pressed", String(shows === (n === 0))));
  };
  turn(false);
  return make("div", { className: "modes compared", role: "group", ariaLabel: "Before or after" }, ...both);
}

/** The film is not where the page looks for it. */
export function lost(film: Film, video: HTMLVideoElement): HTMLElement {
  const file = make("input", { type: "file", accept: "video/*" });
  file.addEventListener("change", () => {
    if (!file.files?.[0]) return;
    video.src = URL.createObjectURL(file.files[0]);
    note.remove();
  });
  const note = make("label", { className: "lost" }, `${film.name} is not beside this page, or this browser cannot play it. Its voices are here; choose the film to see it too.`, file);
  return note;
}

/** How likely the source of the sound is in the picture, over time. */
export function likelihood(canvas: HTMLCanvasElement, steps: Step[], view: View, ink: string): void {
  const scale = Math.min(3, window.devicePixelRatio || 1), high = canvas.clientHeight;
  canvas.width = Math.round(view.width * scale);
  canvas.height = Math.round(high * scale);
  const pen = canvas.getContext("2d")!;
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
