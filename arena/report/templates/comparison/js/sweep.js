// Precision, recall or F1 over the threshold, a curve a model, read off at one threshold by pointer, finger or keyboard.

const SWEEP_MARGIN = { top: 14, right: 16, bottom: 40, left: 46 };

class Sweep {
  constructor() {
    this.box = byId("sweep");
    this.range = byId("sweep-range");
    this.thresholds = data.sweep.thresholds;
    this.average = onChoice("average", (value) => this.show({ average: value }));
    this.figure = onChoice("sweep-figure", (value) => this.show({ figure: value }));
    this.range.max = this.thresholds.length - 1;
    this.at = this.nearest(Number(models[0].threshold) || 0.5);
    this.range.addEventListener("input", () => this.read(Number(this.range.value)));
    this.box.addEventListener("pointermove", (event) => this.follow(event));
    this.box.addEventListener("pointerdown", (event) => this.follow(event));
    onResize(this.box, () => this.draw());
    this.draw();
  }

  show(change) {
    Object.assign(this, change);
    this.draw();
  }

  /** The curve of a model, or null where the sweep has none for it. */
  curve(model) {
    return data.sweep.models[models[model].name]?.[`${this.average}_${this.figure}`] ?? null;
  }

  /** The point a model runs at, if one number is its threshold; its height is the leaderboard's figure, not the curve's. */
  ownPoint(model) {
    const threshold = Number(models[model].threshold);
    const value = models[model][this.average][this.figure];
    return Number.isFinite(threshold) && value !== null ? { threshold, value } : null;
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width || !height) return;
    this.frame = { width, height, ...SWEEP_MARGIN };
    this.top = this.ceiling();
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.title() });
    drawing.append(...this.gridLines(), ...this.curves(), (this.cross = svg("g")), ...this.ownPoints());
    this.box.replaceChildren(drawing);
    this.read(this.at);
  }

  title() {
    const average = this.average === "macro" ? "Macro" : "Micro";
    return `${average} ${figureName(this.figure)} against the threshold for ${plural(models.length, "tagger", "taggers")}`;
  }

  ceiling() {
    let highest = 0;
    models.forEach((_, model) => {
      for (const value of this.curve(model) ?? []) highest = Math.max(highest, value ?? 0);
      highest = Math.max(highest, this.ownPoint(model)?.value ?? 0);
    });
    return axisEnd(highest);
  }

  x(threshold) {
    const { width, left, right } = this.frame;
    return left + threshold * (width - left - right);
  }

  y(value) {
    const { height, top, bottom } = this.frame;
    return height - bottom - (value / this.top) * (height - top - bottom);
  }

  gridLines() {
    const { width, height, right, left, bottom } = this.frame;
    const parts = [];
    for (const { value, text } of axisTicks(this.top)) {
      const y = this.y(value);
      parts.push(svg("line", { class: value ? "grid" : "axis", x1: left, x2: width - right, y1: y, y2: y }));
      parts.push(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text));
    }
    for (const { value, text } of axisTicks(1)) {
      parts.push(svg("text", { x: this.x(value), y: height - bottom + 18, "text-anchor": "middle" }, text));
    }
    parts.push(svg("text", { class: "title", x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, "threshold"));
    return parts;
  }

  curves() {
    return models.map((_, model) => svg("path", { class: `curve m${styleOf(model)}`, d: this.path(this.curve(model) ?? []) }));
  }

  /** A gap where the figure is undefined, such as precision above the highest score. */
  path(values) {
    let pen = "M";
    let path = "";
    values.forEach((value, i) => {
      if (value !== null) path += `${pen}${this.x(this.thresholds[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      pen = value === null ? "M" : "L";
    });
    return path;
  }

  ownPoints() {
    return models.flatMap((_, model) => {
      const own = this.ownPoint(model);
      return own ? [this.point(model, own.threshold, own.value, 18)] : [];
    });
  }

  point(model, threshold, value, size) {
    const [x, y] = [this.x(threshold) - size / 2, this.y(value) - size / 2];
    return svg("use", { class: `dot m${styleOf(model)}`, href: `#mark-${styleOf(model)}`, x, y, width: size, height: size });
  }

  nearest(threshold) {
    let best = 0;
    this.thresholds.forEach((value, i) => {
      if (Math.abs(value - threshold) < Math.abs(this.thresholds[best] - threshold)) best = i;
    });
    return best;
  }

  follow(event) {
    const { width, left, right } = this.frame;
    const threshold = (event.clientX - this.box.getBoundingClientRect().left - left) / (width - left - right);
    this.read(this.nearest(threshold));
  }

  /** Move the crosshair to the i-th threshold of the sweep. */
  read(i) {
    this.at = i;
    const threshold = this.thresholds[i];
    const values = models.map((_, model) => this.curve(model)?.[i] ?? null);
    this.range.value = i;
    byId("sweep-at").textContent = String(threshold);
    this.range.setAttribute(
      "aria-valuetext",
      `${threshold}: ${models.map((model, m) => `${model.name} ${figure(values[m])}`).join(", ")}`,
    );
    const { height, top, bottom } = this.frame;
    const x = this.x(threshold);
    this.cross.replaceChildren(
      svg("line", { class: "cross", x1: x, x2: x, y1: top, y2: height - bottom }),
      ...values.flatMap((value, model) =>
        value === null ? [] : [svg("circle", { class: `dot m${styleOf(model)}`, cx: x, cy: this.y(value), r: 4 })],
      ),
    );
    this.fillReadout(threshold, values);
  }

  fillReadout(threshold, values) {
    const name = figureName(this.figure);
    const head = ["Tagger", `${name} at ${threshold}`, "Own threshold", `${name} there`];
    const cells = head.map((text, i) => el("th", { scope: "col", class: i ? "num" : null }, text));
    const rows = models.map((model, m) => {
      const own = [figure(values[m]), model.threshold, figure(model[this.average][this.figure])];
      return el("tr", {}, el("th", { scope: "row" }, this.key(m)), ...own.map((text) => el("td", { class: "num" }, text)));
    });
    const table = el("table", {}, el("thead", {}, el("tr", {}, ...cells)), el("tbody", {}, ...rows));
    byId("sweep-readout").replaceChildren(table);
  }

  /** The legend's sample: dash pattern and marker together, as in the plot. */
  key(model) {
    const style = styleOf(model);
    const line = svg(
      "svg",
      { class: `line m${style}`, viewBox: "0 0 38 12", "aria-hidden": "true" },
      svg("path", { class: `curve m${style}`, d: "M0 6H38" }),
      svg("use", { href: `#mark-${style}`, x: 13, y: 0, width: 12, height: 12 }),
    );
    return el("span", { class: "who" }, line, isolated(models[model].name));
  }
}
