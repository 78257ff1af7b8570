"use strict";
(() => {
  const one = (id) => document.getElementById(id);
  const VERDICTS = {
    supported: "Supported: the evidence alone leads to the same answer.",
    unsupported: "Not supported: the evidence alone leads to another answer.",
    insufficient: "Insufficient: the evidence alone does not answer the question.",
    unchecked: "The answer was not checked against the evidence.",
  };
  const asked = []; // of this session: {photo, question, calls, end}
  let photo = null;
  let asking = null; // the AbortController of the question under way

  // All that is shown goes through textContent: the model's words are hostile input.
  function make(tag, text, attributes = {}) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  function say(text, failed = false) {
    one("status").textContent = text;
    one("status").classList.toggle("failed", failed);
  }

  async function call(path, options = {}) {
    const key = one("key").value;
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await fetch(path, { ...options, headers });
    if (response.ok) return response;
    if (response.status === 401) {
      one("access").hidden = false;
      one("key").focus();
    }
    let message = `the server answered with status ${response.status}`;
    try { message = (await response.json()).error.message; } catch { /* not JSON */ }
    throw new Error(message);
  }

  const bitmap = async (path) => createImageBitmap(await (await call(path)).blob());
  const viewer = new Viewer(one("stage"), (level, column, row) =>
    bitmap(`/page/photos/${photo.id}/tiles/${level}/${column}/${row}`));
  viewer.canvas.viewer = viewer;

  // ---- the photo ----

  async function take(file) {
    if (!file) return;
    stop();
    say(`Sending ${file.name || "the photo"} ...`);
    try {
      const sent = await call(`/page/photos?name=${encodeURIComponent(file.name || "pasted photo")}`, {
        method: "POST", body: file,
      });
      use(await sent.json());
      say("");
      one("question").focus();
    } catch (error) {
      say(`The photo can't be used: ${error.message}`, true);
    }
  }

  function use(next) {
    photo = next;
    viewer.open(photo);
    one("drop").hidden = true;
    one("bar").hidden = false;
    one("name").textContent = `${photo.name}, ${photo.width} x ${photo.height}`;
    one("stage").setAttribute("aria-label", `${photo.name}, ${photo.width} by ${photo.height} pixels`);
    one("ask").disabled = false;
    clear();
  }

  function clear() {
    for (const id of ["steps", "evidence"]) one(id).replaceChildren();
    for (const id of ["result", "steps-title", "trace"]) one(id).hidden = true;
    viewer.show([]);
  }

  for (const id of ["choose", "other"]) one(id).addEventListener("click", () => one("file").click());
  one("file").addEventListener("change", () => {
    take(one("file").files[0]);
    one("file").value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) take(file);
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      one("viewer").classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }

  // ---- the question ----

  async function ask(question) {
    stop();
    const mine = (asking = new AbortController());
    const record = { photo, question, calls: [], end: null };
    clear();
    busy(true);
    say("Looking ...");
    try {
      const response = await call(`/page/photos/${photo.id}/questions`, {
        method: "POST", body: JSON.stringify({ question }), signal: mine.signal,
      });
      for await (const { kind, data } of events(response.body)) {
        if (asking !== mine) return;
        if (kind === "call") step(record, data);
        if (kind === "turn") think(data);
        if (kind === "end") finish(record, data);
        if (kind === "failed") throw new Error(data.message);
      }
      if (!record.end) throw new Error("the connection broke off");
      say("");
    } catch (error) {
      if (asking === mine) say(mine.signal.aborted ? "Stopped." : `No answer: ${error.message}`, !mine.signal.aborted);
    } finally {
      if (asking === mine) {
        asking = null;
        busy(false);
      }
    }
  }

  async function* events(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        if (field("data")) yield { kind: field("event"), data: JSON.parse(field("data")) };
      }
    }
  }

  function stop() {
    asking?.abort();
  }

  function busy(is) {
    one("stop").hidden = !is;
    one("ask").disabled = is || !photo;
  }

  function step(record, data) {
    record.calls.push(data);
    one("steps-title").hidden = false;
    const entry = make("li");
    const boxes = data.views.map((view) => view.box);
    const button = make("button", data.words, { type: "button" });
    button.disabled = !boxes.length;
    button.addEventListener("click", () => viewer.fly(boxes[0]));
    const details = make("details");
    details.append(make("summary", "Details"), make("p", data.result, { class: "note" }),
      make("pre", JSON.stringify({ name: data.name, arguments: data.arguments }, null, 2)));
    entry.append(button, details);
    one("steps").append(entry);
    viewer.show(boxes.map((box) => ({ box, evidence: false })));
    if (boxes.length) viewer.fly(boxes[0], 0.25);
  }

  function think(data) {
    if (!data.reasoning.trim()) return;
    const details = make("details");
    details.append(make("summary", "Thoughts"), make("p", data.reasoning, { class: "note" }));
    const entry = make("li");
    entry.append(details);
    one("steps").append(entry);
  }

  function finish(record, end) {
    record.end = end;
    if (!asked.includes(record)) asked.push(record);
    one("result").hidden = false;
    one("answer").textContent = end.answer;
    one("verdict").hidden = end.abstained;
    one("verdict").textContent = VERDICTS[end.verdict] ?? end.verdict;
    one("verdict").className = end.verdict;
    one("reason").textContent = end.abstained ? "" : end.reason ?? "";
    one("evidence").replaceChildren(...end.evidence.map(proof));
    viewer.show(end.evidence.map(({ box }) => ({ box, evidence: true })));
    if (end.evidence.length) viewer.fly(end.evidence[0].box);
    offer(end.trace);
    remember();
  }

  function proof({ box, label, text }, index) {
    const entry = make("li");
    const button = make("button", `${index + 1}. ${text && text !== label ? `${label}: ${text}` : label}`, {
      type: "button", title: "Show it on the photo", "data-box": box.join(" "),
    });
    const crop = make("canvas", undefined, { role: "img", "aria-label": `Evidence ${index + 1}, magnified` });
    button.append(crop);
    button.addEventListener("click", () => viewer.fly(box));
    entry.append(button);
    bitmap(`/page/photos/${photo.id}/regions/${box.join("/")}`).then((pixels) => {
      [crop.width, crop.height] = [pixels.width, pixels.height];
      crop.getContext("2d").drawImage(pixels, 0, 0);
    }, () => crop.remove());
    return entry;
  }

  async function offer(name) {
    try {
      const saved = await (await call(`/v1/traces/${encodeURIComponent(name)}`)).blob();
      URL.revokeObjectURL(one("trace").href);
      one("trace").href = URL.createObjectURL(saved);
      one("trace").hidden = false;
    } catch { /* only the latest traces are kept */ }
  }

  function remember() {
    one("history-title").hidden = false;
    one("history").replaceChildren(...asked.map((record) => {
      const button = make("button", `${record.question}: ${record.end.answer}`, { type: "button" });
      button.addEventListener("click", () => {
        stop();
        if (photo !== record.photo) use(record.photo);
        clear();
        one("question").value = record.question;
        for (const each of record.calls.splice(0)) step(record, each);
        finish(record, record.end);
      });
      const entry = make("li");
      entry.append(button);
      return entry;
    }));
  }

  one("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (photo && one("question").value.trim()) ask(one("question").value);
  });
  one("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      one("form").requestSubmit();
    }
  });
  one("stop").addEventListener("click", stop);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
  });
  one("in").addEventListener("click", () => viewer.zoom(1.5));
  one("out").addEventListener("click", () => viewer.zoom(1 / 1.5));
  one("whole").addEventListener("click", () => viewer.whole());
})();
