// Between pixels (RGBA, 8 bits, rows of a picture) and tensors (planes of floats in [0, 1]).

/** Uniform noise in [-0.5, 0.5) that depends on the place only, so that tiles fit together. */
export function noise(x, y) {
  let h = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296 - 0.5;
}

/**
 * Convert a region of a picture to a tensor, with noise of one 8-bit level, which hides the steps
 * between levels from the norms. Pixels beyond the right and lower edges are mirrored.
 * @param picture {data, width, height}
 * @param region {x, y, width, height}, which may reach beyond the right and lower edges
 * @param out Float32Array of 3 planes
 */
export function toTensor(picture, region, out) {
  const { data, width: W, height: H } = picture;
  const plane = region.width * region.height;
  // a picture that is smaller than its padding repeats its last pixels instead
  const beyond = [region.x + region.width - W, region.y + region.height - H];
  const mirror = beyond[0] < W && beyond[1] < H;
  const inside = (i, length) => (i < length ? i : mirror ? 2 * length - 2 - i : length - 1);
  const columns = Int32Array.from({ length: region.width }, (_, i) => inside(region.x + i, W));
  for (let j = 0, at = 0; j < region.height; j++) {
    const y = inside(region.y + j, H);
    for (let i = 0; i < region.width; i++, at++) {
      const x = columns[i];
      const from = 4 * (y * W + x);
      const grain = noise(x, y);
      for (let c = 0; c < 3; c++) {
        const value = (data[from + c] + grain) / 255;
        out[c * plane + at] = value < 0 ? 0 : value > 1 ? 1 : value;
      }
    }
  }
  return out;
}

/**
 * Write the core of a painted region into a picture.
 * @param tensor Float32Array of 3 planes of the region
 * @param core {x, y, width, height} within region
 */
export function fromTensor(tensor, region, core, picture) {
  const plane = region.width * region.height;
  const right = Math.min(core.x + core.width, picture.width);
  const bottom = Math.min(core.y + core.height, picture.height);
  for (let y = core.y; y < bottom; y++) {
    let at = (y - region.y) * region.width + core.x - region.x;
    let to = 4 * (y * picture.width + core.x);
    for (let x = core.x; x < right; x++, at++, to += 4) {
      for (let c = 0; c < 3; c++) picture.data[to + c] = 255 * tensor[c * plane + at];
      picture.data[to + 3] = 255;
    }
  }
}

/** A picture without content. */
export function blank(width, height) {
  return { data: new Uint8ClampedArray(4 * width * height), width, height };
}
