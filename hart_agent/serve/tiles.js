"use strict";
// The tiles of a photo on a canvas below the viewer's drawing: those that the window needs, the coarse ones first.
class Tiles {
  static KEPT = 160;
  static AT_ONCE = 6;

  constructor(canvas, load) {
    this.canvas = canvas;
    this.load = load; // (level, column, row) -> Promise<ImageBitmap>
    this.kept = new Map(); // in the order of use
    this.loading = new Set();
    this.complete = true;
    this.frame = 0;
  }

  open(photo) { // without levels there is nothing to show
    for (const bitmap of this.kept.values()) bitmap.close();
    this.kept.clear();
    this.loading.clear();
    this.photo = photo;
  }

  draw(viewer) {
    this.viewer = viewer;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint(viewer.view, viewer.width, viewer.height);
    });
  }

  paint({ x, y, scale }, width, height) {
    const { canvas, photo } = this, context = canvas.getContext("2d"), ratio = devicePixelRatio || 1;
    const side = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== side[0] || canvas.height !== side[1]) [canvas.width, canvas.height] = side;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, -x * scale * ratio, -y * scale * ratio);
    if (!photo.levels) { // it isn't here: a sheet of its shape
      context.fillStyle = getComputedStyle(canvas).color;
      return context.fillRect(0, 0, photo.width, photo.height);
    }
    context.imageSmoothingEnabled = scale * ratio < 2;
    const top = photo.levels - 1;
    const level = Math.min(Math.max(Math.floor(Math.log2(1 / (scale * ratio))), 0), top);
    const missing = [], seen = (each) => this.visible(each, x, y, width / scale, height / scale);
    const whole = seen(level).every((tile) => this.kept.has(tile.key)); // then nothing of what is below it shows
    for (let each = whole ? level : top; each >= level; each--) {
      for (const tile of seen(each)) {
        const bitmap = this.kept.get(tile.key);
        if (bitmap) {
          this.kept.delete(tile.key);
          this.kept.set(tile.key, bitmap);
          context.drawImage(bitmap, tile.x, tile.y, tile.w, tile.h);
        } else if (each === level || each === top) missing.push(tile);
      }
    }
    this.complete = missing.length === 0;
    this.fetch(missing);
  }

  visible(level, x, y, w, h) {
    const { photo } = this, side = photo.tile * 2 ** level, tiles = [];
    const last = (length) => Math.ceil(length / side) - 1;
    const x1 = Math.min(Math.floor((x + w) / side), last(photo.width));
    const y1 = Math.min(Math.floor((y + h) / side), last(photo.height));
    for (let row = Math.max(Math.floor(y / side), 0); row <= y1; row++) {
      for (let column = Math.max(Math.floor(x / side), 0); column <= x1; column++) {
        const left = column * side, upper = row * side;
        tiles.push({
          key: `${level}/${column}/${row}`, level, column, row, x: left, y: upper,
          w: Math.min(side, photo.width - left), h: Math.min(side, photo.height - upper),
        });
      }
    }
    return tiles;
  }

  fetch(missing) {
    const { photo } = this;
    for (const tile of missing) {
      if (this.loading.size >= Tiles.AT_ONCE) return; // the next painting asks for the others
      if (this.loading.has(tile.key)) continue;
      this.loading.add(tile.key);
      const again = () => {
        if (this.photo !== photo) return;
        this.loading.delete(tile.key);
        this.draw(this.viewer);
      };
      this.load(tile.level, tile.column, tile.row).then((bitmap) => {
        if (this.photo !== photo) return bitmap.close();
        this.kept.set(tile.key, bitmap);
        for (const [key, old] of this.kept) {
          if (this.kept.size <= Tiles.KEPT) break;
          this.kept.delete(key);
          old.close();
        }
        again();
      }, () => setTimeout(again, 2000));
    }
  }
}
