// What Gradio's components lack: pasting and dropping a photo anywhere, texts for screen readers,
// one tab stop for all thumbnails, a focus that stays, and a slider that follows the handle of the
// result.
(() => {
  const PHOTOS = ["#photo", "#compare-photo", "#texture-own", "#film-painting"];
  const ALTERNATIVES = [
    ["#photo img", ["The photo"]],
    ["#result img", ["Before: the photo", "After: the painted photo"]],
    ["#texture-result img", ["The texture"]],
    ["#sheet img", ["The methods side by side"]],
  ];
  const KEYS = { ArrowRight: 1, ArrowDown: 4, ArrowLeft: -1, ArrowUp: -4 };

  const isShown = (element) => element && element.offsetParent !== null;
  const hasFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

  async function put(file) {
    const place = PHOTOS.map((at) => document.querySelector(at)).find(isShown);
    if (!place || !file?.type.startsWith("image/")) return;
    place.querySelector("button[aria-label='Clear'], button[title='Clear']")?.click();
    let input = null;
    for (let tries = 0; tries < 40 && !input; tries += 1) {
      input = place.querySelector("input[type=file]");
      if (!input) await new Promise((done) => setTimeout(done, 50));
    }
    if (!input) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) {
      event.preventDefault();
      put(file);
    }
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event.dataTransfer)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (event.defaultPrevented || !hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    put(event.dataTransfer.files[0]);
  });

  function thumbnails() {
    return [...document.querySelectorAll("#styles .grid-container button")];
  }

  function setAttribute(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  let stop = 0; // index of the thumbnail that Tab reaches
  function label() {
    for (const [where, texts] of ALTERNATIVES) {
      document.querySelectorAll(where).forEach((image, index) => {
        setAttribute(image, "alt", texts[Math.min(index, texts.length - 1)]);
      });
    }
    thumbnails().forEach((button, index) => {
      const caption = button.querySelector(".caption-label")?.textContent.trim();
      if (caption) setAttribute(button, "aria-label", caption);
      setAttribute(button, "tabindex", index === stop ? "0" : "-1");
    });
    for (const name of ["aria-label", "title"]) {
      document.querySelectorAll(`[${name}^='common.']`).forEach((element) => {
        setAttribute(element, name, element.getAttribute(name).slice("common.".length));
      });
    }
  }

  addEventListener("keydown", (event) => {
    const all = thumbnails();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || !(event.key in KEYS)) return;
    event.preventDefault();
    stop = Math.min(all.length - 1, Math.max(0, at + KEYS[event.key]));
    label();
    all[stop].focus();
  });

  // a button that removes itself would leave the focus nowhere: the input of its list gets it
  addEventListener("keydown", (event) => {
    const list = event.target.closest?.(".token-remove")?.closest(".wrap-inner");
    if (!list || event.key !== "Enter") return;
    setTimeout(() => {
      if (document.activeElement === document.body) list.querySelector("input")?.focus();
    }, 50);
  }, true);

  // the slider follows the handle; setting a value sends no event
  function follow() {
    const handle = document.querySelector("#result .outer");
    const frame = handle?.parentElement;
    if (!isShown(handle) || !frame.clientWidth) return;
    const box = handle.getBoundingClientRect();
    const around = frame.getBoundingClientRect();
    const share = (100 * (box.left + box.width / 2 - around.left)) / around.width;
    const value = String(Math.round(Math.min(100, Math.max(0, share))));
    document.querySelectorAll("#reach input").forEach((input) => {
      if (input.value !== value && input !== document.activeElement) input.value = value;
    });
  }
  addEventListener("pointermove", (event) => event.buttons && requestAnimationFrame(follow));
  // a slow page may move the handle only after the frame of the last pointer event
  addEventListener("pointerup", () => [50, 500, 2000].forEach((wait) => setTimeout(follow, wait)));

  // what a visitor has painted is not for the next one at this computer
  addEventListener("click", (event) => {
    if (event.target.closest?.("#leave")) localStorage.removeItem("impasto-history");
  });

  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      label();
    }, 100);
  };
  new MutationObserver(later).observe(document, { childList: true, subtree: true });
})();
