// Runs the networks away from the page, so that it stays alive. Messages are {id, kind, ...}; each
// is answered by {id, result} or {id, error}, and by {id, progress} in between.

import { Painter } from "./painter.js";
import { unpacked } from "./files.mjs";

let ort, backend;
let job = 0; // number of the last photo; older ones end at their next step
let turn = Promise.resolve(); // ends when the network is free
const models = new Map(); // by folder: {weights, sessions}

/** Start ONNX Runtime with WebAssembly alone, or with WebGPU. */
async function start({ backend: wanted, threads }, told) {
  const gpu = wanted === "webgpu";
  if (gpu && !(await navigator.gpu?.requestAdapter())) throw new Error("no WebGPU here");
  const [library, name] = gpu
    ? ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"]
    : ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"];
  const at = (file) => new URL(`runtime/${file}`, import.meta.url).href;
  const binary = await unpacked(at(`${name}.wasm.gz`), (done) => told({ loading: done }));
  ort = await import(at(library));
  ort.env.wasm.wasmPaths = { mjs: at(`${name}.mjs`) };
  ort.env.wasm.wasmBinary = binary;
  // several threads need memory that they share, which browsers allow with two headers only
  const most = Math.min(8, navigator.hardwareConcurrency || 1);
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads || most : 1;
  ort.env.logLevel = "error";
  backend = wanted;
  return { threads: ort.env.wasm.numThreads };
}

/** Open a graph of a model, or return it if it is open. */
async function session(model, graph, told) {
  if (!models.has(model.folder)) {
    const weights = await unpacked(`${model.folder}/weights.bin.gz`, (done) =>
      told({ loading: done }));
    models.set(model.folder, { weights, sessions: new Map() });
  }
  const { weights, sessions } = models.get(model.folder);
  if (!sessions.has(graph)) {
    const content = await unpacked(`${model.folder}/${graph}.onnx.gz`);
    sessions.set(graph, await ort.InferenceSession.create(content, {
      executionProviders: [backend],
      externalData: [{ path: "weights.bin", data: weights }],
    }));
  }
  return sessions.get(graph);
}

/** Return the function that a Painter runs graphs with. */
function runner(model, told) {
  return async (graph, feeds) => {
    const opened = await session(model, graph, told);
    const tensors = Object.entries(feeds).map(([name, [data, shape]]) =>
      [name, new ort.Tensor("float32", data, shape)]);
    const [found] = Object.values(await opened.run(Object.fromEntries(tensors)));
    const data = await found.getData();
    found.dispose();
    return data;
  };
}

/** Let the networks run one after another, as WebGPU requires. */
function inTurn(work) {
  const mine = turn.then(work);
  turn = mine.catch(() => {});
  return mine;
}

/** Paint a photo, unless another one is asked for meanwhile. */
function paint(given, told) {
  const mine = ++job;
  return inTurn(() => painted(given, told, () => {
    if (mine !== job) throw new Error("stopped");
  }));
}

/** Paint a photo at a size; at smaller sizes it is resized by the browser. */
async function painted({ photo, model, weights, height, width, limit }, told, check) {
  check();
  const resized = (h, w) => {
    const canvas = new OffscreenCanvas(w, h);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white"; // under transparent pixels
    context.fillRect(0, 0, w, h);
    context.drawImage(photo, 0, 0, w, h);
    return context.getImageData(0, 0, w, h);
  };
  const painter = new Painter(model, runner(model, told), weights, limit);
  const begun = performance.now();
  const picture = await painter.paint(height, width, resized, async (done) => {
    told({ painting: done });
    await new Promise((ready) => setTimeout(ready)); // lets other messages come in
    check();
  });
  photo.close();
  return { ...picture, seconds: (performance.now() - begun) / 1000 };
}

/** Paint a frame of the camera, or any small picture, at its own size. */
function frame({ pixels, model, weights }, told) {
  const painter = new Painter(model, runner(model, told), weights);
  return inTurn(() => painter.level(pixels, null, async () => {}));
}

async function stop() {
  job += 1;
}

const kinds = { start, paint, frame, stop };

self.onmessage = async ({ data: { id, kind, ...given } }) => {
  try {
    const result = await kinds[kind](given, (progress) => self.postMessage({ id, progress }));
    const moved = result?.data ? [result.data.buffer] : [];
    self.postMessage({ id, result }, moved);
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
