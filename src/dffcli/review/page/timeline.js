/** The whole video at a glance: key frames and why, number of objects, change between frames, a lane for each track. */

const ROWS = { keys: 18, count: 34, change: 34 };
const LANE = 5;
const MOST_LANES = 24;

export class Timeline extends EventTarget {
  constructor(canvas, result, { color }) {
    super();
    Object.assign(this, { canvas, result, color });
    this.from = 0;
    this.to = result.frames;
    this.frame = 0;
    this.#count();
    new ResizeObserver(() => this.#fit()).observe(canvas.parentElement);
    let dragging = false;
    const seek = (event) => {
      const area = canvas.getBoundingClientRect();
      const share = (event.clientX - area.left) / area.width;
      const frame = Math.floor(this.from + share * (this.to - this.from));
      this.dispatchEvent(new CustomEvent("seek", { detail: Math.max(0, Math.min(this.result.frames - 1, frame)) }));
    };
    canvas.addEventListener("pointerdown", (event) => {
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      seek(event);
    });
    canvas.addEventListener("pointermove", (event) => dragging && seek(event));
    canvas.addEventListener("pointerup", () => (dragging = false));
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  #onWheel(event) {
    event.preventDefault();
    const area = this.canvas.getBoundingClientRect();
    const share = (event.clientX - area.left) / area.width;
    const at = this.from + share * (this.to - this.from);
    const span = Math.max(20, Math.min(this.result.frames, (this.to - this.from) * (event.deltaY < 0 ? 0.8 : 1.25)));
    this.from = Math.max(0, Math.min(this.result.frames - span, at - share * span));
    this.to = this.from + span;
    this.refresh();
  }

  #count() {
    const { first } = this.result.arrays;
    this.counts = new Uint32Array(this.result.frames);
    for (let frame = 0; frame < this.result.frames; frame++) {
      let count = 0;
      for (let place = first[frame]; place < first[frame + 1]; place++) count += this.result.alive[place];
      this.counts[frame] = count;
    }
    this.most = this.counts.reduce((most, count) => Math.max(most, count), 1);
  }

  #fit() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    this.width = clientWidth;
    this.height = clientHeight;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.refresh();
  }

  /** Show where the player is; the rest is drawn once and kept. */
  at(frame) {
    this.frame = frame;
    if (frame < this.from || frame >= this.to) {
      const span = this.to - this.from;
      this.from = Math.max(0, Math.min(this.result.frames - span, frame - span / 2));
      this.to = this.from + span;
      this.ground = null;
    }
    this.#paint();
  }

  /** Draw anew: the data or the stretch has changed. */
  refresh() {
    if (this.version !== this.result.version) {
      this.version = this.result.version;
      this.#count();
    }
    this.ground = null;
    this.#paint();
  }

  #paint() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      if (!this.width) return;
      this.ground ??= this.#drawGround();
      const context = this.canvas.getContext("2d");
      const ratio = window.devicePixelRatio || 1;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      context.drawImage(this.ground, 0, 0);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = this.#style("--accent");
      context.fillRect(this.#x(this.frame + 0.5) - 1, 0, 2, this.height);
    });
  }

  #style(name) {
    return getComputedStyle(this.canvas).getPropertyValue(name).trim();
  }

  #x(frame) {
    return ((frame - this.from) / (this.to - this.from)) * this.width;
  }

  #drawGround() {
    const ratio = window.devicePixelRatio || 1;
    const ground = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    const context = ground.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "10px system-ui, sans-serif";
    context.textBaseline = "top";
    let top = 0;
    this.#drawChecked(context);
    this.#drawKeys(context, top);
    top += ROWS.keys;
    const counts = (frame) => this.counts[frame] / this.most;
    this.#drawLine(context, top, ROWS.count, counts, this.#style("--line"), `objects (most ${this.most})`);
    top += ROWS.count;
    const change = (frame) => this.result.arrays.change[frame];
    this.#drawLine(context, top, ROWS.change, change, this.#style("--warn"), "change from frame to frame");
    this.#drawLanes(context, top + ROWS.change + 2);
    return ground;
  }

  #drawChecked(context) {
    context.fillStyle = this.#style("--checked");
    for (const [first, last] of this.result.checked) {
      const x = this.#x(first);
      context.fillRect(x, 0, Math.max(1, this.#x(Math.min(last, this.result.frames - 1) + 1) - x), this.height);
    }
  }

  #drawKeys(context, top) {
    const { reason } = this.result.arrays;
    const colors = this.result.header.reasons.map((_name, number) => this.color(number));
    for (let frame = Math.floor(this.from); frame < Math.ceil(this.to); frame++) {
      if (reason[frame] === 255 || reason[frame] === undefined) continue;
      context.fillStyle = colors[reason[frame]];
      context.fillRect(this.#x(frame), top + 2, Math.max(1.5, this.width / (this.to - this.from)), ROWS.keys - 4);
    }
  }

  /** The most of each column of pixels: no peak is lost, however long the video. */
  #drawLine(context, top, height, value, color, label) {
    const columns = Math.ceil(this.width);
    const per = (this.to - this.from) / columns;
    context.fillStyle = color;
    for (let column = 0; column < columns; column++) {
      const first = Math.floor(this.from + column * per);
      const last = Math.max(first + 1, Math.ceil(this.from + (column + 1) * per));
      let most = 0;
      for (let frame = first; frame < last && frame < this.result.frames; frame++) most = Math.max(most, value(frame));
      context.fillRect(column, top + height - most * (height - 12), 1, most * (height - 12));
    }
    context.fillStyle = this.#style("--faint");
    context.fillText(label, 4, top);
  }

  #drawLanes(context, top) {
    const { tracks } = this.result;
    const ends = new Array(MOST_LANES).fill(-1); // tracks that do not meet share a lane
    const room = Math.max(1, Math.min(MOST_LANES, Math.floor((this.height - top) / LANE)));
    for (const track of tracks) {
      if (track.last < this.from || track.first >= this.to) continue;
      let lane = ends.findIndex((end, number) => number < room && end < track.first);
      if (lane < 0) lane = track.track % room;
      ends[lane] = track.last;
      const [red, green, blue] = this.colors?.get(track.category) ?? [128, 128, 128];
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      const x = this.#x(track.first);
      context.fillRect(x, top + lane * LANE, Math.max(1, this.#x(track.last + 1) - x), LANE - 1);
    }
  }
}
