/**
 * What a person put right, applied to the columns: the same rules as `dffcli.formats.corrections`, so that the page
 * shows what `dff convert --corrections` will write.
 */

export const NO_TRACK = -1;
const LAST_FRAME = 2 ** 31 - 1;

export class Result {
  /** @param {object} header @param {Object<string, ArrayLike<number>>} arrays */
  constructor(header, arrays) {
    this.header = header;
    this.arrays = arrays;
    this.frames = arrays.time.length;
    this.count = arrays.category.length;
    this.frameOf = new Uint32Array(this.count);
    for (let frame = 0; frame < this.frames; frame++) {
      this.frameOf.fill(frame, arrays.first[frame], arrays.first[frame + 1]);
    }
    this.operations = header.corrections.operations.slice();
    this.undone = [];
    this.apply();
  }

  /** Add an operation; what was undone before is forgotten. */
  add(operation) {
    this.operations.push(operation);
    this.undone = [];
    this.apply();
  }

  undo() {
    if (!this.operations.length) return null;
    const operation = this.operations.pop();
    this.undone.push(operation);
    this.apply();
    return operation;
  }

  redo() {
    if (!this.undone.length) return null;
    const operation = this.undone.pop();
    this.operations.push(operation);
    this.apply();
    return operation;
  }

  /** Begin from what the result says and do everything again: undoing is leaving out. */
  apply() {
    this.track = Int32Array.from(this.arrays.track);
    this.category = Int32Array.from(this.arrays.category);
    this.alive = new Uint8Array(this.count).fill(1);
    this.checked = [];
    const merged = new Set();
    for (const operation of this.operations) this.#one(operation, merged);
    for (const track of merged) this.#dropDoubles(track);
    this.tracks = this.#gatherTracks();
    this.version = (this.version ?? 0) + 1;
  }

  #one(operation, merged) {
    const first = operation.first ?? 0;
    const last = operation.last ?? LAST_FRAME;
    if (operation.op === "checked") {
      this.checked.push([first, last]);
      return;
    }
    if (operation.object) {
      const [frame, row] = operation.object;
      const place = this.arrays.first[frame] + row;
      if (frame < this.frames && place < this.arrays.first[frame + 1] && this.alive[place]) {
        if (operation.op === "delete") this.alive[place] = 0;
        else this.category[place] = operation.category;
      }
      return;
    }
    const from = operation.op === "split" ? operation.frame : first;
    const wanted = operation.op === "merge" ? new Set(operation.tracks) : new Set([operation.track]);
    const fresh = operation.op === "merge" ? operation.tracks[0] : operation.new;
    for (let place = this.arrays.first[Math.min(from, this.frames)]; place < this.count; place++) {
      if (!wanted.has(this.track[place]) || !this.alive[place] || this.frameOf[place] > last) continue;
      if (operation.op === "delete") this.alive[place] = 0;
      else if (operation.op === "class") this.category[place] = operation.category;
      else this.track[place] = fresh;
    }
    if (["merge", "split", "rename"].includes(operation.op)) merged.add(fresh);
  }

  /** Two objects of one track on a frame: the better one stays. */
  #dropDoubles(track) {
    let frame = -1;
    let best = -1;
    for (let place = 0; place < this.count; place++) {
      if (this.track[place] !== track || !this.alive[place]) continue;
      if (this.frameOf[place] !== frame) {
        frame = this.frameOf[place];
        best = place;
      } else if (this.arrays.score[place] > this.arrays.score[best]) {
        this.alive[best] = 0;
        best = place;
      } else this.alive[place] = 0;
    }
  }

  /** @returns {{track: number, first: number, last: number, objects: number, category: number}[]} in order of birth */
  #gatherTracks() {
    const found = new Map();
    for (let place = 0; place < this.count; place++) {
      const track = this.track[place];
      if (track === NO_TRACK || !this.alive[place]) continue;
      const known = found.get(track);
      if (known) {
        known.last = this.frameOf[place];
        known.objects++;
      } else {
        const frame = this.frameOf[place];
        found.set(track, { track, first: frame, last: frame, objects: 1, category: this.category[place] });
      }
    }
    return [...found.values()].sort((one, other) => one.first - other.first || one.track - other.track);
  }

  freshTrack() {
    let most = 0;
    for (let place = 0; place < this.count; place++) most = Math.max(most, this.track[place], this.arrays.track[place]);
    return most + 1;
  }

  file() {
    return { ...this.header.corrections, operations: this.operations };
  }
}

/** An operation in words. */
export function describe(operation, categories) {
  const whose = operation.object
    ? `object ${operation.object[1]} of frame ${operation.object[0]}`
    : `track ${operation.track}`;
  switch (operation.op) {
    case "delete":
      return `delete ${whose}`;
    case "merge":
      return `merge tracks ${operation.tracks.join(", ")}`;
    case "split":
      return `split track ${operation.track} at frame ${operation.frame}: ${operation.new} from there`;
    case "rename":
      return `rename track ${operation.track} to ${operation.new}`;
    case "class":
      return `${whose} is ${categories.get(operation.category)?.name ?? operation.category}`;
    default:
      return `frames ${operation.first} to ${operation.last} checked`;
  }
}
