// The page: what is seen, what is heard, and the hands on it.

import { clock, data, make, type Film, type Span } from "./data";
import { downloads, save } from "./downloads";
import { address, HeatLayer, Ring } from "./film";
import { index } from "./index";
import { axis, Drawn, rem, View, type Mode } from "./lanes";
import { compared, icon, keysDialog, likelihood, lost } from "./parts";
import { Player } from "./player";

const HUES = [28, 250, 150, 320, 85, 200, 290, 120]; // degrees in OKLCH, far from each other
/** What else a page may show: takes a place for it, gives what is called for each picture. */
export type More = (stage: HTMLElement) => (time: number) => void;

export function start(more?: More): void {
  if (data.pages) return index();
  const { lanes, film } = data, faces = lanes.filter((lane) => lane.face);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let mode: Mode = lanes.some((lane) => lane.voice) ? "waveform" : "spectrogram", dirty = true, asked = false;
  const colour = (place: number): string => {
    const face = lanes[place]!.face;
    const hue = HUES[(face - 1) % HUES.length]!;
    return face ? `oklch(${dark.matches ? 0.76 : 0.6} 0.17 ${hue})` : dark.matches ? "#9aa0ad" : "#7c818d";
  };

  // The film and what lies over it.
  const moving = (each: Film): HTMLVideoElement =>
    make("video", { src: address(each), muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
  const videos = film ? [{ film: moving(film), start: film.start }] : [];
  const before = !film?.before ? null : film.before.type?.startsWith("image/") ? make("img", { src: address(film.before), alt: "" }) : moving(film.before);
  if (before instanceof HTMLVideoElement) videos.push({ film: before, start: film!.before!.start });
  const screen = make("div", { className: "screen" });
  const stage = make("section", { className: "stage", ariaLabel: more ? "Head" : "Film" }, ...(film ? [screen] : []));
  const big = make("button", { className: "big", type: "button", ariaLabel: "Play", title: "Play (space bar)" }, icon("play"));
  const player = new Player(lanes, data.duration, videos, () => { dirty = true; wake(); });
  const drawn = lanes.map((lane) => new Drawn(lane, data, () => { dirty = true; wake(); }));
  const rings = lanes.flatMap((lane, place) =>
    lane.track && film ? [new Ring(place, data, (time) => drawn[place]!.level(time))] : []);
  const heat = data.heat && new HeatLayer(data.heat);
  if (film) {
    screen.style.aspectRatio = `${film.size[0]} / ${film.size[1]}`;
    screen.style.setProperty("--shape", String(film.size[0] / film.size[1]));
    screen.append(videos[0]!.film);
    if (before) screen.append(before, compared(before));
    if (heat) screen.append(heat.canvas);
    screen.append(...rings.map((ring) => ring.button), big);
    videos[0]!.film.addEventListener("error", () => screen.append(lost(film, videos[0]!.film)));
    screen.addEventListener("click", (event) => { if (event.target === screen || event.target instanceof HTMLVideoElement) toggle(); });
  }
  const step = more?.(stage);

  // What is heard, in words.
  const said = make("p", { className: "said", role: "status" });
  const everyone = make("button", { type: "button", className: "plain" }, faces.length ? "Hear everyone" : "Hear everything");

  // The bar.
  const play = make("button", { type: "button", className: "play", ariaLabel: "Play", title: "Play (space bar)" }, icon("play"));
  const now = make("output", { className: "now" });
  const place = make("input", { type: "range", className: "place", min: "0", max: String(data.duration), step: "0.01", ariaLabel: "Play head" });
  const unloop = make("button", { type: "button", className: "plain chip", title: "Play on (Esc)" });
  const modes = make("div", { className: "modes", role: "group", ariaLabel: "What the lanes show" },
    ...(["waveform", "spectrogram"] as const).map((each) => {
      const button = make("button", { type: "button" }, each === "waveform" ? "Waveform" : "Spectrogram");
      button.addEventListener("click", () => { mode = each; refresh(); });
      return button;
    }));
  const glow = make("input", { type: "range", min: "0", max: "1", step: "0.05", value: faces.length ? "0" : "0.7", ariaLabel: "Heat of where the sound comes from" });
  const glowing = make("label", { className: "glow", title: "Where the sound comes from, as heat over the film" }, "Heat", glow);
  const near = make("button", { type: "button", className: "round", ariaLabel: "Zoom in", title: "Zoom in (+)" }, "+");
  const far = make("button", { type: "button", className: "round", ariaLabel: "Zoom out", title: "Zoom out (−)" }, "−");
  const keys = keysDialog();
  const help = make("button", { type: "button", className: "round", ariaLabel: "Keys", title: "Keys (?)" }, "?");
  const files = downloads();
  const menu = make("details", { className: "files" }, make("summary", { title: "Every number as a file" }, "Downloads"),
    make("ul", {}, ...files.map((file) => {
      const button = make("button", { type: "button" }, make("span", {}, file.words), make("small", {}, file.name));
      button.addEventListener("click", async () => {
        menu.open = false;
        save(file.name, await file.make());
      });
      return make("li", {}, button);
    })));
  const hasModes = lanes.some((lane) => lane.voice && lane.picture) && !lanes.some((lane) => lane.picture && !lane.voice);
  const bar = make("div", { className: "bar", role: "toolbar", ariaLabel: "Player" }, play, now, place, unloop,
    make("span", { className: "tools" }, ...(hasModes ? [modes] : []), ...(heat ? [glowing] : []), make("span", { className: "zoom" }, far, near),
      ...(files.length ? [menu] : []), help));

  // The lanes.
  const marks = make("canvas", { ariaHidden: "true" });
  const head = make("div", { className: "head" }), region = make("div", { className: "region" });
  const hover = make("output", { className: "hover", hidden: true });
  const over = make("div", { className: "over", ariaHidden: "true" }, region, head, hover);
  const rows = lanes.map((lane, n) => {
    const talk = lane.speaking.reduce((sum, [a, b]) => sum + b - a, 0);
    const words = lane.face ? talk ? `speaks ${talk.toFixed(1)} s` : "never speaks" : lane.voice ? faces.length ? "all other sound" : "" : lane.picture?.unit ?? "";
    const who = make("button", { type: "button", className: "who", title: lane.voice ? `Hear only ${lane.name.toLowerCase()}` : "" },
      lane.portrait ? make("img", { src: lane.portrait, alt: "" }) : make("span", { className: "wave", ariaHidden: "true" }),
      make("span", { className: "name" }, lane.name, make("small", {}, words)));
    who.disabled = !lane.voice;
    who.addEventListener("click", (event) => choose(n, event.shiftKey));
    const row = make("div", { className: lane.picture && !lane.voice ? "lane tall" : "lane" }, who, make("div", { className: "drawn" }, drawn[n]!.canvas));
    drawn[n]!.canvas.setAttribute("role", "img");
    drawn[n]!.canvas.ariaLabel = `${lane.name}: ${lane.voice ? "sound over time" : lane.picture?.unit ?? ""}${words ? `, ${words}` : ""}`;
    return row;
  });
  const visible = make("canvas", { role: "img", ariaLabel: "How likely the source of the sound is in the picture, over time" });
  const likely = make("div", { className: "lane likely" }, make("span", { className: "who" }, make("span", { className: "name" }, "Source in view", make("small", {}))),
    make("div", { className: "drawn" }, visible));
  const thumb = make("div", { className: "thumb" }), scroll = make("div", { className: "scroll", ariaHidden: "true" }, thumb);
  const board = make("section", { className: "lanes", ariaLabel: "Who is heard when" },
    make("div", { className: "lane axis" }, make("span", { className: "who" }), make("div", { className: "drawn" }, marks)),
    ...rows, ...(heat ? [likely] : []), over, scroll);
  board.classList.toggle("many", lanes.length > 8);
  const view = new View(data.duration, () => { dirty = true; wake(); });

  const facts = [faces.length ? `${faces.length} ${faces.length === 1 ? "face" : "faces"}` : "", clock(data.duration), ...Object.values(data.facts)];
  document.body.append(make("main", {},
    make("header", {}, make("h1", {}, data.title), make("p", {}, facts.filter(Boolean).join("  ·  "))),
    ...(film || more ? [stage] : []), said, bar, board), keys);

  function toggle(): void {
    asked = true;
    if (player.playing) player.pause();
    else void player.play();
  }

  function choose(lane: number | null, adds = false): void {
    if (lane !== null && !lanes[lane]?.voice) return;
    player.choose(lane, adds);
    if (lane !== null && !player.playing && !asked) toggle(); // the first click is for hearing
  }

  /** Words and buttons after a change. */
  function refresh(): void {
    dirty = true;
    for (const button of [play, big]) {
      button.replaceChildren(icon(player.playing ? "pause" : "play"));
      button.ariaLabel = player.playing ? "Pause" : "Play";
    }
    big.hidden = player.playing || (asked && player.time > 0.05 && player.time < data.duration);
    const alone = [...player.alone].sort((a, b) => a - b);
    const names = alone.flatMap((n, at) => {
      const name = make("strong", {}, lanes[n]!.face ? lanes[n]!.name : lanes[n]!.name.toLowerCase());
      name.style.setProperty("--colour", colour(n));
      return at ? [at === alone.length - 1 ? " and " : ", ", name] : [name];
    });
    const invited = rings.length ? [make("strong", { className: "invite" }, "Click a face to hear only its voice."), " Shift-click adds another."]
      : data.words ? [data.words] : heat ? ["The warm glow is where the sound comes from."] : [];
    said.replaceChildren(...(alone.length ? ["You hear only ", ...names, ". ", everyone] : invited));
    said.hidden = !alone.length && !invited.length;
    rows.forEach((row, n) => {
      row.style.setProperty("--colour", colour(n));
      row.classList.toggle("off", !player.isHeard(n) && lanes[n]!.voice !== undefined);
      row.querySelector("button")?.setAttribute("aria-pressed", String(player.alone.has(n)));
    });
    for (const ring of rings) {
      ring.button.style.setProperty("--colour", colour(ring.lane));
      ring.button.classList.toggle("off", !player.isHeard(ring.lane));
      ring.button.classList.toggle("alone", player.alone.has(ring.lane));
      ring.button.setAttribute("aria-pressed", String(player.alone.has(ring.lane)));
    }
    [...modes.children].forEach((button, n) => button.setAttribute("aria-pressed", String(mode === (n ? "spectrogram" : "waveform"))));
    if (heat) heat.canvas.style.opacity = glow.value;
    unloop.hidden = !player.loop;
    if (player.loop) unloop.textContent = `Repeats ${clock(player.loop[0])} – ${clock(player.loop[1])}  ×`;
    wake();
  }

  function layout(): void {
    view.width = Math.max(1, marks.parentElement!.clientWidth);
    over.style.setProperty("--left", `${marks.parentElement!.offsetLeft}px`);
    dirty = true;
    wake();
  }

  /** A colour of the style sheet as a canvas takes it. */
  function resolved(name: string): string {
    board.style.outlineColor = `var(${name})`;
    return getComputedStyle(board).outlineColor;
  }

  function drawLanes(): void {
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
    thumb.style.left = `${(100 * view.from) / data.duration}%`;
    thumb.style.width = `${(100 * (view.to - view.from)) / data.duration}%`;
  }

  function frame(): void {
    waiting = false;
    player.follow();
    const time = player.time;
    if (player.playing && !holding) view.follow(time);
    if (dirty) { dirty = false; drawLanes(); }
    const x = view.x(time);
    head.style.transform = `translateX(${x}px)`;
    head.hidden = x < -1 || x > view.width + 1;
    const words = `${clock(time)} / ${clock(data.duration)}`;
    if (now.value !== words) now.value = words;
    if (document.activeElement !== place || player.playing) place.value = String(time);
    place.setAttribute("aria-valuetext", clock(time));
    place.style.setProperty("--part", `${(100 * time) / Math.max(1e-9, data.duration)}%`);
    if (film) {
      const shown: [number, number] = [screen.clientWidth, screen.clientHeight];
      for (const ring of rings)
        ring.move(time, lanes[ring.lane]!.speaking.some(([a, b]) => time >= a && time < b), film.size, shown);
      if (heat && glow.value !== "0") heat.move(time);
    }
    if (data.heat) {
      const steps = data.heat.sources.steps, at = steps[Math.round(time / data.heat.every)];
      if (at) likely.querySelector("small")!.textContent = `${Math.round(100 * at.visible)} % likely`;
    }
    step?.(time);
    if (player.playing) wake();
  }
  let waiting = false;
  function wake(): void {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(frame);
  }

  // Hands.
  let dragged: Span | null = null, holding: { x: number; time: number } | null = null;
  const timeAt = (event: PointerEvent | WheelEvent): number => view.time(event.clientX - marks.getBoundingClientRect().left);
  board.addEventListener("pointerdown", (event) => {
    if (event.button || !(event.target as Element).closest(".drawn")) return;
    holding = { x: event.clientX, time: timeAt(event) };
    board.setPointerCapture(event.pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    const row = (event.target as Element).closest?.(".lane"), n = rows.indexOf(row as HTMLDivElement);
    hover.hidden = n < 0 || !!holding;
    if (n >= 0 && !holding) {
      const rect = drawn[n]!.canvas.getBoundingClientRect(), time = timeAt(event);
      const asPicture = lanes[n]!.picture && (mode === "spectrogram" || !lanes[n]!.voice);
      const told = asPicture ? drawn[n]!.told(time, (event.clientY - rect.top) / (rect.height - (lanes[n]!.track ? 0.6 * rem() : 0))) : "";
      hover.value = `${clock(Math.max(0, time), 2)}${told ? `  ${told}` : ""}`;
      const base = over.getBoundingClientRect(), right = event.clientX - base.left > base.width - 220;
      hover.style.transform = `translate(${event.clientX - base.left + (right ? -12 : 12)}px, ${event.clientY - base.top + 14}px) translateX(${right ? "-100%" : "0"})`;
    }
    if (!holding || Math.abs(event.clientX - holding.x) < 5 && !dragged) return;
    const time = Math.min(data.duration, Math.max(0, timeAt(event)));
    dragged = [Math.min(time, holding.time), Math.max(time, holding.time)];
    dirty = true;
    wake();
  });
  board.addEventListener("pointerleave", () => { hover.hidden = true; });
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
  board.addEventListener("pointercancel", () => { dragged = holding = null; dirty = true; wake(); });
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
    if (event.buttons) view.pan((event.movementX / scroll.clientWidth) * data.duration);
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
  document.addEventListener("click", (event) => { if (!menu.contains(event.target as Node)) menu.open = false; });
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (target === glow && event.key.startsWith("Arrow")) return;
    const one = film ? 1 / film.fps : 0.04;
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? (/^\d$/.test(event.key) ? event.key : undefined);
    const move = (seconds: number): void => {
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
    else if (digit) choose(lanes.findIndex((lane) => lane.face === Number(digit)) >= 0
      ? lanes.findIndex((lane) => lane.face === Number(digit)) : null, event.shiftKey);
    else if (event.key === "Escape") { menu.open = false; player.setLoop(null); choose(null); }
    else if (event.key === "+" || event.key === "=") view.zoom(1.6, player.time);
    else if (event.key === "-") view.zoom(1 / 1.6, player.time);
    else if (event.key === "m" && hasModes) { mode = mode === "waveform" ? "spectrogram" : "waveform"; refresh(); }
    else if (event.key === "?") keys.showModal();
    else return;
    event.preventDefault();
  });
  dark.addEventListener("change", refresh);
  new ResizeObserver(layout).observe(board);
  new ResizeObserver(wake).observe(screen);
  player.onchange = refresh;
  Object.assign(window, { avtool: player }); // for whoever opens the console, and for the tests
  layout();
  refresh();
}
