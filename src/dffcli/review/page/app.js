/** The page: reads the result, wires player, timeline and lists, and keeps what is put right. */

import { unpack } from "dff/columns.js";
import { describe, NO_TRACK, Result } from "dff/corrections.js";
import { classBoxes, element, swatch, WindowedList } from "dff/panels.js";
import { Player } from "dff/player.js";
import { Timeline } from "dff/timeline.js";

const REASON_COLORS = ["#4c8dff", "#ffb02e", "#ff5d5d", "#3ecf8e", "#c77dff", "#00c2d7", "#ff8fab", "#9aa0a6"];
const FINDINGS = {
  jump: "Key frames that disagree with what was carried there",
  flicker: "Objects missing on a single frame",
  "short-track": "Short tracks",
  "sudden-birth": "Sudden births",
};
const RATES = [0.1, 0.25, 0.5, 1, 2, 4];

const byId = (id) => document.getElementById(id);

function bytesOf(text) {
  return Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
}

async function load() {
  const inside = byId("data");
  if (inside) return unpack(bytesOf(inside.textContent).buffer);
  const answer = await fetch("data");
  if (!answer.ok) throw new Error(`the server says ${answer.status}`);
  return unpack(await answer.arrayBuffer());
}

function mediaUrl(media) {
  const inside = byId("video-data");
  if (!inside) return media?.video ?? null;
  return URL.createObjectURL(new Blob([bytesOf(inside.textContent)], { type: inside.dataset.kind }));
}

export async function start() {
  try {
    const { header, arrays } = await load();
    new Page(new Result(header, arrays));
  } catch (error) {
    byId("status").textContent = `This result cannot be shown: ${error.message}`;
    throw error;
  }
}

class Page {
  constructor(result) {
    this.result = result;
    this.header = result.header;
    this.categories = new Map(this.header.categories.map((category) => [category.id, category]));
    this.hidden = new Set();
    this.hiddenTracks = new Set();
    this.least = 0;
    this.selection = new Set(); // "t7" for a track, "o123" for an object without one
    this.mark = null; // where a stretch to be checked begins
    this.isSaved = true;
    document.title = `${this.header.result}: dff review`;
    byId("title").textContent = this.header.result;
    byId("about").textContent = this.#about();

    const parts = { video: byId("video"), image: byId("image"), canvas: byId("overlay"), stage: byId("stage") };
    this.player = new Player(parts, result, (place) => this.#isShown(place));
    this.player.names = new Map(this.header.categories.map((category) => [category.id, category.name]));
    this.player.selection = this.selection;
    this.timeline = new Timeline(byId("timeline"), result, { color: (number) => this.#reasonColor(number) });
    this.timeline.colors = new Map(this.header.categories.map((category) => [category.id, category.color]));
    this.#wire();
    this.#legend();
    this.#lists();
    this.#changed();
    window.dff = this; // for the curious, and for tests
    const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("frame") ?? 0);
    this.ready = this.player.open(mediaUrl(this.header.media)).then(() => this.player.seek(wanted || 0));
    this.ready.then(() => {
      this.#atFrame();
      if (!this.header.media) this.#say("The video is not here: dff review RESULT VIDEO shows it.");
      document.body.dataset.ready = "yes";
    });
  }

  #about() {
    const keys = this.result.arrays.reason.reduce((sum, reason) => sum + (reason !== 255), 0);
    const model = this.header.run ? `${this.header.run.model}, ` : "";
    return `${model}${this.result.frames} frames, ${keys} key frames, ${this.result.count} objects`;
  }

  #reasonColor(number) {
    return REASON_COLORS[number % REASON_COLORS.length];
  }

  #isShown(place) {
    const score = this.result.arrays.score[place];
    return (
      !this.hidden.has(this.result.category[place]) &&
      !(score < this.least) &&
      !this.hiddenTracks.has(this.result.track[place])
    );
  }

  #say(text) {
    byId("status").textContent = text;
  }

  #wire() {
    const on = (id, use) => byId(id).addEventListener("click", use);
    on("play", () => this.#toggle());
    on("back", () => this.#step(-1));
    on("forward", () => this.#step(1));
    on("key-back", () => this.#stepKey(-1));
    on("key-forward", () => this.#stepKey(1));
    on("undo", () => this.#undo());
    on("redo", () => this.#redo());
    on("save", () => this.#save());
    on("delete", () => this.#delete());
    on("merge", () => this.#merge());
    on("split", () => this.#split());
    on("rename", () => this.#rename());
    on("class", () => this.#setClass());
    on("checked", () => this.#markStretch());
    on("help", () => byId("keys").showModal());
    on("zoom-in", () => this.player.zoomBy(1.5));
    on("zoom-out", () => this.player.zoomBy(1 / 1.5));
    byId("speed").replaceChildren(
      ...RATES.map((rate) => element("option", { value: String(rate), selected: rate === 1 }, `${rate}x`)),
    );
    byId("speed").addEventListener("change", (event) => this.player.setRate(Number(event.target.value)));
    byId("score").addEventListener("input", (event) => {
      this.least = Number(event.target.value);
      byId("score-value").textContent = this.least.toFixed(2);
      this.player.draw();
    });
    byId("position").addEventListener("change", (event) => this.player.seek(Number(event.target.value)));
    this.player.addEventListener("frame", () => this.#atFrame());
    this.player.addEventListener("play", () => {
      byId("play").textContent = this.player.playing ? "Pause" : "Play";
    });
    this.player.addEventListener("pick", (event) => this.#select(event.detail.place, event.detail.adds));
    this.timeline.addEventListener("seek", (event) => this.player.seek(event.detail));
    document.addEventListener("keydown", (event) => this.#onKey(event));
    window.addEventListener("beforeunload", (event) => this.isSaved || event.preventDefault());
    if (!this.#canSave) byId("save").textContent = "Download corrections";
  }

  get #canSave() {
    return !byId("data");
  }

  #legend() {
    const counts = new Map();
    for (const reason of this.result.arrays.reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    byId("legend").replaceChildren(
      ...this.header.reasons.map((name, number) =>
        element("span", { class: "entry" }, swatch(this.#reasonColor(number)), `${name} (${counts.get(number) ?? 0})`),
      ),
    );
  }

  #lists() {
    classBoxes(byId("classes"), this.result, (hidden) => {
      this.hidden = hidden;
      this.player.draw();
    });
    this.trackList = new WindowedList(byId("tracks"), 28, (track) => this.#trackRow(track));
    const findings = this.header.findings;
    this.findingList = new WindowedList(byId("findings"), 44, (finding) => this.#findingRow(finding));
    this.findingList.show(findings);
    byId("findings-count").textContent = String(findings.length);
    const options = this.header.categories.map((c) => element("option", { value: String(c.id) }, c.name));
    byId("new-class").replaceChildren(...options);
  }

  #trackRow(track) {
    const box = element("input", { type: "checkbox", checked: !this.hiddenTracks.has(track.track) });
    box.setAttribute("aria-label", `show track ${track.track}`);
    box.addEventListener("change", () => {
      if (box.checked) this.hiddenTracks.delete(track.track);
      else this.hiddenTracks.add(track.track);
      this.player.draw();
    });
    const category = this.categories.get(track.category);
    const go = element(
      "button",
      {
        class: "go",
        "aria-pressed": String(this.selection.has(`t${track.track}`)),
        onclick: (event) => {
          this.#choose(`t${track.track}`, event.shiftKey || event.ctrlKey);
          if (this.player.frame < track.first || this.player.frame > track.last) this.player.seek(track.first);
        },
      },
      `${track.track} ${category?.name ?? track.category}`,
      element("span", { class: "faint" }, ` ${track.first} to ${track.last}`),
    );
    return element("div", { role: "listitem" }, box, swatch(category?.color ?? [128, 128, 128]), go);
  }

  #findingRow(finding) {
    const go = element(
      "button",
      {
        class: "go finding",
        title: finding.text,
        onclick: () => {
          this.player.seek(finding.last);
          if (finding.track >= 0) this.#choose(`t${finding.track}`, false);
        },
      },
      element("span", { class: "kind" }, FINDINGS[finding.kind] ?? finding.kind),
      element("span", {}, finding.text),
    );
    return element("div", { role: "listitem" }, go);
  }

  /** Something was put right or taken back: all lists and pictures follow. */
  #changed() {
    this.trackList.show(this.result.tracks);
    byId("tracks-count").textContent = String(this.result.tracks.length);
    byId("operations").replaceChildren(
      ...this.result.operations.map((operation) => element("li", {}, describe(operation, this.categories))),
    );
    byId("undo").disabled = !this.result.operations.length;
    byId("redo").disabled = !this.result.undone.length;
    this.timeline.refresh();
    this.#selected();
    this.player.draw();
  }

  #atFrame() {
    const { frame } = this.player;
    const { time, reason, first } = this.result.arrays;
    this.timeline.at(frame);
    byId("position").value = frame;
    const why = reason[frame] === 255 ? "propagated" : `key frame: ${this.header.reasons[reason[frame]]}`;
    const objects = first[frame + 1] - first[frame];
    byId("where").textContent = `frame ${frame} of ${this.result.frames}, ${time[frame].toFixed(3)} s, ${why}`;
    if (!this.player.playing) byId("spoken").textContent = `frame ${frame}, ${objects} objects, ${why}`;
  }

  #toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play(1);
  }

  #step(by) {
    if (this.player.playing) this.player.pause();
    this.player.seek(this.player.frame + by);
  }

  #stepKey(direction) {
    const { reason } = this.result.arrays;
    let frame = this.player.frame + direction;
    while (frame > 0 && frame < this.result.frames - 1 && reason[frame] === 255) frame += direction;
    this.#step(frame - this.player.frame);
  }

  #select(place, adds) {
    if (place < 0) return this.#choose(null, adds);
    const track = this.result.track[place];
    return this.#choose(track === NO_TRACK ? `o${place}` : `t${track}`, adds);
  }

  #choose(key, adds) {
    if (!adds) this.selection.clear();
    if (key !== null) {
      if (adds && this.selection.has(key)) this.selection.delete(key);
      else this.selection.add(key);
    }
    this.#selected();
    this.trackList.show(this.result.tracks);
    const position = this.result.tracks.findIndex((track) => `t${track.track}` === key);
    if (position >= 0) this.trackList.reveal(position);
    this.player.draw();
  }

  #selected() {
    const chosen = [...this.selection];
    const tracks = this.#chosenTracks();
    const words = chosen.map((key) => {
      if (key[0] === "t") return `track ${key.slice(1)}`;
      const [frame, row] = this.#objectOf(Number(key.slice(1)));
      return `object ${row} of frame ${frame}`;
    });
    byId("selected").textContent = words.length ? words.join(", ") : "nothing selected: click a box or a track";
    byId("delete").disabled = byId("class").disabled = byId("new-class").disabled = !chosen.length;
    byId("merge").disabled = tracks.length < 2;
    byId("split").disabled = byId("rename").disabled = tracks.length !== 1;
  }

  #chosenTracks() {
    return [...this.selection].filter((key) => key[0] === "t").map((key) => Number(key.slice(1)));
  }

  #objectOf(place) {
    const frame = this.result.frameOf[place];
    return [frame, place - this.result.arrays.first[frame]];
  }

  #whose(key) {
    return key[0] === "t" ? { track: Number(key.slice(1)) } : { object: this.#objectOf(Number(key.slice(1))) };
  }

  #do(...operations) {
    for (const operation of operations) this.result.add(operation);
    this.isSaved = false;
    this.#say(operations.map((operation) => describe(operation, this.categories)).join("; "));
    this.#changed();
  }

  #delete() {
    if (!this.selection.size) return;
    const operations = [...this.selection].map((key) => ({ op: "delete", ...this.#whose(key) }));
    this.selection.clear();
    this.#do(...operations);
  }

  #merge() {
    const tracks = this.#chosenTracks();
    if (tracks.length < 2) return this.#say("Select two tracks or more to merge them (Shift adds to the selection).");
    const born = new Map(this.result.tracks.map((track) => [track.track, track.first]));
    tracks.sort((one, other) => (born.get(one) ?? 0) - (born.get(other) ?? 0));
    this.selection.clear();
    this.selection.add(`t${tracks[0]}`);
    return this.#do({ op: "merge", tracks });
  }

  #split() {
    const [track] = this.#chosenTracks();
    if (track === undefined) return;
    this.#do({ op: "split", track, frame: this.player.frame, new: this.result.freshTrack() });
  }

  #rename() {
    const [track] = this.#chosenTracks();
    if (track === undefined) return;
    const answer = window.prompt(`New number of track ${track}`, String(track));
    if (answer === null || !/^\d{1,9}$/.test(answer.trim())) return;
    const fresh = Number(answer);
    if (this.result.tracks.some((other) => other.track === fresh)) {
      this.#say(`Track ${fresh} is there already: select both and merge them.`);
      return;
    }
    this.selection.clear();
    this.selection.add(`t${fresh}`);
    this.#do({ op: "rename", track, new: fresh });
  }

  #setClass() {
    if (!this.selection.size) return;
    const category = Number(byId("new-class").value);
    this.#do(...[...this.selection].map((key) => ({ op: "class", category, ...this.#whose(key) })));
  }

  #markStretch() {
    if (this.mark === null) {
      this.mark = this.player.frame;
      this.#say(`A checked stretch begins at frame ${this.mark}: go to its end and press again.`);
      byId("checked").setAttribute("aria-pressed", "true");
      return;
    }
    const [first, last] = [this.mark, this.player.frame].sort((one, other) => one - other);
    this.mark = null;
    byId("checked").setAttribute("aria-pressed", "false");
    this.#do({ op: "checked", first, last });
  }

  #undo() {
    const operation = this.result.undo();
    if (!operation) return;
    this.isSaved = false;
    this.#say(`taken back: ${describe(operation, this.categories)}`);
    this.#changed();
  }

  #redo() {
    const operation = this.result.redo();
    if (!operation) return;
    this.isSaved = false;
    this.#say(describe(operation, this.categories));
    this.#changed();
  }

  async #save() {
    const text = JSON.stringify(this.result.file(), null, 1);
    if (!this.#canSave) {
      const link = element("a", { download: `${this.header.result}.corrections.json` });
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.click();
      this.isSaved = true;
      return;
    }
    const answer = await fetch("corrections", { method: "PUT", body: text });
    const said = await answer.json();
    this.isSaved = answer.ok;
    this.#say(answer.ok ? `saved: ${said.saved} corrections in ${said.file}` : `not saved: ${said.error}`);
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "checkbox";
    if (typing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const use = {
      " ": () => event.target.tagName !== "BUTTON" && this.#toggle(),
      j: () => this.player.play(-1),
      k: () => this.player.pause(),
      l: () => this.player.play(1),
      ArrowLeft: () => (event.shiftKey ? this.#stepKey(-1) : this.#step(-1)),
      ArrowRight: () => (event.shiftKey ? this.#stepKey(1) : this.#step(1)),
      Home: () => this.#step(-this.player.frame),
      End: () => this.#step(this.result.frames),
      Delete: () => this.#delete(),
      Backspace: () => this.#delete(),
      z: () => (event.shiftKey ? this.#redo() : this.#undo()),
      m: () => this.#merge(),
      s: () => this.#split(),
      r: () => this.#rename(),
      c: () => this.#setClass(),
      x: () => this.#markStretch(),
      w: () => this.#save(),
      n: () => this.#nextFinding(),
      "+": () => this.player.zoomBy(1.5),
      "-": () => this.player.zoomBy(1 / 1.5),
      Escape: () => this.#choose(null, false),
      "?": () => byId("keys").showModal(),
    }[key];
    if (!use || use() === false) return;
    event.preventDefault();
  }

  #nextFinding() {
    const next = this.header.findings
      .map((finding) => finding.last)
      .filter((frame) => frame > this.player.frame)
      .sort((one, other) => one - other)[0];
    if (next === undefined) this.#say("Nothing more to look at after this frame.");
    else this.player.seek(next);
  }
}
