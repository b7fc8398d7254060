// Paint what the camera sees, frame by frame.

const OVER = 10; // frames that the rate is a mean of
const EVERY = 1000; // milliseconds between two reports

export class Live {
  /**
   * @param canvas where the painted frames go
   * @param paint async (pixels) => {data, width, height}
   * @param told (frames a second, width, height) => void
   * @param edge long edge of a frame in pixels
   * @param failed (error) => void, when a frame cannot be painted
   */
  constructor(canvas, paint, told, edge = 320, failed = console.error) {
    Object.assign(this, { canvas, paint, told, edge, failed, running: false });
    this.video = Object.assign(document.createElement("video"), {
      muted: true, playsInline: true,
    });
  }

  /** Ask for the camera and begin; ends when `stop` is called. */
  async start() {
    const ideal = { width: { ideal: 2 * this.edge }, facingMode: "user" };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: ideal, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.running = true;
    this.loop().catch(this.failed);
  }

  async loop() {
    const { videoWidth, videoHeight } = this.video;
    const factor = this.edge / Math.max(videoWidth, videoHeight);
    const [width, height] = [videoWidth, videoHeight].map((side) => Math.round(side * factor));
    const small = new OffscreenCanvas(width, height);
    const context = small.getContext("2d", { willReadFrequently: true });
    context.setTransform(-1, 0, 0, 1, width, 0); // as in a mirror
    Object.assign(this.canvas, { width, height });
    const shown = this.canvas.getContext("2d");
    const times = [performance.now()];
    let reported = 0;
    while (this.running) {
      context.drawImage(this.video, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      const painted = await this.paint({ data, width, height });
      if (!this.running) break;
      shown.putImageData(new ImageData(painted.data, width, height), 0, 0);
      times.push(performance.now());
      if (times.length > OVER + 1) times.shift();
      if (times.at(-1) - reported > EVERY) {
        reported = times.at(-1);
        this.told((1000 * (times.length - 1)) / (reported - times[0]), width, height);
      }
      await new Promise((ready) => requestAnimationFrame(ready));
    }
  }

  /** The camera's picture in its full size. */
  async picture() {
    return createImageBitmap(this.video);
  }

  stop() {
    this.running = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}
