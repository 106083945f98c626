// The brush: a rectangle in a plot that filters the table of tags to the dots inside. It can be dragged or typed.

const DRAG = 5; // pixels after which a press is a drag

/** The x and y columns over tags of each plot. */
const PLACED = {
  scatter: ({ first, second }, figure) => [columnsOf[first][figure], columnsOf[second][figure]],
  funnel: (comparison, figure) => [tags.support, comparison.column(figure, "difference")],
};

/** The compared tags with x and y defined, as {tag, x, y}. */
function dotsOf(plot, comparison, figure) {
  const [xs, ys] = PLACED[plot](comparison, figure);
  const dots = [];
  for (let tag = 0; tag < tagCount; tag += 1) {
    if (tags.compared[tag] && xs[tag] !== null && ys[tag] !== null) dots.push({ tag, x: xs[tag], y: ys[tag] });
  }
  return dots;
}

/** A range in a plot of two taggers; it stays valid when the plot shows another metric or pair. */
class Brush {
  /** `across` (x) and `up` (y) are two values each, in any order; both ends are included. */
  constructor(plot, comparison, figure, across, up) {
    const [left, right, bottom, top] = [Math.min(...across), Math.max(...across), Math.min(...up), Math.max(...up)];
    Object.assign(this, { plot, comparison, figure, across: [left, right], up: [bottom, top] });
    const inside = dotsOf(plot, comparison, figure).filter(({ x, y }) => x >= left && x <= right && y >= bottom && y <= top);
    this.tags = new Set(inside.map(({ tag }) => tag));
  }

  /** The same range over the values that the page shows now. */
  again() {
    return new Brush(this.plot, this.comparison, this.figure, this.across, this.up);
  }

  get size() {
    return this.tags.size;
  }

  has(tag) {
    return this.tags.has(tag);
  }

  /** The brush as text for the address, with characters that need no escaping there. */
  address() {
    return [this.plot, this.figure, this.comparison.place, ...this.across, ...this.up].join("_");
  }

  /** The brush of a text by `address`; null for any other text. */
  static read(text) {
    const [plot, figure, place, ...edges] = (text ?? "").split("_");
    const comparison = comparisonAt(place);
    const values = edges.map((edge) => (edge === "" ? NaN : Number(edge)));
    if (!Object.hasOwn(PLACED, plot) || !TESTED.includes(figure) || !comparison) return null;
    if (values.length !== 4 || !values.every(Number.isFinite)) return null;
    return new Brush(plot, comparison, figure, values.slice(0, 2), values.slice(2));
  }

  /** Both ranges as nodes: `F1 a 0.2 to 0.5, b 0.6 to 0.9`. */
  description() {
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

/** A button next to the search box that describes the brush; a press or Escape removes it. */
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
    this.box.replaceChildren(el("span", { class: "sr" }, "Remove the "), el("span", {}, "brush: ", ...brush.description(), size), cross);
  }

  /** In the table and in text boxes Escape has other functions. */
  onKey(event) {
    const elsewhere = event.target.closest("input:not(.ranges input), select, #tags-box");
    if (event.key === "Escape" && !event.defaultPrevented && !elsewhere && !this.box.hidden) this.remove();
  }

  /** The focused button disappears, so the table gets the focus. */
  remove() {
    const focused = document.activeElement === this.box;
    this.onRemove();
    if (focused) byId("tags-box").focus({ preventScroll: true });
  }
}

/**
 * Presses, drags and hovering over a canvas. By touch, a drag that starts sideways selects, and one that starts up or down
 * scrolls the page (`touch-action: pan-y`).
 */
class Drag {
  /** Calls `onDrag(from, to)` during a drag, then `onEnd(from, to)` or `onCancel()`; `onClick(event)` without a drag. */
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

  /** Cancel a drag; returns whether there was one. */
  cancel() {
    const dragged = this.from !== null && this.moved;
    this.from = null;
    if (dragged) this.calls.onCancel();
    return dragged;
  }

  /** The browser also sends a click after a drag; that click is ignored. */
  click(event) {
    if (!this.moved) this.calls.onClick(event);
    this.moved = false;
  }
}

/** The brush by keyboard: four number inputs; an empty one means the end of its axis. */
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

  /** Show the numbers of the brush if it belongs to this plot; an input at the end of its axis stays empty with a placeholder. */
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
    const entered = this.inputs.map((input) => input.valueAsNumber);
    if (entered.every(Number.isNaN)) {
      this.plot.onBrush(null);
      return;
    }
    const [left, right, bottom, top] = entered.map((value, i) => (Number.isNaN(value) ? Number(this.inputs[i].placeholder) : value));
    this.plot.onBrush(this.plot.brushOf([left, right], [bottom, top]));
  }
}
