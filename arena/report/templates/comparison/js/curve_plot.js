// A plot with one curve per model, a marker at each model's own threshold, and a crosshair.

const CURVE_MARGIN = withText({ top: 14, right: 16, bottom: 40, left: 46 });
const MARK_SIZE = 18;

/** The marker of a model style, centred at x, y. */
function markAt(style, x, y, size) {
  return svg("use", { class: `dot m${style}`, href: `#mark-${style}`, x: x - size / 2, y: y - size / 2, width: size, height: size });
}

class CurvePlot {
  /** `across` and `up` are the titles of the x and y axes; `mark` is the size of a marker in pixels. */
  constructor(box, { across, up, mark = MARK_SIZE }) {
    Object.assign(this, { box, across, up, mark });
    onPlotResize(box, (width, height) => {
      this.frame = { width, height, ...CURVE_MARGIN };
      this.draw();
    });
  }

  /** `curves`: for each model [[x, y], ...] with null for a gap; `marks`: for each model [x, y] or null. */
  show({ label, curves, marks, ends = [1, 1] }) {
    Object.assign(this, { label, curves, marks, ends });
    this.draw();
  }

  draw() {
    if (!this.frame || !this.curves) return;
    const { width, height } = this.frame;
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.label });
    const curves = this.curves.map((points, model) => svg("path", { class: `curve m${styleOf(model)}`, d: this.path(points) }));
    const marks = this.marks.flatMap((point, model) => (point ? [markAt(styleOf(model), this.x(point[0]), this.y(point[1]), this.mark)] : []));
    drawing.append(...this.grid(), ...curves, this.crosshair(), ...marks);
    this.box.replaceChildren(drawing);
    if (this.pointed) this.point(this.pointed);
  }

  x(value) {
    const { width, left, right } = this.frame;
    return left + (value / this.ends[0]) * (width - left - right);
  }

  y(value) {
    const { height, top, bottom } = this.frame;
    return height - bottom - (value / this.ends[1]) * (height - top - bottom);
  }

  /** The position of a pointer event in the units of the axes. */
  at(event) {
    const { width, height, left, right, top, bottom } = this.frame;
    const box = this.box.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - left, height - bottom - (event.clientY - box.top)];
    return [(x / (width - left - right)) * this.ends[0], (y / (height - top - bottom)) * this.ends[1]];
  }

  grid() {
    const { width, height, top, right, left, bottom } = this.frame;
    const across = axisTicks(this.ends[0]).map(({ value, text }) =>
      svg("text", { x: this.x(value), y: height - bottom + 18 * TEXT, "text-anchor": "middle" }, text));
    const up = axisTicks(this.ends[1]).flatMap(({ value, text }) => [
      svg("line", { class: value ? "grid" : "axis", x1: left, x2: width - right, y1: this.y(value), y2: this.y(value) }),
      svg("text", { x: left - 8, y: this.y(value) + 4, "text-anchor": "end" }, text),
    ]);
    const middle = (top + height - bottom) / 2;
    const turned = { class: "title", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` };
    const titles = [
      svg("text", { class: "title", x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, this.across),
      svg("text", turned, this.up),
    ];
    return [...up, ...across, ...titles];
  }

  path(points) {
    let pen = "M";
    let path = "";
    for (const point of points) {
      if (point) path += `${pen}${this.x(point[0]).toFixed(1)} ${this.y(point[1]).toFixed(1)}`;
      pen = point ? "L" : "M";
    }
    return path;
  }

  /** The crosshair: made once per drawing, moved with the slider. */
  crosshair() {
    const { height, top, bottom } = this.frame;
    this.line = svg("line", { class: "cross", y1: top, y2: height - bottom, visibility: "hidden" });
    this.dots = this.curves.map((_, model) => svg("circle", { class: `dot m${styleOf(model)}`, r: 4.5, visibility: "hidden" }));
    return svg("g", { class: "crosshair" }, this.line, ...this.dots);
  }

  /** `x`: position of the line, null for none; `points`: for each model the position of its dot, or null. */
  point({ x = null, points }) {
    this.pointed = { x, points };
    if (!this.line) return;
    placed(this.line, x === null ? null : { x1: this.x(x), x2: this.x(x) });
    points.forEach((point, model) => placed(this.dots[model], point && { cx: this.x(point[0]), cy: this.y(point[1]) }));
  }
}

function placed(node, attributes) {
  node.setAttribute("visibility", attributes ? "visible" : "hidden");
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value.toFixed(1));
}
