// The brush: a rectangle of a plot that narrows the table of tags to the dots inside. It can be dragged or typed.

const DRAG = 5; // pixels from which a press is a drag

/** What lies across and upwards in each plot: columns over tags. */
const PLACED = {
  scatter: ({ first, second }, figure) => [columnsOf[first][figure], columnsOf[second][figure]],
  funnel: (comparison, figure) => [tags.support, comparison.column(figure, "difference")],
};

/** Compared tags where both taggers' figures are defined, with what lies across (x) and upwards (y). */
function dotsOf(plot, comparison, figure) {
  const [xs, ys] = PLACED[plot](comparison, figure);
  const dots = [];
  for (let tag = 0; tag < tagCount; tag += 1) {
    if (tags.compared[tag] && xs[tag] !== null && ys[tag] !== null) dots.push({ tag, x: xs[tag], y: ys[tag] });
  }
  return dots;
}

/** A range of what a plot shows of two taggers; it holds, whatever the plot shows afterwards. */
class Brush {
  /** `across` and `up` are two values each, in either order; both belong to the range. */
  constructor(plot, comparison, figure, across, up) {
    const [left, right, bottom, top] = [Math.min(...across), Math.max(...across), Math.min(...up), Math.max(...up)];
    Object.assign(this, { plot, comparison, figure, across: [left, right], up: [bottom, top] });
    const inside = dotsOf(plot, comparison, figure).filter(({ x, y }) => x >= left && x <= right && y >= bottom && y <= top);
    this.tags = new Set(inside.map(({ tag }) => tag));
  }

  get size() {
    return this.tags.size;
  }

  has(tag) {
    return this.tags.has(tag);
  }

  /** As it stands in the address: only characters that need no escape there. */
  address() {
    return [this.plot, this.figure, this.comparison.place, ...this.across, ...this.up].join("_");
  }

  /** What `address` wrote, or null for anything else. */
  static read(text) {
    const [plot, figure, place, ...edges] = (text ?? "").split("_");
    const comparison = comparisons.find((one) => one.place === place);
    const values = edges.map((edge) => (edge === "" ? NaN : Number(edge)));
    if (!Object.hasOwn(PLACED, plot) || !TESTED.includes(figure) || !comparison) return null;
    if (values.length !== 4 || !values.every(Number.isFinite)) return null;
    return new Brush(plot, comparison, figure, values.slice(0, 2), values.slice(2));
  }

  /** Both ranges as nodes: `F1 a 0.2–0.5, b 0.6–0.9`. */
  told() {
    const range = ([low, high]) => `${shownEdge(low)} to ${shownEdge(high)}`;
    const name = (model) => isolated(clipped(models[model].name, 30));
    const { first, second } = this.comparison;
    if (this.plot === "funnel") {
      return [`support ${range(this.across)}, ${figureName(this.figure)} `, name(first), ` ${MINUS} `, name(second), ` ${range(this.up)}`];
    }
    return [`${figureName(this.figure)} `, name(first), ` ${range(this.across)}, `, name(second), ` ${range(this.up)}`];
  }
}

function shownEdge(value) {
  return value > 1 ? count(value) : String(value).replace("-", MINUS);
}

/** Beside the search: what the brush holds, and a press removes it; so does Escape. */
class BrushChip {
  constructor(onRemove) {
    this.box = el("button", { class: "chip", type: "button", id: "brush-chip", hidden: true });
    this.onRemove = onRemove;
    byId("query").closest("label").after(this.box);
    this.box.addEventListener("click", () => this.remove());
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  show(brush) {
    this.box.hidden = brush === null;
    if (brush === null) return;
    const cross = el("span", { class: "cross", "aria-hidden": "true" }, "×");
    const size = ` (${plural(brush.size, "tag", "tags")})`;
    this.box.replaceChildren(el("span", { class: "sr" }, "Remove the "), el("span", {}, "brush: ", ...brush.told(), size), cross);
  }

  /** In the table and in text boxes Escape has work of its own. */
  onKey(event) {
    const elsewhere = event.target.closest("input:not(.ranges input), select, #tags-box");
    if (event.key === "Escape" && !event.defaultPrevented && !elsewhere && !this.box.hidden) this.remove();
  }

  /** What had the focus is gone with the chip: the table follows. */
  remove() {
    const focused = document.activeElement === this.box;
    this.onRemove();
    if (focused) byId("tags-box").focus({ preventScroll: true });
  }
}

/**
 * Presses, drags and hovering over a canvas. By touch a drag that starts sideways selects and one that starts up or down
 * scrolls the page, as `touch-action: pan-y` has it.
 */
class Drag {
  /** `onDrag(from, to)` while it moves, then `onEnd(from, to)` or `onCancel()`; `onClick(event)` without a drag. */
  constructor(canvas, calls) {
    Object.assign(this, { canvas, calls, from: null, moved: false });
    canvas.addEventListener("pointerdown", (event) => this.start(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.end(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("click", (event) => this.click(event));
  }

  start(event) {
    this.moved = false;
    if (!event.isPrimary || event.button !== 0) return;
    this.from = event;
  }

  move(event) {
    if (!this.from) this.calls.onHover(event);
    else if (this.moved || Math.hypot(event.clientX - this.from.clientX, event.clientY - this.from.clientY) >= DRAG) {
      if (!this.moved) this.canvas.setPointerCapture(event.pointerId);
      this.moved = true;
      this.calls.onDrag(this.from, event);
    }
  }

  end(event) {
    const { from } = this;
    this.from = null;
    if (from && this.moved) this.calls.onEnd(from, event);
  }

  /** Whether there was a drag to drop. */
  cancel() {
    const dragged = this.from !== null && this.moved;
    this.from = null;
    if (dragged) this.calls.onCancel();
    return dragged;
  }

  /** The browser sends a click after a drag, too. */
  click(event) {
    if (!this.moved) this.calls.onClick(event);
    this.moved = false;
  }
}

/** The same by keyboard: four numbers, an empty one for the end of its axis. */
class Ranges {
  constructor(plot) {
    this.plot = plot;
    this.inputs = [];
    this.legends = [];
    const groups = ["across", "up"].map((axis) => {
      const legend = el("legend");
      this.legends.push(legend);
      return el("fieldset", {}, legend, this.input("from"), this.input("to"));
    });
    this.box = el("details", { class: "ranges" }, el("summary", {}, "Select a range"), el("div", {}, ...groups));
    this.box.addEventListener("change", () => this.apply());
  }

  input(name) {
    const input = el("input", { type: "number", step: "any", inputmode: "decimal" });
    this.inputs.push(input);
    return el("label", {}, `${name} `, input);
  }

  /** The numbers of the brush, if it is of this plot; at the end of an axis none, but what it stands for. */
  fill() {
    const { x, y } = this.plot.axes;
    const ends = [x.valueAt(0), x.valueAt(1), y.valueAt(0), y.valueAt(1)];
    const brush = this.plot.ownBrush();
    const values = brush ? [...brush.across, ...brush.up] : ends;
    this.inputs.forEach((input, i) => {
      input.value = values[i] === ends[i] ? "" : values[i];
      input.placeholder = ends[i];
    });
    this.plot.axisTitles(40).forEach((title, i) => this.legends[i].replaceChildren(el("bdi", {}, title)));
  }

  apply() {
    const given = this.inputs.map((input) => input.valueAsNumber);
    if (given.every(Number.isNaN)) {
      this.plot.onBrush(null);
      return;
    }
    const [left, right, bottom, top] = given.map((value, i) => (Number.isNaN(value) ? Number(this.inputs[i].placeholder) : value));
    this.plot.onBrush(this.plot.brushOf([left, right], [bottom, top]));
  }
}
