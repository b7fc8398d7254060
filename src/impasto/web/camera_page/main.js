// The page of `impasto webcam`: frames go to the server of this page, and come back painted.

import { Live } from "./live.js";
import { choose, fill } from "./styles.js";

const find = (id) => document.getElementById(id);
let style;
let live = null;

function say(words, wrong = false) {
  find("status").textContent = words;
  find("status").classList.toggle("wrong", wrong);
}

async function paint({ data, width, height }) {
  const answer = await fetch(`frame/${style.index}/${width}/${height}`, {
    method: "POST", body: data,
  });
  if (!answer.ok) throw new Error(`The server answered: ${answer.status} ${answer.statusText}.`);
  return { data: new Uint8ClampedArray(await answer.arrayBuffer()), width, height };
}

function end(words, wrong = false) {
  live?.stop();
  live = null;
  find("camera").textContent = "Start";
  find("camera").setAttribute("aria-pressed", "false");
  say(words, wrong);
}

async function camera(size) {
  if (live) return end("Stopped");
  const told = (rate, width, height) => {
    find("save").disabled = false;
    say(`${style.name}: ${rate.toFixed(1)} frames a second at ${width} × ${height}`);
  };
  live = new Live(find("live"), paint, told, size, (error) => end(error.message, true));
  find("camera").textContent = "Stop";
  find("camera").setAttribute("aria-pressed", "true");
  try {
    await live.start();
  } catch {
    end("There is no camera that this page may use.", true);
  }
}

function save() {
  find("live").toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(blob), download: `camera-${style.name}.png`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
}

const table = await (await fetch("styles.json")).json();
style = choose(table);
fill(find("choices"), find("title"), table, style, (chosen) => { style = chosen; });
find("camera").addEventListener("click", () => camera(table.size));
find("save").addEventListener("click", save);
find("camera").disabled = false;
document.documentElement.dataset.ready = "yes";
await camera(table.size);
