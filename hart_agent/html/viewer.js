"use strict";
// Looking at a large photo: zoom and pan by hands and keys, and regions drawn over it. The photo comes as tiles, which
// are asked for as they are needed, or as the pictures that the page holds. Boxes are in pixels of the original.

class Viewer {
  static DEEPEST = 16; // CSS pixels of one original pixel
  static MARGIN = 0.12; // of the stage, around a region that is flown to
  static TAG = 20; // CSS pixels that a number takes
  static EDGE = 0.05; // of the photo: a number goes to the other side of a region that is nearer than this to the edge
  static KEYS = {
    "+": (viewer) => viewer.zoom(1.5), "=": (viewer) => viewer.zoom(1.5), "-": (viewer) => viewer.zoom(1 / 1.5),
    0: (viewer) => viewer.whole(),
  };

  constructor(stage, tiles = null) {
    this.stage = stage;
    this.tiles = tiles;
    this.drawing = stage.querySelector("svg");
    this.photo = null; // {width, height}, and for tiles {tile, levels}
    this.tags = [];
    this.pointers = new Map();
    this.view = { x: 0, y: 0, scale: 1 }; // the original pixel at the top left, and CSS pixels of an original pixel
    this.motion = 0;
    this.dragged = false;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(stage);
    this.listen();
  }

  open(photo) {
    this.photo = photo;
    this.tiles?.open(photo);
    this.show([]);
    this.looked = false;
    this.resize();
  }

  // ---- where we look ----

  get width() { return this.stage.clientWidth || 1; }
  get height() { return this.stage.clientHeight || 1; }
  get fitting() { return Math.min(this.width / this.photo.width, this.height / this.photo.height); }
  get widest() { return Math.min(this.fitting, Viewer.DEEPEST); }
  get complete() { return this.tiles?.complete ?? true; }
  get frame() { return this.tiles?.frame ?? 0; }

  look(x, y, scale) {
    scale = Math.min(Math.max(scale, this.widest), Viewer.DEEPEST);
    const hold = (start, length, limit) =>
      length >= limit ? (limit - length) / 2 : Math.min(Math.max(start, 0), limit - length);
    const w = this.width / scale, h = this.height / scale;
    this.view = { x: hold(x, w, this.photo.width), y: hold(y, h, this.photo.height), scale };
    this.looked = scale > this.widest * 1.001; // else the whole stays in sight when the stage changes
    this.drawing.setAttribute("viewBox", `${this.view.x} ${this.view.y} ${w} ${h}`);
    this.stage.classList.toggle("zoomed", this.looked);
    this.number();
    this.tiles?.draw(this);
    this.stage.dispatchEvent(new Event("look"));
  }

  whole() { this.fly([0, 0, this.photo.width, this.photo.height], 0); }

  fly([x0, y0, x1, y1], margin = Viewer.MARGIN) {
    const room = 1 - 2 * margin, { x, y, scale } = this.view;
    const least = Math.min((this.width * room) / (x1 - x0), (this.height * room) / (y1 - y0));
    const wanted = Math.min(Math.max(least, this.widest), Viewer.DEEPEST);
    const to = { x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
    const from = { x: x + this.width / scale / 2, y: y + this.height / scale / 2 };
    cancelAnimationFrame(this.motion);
    const at = (next, cx, cy) => this.look(cx - this.width / next / 2, cy - this.height / next / 2, next);
    if (this.calm.matches) return at(wanted, to.x, to.y);
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(Math.max(now - began, 0) / 300, 1), eased = 1 - (1 - t) ** 3;
      at(scale * (wanted / scale) ** eased, from.x + (to.x - from.x) * eased, from.y + (to.y - from.y) * eased);
      if (t < 1) this.motion = requestAnimationFrame(step);
    };
    this.motion = requestAnimationFrame(step);
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    if (!this.photo) return;
    cancelAnimationFrame(this.motion);
    const { x, y, scale } = this.view;
    const next = Math.min(Math.max(scale * factor, this.widest), Viewer.DEEPEST);
    this.look(x + px / scale - px / next, y + py / scale - py / next, next);
  }

  pan(dx, dy) { this.look(this.view.x - dx / this.view.scale, this.view.y - dy / this.view.scale, this.view.scale); }

  resize() {
    if (!this.photo) return;
    if (this.looked) this.look(this.view.x, this.view.y, this.view.scale);
    else this.look(0, 0, this.fitting);
  }

  // ---- regions ----

  // Regions are {box, name, kind: "view" or "evidence", step}; evidence is numbered in its order.
  show(regions) {
    for (const old of this.drawing.querySelectorAll(".region")) old.remove();
    this.tags = [];
    const ordered = [...regions].sort((a, b) => (a.kind === "evidence") - (b.kind === "evidence"));
    for (const region of ordered) this.drawing.append(this.outline(region));
    for (const region of ordered.filter(({ kind }) => kind === "evidence")) this.drawing.append(this.tag(region));
    if (this.photo) this.number();
  }

  outline({ box, name, kind, step }) {
    const group = this.part("g", {
      class: `region ${kind}`, role: "button", tabindex: 0, "aria-label": name, "data-box": box.join(" "), "data-turn": step,
    });
    const [x, y, width, height] = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
    group.append(this.part("rect", { x, y, width, height, class: "halo" }), this.part("rect", { x, y, width, height, class: "frame" }));
    return group;
  }

  tag({ box: [x0, y0, x1, y1], step }) { // next to the region and never on it
    const right = x0 > this.photo.width * (1 - Viewer.EDGE), below = y0 < this.photo.height * Viewer.EDGE;
    const [left, top] = [right ? -19 : 0, below ? 3 : -21];
    const node = this.part("g", { class: "region tag", "data-box": `${x0} ${y0} ${x1} ${y1}`, "data-turn": step, "aria-hidden": true });
    const text = this.part("text", { x: left + 9, y: top + 13.5 });
    text.textContent = String(this.tags.length + 1);
    node.append(this.part("rect", { x: left, y: top, width: 18, height: 18, rx: 3 }), text);
    this.tags.push({ node, x: right ? x1 : x0, y: below ? y1 : y0 });
    return node;
  }

  part(tag, attributes) {
    const node = document.createElementNS(this.drawing.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  mark(step) { // the regions of a step; views of other steps are hidden
    for (const region of this.drawing.querySelectorAll(".region")) {
      const mine = Number(region.dataset.turn) === step;
      region.classList.toggle("current", mine);
      if (region.classList.contains("view")) region.style.display = mine ? "" : "none";
    }
  }

  number() { // numbers keep their size on the screen, and never lie on each other
    const taken = [], { scale } = this.view, near = (a, b) => Math.abs(a - b) < Viewer.TAG;
    for (const tag of this.tags) {
      let x = tag.x * scale;
      const y = tag.y * scale;
      while (taken.some((other) => near(other.x, x) && near(other.y, y))) x += Viewer.TAG;
      taken.push({ x, y });
      tag.node.setAttribute("transform", `translate(${x / scale} ${y / scale}) scale(${1 / scale})`);
    }
  }

  // ---- hands ----

  listen() {
    const { stage } = this;
    const at = (event) => {
      const frame = stage.getBoundingClientRect();
      return { x: event.clientX - frame.left, y: event.clientY - frame.top };
    };
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = at(event);
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), x, y);
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => this.zoom(2, at(event).x, at(event).y));
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.photo) return;
      if (this.pointers.size === 0) this.dragged = false;
      this.pointers.set(event.pointerId, at(event));
    });
    addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId), now = at(event);
      if (!before) return;
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      if (!other && !this.dragged && Math.hypot(now.x - before.x, now.y - before.y) < 4) return;
      this.pointers.set(event.pointerId, now);
      this.dragged = true;
      stage.classList.add("dragging");
      cancelAnimationFrame(this.motion);
      if (!other) return this.pan(now.x - before.x, now.y - before.y);
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        stage.classList.remove("dragging");
      });
    }
    const chosen = (event) => {
      const region = event.target.closest(".region");
      if (region) region.dispatchEvent(new CustomEvent("choose", { bubbles: true }));
      return region;
    };
    stage.addEventListener("click", (event) => this.dragged || chosen(event));
    stage.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === " ") && chosen(event)) event.preventDefault();
    });
  }

  press(event, keys = Viewer.KEYS) {
    if (!this.photo || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key](this);
  }
}

const boxOf = (element) => element.dataset.box.split(" ").map(Number);

// The buttons that both pages have.
function wire(viewer) {
  const press = { in: () => viewer.zoom(1.5), out: () => viewer.zoom(1 / 1.5), whole: () => viewer.whole() };
  for (const [id, act] of Object.entries(press)) document.getElementById(id).addEventListener("click", act);
  viewer.stage.addEventListener("look", () => {
    for (const id of ["out", "whole"]) document.getElementById(id).disabled = !viewer.looked;
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
}
