// Paint pictures of any size with one network: small ones as a whole, large ones in tiles.

import { REACH, refine, sizes } from "./octaves.js";
import { blank, fromTensor, toTensor } from "./pixels.js";

export const LIMIT = 1024 * 1024; // pixels that are painted at once
const TILE = 768; // pixels; side of a tile without its margin
const CROP = 512; // pixels; side of the crops whose statistics stand for the whole picture

const upTo = (value, multiple) => Math.ceil(value / multiple) * multiple;

/**
 * @param model an entry of models.json
 * @param run async (graph, feeds) => Float32Array; feeds are {name: [data, shape]}
 * @param weights Float32Array of the styles' weights, or null for a network of one style
 * @param limit pixels that are painted at once
 */
export class Painter {
  constructor(model, run, weights, limit = LIMIT) {
    Object.assign(this, { model, run, weights, limit });
  }

  /**
   * Paint a picture with strokes that grow with it.
   * @param resized (height, width) => {data, width, height}, the photo at that size
   * @param told async (done) => void with done in [0, 1]; it may throw to stop
   */
  async paint(height, width, resized, told = async () => {}) {
    const levels = sizes(height, width, this.model.strokes);
    const total = levels.reduce((sum, [h, w]) => sum + h * w, 0);
    let painted = null, before = 0;
    for (const [h, w] of levels) {
      const share = (done) => told((before + done * h * w) / total);
      painted = await this.level(resized(h, w), painted, share);
      before += h * w;
      await told(before / total);
    }
    return painted;
  }

  /** Paint a photo at one size, and keep the coarse structure of a smaller painting. */
  async level(photo, coarse, told) {
    const { width, height } = photo;
    const whole = width * height <= this.limit;
    const statistics = whole || !this.model.channels ? null : await this.measure(photo);
    const painted = blank(width, height);
    const tiles = whole ? [{ x: 0, y: 0, width, height }] : cut(width, height);
    const margin = upTo(this.model.reach + REACH, this.model.multiple);
    for (const [index, core] of tiles.entries()) {
      const region = whole ? this.padded(core) : this.around(core, margin, width, height);
      const content = toTensor(photo, region, new Float32Array(3 * region.width * region.height));
      const made = await this.pass(statistics ? "tile" : "paint", content, region, statistics);
      if (coarse) refine(made, content, region, coarse, photo);
      fromTensor(made, region, core, painted);
      if (!whole) await told((index + 1) / tiles.length);
    }
    return painted;
  }

  /** Run a graph on a region: (1, 3, height, width). */
  pass(graph, content, region, statistics) {
    const feeds = { content: [content, [1, 3, region.height, region.width]], ...this.styles() };
    if (statistics) feeds.statistics = [statistics, [2, this.model.channels]];
    return this.run(graph, feeds);
  }

  styles() {
    return this.weights ? { weights: [this.weights, [1, this.weights.length]] } : {};
  }

  /**
   * Measure means and variances of the normalised channels on crops that are spread over the photo.
   * All tiles use the same ones, so that no seam can be seen between them.
   */
  async measure(photo) {
    const { multiple } = this.model;
    const least = Math.min(photo.width, photo.height);
    const side = Math.floor(Math.min(CROP, Math.sqrt(this.limit), least) / multiple) * multiple;
    const most = Math.max(1, Math.floor(this.limit / (side * side)));
    const across = Math.max(1, Math.round(Math.sqrt((most * photo.width) / photo.height)));
    const down = Math.max(1, Math.floor(most / across));
    const places = (count, length) =>
      Array.from({ length: count }, (_, i) =>
        Math.floor(((count > 1 ? i / (count - 1) : 0.5) * (length - side)) / multiple) * multiple);
    const columns = places(Math.min(across, most), photo.width);
    const rows = places(down, photo.height);
    const size = 3 * side * side;
    const crops = new Float32Array(columns.length * rows.length * size);
    rows.forEach((y, j) => columns.forEach((x, i) => {
      const at = (j * columns.length + i) * size;
      toTensor(photo, { x, y, width: side, height: side }, crops.subarray(at, at + size));
    }));
    const shape = [columns.length * rows.length, 3, side, side];
    return this.run("measure", { content: [crops, shape], ...this.styles() });
  }

  /** Region of a whole picture, enlarged to the multiples that the network takes. */
  padded({ width, height }) {
    const { multiple, smallest } = this.model;
    const side = (length) => Math.max(smallest, upTo(length, multiple));
    return { x: 0, y: 0, width: side(width), height: side(height) };
  }

  /** A tile with the margin that its result depends on. */
  around(core, margin, width, height) {
    const { multiple } = this.model;
    const x = Math.max(0, core.x - margin), y = Math.max(0, core.y - margin);
    const right = Math.min(width, core.x + core.width + margin);
    const bottom = Math.min(height, core.y + core.height + margin);
    return { x, y, width: upTo(right - x, multiple), height: upTo(bottom - y, multiple) };
  }
}

/** Cut a picture into tiles. */
function cut(width, height) {
  const tiles = [];
  for (let y = 0; y < height; y += TILE) {
    for (let x = 0; x < width; x += TILE) {
      tiles.push({ x, y, width: Math.min(TILE, width - x), height: Math.min(TILE, height - y) });
    }
  }
  return tiles;
}
