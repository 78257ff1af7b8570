"use strict";
(() => {
  const HEIGHT = 28; // CSS pixels of a line, as in the style
  const BEYOND = 8; // lines that are drawn above and below those in sight
  const data = JSON.parse(document.querySelector("#data").textContent);
  const [list, lines, panel, count] = ["#list", "#lines", "#panel", "#count"].map((name) => document.querySelector(name));
  const compared = data.rows.some((row) => row.other);
  lines.classList.toggle("two", compared);
  const judged = data.rows.some((row) => row.judged !== null);
  const marks = ["wrong", "unsupported", "untagged", "box missed", ...(judged ? ["judge disagrees"] : []), "failed"];
  const changes = {
    "only first right": (row) => row.right && row.other && !row.other.right,
    "only second right": (row) => !row.right && row.other && row.other.right,
    "answers differ": (row) => row.other && row.answer !== row.other.answer,
  };
  let shown = data.rows;
  let current = null;

  function make(tag, text, attributes = {}) {
    const node = document.createElement(tag);
    node.textContent = text ?? "";
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  // ---- filters ----

  const form = document.querySelector("#filters");
  const boxes = [...marks, ...(compared ? Object.keys(changes) : [])].map((name) => {
    const box = make("input", "", { type: "checkbox", name });
    const label = make("label", ` ${name}`);
    label.prepend(box);
    form.append(label);
    return box;
  });
  const categories = [...new Set(data.rows.map((row) => row.category || ""))].sort();
  const category = make("select", "", { "aria-label": "Category" });
  category.append(make("option", "every category", { value: "\u0000" }));
  for (const name of categories) category.append(make("option", name || "no category", { value: name }));
  const search = make("input", "", { type: "search", placeholder: "words", "aria-label": "Words in question or answer" });
  form.append(category, search);

  function fits(row) {
    for (const box of boxes) {
      if (!box.checked) continue;
      const change = changes[box.name];
      if (change ? !change(row) : !row.marks.includes(box.name)) return false;
    }
    if (category.value !== "\u0000" && (row.category || "") !== category.value) return false;
    const word = search.value.trim().toLowerCase();
    return !word || [row.id, row.question, row.answer, row.gold].some((text) => (text || "").toLowerCase().includes(word));
  }

  function filter() {
    shown = data.rows.filter(fits);
    const right = shown.filter((row) => row.right).length;
    count.textContent = `${shown.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")}, ${right.toLocaleString("en")} right`;
    lines.style.height = `${shown.length * HEIGHT}px`;
    list.scrollTop = 0;
    draw();
  }

  // ---- lines: only those in sight ----

  const verdict = (row) => (row.error ? "failed" : row.right ? "right" : "wrong");

  function line(row, place) {
    const node = make("button", "", { class: "line", type: "button", "data-place": place });
    node.style.top = `${place * HEIGHT}px`;
    if (row === current) node.setAttribute("aria-current", "true");
    const said = row.other ? `${verdict(row)} / ${verdict(row.other)}` : verdict(row);
    node.append(
      make("span", said, { class: row.right ? "right" : "wrong" }),
      make("span", row.category),
      make("span", row.question ?? row.id),
      make("span", row.answer ?? "no answer"),
    );
    return node;
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - BEYOND);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + BEYOND);
    lines.replaceChildren(...shown.slice(first, last).map((row, at) => line(row, first + at)));
  }

  // ---- one question ----

  function part(tag, attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  // The photo with the gold boxes and the evidence on it; a click shows what is around them larger, and back.
  function plan(row, other) {
    const [width, height] = row.image;
    const photo = row.photo ?? other?.photo;
    const boxes = [...(row.gold_boxes || []), ...(row.boxes || []), ...(other?.boxes || [])];
    const whole = `0 0 ${width} ${height}`;
    const svg = part("svg", { viewBox: whole, role: "img", "aria-label": "the photo with gold boxes and evidence" });
    if (photo) svg.append(part("image", { href: photo, x: 0, y: 0, width, height, preserveAspectRatio: "none" }));
    const draws = [["gold-box", row.gold_boxes], ["found-box", row.boxes], ["found-box second", other?.boxes]];
    for (const [kind, places] of draws) {
      for (const [x0, y0, x1, y1] of places || []) {
        const sides = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
        svg.append(part("rect", { ...sides, class: "halo-box" }), part("rect", { ...sides, class: kind }));
      }
    }
    svg.addEventListener("click", () => {
      svg.setAttribute("viewBox", svg.getAttribute("viewBox") === whole ? around(boxes, width, height) : whole);
    });
    return svg;
  }

  function around(boxes, width, height) {
    const least = (at) => Math.min(...boxes.map((box) => box[at])), most = (at) => Math.max(...boxes.map((box) => box[at]));
    const margin = Math.max(most(2) - least(0), most(3) - least(1), Math.max(width, height) / 40) / 2;
    const [x0, y0] = [Math.max(0, least(0) - margin), Math.max(0, least(1) - margin)];
    return `${x0} ${y0} ${Math.min(width, most(2) + margin) - x0} ${Math.min(height, most(3) + margin) - y0}`;
  }

  function legend(row, other) {
    const node = make("p", "", { class: "legend" });
    const covered = row.iogt === null ? "" : `, ${Math.round(100 * row.iogt)} % of it covered`;
    const kinds = [["gold-box", `gold${covered}`, row.gold_boxes], ["found-box", other ? "first" : "evidence", row.boxes],
      ["found-box second", "second", other?.boxes]];
    for (const [kind, words, places] of kinds) {
      if (!(places || []).length) continue;
      const sample = part("svg", { viewBox: "0 0 18 12", class: "sample", "aria-hidden": "true" });
      sample.append(part("rect", { x: 1, y: 1, width: 16, height: 10, class: kind }));
      node.append(sample, make("span", words));
    }
    return node;
  }

  function toTrace(row, words) {
    return row.trace ? [make("a", words, { href: row.trace, class: "trace" })] : [];
  }

  function facts(row) {
    const options = (row.options || []).map((text, at) => `${String.fromCharCode(65 + at)}. ${text}`).join("\n");
    const cost = `${row.seconds} s, ${row.requests} requests, ${row.input_tokens} tokens in, ${row.output_tokens} out, ${row.turns} turns`;
    const counted = judged ? `${row.right ? "right" : "wrong"} by the rule, ${byJudge(row)}` : null;
    const said = { options, gold: row.gold, answer: row.answer ?? "none", counted, reply: row.reply, verdict: row.verdict,
      marks: row.marks.join(", "), IoGT: row.iogt, cost, error: row.error, file: row.file };
    const node = make("dl");
    for (const [name, value] of Object.entries(said)) {
      if (value !== null && value !== undefined && value !== "") node.append(make("dt", name), make("dd", String(value)));
    }
    return node;
  }

  function byJudge(row) {
    return row.judged === null ? "not judged" : `${row.judged ? "right" : "wrong"} by the judge`;
  }

  function open(row) {
    current = row;
    const parts = [make("h2", row.question ?? row.id), make("p", row.key)];
    const boxed = (row.gold_boxes || []).length || (row.boxes || []).length;
    if (row.photo || row.other?.photo || boxed) parts.push(plan(row, row.other), legend(row, row.other));
    if (row.other) parts.push(make("h3", data.names[0]));
    parts.push(...toTrace(row, "Open its trace"), facts(row));
    if (row.other) parts.push(make("h3", data.names[1]), ...toTrace(row.other, "Open its trace"), facts(row.other));
    panel.replaceChildren(...parts);
    panel.scrollTop = 0;
    draw();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  list.addEventListener("scroll", draw);
  addEventListener("resize", draw);
  lines.addEventListener("click", (event) => {
    const node = event.target.closest(".line");
    if (node) open(shown[Number(node.dataset.place)]);
  });
  lines.addEventListener("dblclick", () => current?.trace && location.assign(current.trace));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !shown.length) return;
    event.preventDefault();
    const place = Math.min(Math.max(shown.indexOf(current) + step, 0), shown.length - 1);
    if (place * HEIGHT < list.scrollTop) list.scrollTop = place * HEIGHT;
    if ((place + 1) * HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * HEIGHT - list.clientHeight;
    open(shown[place]);
  });
  filter();
  if (shown.length) open(shown[0]);
})();
