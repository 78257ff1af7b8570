"use strict";
// Deep zoom on a canvas: shows the tiles that the window needs, the coarse ones first, and regions drawn over them.
class Viewer {
  static DEEPEST = 16; // CSS pixels of one original pixel
  static MARGIN = 0.12; // of the stage, around a region that is flown to
  static KEPT_TILES = 160;
  static AT_ONCE = 6;

  constructor(canvas, load) {
    this.canvas = canvas;
    this.load = load; // (level, column, row) -> Promise<ImageBitmap>
    this.photo = null;
    this.regions = []; // {box, label, evidence}
    this.tiles = new Map(); // in the order of use
    this.loading = new Set();
    this.pointers = new Map();
    this.view = { x: 0, y: 0, scale: 1 }; // the original pixel at the top left, and CSS pixels of an original pixel
    this.motion = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  open(photo) {
    for (const bitmap of this.tiles.values()) bitmap.close();
    this.tiles.clear();
    this.loading.clear();
    this.photo = photo;
    this.regions = [];
    this.resize();
    this.whole();
  }

  show(regions) {
    this.regions = regions;
    this.draw();
  }

  // ---- where we look ----

  get width() { return this.canvas.clientWidth || 1; }
  get height() { return this.canvas.clientHeight || 1; }
  get fitting() { return Math.min(this.width / this.photo.width, this.height / this.photo.height); }

  look(x, y, scale) {
    scale = Math.min(Math.max(scale, Math.min(this.fitting, 1)), Viewer.DEEPEST);
    const hold = (start, length, limit) =>
      length >= limit ? (limit - length) / 2 : Math.min(Math.max(start, 0), limit - length);
    this.view = {
      x: hold(x, this.width / scale, this.photo.width),
      y: hold(y, this.height / scale, this.photo.height),
      scale,
    };
    this.draw();
  }

  whole() { this.fly([0, 0, this.photo.width, this.photo.height], 0); }

  fly([x0, y0, x1, y1], margin = Viewer.MARGIN) {
    const room = 1 - 2 * margin;
    const wanted = Math.min((this.width * room) / (x1 - x0), (this.height * room) / (y1 - y0), Viewer.DEEPEST);
    const from = this.view, cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
    cancelAnimationFrame(this.motion);
    const at = (scale, mx, my) => this.look(mx - this.width / scale / 2, my - this.height / scale / 2, scale);
    if (this.calm.matches) return at(wanted, cx, cy);
    const fx = from.x + this.width / from.scale / 2, fy = from.y + this.height / from.scale / 2;
    const began = performance.now();
    const step = (now) => {
      const t = Math.min((now - began) / 300, 1), eased = 1 - (1 - t) ** 3;
      at(from.scale * (wanted / from.scale) ** eased, fx + (cx - fx) * eased, fy + (cy - fy) * eased);
      if (t < 1) this.motion = requestAnimationFrame(step);
    };
    this.motion = requestAnimationFrame(step);
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    if (!this.photo) return;
    cancelAnimationFrame(this.motion);
    const { x, y, scale } = this.view;
    const next = Math.min(Math.max(scale * factor, Math.min(this.fitting, 1)), Viewer.DEEPEST);
    this.look(x + px / scale - px / next, y + py / scale - py / next, next);
  }

  pan(dx, dy) { this.look(this.view.x - dx / this.view.scale, this.view.y - dy / this.view.scale, this.view.scale); }

  // ---- drawing ----

  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    if (this.photo) this.look(this.view.x, this.view.y, this.view.scale);
  }

  draw() {
    if (this.frame || !this.photo) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const context = this.canvas.getContext("2d"), ratio = devicePixelRatio || 1, { x, y, scale } = this.view;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, -x * scale * ratio, -y * scale * ratio);
    context.imageSmoothingEnabled = scale * ratio < 2;
    const top = this.photo.levels - 1;
    const level = Math.min(Math.max(Math.floor(Math.log2(1 / (scale * ratio))), 0), top);
    const missing = [];
    for (let each = top; each >= level; each--) {
      for (const tile of this.visible(each)) {
        const bitmap = this.tiles.get(tile.key);
        if (bitmap) {
          this.tiles.delete(tile.key);
          this.tiles.set(tile.key, bitmap);
          context.drawImage(bitmap, tile.x, tile.y, tile.w, tile.h);
        } else if (each === level || each === top) missing.push(tile);
      }
    }
    this.complete = missing.length === 0;
    this.canvas.dataset.complete = this.complete;
    this.fetch(missing);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.regions.forEach((region, index) => this.outline(context, region, index));
  }

  visible(level) {
    const side = this.photo.tile * 2 ** level, { x, y, scale } = this.view, tiles = [];
    const last = (length) => Math.ceil(length / side) - 1;
    const x1 = Math.min(Math.floor((x + this.width / scale) / side), last(this.photo.width));
    const y1 = Math.min(Math.floor((y + this.height / scale) / side), last(this.photo.height));
    for (let row = Math.max(Math.floor(y / side), 0); row <= y1; row++) {
      for (let column = Math.max(Math.floor(x / side), 0); column <= x1; column++) {
        const left = column * side, upper = row * side;
        tiles.push({
          key: `${level}/${column}/${row}`, level, column, row, x: left, y: upper,
          w: Math.min(side, this.photo.width - left), h: Math.min(side, this.photo.height - upper),
        });
      }
    }
    return tiles;
  }

  fetch(missing) {
    const photo = this.photo;
    for (const tile of missing) {
      if (this.loading.size >= Viewer.AT_ONCE) return; // the next painting asks for the others
      if (this.loading.has(tile.key)) continue;
      this.loading.add(tile.key);
      this.load(tile.level, tile.column, tile.row).then((bitmap) => {
        if (this.photo !== photo) return bitmap.close();
        this.loading.delete(tile.key);
        this.tiles.set(tile.key, bitmap);
        for (const [key, old] of this.tiles) {
          if (this.tiles.size <= Viewer.KEPT_TILES) break;
          this.tiles.delete(key);
          old.close();
        }
        this.draw();
      }, () => setTimeout(() => { // and try again
        this.loading.delete(tile.key);
        this.draw();
      }, 2000));
    }
  }

  outline(context, { box: [x0, y0, x1, y1], label, evidence }, index) {
    const { x, y, scale } = this.view;
    const left = (x0 - x) * scale, upper = (y0 - y) * scale, w = (x1 - x0) * scale, h = (y1 - y0) * scale;
    context.lineWidth = 5;
    context.strokeStyle = "rgb(255 255 255 / 75%)";
    context.setLineDash([]);
    context.strokeRect(left, upper, w, h);
    context.lineWidth = 2;
    context.strokeStyle = evidence ? "#d23a20" : "#1f7ad0";
    context.setLineDash(evidence ? [] : [6, 4]);
    context.strokeRect(left, upper, w, h);
    if (!evidence) return;
    context.fillStyle = "#c9341b";
    context.fillRect(left - 1, upper - 20, 20, 20);
    context.fillStyle = "#fff";
    context.font = "bold 13px sans-serif";
    context.textAlign = "center";
    context.fillText(label ?? String(index + 1), left + 9, upper - 5);
  }

  // ---- hands ----

  listen() {
    const at = (event) => {
      const frame = this.canvas.getBoundingClientRect();
      return { x: event.clientX - frame.left, y: event.clientY - frame.top };
    };
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = at(event);
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), x, y);
    }, { passive: false });
    this.canvas.addEventListener("dblclick", (event) => this.zoom(2, at(event).x, at(event).y));
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, at(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId), now = at(event);
      if (!before || !this.photo) return;
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      this.pointers.set(event.pointerId, now);
      cancelAnimationFrame(this.motion);
      if (!other) return this.pan(now.x - before.x, now.y - before.y);
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    const keys = {
      "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.whole(),
      ArrowLeft: () => this.pan(80, 0), ArrowRight: () => this.pan(-80, 0),
      ArrowUp: () => this.pan(0, 80), ArrowDown: () => this.pan(0, -80),
    };
    this.canvas.addEventListener("keydown", (event) => {
      if (!this.photo || !keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
}
