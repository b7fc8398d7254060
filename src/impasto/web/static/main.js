// The page: what its controls do.

import { Engine, difference } from "./engine.js";
import { Live } from "./live.js";
import { listen, opened } from "./photo.js";
import { View, mixed } from "./view.js";
import { choose, fill } from "./styles.js";

const PREVIEWS = [512, 1024]; // pixels; long edges of what is shown, one after the other
const MOST = 16_000_000; // pixels of a download; larger canvases fail on telephones
const PATIENCE = 60_000; // milliseconds for the first picture of the graphics card
const SAME = 1 / 255; // mean difference of colours that the graphics card may have

const find = (id) => document.getElementById(id);
const view = new View(find);
let engine, table, style;
let photo = null; // {bitmap, name, type}
let job = 0; // number of the last job, by which older ones know that they are out of date
let live = null;

function say(words, wrong = false) {
  find("status").textContent = words;
  find("status").classList.toggle("wrong", wrong);
}

function progress(done) {
  find("progress").hidden = done === null;
  if (done === undefined) find("progress").removeAttribute("value");
  else if (done !== null) find("progress").value = done;
}

const fail = (error) => {
  progress(null);
  say(error.message, true);
};

const told = (begun) => ({ loading, painting }) => {
  if (loading !== undefined) {
    progress(loading);
    say(`Loading the network: ${Math.round(100 * loading)} %`);
  } else {
    progress(painting);
    const seconds = (performance.now() - begun) / 1000;
    const left = painting > 0.05 && seconds > 3 ? (seconds * (1 - painting)) / painting : 0;
    const when = left > 90 ? `, ${Math.ceil(left / 60)} minutes left` : `, ${Math.ceil(left)} s left`;
    say(`Painting: ${Math.round(100 * painting)} %${left ? when : ""}`);
  }
};

function weightsOf({ model, index }) {
  const count = table.models[model].styles;
  return count ? Float32Array.from({ length: count }, (_, i) => (i === index ? 1 : 0)) : null;
}

/** Height and width of the photo, at most `edge` long and MOST in pixels. */
function sizeWithin(edge) {
  const { width, height } = photo.bitmap;
  const factor = Math.min(1, edge / Math.max(width, height), Math.sqrt(MOST / (width * height)));
  return [height, width].map((side) => Math.max(1, Math.round(side * factor)));
}

/** Let the worker paint the photo; null if another job has begun meanwhile. */
async function painted([height, width]) {
  const mine = ++job;
  const copy = await createImageBitmap(photo.bitmap);
  progress(undefined);
  say("Painting …");
  const given = { photo: copy, model: table.models[style.model], weights: weightsOf(style) };
  const report = told(performance.now());
  const shown = (news) => { if (mine === job) report(news); };
  try {
    const found = await engine.ask("paint", { ...given, height, width }, shown, [copy]);
    return mine === job ? found : null;
  } catch (error) {
    if (error.message === "stopped") return null;
    throw error;
  } finally {
    if (mine === job) progress(null);
  }
}

/** Paint what is shown: soon at the size of the network's strokes, then at twice that. */
async function preview() {
  if (!photo || !engine) return;
  find("download").disabled = true;
  for (const edge of PREVIEWS) {
    const [height, width] = sizeWithin(edge);
    const found = await painted([height, width]).catch(fail);
    if (!found) return;
    await view.paint(found);
    find("download").disabled = false;
    say(`${style.name}, ${width} × ${height} in ${found.seconds.toFixed(1)} s`);
    if (Math.max(...sizeWithin(Infinity)) <= edge) break;
  }
}

async function download() {
  const [height, width] = sizeWithin(Infinity);
  find("stop").hidden = false;
  find("download").disabled = true;
  const found = await painted([height, width]).catch(fail);
  find("stop").hidden = true;
  find("download").disabled = false;
  if (!found) return;
  const canvas = new OffscreenCanvas(width, height);
  const picture = await createImageBitmap(new ImageData(found.data, width, height));
  mixed(canvas.getContext("2d"), photo.bitmap, picture, width, height, view.strength);
  const type = photo.type === "image/jpeg" ? photo.type : "image/png";
  const blob = await canvas.convertToBlob({ type, quality: 0.95 });
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(blob),
    download: `${photo.name}-${style.name}.${type === "image/jpeg" ? "jpg" : "png"}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  const smaller = width < photo.bitmap.width ? "; the photo is larger than this page can paint" : "";
  say(`Saved, ${width} × ${height} in ${found.seconds.toFixed(1)} s${smaller}`);
}

function stop() {
  job += 1;
  engine.ask("stop");
  progress(null);
  say("Stopped");
}

async function take(file) {
  try {
    const bitmap = await opened(file);
    endLive();
    photo = { bitmap, name: (file.name || "photo").replace(/\.[^.]*$/, ""), type: file.type };
    const [height, width] = sizeWithin(PREVIEWS.at(-1));
    view.show(bitmap, width, height);
    await preview();
  } catch (error) {
    fail(error);
  }
}

function endLive() {
  if (!live) return;
  live.stop();
  live = null;
  find("live").hidden = true;
  find("camera").setAttribute("aria-pressed", "false");
  find("camera").textContent = "Camera";
  view.stage.classList.toggle("empty", !photo);
  find("frame").hidden = !photo;
}

async function camera() {
  if (live) { // the second press takes the picture
    const bitmap = await live.picture();
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const blob = await canvas.convertToBlob();
    return take(new File([blob], "camera.png", { type: blob.type }));
  }
  const paint = (pixels) =>
    engine.ask("frame", { pixels, model: table.models[style.model], weights: weightsOf(style) });
  live = new Live(find("live"), paint, (rate, width, height) =>
    say(`${style.name}, live: ${rate.toFixed(1)} frames a second at ${width} × ${height}`));
  try {
    await live.start();
  } catch {
    live = null;
    return fail(new Error("There is no camera that this page may use."));
  }
  view.stage.classList.remove("empty");
  find("frame").hidden = true;
  find("live").hidden = false;
  find("camera").setAttribute("aria-pressed", "true");
  find("camera").textContent = "Take this picture";
}

/** Change between processor and graphics card; the card must paint what the processor paints. */
async function change(backend) {
  const processor = engine.backend === "wasm" ? engine : new Engine("wasm");
  const chosen = backend === "wasm" ? processor : new Engine(backend);
  try {
    const { threads } = await chosen.start(told(performance.now()));
    if (chosen !== processor) {
      if (processor !== engine) await processor.start();
      say("Comparing the graphics card with the processor …");
      const model = table.models[style.model];
      const late = new Promise((_, failed) =>
        setTimeout(() => failed(new Error("it gave no result in a minute")), PATIENCE));
      const apart = await Promise.race(
        [difference(processor, chosen, model, weightsOf(style)), late]);
      if (!(apart <= SAME)) throw new Error(`its colours differ by ${(255 * apart).toFixed(1)}`);
      find("machine").textContent =
        `Graphics card; its colours differ from the processor's by ${apart.toExponential(1)}.`;
    } else {
      find("machine").textContent = `Processor, ${threads} thread${threads > 1 ? "s" : ""}.`;
    }
    if (engine !== chosen) engine.close();
    engine = chosen;
    progress(null);
    await (live ? null : preview());
  } catch (error) {
    if (chosen !== engine) chosen.close();
    document.querySelector(`[name=backend][value=${engine.backend}]`).checked = true;
    fail(new Error(`The graphics card is not used: ${error.message}.`));
  }
}

/** Wait until the service worker keeps what is loaded, but never for long. */
async function keeper() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("sw.js").catch(() => null);
  const controlled = new Promise((done) => {
    if (navigator.serviceWorker.controller) done();
    navigator.serviceWorker.addEventListener("controllerchange", done);
  });
  await Promise.race([controlled, new Promise((done) => setTimeout(done, 3000))]);
}

function connect() {
  listen(find("file"), view.stage, take);
  find("sample").addEventListener("click", async () => {
    const blob = await (await fetch("sample.jpg")).blob();
    take(new File([blob], "sample.jpg", { type: blob.type }));
  });
  find("camera").addEventListener("click", camera);
  find("download").addEventListener("click", download);
  find("stop").addEventListener("click", stop);
  find("strength").addEventListener("input", ({ target }) => {
    find("strength-value").textContent = `${target.value} %`;
    view.strength = target.value / 100;
    view.draw();
  });
  for (const radio of document.getElementsByName("backend")) {
    radio.addEventListener("change", () => change(radio.value));
  }
}

async function main() {
  connect();
  await keeper();
  table = await (await fetch("models.json")).json();
  style = choose(table);
  fill(find("choices"), find("title"), table, style, (chosen) => {
    style = chosen;
    if (!live) preview();
  });
  const first = new Engine("wasm");
  const { threads } = await first.start(told(performance.now()));
  engine = first;
  find("machine").textContent = `Processor, ${threads} thread${threads > 1 ? "s" : ""}.`;
  progress(null);
  find("camera").disabled = false;
  for (const radio of document.getElementsByName("backend")) radio.disabled = false;
  document.documentElement.dataset.ready = "yes";
  if (photo) await preview();
  else say("Choose a photo, and a style.");
}

main().catch(fail);
