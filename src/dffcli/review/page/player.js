/** The picture with its annotations drawn over it, exact to the frame. */

import { nearest } from "dff/columns.js";
import { paint } from "dff/rle.js";

const MASK_OPACITY = 0.45;
const LINE = 2; // CSS pixels
const SEEK_TIMEOUT = 4000; // ms without a picture after which the server is asked for frames instead

export class Player extends EventTarget {
  /**
   * @param {{video: HTMLVideoElement, image: HTMLImageElement, canvas: HTMLCanvasElement, stage: HTMLElement}} parts
   * @param {import("dff/corrections.js").Result} result
   * @param {(place: number) => boolean} isShown
   */
  constructor(parts, result, isShown) {
    super();
    Object.assign(this, parts);
    this.result = result;
    this.isShown = isShown;
    this.frame = 0;
    this.shown = 0; // the frame that is on the screen
    this.selected = -1; // place of an object
    this.playing = false;
    this.rate = 1;
    this.zoom = 1;
    this.pan = [0, 0];
    this.masks = new Map();
    [this.height, this.width] = result.header.size;
    this.colors = new Map(result.header.categories.map((category) => [category.id, category.color]));
    this.media = result.header.media;
    this.hasVideo = false;
    new ResizeObserver(() => this.#fit()).observe(this.stage);
    this.stage.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    this.#dragging();
  }

  /** Begin to show. @param {string | null} url of a video, if there is one */
  async open(url) {
    this.#fit();
    if (url && (await this.#tryVideo(url))) return this.seek(0);
    this.video.hidden = true;
    this.image.hidden = !this.media?.frames;
    return this.seek(0);
  }

  #tryVideo(url) {
    return new Promise((resolve) => {
      const answer = (good) => {
        clearTimeout(timer);
        this.hasVideo = good;
        this.video.hidden = !good;
        this.image.hidden = true;
        resolve(good);
      };
      const timer = setTimeout(() => answer(false), SEEK_TIMEOUT);
      this.video.addEventListener("error", () => answer(false), { once: true });
      this.video.addEventListener("loadeddata", () => answer(this.video.videoWidth > 0), { once: true });
      this.video.src = url;
      const follow = (_now, metadata) => {
        this.shown = this.#frameAt(metadata.mediaTime);
        if (this.playing) this.#at(this.shown);
        this.draw();
        this.video.requestVideoFrameCallback(follow);
      };
      this.video.requestVideoFrameCallback?.(follow);
    });
  }

  get times() {
    return this.result.arrays.time;
  }

  #frameAt(mediaTime) {
    return nearest(this.times, mediaTime + (this.media?.zero ?? 0));
  }

  #at(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    this.dispatchEvent(new Event("frame"));
  }

  /** Show one frame. */
  seek(frame) {
    frame = Math.max(0, Math.min(this.result.frames - 1, frame));
    this.#at(frame);
    if (this.hasVideo) {
      const next = frame + 1 < this.result.frames ? this.times[frame + 1] : this.times[frame] + 0.02;
      const middle = this.times[frame] + Math.min((next - this.times[frame]) / 2, 0.02);
      this.video.currentTime = Math.max(0, middle - (this.media?.zero ?? 0));
    } else {
      if (this.media?.frames) this.image.src = `${this.media.frames}${this.result.arrays.index[frame]}.jpg`;
      this.shown = frame;
    }
    this.draw();
    return frame;
  }

  /** The frame on the screen is the one asked for. */
  get isSettled() {
    if (this.hasVideo) return !this.video.seeking && this.shown === this.frame;
    return !this.media?.frames || this.image.complete;
  }

  play(direction = 1) {
    this.playing = true;
    this.direction = direction;
    if (this.hasVideo && direction > 0) {
      this.video.playbackRate = this.rate;
      this.video.play();
    } else this.#tick();
    this.dispatchEvent(new Event("play"));
  }

  pause() {
    this.playing = false;
    clearTimeout(this.timer);
    if (this.hasVideo && !this.video.paused) {
      this.video.pause();
      this.seek(this.shown);
    }
    this.dispatchEvent(new Event("play"));
  }

  setRate(rate) {
    this.rate = rate;
    this.video.playbackRate = rate;
  }

  #tick() {
    if (!this.playing) return;
    const next = this.frame + this.direction;
    if (next < 0 || next >= this.result.frames) return this.pause();
    const wait = Math.abs(this.times[next] - this.times[this.frame]) / this.rate;
    this.seek(next);
    this.timer = setTimeout(() => this.#tick(), Math.min(1000, Math.max(10, wait * 1000)));
  }

  #fit() {
    const { clientWidth, clientHeight } = this.stage;
    this.scale = Math.min(clientWidth / this.width, clientHeight / this.height) * this.zoom;
    const left = (clientWidth - this.width * this.scale) / 2 + this.pan[0];
    const top = (clientHeight - this.height * this.scale) / 2 + this.pan[1];
    this.origin = [left, top];
    for (const part of [this.video, this.image]) {
      part.style.transform = `translate(${left}px, ${top}px)`;
      part.style.width = `${this.width * this.scale}px`;
      part.style.height = `${this.height * this.scale}px`;
    }
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.draw();
  }

  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = Math.max(1, Math.min(16, this.zoom * factor));
    const [left, top] = this.origin;
    const kept = [(x - left) / this.scale, (y - top) / this.scale];
    this.zoom = zoom;
    if (zoom === 1) this.pan = [0, 0];
    else {
      const scale = Math.min(this.stage.clientWidth / this.width, this.stage.clientHeight / this.height) * zoom;
      this.pan = [
        x - kept[0] * scale - (this.stage.clientWidth - this.width * scale) / 2,
        y - kept[1] * scale - (this.stage.clientHeight - this.height * scale) / 2,
      ];
    }
    this.#fit();
  }

  #onWheel(event) {
    event.preventDefault();
    const area = this.stage.getBoundingClientRect();
    this.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - area.left, event.clientY - area.top);
  }

  #dragging() {
    let from = null;
    let moved = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX - this.pan[0], event.clientY - this.pan[1]];
      moved = false;
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from || this.zoom === 1) return;
      const to = [event.clientX - from[0], event.clientY - from[1]];
      moved ||= Math.hypot(to[0] - this.pan[0], to[1] - this.pan[1]) > 3;
      if (!moved) return;
      this.pan = to;
      this.#fit();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (from && !moved) this.#pick(event);
      from = null;
    });
  }

  /** The smallest object under the pointer is selected. */
  #pick(event) {
    const area = this.stage.getBoundingClientRect();
    const x = (event.clientX - area.left - this.origin[0]) / this.scale;
    const y = (event.clientY - area.top - this.origin[1]) / this.scale;
    const { x1, y1, x2, y2 } = this.result.arrays;
    let best = -1;
    let smallest = Infinity;
    this.#eachShown((place) => {
      if (x < x1[place] || x > x2[place] || y < y1[place] || y > y2[place]) return;
      const area = (x2[place] - x1[place]) * (y2[place] - y1[place]);
      if (area < smallest) [best, smallest] = [place, area];
    });
    this.dispatchEvent(new CustomEvent("pick", { detail: { place: best, adds: event.shiftKey } }));
  }

  #eachShown(use) {
    const { first } = this.result.arrays;
    for (let place = first[this.shown]; place < first[this.shown + 1]; place++) {
      if (this.result.alive[place] && this.isShown(place)) use(place);
    }
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.#drawNow();
    });
  }

  #drawNow() {
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.origin) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#drawMasks(context);
    const { x1, y1, x2, y2, score } = this.result.arrays;
    const [left, top] = this.origin;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "top";
    this.#eachShown((place) => {
      if (Number.isNaN(x1[place])) return;
      const [red, green, blue] = this.colors.get(this.result.category[place]) ?? [255, 255, 255];
      const chosen = this.selection?.has(place) || this.selection?.has(this.#keyOf(place));
      const x = left + x1[place] * this.scale;
      const y = top + y1[place] * this.scale;
      const width = (x2[place] - x1[place]) * this.scale;
      const height = (y2[place] - y1[place]) * this.scale;
      context.lineWidth = chosen ? LINE * 2 : LINE;
      context.strokeStyle = `rgb(${red} ${green} ${blue})`;
      context.strokeRect(x, y, width, height);
      if (chosen) {
        context.lineWidth = 1;
        context.strokeStyle = "white";
        context.strokeRect(x, y, width, height);
      }
      const name = this.names.get(this.result.category[place]) ?? String(this.result.category[place]);
      const track = this.result.track[place] >= 0 ? ` ${this.result.track[place]}` : "";
      const sure = Number.isNaN(score[place]) ? "" : ` ${score[place].toFixed(2)}`;
      const text = `${name}${track}${sure}`;
      const above = y - 16 >= 0 ? y - 16 : y;
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(x - 1, above, context.measureText(text).width + 6, 16);
      context.fillStyle = red * 0.299 + green * 0.587 + blue * 0.114 > 150 ? "black" : "white";
      context.fillText(text, x + 2, above + 2);
    });
  }

  #keyOf(place) {
    return this.result.track[place] >= 0 ? `t${this.result.track[place]}` : `o${place}`;
  }

  #drawMasks(context) {
    const { mask, runs } = this.result.arrays;
    const wanted = [];
    this.#eachShown((place) => {
      if (mask[place + 1] > mask[place]) wanted.push(place);
    });
    if (!wanted.length) return;
    const key = `${this.shown}:${this.result.version}:${wanted.join(",")}`;
    if (this.maskKey !== key) {
      this.maskKey = key;
      this.maskCanvas ??= new OffscreenCanvas(this.width, this.height);
      const picture = new ImageData(this.width, this.height);
      const pixels = new Uint32Array(picture.data.buffer);
      for (const place of wanted) {
        const [red, green, blue] = this.colors.get(this.result.category[place]) ?? [255, 255, 255];
        const color = (255 << 24) | (blue << 16) | (green << 8) | red;
        paint(runs.subarray(mask[place], mask[place + 1]), pixels, this.width, this.height, color);
      }
      this.maskCanvas.getContext("2d").putImageData(picture, 0, 0);
    }
    const [left, top] = this.origin;
    context.globalAlpha = MASK_OPACITY;
    context.drawImage(this.maskCanvas, left, top, this.width * this.scale, this.height * this.scale);
    context.globalAlpha = 1;
  }
}
