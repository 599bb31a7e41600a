/** Draws a comparison: all text is set as text, all figures come from the data in the page. */

const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]; // Okabe and Ito: for all eyes
const SIZE = { width: 760, height: 360, left: 56, right: 110, top: 18, bottom: 44 };
const SVG = "http://www.w3.org/2000/svg";

const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function shape(tag, properties = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const milliseconds = (value) => (value === null ? "" : `${value.toFixed(value < 100 ? 1 : 0)} ms`);

/** What the curves show of a model: truth before agreement. */
function shown(variants) {
  for (const kind of ["accuracy", "agreement"]) {
    for (const measure of Object.keys(data.measures)) {
      if (variants.some((variant) => measure in variant[kind])) return [kind, measure];
    }
  }
  return ["agreement", null];
}

function describe(variant, kind, measure) {
  const speed = variant.network;
  const lines = [
    variant.label,
    `${speed.fps.median.toFixed(1)} fps, ${speed.speed_up.median.toFixed(2)}x (middle half ${speed.speed_up.quartile_1.toFixed(2)} to ${speed.speed_up.quartile_3.toFixed(2)})`,
  ];
  if (variant.end_to_end) lines.push(`end to end ${variant.end_to_end.speed_up.median.toFixed(2)}x`);
  if (measure in variant[kind]) lines.push(`${data.measures[measure]} ${percent(variant[kind][measure])}`);
  lines.push(`${percent(variant.key_share)} key frames`, `key frame ${milliseconds(variant.key_frame_ms)}`);
  if (variant.propagated_frame_ms !== null) lines.push(`propagated frame ${milliseconds(variant.propagated_frame_ms)}`);
  return lines.join("\n");
}

function chart(variants) {
  const [kind, measure] = shown(variants);
  const value = (variant) => variant[kind][measure] ?? (variant.is_baseline && kind === "agreement" ? 1 : null);
  const points = variants.filter((variant) => value(variant) !== null);
  const speeds = points.map((variant) => variant.network.fps.median);
  const values = points.map(value);
  const [slow, fast] = [Math.min(...speeds) / 1.15, Math.max(...speeds) * 1.15];
  const low = Math.max(0, Math.floor(20 * (Math.min(...values) - 0.02)) / 20);
  const high = Math.min(1, Math.ceil(20 * (Math.max(...values) + 0.01)) / 20);
  const inner = { width: SIZE.width - SIZE.left - SIZE.right, height: SIZE.height - SIZE.top - SIZE.bottom };
  const x = (fps) => SIZE.left + (Math.log(fps / slow) / Math.log(fast / slow)) * inner.width;
  const y = (share) => SIZE.top + (1 - (share - low) / Math.max(high - low, 0.01)) * inner.height;
  const reference = kind === "accuracy" ? "ground truth" : "per-frame evaluation";
  const title = `${data.measures[measure] ?? "agreement"} against ${reference}, by frames a second`;
  const picture = shape("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "group", "aria-label": title });

  for (let step = 0; step <= 4; step++) {
    const share = low + ((high - low) * step) / 4;
    picture.append(
      shape("line", { x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: y(share), y2: y(share), class: "axis" }),
      shape("text", { x: SIZE.left - 8, y: y(share) + 4, "text-anchor": "end", class: "faint" }, (100 * share).toFixed(1)),
    );
  }
  for (const power of [-1, 0, 1, 2, 3]) {
    for (const factor of [1, 2, 5]) {
      const fps = factor * 10 ** power;
      if (fps < slow || fps > fast) continue;
      picture.append(
        shape("line", { x1: x(fps), x2: x(fps), y1: SIZE.top, y2: SIZE.height - SIZE.bottom, class: "axis" }),
        shape("text", { x: x(fps), y: SIZE.height - SIZE.bottom + 16, "text-anchor": "middle", class: "faint" }, String(fps)),
      );
    }
  }
  picture.append(
    shape("text", { x: SIZE.left, y: SIZE.height - 8, class: "faint" }, "frames a second, network only (log scale)"),
    shape("text", { x: SIZE.left, y: 12, class: "faint" }, `${title.split(", by")[0]}, %`),
  );

  const curves = new Map();
  for (const variant of points) {
    if (variant.is_baseline) continue;
    if (!curves.has(variant.curve)) curves.set(variant.curve, []);
    curves.get(variant.curve).push(variant);
  }
  let number = 0;
  for (const [name, members] of curves) {
    const color = COLORS[number++ % COLORS.length];
    members.sort((one, other) => one.network.fps.median - other.network.fps.median);
    const path = members.filter((variant) => variant.interval !== "adaptive");
    const places = path.map((variant) => `${x(variant.network.fps.median)},${y(value(variant))}`).join(" ");
    picture.append(shape("polyline", { points: places, fill: "none", stroke: color, "stroke-width": 2 }));
    for (const variant of members) picture.append(...point(variant, x, y, value, color, kind, measure));
    picture.append(
      shape("rect", { x: SIZE.width - SIZE.right + 12, y: SIZE.top + 20 * number - 10, width: 11, height: 11, fill: color }),
      shape("text", { x: SIZE.width - SIZE.right + 28, y: SIZE.top + 20 * number }, name.split(", ").slice(1).join(", ") || name),
    );
  }
  for (const variant of points.filter((one) => one.is_baseline)) {
    picture.append(...point(variant, x, y, value, "currentColor", kind, measure));
  }
  return picture;
}

function point(variant, x, y, value, color, kind, measure) {
  const [left, top] = [x(variant.network.fps.median), y(value(variant))];
  const text = describe(variant, kind, measure);
  const mark = shape("circle", { cx: left, cy: top, r: 6, fill: color, tabindex: 0, role: "img", "aria-label": text });
  const show = (event) => {
    const area = mark.getBoundingClientRect();
    tip.textContent = text;
    tip.hidden = false;
    tip.style.left = `${Math.min(area.right + 8, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(8, area.top - tip.offsetHeight - 4)}px`;
    event.stopPropagation();
  };
  const hide = () => (tip.hidden = true);
  for (const name of ["pointerenter", "focus"]) mark.addEventListener(name, show);
  for (const name of ["pointerleave", "blur"]) mark.addEventListener(name, hide);
  const name = variant.is_baseline ? "every frame" : String(variant.interval);
  return [mark, shape("text", { x: left + 9, y: top - 7 }, name)];
}

function table(variants) {
  const measures = Object.keys(data.measures).flatMap((measure) =>
    ["agreement", "accuracy"]
      .filter((kind) => variants.some((variant) => measure in variant[kind]))
      .map((kind) => [kind, measure]),
  );
  const header = ["variant", "fps", "speed-up", "end to end", "key frames", "key", "propagated"].concat(
    measures.map(([kind, measure]) => `${data.measures[measure]}, ${kind === "accuracy" ? "truth" : "per frame"}`),
  );
  const rows = variants.map((variant) =>
    element(
      "tr",
      {},
      ...[
        variant.label,
        variant.network.fps.median.toFixed(1),
        `${variant.network.speed_up.median.toFixed(2)}x`,
        variant.end_to_end ? `${variant.end_to_end.speed_up.median.toFixed(2)}x` : "",
        percent(variant.key_share),
        milliseconds(variant.key_frame_ms),
        milliseconds(variant.propagated_frame_ms),
        ...measures.map(([kind, measure]) => (measure in variant[kind] ? percent(variant[kind][measure]) : "")),
      ].map((text) => element("td", {}, text)),
    ),
  );
  const head = element("tr", {}, ...header.map((text) => element("th", { scope: "col" }, text)));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function pairs(variant) {
  return variant.worst.map((worst) => {
    const text = `frame ${worst.frame}, ${worst.seconds.toFixed(2)} s: ${percent(worst.disagreement)} of the answer differs`;
    return element(
      "figure",
      { class: "pair" },
      element("div", {}, element("img", { src: worst.propagated, alt: `propagated, ${text}` }), element("span", {}, "propagated")),
      element("div", {}, element("img", { src: worst.full, alt: `per frame, ${text}` }), element("span", {}, "per frame")),
      element("figcaption", { class: "faint" }, text),
    );
  });
}

function gallery(variants) {
  const able = variants.filter((variant) => variant.worst.length);
  if (!able.length) return element("p", { class: "faint" }, "No frame differs from per-frame evaluation.");
  const options = able.map((variant, number) => element("option", { value: String(number) }, variant.label));
  const choice = element("select", { "aria-label": "variant" }, ...options);
  const place = element("div");
  const show = () => place.replaceChildren(...pairs(able[Number(choice.value)]));
  choice.addEventListener("change", show);
  show();
  return element("div", {}, element("p", {}, choice), place);
}

document.title = `${data.source}: dff bench`;
document.getElementById("title").textContent = data.source;
document.getElementById("about").textContent =
  `${data.size.width} x ${data.size.height}, ${data.frames} frames in ${data.turns} turns, ${data.machine}`;
document.getElementById("verdicts").append(...data.verdicts.map((text) => element("p", {}, text)));
document.getElementById("notes").append(...data.notes.map((text) => element("li", {}, text)));
document.getElementById("notes-section").hidden = !data.notes.length;
for (const model of new Set(data.variants.map((variant) => variant.model))) {
  const variants = data.variants.filter((variant) => variant.model === model);
  document.getElementById("models").append(
    element(
      "section",
      {},
      element("h2", {}, model),
      element("p", { class: "faint" }, data.weights[model]),
      chart(variants),
      table(variants),
      element("h3", {}, "Where propagated and per-frame results differ most"),
      gallery(variants),
    ),
  );
}
document.body.dataset.ready = "yes";
