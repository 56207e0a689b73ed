// made by web/build.mjs of 87e7743337c7ded33f3cda65b372d242a0eb27f74c686c25cd354f4155e3e336
"use strict";
(() => {
  // data.ts
  var data = JSON.parse(text("data"), (key, value) => key === "heat" ? told(value) : value);
  function told({ clip, columns, cells, ...heat }) {
    const names = Object.keys(columns);
    const steps = (columns["t"] ?? []).map((_, n) => Object.fromEntries(
      names.map((name) => [name, columns[name][n]]).filter(([, value]) => value !== null)
    ));
    return { ...heat, columns: cells, sources: { steps, clip } };
  }
  function text(id) {
    return document.getElementById(id)?.textContent ?? "";
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

  // serve.ts
  var { commands, most, keep } = data;
  var OFTEN = 500;
  var SELDOM = 3e3;
  var file = null;
  var sending = null;
  var timer = 0;
  var size = (bytes) => bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
  var button = (words, act, className = "plain") => {
    const made = make("button", { type: "button", className }, words);
    made.addEventListener("click", act);
    return made;
  };
  var input = make("input", { type: "file", accept: "video/*,audio/*,image/*,.mkv,.avi,.flac,.opus", className: "unseen" });
  var chosen = make("strong", {}, "Drop a film or a sound here, or choose one");
  var drop = make("label", { className: "drop" }, chosen, make("small", {}, `up to ${size(most)}`), input);
  var preview = make("video", { muted: true, playsInline: true, hidden: true });
  var told2 = make("p", { className: "told", role: "status" });
  var choices = make(
    "fieldset",
    { className: "choices" },
    make("legend", {}, "What is wanted"),
    ...commands.map(([name, words], n) => make(
      "label",
      {},
      make("input", { type: "radio", name: "command", value: name, checked: n === 0 }),
      make("span", {}, make("strong", {}, name), make("small", {}, words))
    ))
  );
  var start = button("Start", send, "start");
  var records = make("p", { className: "records" });
  if (navigator.mediaDevices && "MediaRecorder" in window)
    records.append("or record ", button("camera and microphone", () => void record(true)), button("microphone", () => void record(false)));
  function choose(given) {
    file = given ?? file;
    if (!file) return;
    const fits = file.size <= most;
    chosen.textContent = file.name;
    drop.querySelector("small").textContent = `${size(file.size)}${fits ? "" : `, more than the ${size(most)} that are taken (--max-upload)`}`;
    if (!fits) file = null;
    refresh();
  }
  function refresh() {
    start.disabled = !file && !sending;
    start.textContent = sending ? "Cancel" : "Start";
  }
  function send() {
    if (sending) return sending.abort();
    if (!file) return;
    const command = choices.querySelector(":checked").value, name = file.name;
    const request = sending = new XMLHttpRequest();
    let aborted = false;
    request.open("POST", `tasks?${new URLSearchParams({ command, name })}`);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      told2.textContent = `Sending ${name}: ${Math.floor(100 * loaded / total)} %`;
    });
    request.addEventListener("loadend", () => {
      sending = null;
      told2.textContent = request.status === 201 || aborted ? "" : request.responseText || "It did not arrive.";
      refresh();
      void look();
    });
    request.addEventListener("abort", () => {
      aborted = true;
    });
    request.send(file);
    refresh();
  }
  async function record(pictures) {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: pictures });
    } catch (error) {
      told2.textContent = `Nothing can be recorded: ${error.message}.`;
      return;
    }
    const recorder = new MediaRecorder(stream), parts = [], began = performance.now();
    const words = [...records.childNodes];
    preview.hidden = !pictures;
    preview.srcObject = stream;
    void preview.play();
    const time = make("output", {}, clock(0, 0));
    const ticking = setInterval(() => {
      time.textContent = clock((performance.now() - began) / 1e3, 0);
    }, 250);
    records.replaceChildren("recording ", time, " ", button("Stop", () => recorder.stop()));
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", () => {
      clearInterval(ticking);
      stream.getTracks().forEach((track) => track.stop());
      preview.srcObject = null;
      preview.hidden = true;
      records.replaceChildren(...words);
      const type = recorder.mimeType, end = type.includes("mp4") ? "mp4" : "webm";
      choose(new File(parts, `recording.${end}`, { type }));
    });
    recorder.start();
  }
  var list = make("ul", { className: "tasks" });
  var none = make("p", { className: "none" }, "Nothing yet.");
  var heard = make("p", { className: "unseen", role: "status" });
  var cards = /* @__PURE__ */ new Map();
  var Card = class {
    constructor(id, task) {
      this.id = id;
      this.bar.ariaLabel = `Progress of ${task.command}, ${task.name}`;
      this.item.append(make("header", {}, make("div", {}, make("h2", {}, task.name), make("span", {}, task.command)), this.end), this.state, this.bar, this.words, this.files);
    }
    id;
    item = make("li");
    state = make("p");
    bar = make("progress", { max: 1 });
    words = make("div", { className: "words" });
    files = make("p", { className: "made" });
    end = button("Cancel", () => void remove(this.id));
    shown = "";
    show(task) {
      const { state, part, left, before, stage } = task, now = JSON.stringify(task);
      if (now === this.shown) return;
      this.shown = now;
      const ended = state === "done" || state === "failed";
      if (ended && this.item.className) heard.textContent = `${task.command}, ${task.name}: ${state}`;
      this.item.className = state;
      this.end.textContent = ended ? "Remove" : "Cancel";
      this.end.ariaLabel = `${this.end.textContent} ${task.command}, ${task.name}`;
      this.bar.hidden = ended;
      if (part === null) this.bar.removeAttribute("value");
      else this.bar.value = part;
      this.state.textContent = {
        sent: "is sent",
        waiting: before > 1 ? `waits for ${before} others` : "waits for another",
        done: "",
        failed: "",
        running: [
          stage || (part === null ? "starts" : ""),
          part === null ? "" : `${Math.floor(100 * part)} %`,
          left === null ? "" : `about ${clock(left, 0)} left`
        ].filter(Boolean).join("  ·  ")
      }[state];
      this.words.replaceChildren(...task.words.map((each) => make("p", {}, each)));
      this.files.replaceChildren(...task.files.map(([name, bytes]) => {
        const href = `tasks/${this.id}/${encodeURIComponent(name)}`;
        return name.endsWith(".html") ? make("a", { href, className: "start", target: "_blank", rel: "noopener" }, "Open its page") : make("a", { href, download: name, className: "plain" }, name, make("small", {}, size(bytes)));
      }));
    }
  };
  async function remove(id) {
    await fetch(`tasks/${id}`, { method: "DELETE" });
    await look();
  }
  async function look() {
    clearTimeout(timer);
    let busy = false;
    try {
      const answer = await fetch("tasks");
      if (!answer.ok) throw new Error(await answer.text());
      const tasks = await answer.json();
      const there = new Set(tasks.map(({ id }) => id));
      for (const [id, card] of cards) if (!there.has(id)) {
        card.item.remove();
        cards.delete(id);
      }
      for (const task of [...tasks].reverse()) {
        const card = cards.get(task.id) ?? new Card(task.id, task);
        if (!cards.has(task.id)) list.prepend(card.item);
        cards.set(task.id, card);
        card.show(task);
      }
      none.hidden = tasks.length > 0;
      none.textContent = "Nothing yet.";
      busy = tasks.some(({ state }) => state !== "done" && state !== "failed");
    } catch (error) {
      list.replaceChildren();
      cards.clear();
      none.hidden = false;
      none.textContent = error instanceof TypeError ? "The server has ended; what it kept is removed." : error.message;
    }
    clearTimeout(timer);
    timer = setTimeout(() => void look(), busy ? OFTEN : SELDOM);
  }
  input.addEventListener("change", () => choose(input.files?.[0]));
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover" || kind === "dragenter");
      if (kind === "drop") choose(event.dataTransfer?.files[0]);
    });
  document.body.append(make(
    "main",
    { className: "serve" },
    make("header", {}, make("h1", {}, "avtool"), make("p", {}, `What you send stays on the machine that serves this page, and is removed ${Number((keep / 3600).toFixed(2))} h after its task has ended.`)),
    make("section", { className: "ask", ariaLabel: "A new task" }, drop, preview, records, choices, make("p", { className: "go" }, start, told2)),
    make("section", { ariaLabel: "Tasks" }, none, list, heard)
  ));
  refresh();
  void look();
})();
