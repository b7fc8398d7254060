// The photo and its painting on each other, with a handle between them.

export class View {
  /** @param find (id) => element */
  constructor(find) {
    this.stage = find("stage");
    this.frame = find("frame");
    [this.before, this.after] = [find("before"), find("after")];
    const split = find("split");
    const cut = () => this.frame.style.setProperty("--split", `${split.value}%`);
    split.addEventListener("input", cut);
    cut();
    this.strength = 1;
  }

  /** Show a photo, not painted yet. */
  show(photo, width, height) {
    this.stage.classList.remove("empty");
    this.frame.hidden = false;
    this.frame.style.setProperty("--aspect", width / height);
    for (const canvas of [this.before, this.after]) {
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").drawImage(photo, 0, 0, width, height);
    }
    this.painted = null;
  }

  /** Show what has been painted: {data, width, height}. */
  async paint(painted) {
    this.painted = await createImageBitmap(
      new ImageData(painted.data, painted.width, painted.height));
    this.draw();
  }

  /** Draw the painting with the strength that is set. */
  draw() {
    if (!this.painted) return;
    const { width, height } = this.after;
    mixed(this.after.getContext("2d"), this.before, this.painted, width, height, this.strength);
  }
}

/** Draw a painting over its photo: strength 1 is the painting, 0 the photo. */
export function mixed(context, photo, painted, width, height, strength) {
  context.imageSmoothingQuality = "high";
  context.globalAlpha = 1;
  context.drawImage(photo, 0, 0, width, height);
  context.globalAlpha = strength;
  context.drawImage(painted, 0, 0, width, height);
  context.globalAlpha = 1;
}
