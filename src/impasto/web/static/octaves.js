// Paint with strokes that grow with the picture: it is painted at the size that the network has
// learned, and the detail that this lacks comes from paintings at twice the size each time (Burt and
// Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983).

const NEAR = 0.9; // sizes that differ by a factor closer to 1 than this are painted as one
const AROUND = 4; // pixels to each side over which the energy of detail is averaged
const GAIN = 4; // weight of the photo's energy against that of the painted detail
export const REACH = 16; // pixels around a pixel that `refine` reads, rounded up

/** Sizes [height, width] to paint a picture at; the first determines the size of the strokes. */
export function sizes(height, width, strokes) {
  const found = [];
  let factor = strokes / Math.max(height, width);
  for (; factor < NEAR; factor *= 2) {
    found.push([height, width].map((side) => Math.max(1, Math.round(side * factor))));
  }
  return [...found, [height, width]];
}

/** One plane without its finest octave: means of 2 x 2, enlarged by linear interpolation. */
function smooth(plane, width, height) {
  const w = width >> 1, h = height >> 1;
  const half = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = 2 * y * width + 2 * x;
      half[y * w + x] = (plane[at] + plane[at + 1] + plane[at + width] + plane[at + width + 1]) / 4;
    }
  }
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const near = y >> 1, far = Math.min(h - 1, Math.max(0, near + (y & 1 ? 1 : -1)));
    for (let x = 0; x < width; x++) {
      const nearer = x >> 1, farther = Math.min(w - 1, Math.max(0, nearer + (x & 1 ? 1 : -1)));
      const a = 0.75 * half[near * w + nearer] + 0.25 * half[near * w + farther];
      const b = 0.75 * half[far * w + nearer] + 0.25 * half[far * w + farther];
      out[y * width + x] = 0.75 * a + 0.25 * b;
    }
  }
  return out;
}

/** Means of (2 * AROUND + 1)^2 pixels; at the edges of those that are there. */
function averaged(plane, width, height) {
  const across = new Float32Array(plane.length), out = new Float32Array(plane.length);
  const pass = (from, to, count, length, step, next) => {
    for (let line = 0; line < count; line++) {
      const first = line * next;
      let sum = 0;
      for (let i = 0; i < Math.min(AROUND, length); i++) sum += from[first + i * step];
      for (let i = 0; i < length; i++) {
        if (i + AROUND < length) sum += from[first + (i + AROUND) * step];
        if (i - AROUND > 0) sum -= from[first + (i - AROUND - 1) * step];
        const low = Math.max(0, i - AROUND), high = Math.min(length - 1, i + AROUND);
        to[first + i * step] = sum / (high - low + 1);
      }
    }
  };
  pass(plane, across, height, width, 1, width);
  pass(across, out, width, height, width, 1);
  return out;
}

/** The finest octave of a tensor of 3 planes, and its energy at each pixel. */
function detail(tensor, width, height) {
  const plane = width * height;
  const octave = new Float32Array(tensor.length);
  const energy = new Float32Array(plane);
  for (let c = 0; c < 3; c++) {
    const own = tensor.subarray(c * plane, (c + 1) * plane);
    const rest = smooth(own, width, height);
    for (let i = 0; i < plane; i++) {
      const value = own[i] - rest[i];
      octave[c * plane + i] = value;
      energy[i] += (value * value) / 3;
    }
  }
  return [octave, averaged(energy, width, height)];
}

/**
 * Combine a smaller painting with the finest octave of a painting at this size, in place.
 *
 * A network draws a fine mesh where the photo is plain. So detail stays in proportion to the photo's
 * own around it, by Wiener's rule.
 * @param painted Float32Array of 3 planes of the region, which receives the result
 * @param photo the same of the photo
 * @param region {x, y, width, height}; the sides are even
 * @param coarse the smaller painting {data, width, height}
 * @param size {width, height} of the whole picture at this size
 */
export function refine(painted, photo, region, coarse, size) {
  const { width, height } = region;
  const plane = width * height;
  const [fine, noise] = detail(painted, width, height);
  const [, signal] = detail(photo, width, height);
  const sx = coarse.width / size.width, sy = coarse.height / size.height;
  const clamp = (value, most) => Math.min(most, Math.max(0, value));
  for (let j = 0; j < height; j++) {
    const v = clamp((region.y + j + 0.5) * sy - 0.5, coarse.height - 1);
    const top = Math.floor(v), bottom = Math.min(top + 1, coarse.height - 1), down = v - top;
    for (let i = 0; i < width; i++) {
      const u = clamp((region.x + i + 0.5) * sx - 0.5, coarse.width - 1);
      const left = Math.floor(u), right = Math.min(left + 1, coarse.width - 1), across = u - left;
      const at = j * width + i;
      const kept = (GAIN * signal[at]) / Math.max(GAIN * signal[at] + noise[at], 1e-12);
      for (let c = 0; c < 3; c++) {
        const read = (y, x) => coarse.data[4 * (y * coarse.width + x) + c];
        const upper = read(top, left) * (1 - across) + read(top, right) * across;
        const lower = read(bottom, left) * (1 - across) + read(bottom, right) * across;
        const base = (upper * (1 - down) + lower * down) / 255;
        painted[c * plane + at] = base + fine[c * plane + at] * kept;
      }
    }
  }
}
