// A plot with one curve per model, a marker at each model's own threshold, and a crosshair.

const CURVE_MARGIN = withText({ top: 14, right: 16, bottom: 40, left: 46 });
const MARK_SIZE = 18;
const NAMED = 24; // largest distance in pixels between the pointer and a curve that it names

/** The marker of a model style, centred at x, y. */
function markAt(style, x, y, size) {
  return svg("use", { class: `dot m${style}`, href: `#mark-${style}`, x: x - size / 2, y: y - size / 2, width: size, height: size });
}

class CurvePlot {
  /** `across` and `up` are the titles of the x and y axes; `mark` is the size of a marker in pixels; `steps`: the curve is a
      stair, each point holding on to the next smaller x and the last to the axis. `names` are those of the models. */
  constructor(box, { across, up, mark = MARK_SIZE, steps = false, names = [] }) {
    Object.assign(this, { box, across, up, mark, steps, names });
    if (names.length > 1) {
      box.addEventListener("pointermove", (event) => this.name(event));
      box.addEventListener("pointerleave", () => this.name(null));
    }
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
    this.paths = curves;
    this.title = svg("text", { class: "named", visibility: "hidden" });
    drawing.append(...this.grid(), ...curves, this.crosshair(), ...marks, this.title);
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

  /** A stair from the largest x to 0; a point at x = 0 would add a fall to its y there, which is no part of the curve. */
  stair(points) {
    const kept = points.filter((point) => point && point[0] > 0);
    const corners = kept.flatMap((point, i) => [point, [kept[i + 1]?.[0] ?? 0, point[1]]]);
    return corners.map(([x, y], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`).join("");
  }

  path(points) {
    if (this.steps) return this.stair(points);
    let pen = "M";
    let path = "";
    for (const point of points) {
      if (point) path += `${pen}${this.x(point[0]).toFixed(1)} ${this.y(point[1]).toFixed(1)}`;
      pen = point ? "L" : "M";
    }
    return path;
  }

  /** Emphasize the curve nearest to the pointer and write its name there; without one near, none. */
  name(event) {
    if (!this.frame || !this.curves) return;
    const near = event && this.nearestCurve(event);
    const model = near ? near.model : null;
    this.box.classList.toggle("naming", model !== null);
    this.paths.forEach((path, one) => path.classList.toggle("pointed", one === model));
    this.title.setAttribute("visibility", model === null ? "hidden" : "visible");
    if (model === null) return;
    const end = near.x > this.frame.width / 2;
    const place = { x: near.x + (end ? -10 : 10), y: Math.max(near.y - 8, 12 * TEXT), "text-anchor": end ? "end" : "start" };
    for (const [key, value] of Object.entries(place)) this.title.setAttribute(key, value);
    this.title.textContent = clipped(this.names[model], 40);
  }

  /** The model whose curve is nearest to a pointer event, and the point on it; null if none is within NAMED pixels. */
  nearestCurve(event) {
    const box = this.box.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    let least = NAMED * NAMED;
    this.curves.forEach((points, model) => {
      let before = null;
      for (const point of points) {
        const here = point && [this.x(point[0]), this.y(point[1])];
        const parts = here && before && this.steps ? [[before, [here[0], before[1]]], [[here[0], before[1]], here]] : [[before ?? here, here]];
        for (const [from, to] of here ? parts : []) {
          const at = nearestOn(from, to, x, y);
          const distance = (at[0] - x) ** 2 + (at[1] - y) ** 2;
          if (distance < least) [best, least] = [{ model, x: at[0], y: at[1] }, distance];
        }
        before = here;
      }
    });
    return best;
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

/** The point of a segment that is nearest to x, y. */
function nearestOn([ax, ay], [bx, by], x, y) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const share = length ? Math.min(Math.max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0), 1) : 0;
  return [ax + share * (bx - ax), ay + share * (by - ay)];
}

function placed(node, attributes) {
  node.setAttribute("visibility", attributes ? "visible" : "hidden");
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value.toFixed(1));
}
