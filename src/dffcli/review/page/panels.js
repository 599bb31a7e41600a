/** The lists beside the picture: classes, tracks, what is worth a look, what was put right. All text is set as text. */

/** An element with properties and children; strings become text, never markup. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function swatch(color) {
  const mark = element("span", { class: "swatch", "aria-hidden": "true" });
  mark.style.background = Array.isArray(color) ? `rgb(${color.join(" ")})` : color;
  return mark;
}

/** A list of which only the rows in sight exist: as quick with 100,000 rows as with ten. */
export class WindowedList {
  /** @param {HTMLElement} host @param {number} height of a row, CSS pixels */
  constructor(host, height, makeRow) {
    Object.assign(this, { host, height, makeRow });
    this.items = [];
    this.space = element("div", { class: "space", role: "presentation" });
    host.append(this.space);
    host.addEventListener("scroll", () => this.#render());
    new ResizeObserver(() => this.#render()).observe(host);
  }

  show(items) {
    this.items = items;
    this.space.style.height = `${items.length * this.height}px`;
    this.#render();
  }

  reveal(position) {
    const top = position * this.height;
    if (top < this.host.scrollTop || top + this.height > this.host.scrollTop + this.host.clientHeight) {
      this.host.scrollTop = top - this.host.clientHeight / 2;
    }
    this.#render();
  }

  #render() {
    const first = Math.max(0, Math.floor(this.host.scrollTop / this.height) - 2);
    const last = Math.min(this.items.length, first + Math.ceil(this.host.clientHeight / this.height) + 4);
    const focused = this.space.contains(document.activeElement) ? document.activeElement.dataset.position : null;
    const rows = [];
    for (let position = first; position < last; position++) {
      const row = this.makeRow(this.items[position], position);
      row.classList.add("row");
      row.dataset.position = position;
      row.style.transform = `translateY(${position * this.height}px)`;
      row.setAttribute("aria-setsize", this.items.length);
      row.setAttribute("aria-posinset", position + 1);
      rows.push(row);
    }
    this.space.replaceChildren(...rows);
    if (focused !== null) this.space.querySelector(`[data-position="${focused}"]`)?.focus();
  }
}

/** A check box for every class, with the number of its objects. */
export function classBoxes(host, result, onChange) {
  const counts = new Map();
  for (const category of result.arrays.category) counts.set(category, (counts.get(category) ?? 0) + 1);
  const hidden = new Set();
  const rows = result.header.categories
    .filter((category) => counts.has(category.id))
    .map((category) => {
      const box = element("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(category.id);
        else hidden.add(category.id);
        onChange(hidden);
      });
      const count = element("span", { class: "faint" }, String(counts.get(category.id)));
      return element("label", { class: "check" }, box, swatch(category.color), category.name, count);
    });
  host.replaceChildren(...rows);
}
