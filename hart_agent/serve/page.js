"use strict";
(() => {
  const one = (id) => document.getElementById(id);
  const canvas = one("stage").querySelector("canvas");
  const asked = []; // of this session: {photo, size, question, warning, events, end}
  let photo = null;
  let asking = null; // the AbortController of the question under way
  let lacking = null; // a trace's file whose photo isn't here
  let shown = { turns: 0, card: null, regions: [] }; // what stands on the page of the current question

  // All that is shown goes through textContent: the model's words are hostile input.
  function make(tag, text, attributes = {}) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  function folded(title, ...content) {
    const details = make("details");
    details.append(make("summary", title), ...content);
    return details;
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
  const viewer = new Viewer(one("stage"), new Tiles(canvas, (level, column, row) =>
    bitmap(`/page/photos/${photo.id}/tiles/${level}/${column}/${row}`)));
  viewer.stage.viewer = viewer;
  wire(viewer);

  // ---- photos and saved traces ----

  const isTrace = (file) => /\.json$/i.test(file.name) || file.type === "application/json";

  async function take(files) {
    const trace = files.find(isTrace), pictures = files.filter((file) => file !== trace && !isTrace(file));
    if (!trace && !pictures.length) return;
    stop();
    try {
      if (trace) await open(trace, pictures.length ? await send(await itsPhoto(trace, pictures)) : null);
      else await add(await send(pictures[0]));
      say("");
      one("question").focus();
    } catch (error) {
      say(`This can't be used: ${error.message}`, true);
    }
  }

  async function itsPhoto(trace, pictures) { // in a folder, the one of the trace's name
    const recorded = JSON.parse(await trace.text())?.image?.path ?? "";
    return pictures.find((file) => recorded.split(/[\\/]/).pop() === file.name) ?? pictures[0];
  }

  async function send(file) {
    say(`Sending ${file.name || "the photo"} ...`);
    const path = `/page/photos?name=${encodeURIComponent(file.name || "pasted photo")}`;
    return (await call(path, { method: "POST", body: file })).json();
  }

  async function add(next) {
    const trace = lacking;
    if (trace) {
      try {
        return await open(trace, next);
      } catch { /* it is another photo */ }
    }
    use(next);
  }

  async function open(file, given) {
    const path = `/page/traces${given ? `?photo=${given.id}` : ""}`;
    const found = await (await call(path, { method: "POST", body: file })).json();
    const record = { ...found, size: found.image, end: null };
    lacking = found.photo ? null : file;
    remember(record);
    replay(record);
  }

  function use(next, size = next) {
    photo = next;
    viewer.open({ ...size, tile: next?.tile, levels: next?.levels ?? 0 });
    one("drop").hidden = Boolean(next);
    one("drop").classList.add("lacking");
    one("invitation").textContent = "The photo of this trace isn't here. Outlined is where the agent looked; drop the photo to see it.";
    one("bar").hidden = false;
    one("name").textContent = `${next ? next.name : "No photo"}, ${size.width} x ${size.height}`;
    for (const node of [one("stage"), canvas]) {
      node.setAttribute("aria-label", next ? `${next.name}, ${size.width} by ${size.height} pixels` : "The photo isn't here");
    }
    if (next) lacking = null;
    busy(false);
    clear();
  }

  function clear() {
    shown = { turns: 0, card: null, regions: [] };
    for (const id of ["steps", "evidence", "remarks"]) one(id).replaceChildren();
    for (const id of ["result", "steps-title", "trace", "warning"]) one(id).hidden = true;
    viewer.show([]);
  }

  async function filesOf(transfer) { // those of dropped folders, too
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const folders = entries.filter((entry) => entry.isDirectory), files = [...transfer.files];
    const inside = folders.map(async (folder) => {
      const listed = await new Promise((done, failed) => folder.createReader().readEntries(done, failed));
      return Promise.all(listed.filter((entry) => entry.isFile).map((entry) => new Promise((done, failed) => entry.file(done, failed))));
    });
    return [...files.filter((file) => !folders.some(({ name }) => name === file.name)), ...(await Promise.all(inside)).flat()];
  }

  for (const id of ["choose", "other"]) one(id).addEventListener("click", () => one("file").click());
  one("file").addEventListener("change", () => {
    take([...one("file").files]);
    one("file").value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take([...event.clipboardData.files]);
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, async (event) => {
      event.preventDefault();
      one("viewer").classList.toggle("over", name === "dragover");
      if (name === "drop") take(await filesOf(event.dataTransfer));
    });
  }

  // ---- the question ----

  async function ask(question) {
    stop();
    const mine = (asking = new AbortController());
    const record = { photo, size: photo, question, warning: null, events: [], end: null };
    clear();
    busy(true);
    say("Looking ...");
    try {
      const response = await call(`/page/photos/${photo.id}/questions`, {
        method: "POST", body: JSON.stringify({ question }), signal: mine.signal,
      });
      for await (const event of events(response.body)) {
        if (asking !== mine) return;
        if (event.kind === "failed") throw new Error(event.data.message);
        record.events.push(event);
        tell(record, event);
      }
      if (!record.end) throw new Error("the connection broke off");
      remember(record);
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

  // ---- what happens, live or saved ----

  function tell(record, { kind, data }) {
    if (kind === "call") step(data);
    if (kind === "turn") think(data);
    if (kind === "end") finish(record, data);
  }

  function card() {
    if (!shown.card) {
      const turn = (shown.turns += 1);
      const heading = make("h3");
      heading.append(make("span", `Turn ${turn}`));
      shown.card = make("article", undefined, { class: "card", "aria-label": `Turn ${turn}` });
      shown.card.append(heading);
      one("steps").append(shown.card);
      one("steps-title").hidden = false;
    }
    return shown.card;
  }

  function step({ words, result, error, written, views }) {
    const entry = make("div", undefined, { class: "call" }), [first] = views;
    card().append(entry);
    const turn = shown.turns;
    const name = make(first ? "button" : "p", words, { class: "name", ...(first && { type: "button", title: "Show it on the photo" }) });
    entry.append(name);
    if (error) entry.append(make("p", result, { class: "note error" }));
    entry.append(folded("Details", make("p", result, { class: "note" }), make("pre", written)));
    if (!first) return;
    name.addEventListener("click", () => look(turn, first.box));
    shown.regions.push(...views.map(({ box }) => ({ box, name: words, kind: "view", step: turn })));
    viewer.show(shown.regions);
    look(turn, first.box, 0.25);
  }

  function look(turn, box, margin) {
    viewer.mark(turn);
    viewer.fly(box, margin);
  }

  function think({ reasoning, said, findings, feedback, seconds }) {
    const [heading, ...calls] = card().children;
    heading.append(make("span", `${seconds.toFixed(2)} s`, { class: "seconds" }));
    const words = [];
    if (reasoning) words.push(folded("Thoughts", make("p", reasoning, { class: "words" })));
    if (said) words.push(make("p", said, { class: "words", tabindex: 0 }));
    words.push(...findings.map((finding) => make("p", finding, { class: "words finding", tabindex: 0 })));
    heading.after(...words);
    if (feedback) card().append(make("p", `Told to the model: ${feedback}`, { class: "note muted" }));
    shown.card = null;
  }

  function finish(record, end) {
    record.end = end;
    one("result").hidden = false;
    one("answer").textContent = end.answer;
    one("answer").className = end.abstained ? "answer none" : "answer";
    one("verdict").textContent = end.verdict_words ?? "";
    one("verdict").className = `verdict ${end.verdict}`;
    one("remarks").replaceChildren(...end.remarks.map((remark) => make("p", remark, { class: "note muted" })));
    one("evidence-title").hidden = !end.evidence.length;
    one("evidence").replaceChildren(...end.evidence.map(proof));
    const kept = end.evidence.map(({ box }) => box.join(" "));
    shown.regions = shown.regions.filter(({ box }) => !kept.includes(box.join(" ")));
    shown.regions.push(...end.evidence.map(({ box, name }) => ({ box, name, kind: "evidence", step: 0 })));
    viewer.show(shown.regions);
    viewer.mark(0);
    if (!photo) viewer.whole();
    else if (end.evidence.length) viewer.fly(end.evidence[0].box);
    if (end.trace) offer(end.trace);
  }

  function proof({ box, label, text, name, place }, index) {
    const entry = make("li");
    const button = make("button", undefined, { type: "button", class: "proof", title: "Show it on the photo", "data-box": box.join(" ") });
    const words = make("span");
    words.append(make("span", label, { class: "label" }), " ");
    if (text) words.append(make("span", `“${text}” `, { class: "label muted" }));
    words.append(make("span", `${place}, [${box.join(", ")}]`, { class: "muted" }));
    button.append(make("span", String(index + 1), { class: "number" }), words);
    button.addEventListener("click", () => look(0, box));
    entry.append(button);
    if (!photo) return entry;
    const crop = make("canvas", undefined, { role: "img", "aria-label": `${name}, magnified` });
    button.append(crop);
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

  // ---- this session's questions ----

  function replay(record) {
    stop();
    if (photo !== record.photo || !photo) use(record.photo, record.size);
    clear();
    one("question").value = record.question;
    one("warning").textContent = record.warning ?? "";
    one("warning").hidden = !record.warning;
    for (const event of record.events) tell(record, event);
  }

  function remember(record) {
    asked.push(record);
    const answer = record.events.at(-1).data.answer;
    const button = make("button", undefined, { type: "button" });
    button.append(make("span", record.question, { class: "question" }), " ", make("span", answer));
    button.addEventListener("click", () => replay(record));
    const entry = make("li");
    entry.append(button);
    one("history").append(entry);
    one("history-title").hidden = false;
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
  const KEYS = {
    ...Viewer.KEYS, ArrowLeft: () => viewer.pan(80, 0), ArrowRight: () => viewer.pan(-80, 0),
    ArrowUp: () => viewer.pan(0, 80), ArrowDown: () => viewer.pan(0, -80),
  };
  viewer.stage.addEventListener("keydown", (event) => viewer.press(event, KEYS));
  viewer.stage.addEventListener("choose", (event) => viewer.fly(boxOf(event.target)));
})();
