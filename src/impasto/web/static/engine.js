// The page's side of the worker.

export class Engine {
  /** @param backend "wasm" or "webgpu" */
  constructor(backend) {
    this.backend = backend;
    this.worker = new Worker("worker.js", { type: "module" });
    this.waiting = new Map();
    this.last = 0;
    this.worker.onmessage = ({ data: { id, result, error, progress } }) => {
      const asked = this.waiting.get(id);
      if (progress) return asked?.told(progress);
      this.waiting.delete(id);
      return error === undefined ? asked.done(result) : asked.failed(new Error(error));
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(event.message || "the worker could not be started");
      for (const asked of this.waiting.values()) asked.failed(error);
      this.waiting.clear();
    };
  }

  /** Ask the worker for something, see `kinds` there; `told` receives its progress. */
  ask(kind, given = {}, told = () => {}, moved = []) {
    const id = ++this.last;
    return new Promise((done, failed) => {
      this.waiting.set(id, { done, failed, told });
      this.worker.postMessage({ id, kind, ...given }, moved);
    });
  }

  start(told) {
    return this.ask("start", { backend: this.backend }, told);
  }

  close() {
    this.worker.terminate();
  }
}

/** A small picture with edges, ramps and texture, for the comparison of two engines. */
function probe() {
  const width = 64, height = 64;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    const x = i % width, y = Math.floor(i / width);
    data.set([4 * x, 128 + 100 * Math.sin(x * y / 90), (x >> 3) % 2 ? 230 : 40, 255], 4 * i);
  }
  return { data, width, height };
}

/** Mean difference of the pixels, in [0, 1], that two engines paint of a small picture. */
export async function difference(one, other, model, weights) {
  const [a, b] = await Promise.all(
    [one, other].map((engine) => engine.ask("frame", { pixels: probe(), model, weights })));
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += Math.abs(a.data[i] - b.data[i]);
  return sum / (0.75 * a.data.length) / 255;
}
