// A plot with one dot per tag, on a canvas: 12,000 dots in a few milliseconds. `Scatter` and `Funnel` define axes and labels.

const PLOT_MARGIN = withText({ top: 12, right: 12, bottom: 42, left: 50 });
const REACH = 24; // largest distance in pixels between pointer and dot
const PAUSE = 30; // milliseconds before dots are drawn, so that a keystroke in the search paints its rows first
const MANY = 1500; // dots from which they are smaller and fainter

class DotPlot {
  /** `name` is a key of `PLACED`; `onPick(tag)`: the reader chose a dot; `onBrush(brush)`: a range, or null to remove it. */
  constructor(name, comparison, { onPick, onBrush }) {
    Object.assign(this, { name, comparison, onPick, onBrush });
    this.box = byId(name);
    this.shown = () => true;
    [this.chosen, this.hovered, this.brush] = [null, null, null];
    this.figure = onChoice("dots-figure", (figure) => this.show({ figure }));
    this.build();
    this.listen();
    this.show({});
  }

  build() {
    this.canvas = el("canvas", {
      tabindex: "0", role: "application", "aria-roledescription": "plot of dots", "aria-describedby": "scatter-tally",
    });
    this.ground = svg("svg", { class: "ground", "aria-hidden": "true" });
    this.over = svg("svg", { class: "over", "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", role: "status", hidden: true });
    this.box.append(this.ground, this.canvas, this.over, this.tip);
    this.ranges = new Ranges(this);
    this.box.after(this.ranges.box);
  }

  listen() {
    this.drag = new Drag(this.canvas, {
      onHover: (event) => this.hover(this.nearest(event)),
      onDrag: (from, to) => this.stretch(this.brushBetween(from, to)),
      onEnd: (from, to) => this.onBrush(this.brushBetween(from, to)),
      onCancel: () => this.drawOver(),
      onClick: (event) => this.pick(this.nearest(event)),
    });
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("blur", () => this.hover(null));
    onPlotResize(this.box, (width, height) => {
      Object.assign(this, { width, height });
      this.draw();
    });
    // Without a pause, because printing does not wait for one.
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", () => this.paint());
    }
  }

  show(change) {
    Object.assign(this, change);
    this.collect();
    this.canvas.setAttribute("aria-label", this.label());
    this.ranges.fill();
    this.draw();
  }

  /** Collect the dots; common tags come first, so that rare tags are drawn on top. */
  collect() {
    const points = dotsOf(this.name, this.comparison, this.figure).sort((a, b) => tags.support[b.tag] - tags.support[a.tag]);
    const [difference, higher] = ["difference", "higher"].map((name) => this.comparison.column(this.figure, name));
    this.axes = this.axesOf(points);
    this.points = points.map(({ tag, x, y }) => ({
      tag, x, y, side: this.side(difference[tag], higher?.[tag]), across: this.axes.x.shareOf(x), up: this.axes.y.shareOf(y),
    }));
    this.byDifference = [...this.points].sort((a, b) => difference[a.tag] - difference[b.tag]);
    this.mostSupport = Math.max(1, ...points.slice(0, 1).map(({ tag }) => tags.support[tag]));
    this.hovered = null;
    this.tip.hidden = true;
  }

  /** 1 if the first tagger is higher, -1 if the second is, else 0; in a tested run only decided differences count. */
  side(difference, higher) {
    const { first, second } = this.comparison;
    if (!this.comparison.testedFor(this.figure)) return Math.sign(difference);
    return { [first]: 1, [second]: -1 }[higher] ?? 0;
  }

  // Geometry

  get inner() {
    const { top, right, bottom, left } = PLOT_MARGIN;
    return { left, top, width: this.width - left - right, height: this.height - top - bottom };
  }

  /** Pixel positions of shares of the axes. */
  px(share) {
    return this.inner.left + share * this.inner.width;
  }

  py(share) {
    return this.inner.top + (1 - share) * this.inner.height;
  }

  /** The radius of a dot: 2 to 8 pixels by the logarithm of the support; smaller if there are many dots. */
  radius(tag) {
    const share = Math.log1p(tags.support[tag]) / Math.log1p(this.mostSupport);
    return (2 + 6 * share * share) * (this.points.length > MANY ? 0.65 : 1);
  }

  /** The position [x, y] of a pointer event in the canvas, in pixels. */
  within(event) {
    const bounds = this.canvas.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  nearest(event) {
    const [x, y] = this.within(event);
    const { left, top, width, height } = this.inner;
    let best = null;
    let least = REACH * REACH;
    for (const point of this.points) {
      const distance = (left + point.across * width - x) ** 2 + (top + (1 - point.up) * height - y) ** 2;
      if (distance <= least && this.shown(point.tag)) [best, least] = [point, distance];
    }
    return best;
  }

  // The brush

  /** The brush between two pointer events, with edges rounded to values with few digits. */
  brushBetween(from, to) {
    const { left, top, width, height } = this.inner;
    const corners = [from, to].map((event) => this.within(event));
    const inside = (share) => Math.min(Math.max(share, 0), 1);
    const across = corners.map(([x]) => this.axes.x.valueAt(inside((x - left) / width)));
    const up = corners.map(([, y]) => this.axes.y.valueAt(inside(1 - (y - top) / height)));
    return this.brushOf(across, up);
  }

  brushOf(across, up) {
    return new Brush(this.name, this.comparison, this.figure, across, up);
  }

  /** During a drag: draw the rectangle and the number of dots in it. */
  stretch(brush) {
    this.hover(null);
    this.drawOver(brush);
  }

  /** Set the page's brush, which can belong to another plot, or null. */
  showBrush(brush) {
    this.brush = brush;
    this.ranges.fill();
    if (this.width) this.drawOver();
  }

  /** The brush if it belongs to this plot, the same two taggers and the same metric; else null. */
  ownBrush() {
    const { brush } = this;
    return brush?.plot === this.name && brush.comparison === this.comparison && brush.figure === this.figure ? brush : null;
  }

  // Drawing

  /** Draw once after a pause, however many calls there are. */
  draw() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.paint(), PAUSE);
  }

  paint() {
    clearTimeout(this.pending);
    if (!this.width || !this.height) return;
    const looks = this.looks();
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    this.drawDots(pen, looks);
    this.drawGround();
    this.drawOver();
  }

  /** Markers and colours of both taggers, and the grey of undetermined dots. Read before anything is drawn: a later reading makes
      the browser compute styles and layout again. */
  looks() {
    const root = getComputedStyle(document.documentElement);
    const colour = (name) => root.getPropertyValue(name).trim();
    const look = (style) => ({ trace: markerTracer(style), fill: colour(`--m${style}`) });
    const { first, second } = this.comparison;
    return { first: look(styleOf(first)), second: look(styleOf(second)), grey: colour("--muted") };
  }

  /** A dot has the marker and colour of the higher tagger, or is a grey ring; tags excluded by the search are faint. */
  drawDots(pen, { first, second, grey }) {
    const strength = this.points.length > MANY ? 0.45 : 0.7;
    [pen.strokeStyle, pen.lineWidth] = [grey, 1.2];
    for (const { tag, side, across, up } of this.points) {
      const look = side > 0 ? first : second;
      pen.globalAlpha = this.shown(tag) ? strength : 0.07;
      pen.beginPath();
      (side === 0 ? traceCircle : look.trace)(pen, this.px(across), this.py(up), this.radius(tag));
      if (side === 0) pen.stroke();
      else {
        pen.fillStyle = look.fill;
        pen.fill();
      }
    }
  }

  drawGround() {
    this.ground.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.ground.replaceChildren(...this.ticks(), ...this.guides(), ...this.titles());
  }

  ticks() {
    const { x, y } = this.axes;
    const [left, right, bottom, top] = [this.px(0), this.px(1), this.py(0), this.py(1)];
    return [
      ...x.ticks.flatMap(({ value, text }) => {
        const at = this.px(x.shareOf(value));
        return [
          svg("line", { class: "grid", x1: at, x2: at, y1: bottom, y2: top }),
          svg("text", { x: at, y: bottom + 18 * TEXT, "text-anchor": "middle" }, text),
        ];
      }),
      ...y.ticks.flatMap(({ value, text }) => {
        const at = this.py(y.shareOf(value));
        return [
          svg("line", { class: value === 0 ? "axis" : "grid", x1: left, x2: right, y1: at, y2: at }),
          svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, text),
        ];
      }),
      svg("line", { class: "axis", x1: left, x2: left, y1: bottom, y2: top }),
    ];
  }

  titles() {
    const room = Math.floor(this.width / 12);
    const [across, up] = this.axisTitles(room);
    const [x, y] = [this.px(0.5), this.py(0.5)];
    return [
      svg("text", { class: "title", x, y: this.height - 5, "text-anchor": "middle" }, across),
      svg("text", { class: "title", x: 11, y, "text-anchor": "middle", transform: `rotate(-90 11 ${y})` }, up),
    ];
  }

  /** The label of the area where a tagger is higher: its marker and name. */
  corner(model, { x, y, end }) {
    const style = styleOf(model);
    const text = `${clipped(models[model].name, Math.floor(this.width / 22))} higher`;
    const label = svg("text", { class: "side", x: end ? x - 13 : x + 13, y, "text-anchor": end ? "end" : "start" }, text);
    return [svg("use", { class: `side m${style}`, href: `#mark-${style}`, x: end ? x - 10 : x, y: y - 9, width: 10, height: 10 }), label];
  }

  /** Draw above the dots: rings around the hovered and the open tag, and the brush or the dragged rectangle. */
  drawOver(dragged = null) {
    this.over.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const rings = this.points.filter((point) => point === this.hovered || point.tag === this.chosen);
    this.over.replaceChildren(
      ...this.rectangle(dragged ?? this.ownBrush(), dragged !== null),
      ...rings.map(({ tag, across, up }) =>
        svg("circle", { class: "ring", cx: this.px(across), cy: this.py(up), r: this.radius(tag) + 3 }),
      ),
    );
  }

  rectangle(brush, dragged) {
    if (brush === null) return [];
    const inside = (share) => Math.min(Math.max(share, 0), 1);
    const [left, right] = brush.across.map((value) => this.px(inside(this.axes.x.shareOf(value))));
    const [bottom, top] = brush.up.map((value) => this.py(inside(this.axes.y.shareOf(value))));
    const size = { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
    const label = svg("text", { class: "title", x: left + 5, y: top + 16 }, plural(brush.size, "tag", "tags"));
    return [svg("rect", { class: "brush", ...size }), ...(dragged ? [label] : [])];
  }

  // Reading

  hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.canvas.classList.toggle("over-dot", point !== null);
    this.drawOver();
    this.tip.hidden = point === null;
    if (point) this.fillTip(point);
  }

  fillTip(point) {
    const { comparison, figure: key } = this;
    const rows = [
      ["positive images", count(tags.support[point.tag])],
      ...[comparison.first, comparison.second].map((model) => [models[model].name, tagFigure(model, key, point.tag)]),
      ["difference", comparison.differenceText(key, point.tag)],
      ...(comparison.testedFor(key) ? [["verdict", comparison.verdict(key, point.tag)]] : []),
    ];
    const list = el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, el("bdi", {}, name)), el("dd", {}, value)]));
    this.tip.replaceChildren(el("b", {}, el("bdi", {}, tags.name[point.tag])), list);
    this.placeTip(this.px(point.across), this.py(point.up));
  }

  /** Place the tooltip next to the dot, on the side with enough space. */
  placeTip(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + width + 14 > this.width ? x - width - 14 : x + 14;
    const top = Math.min(Math.max(y - height / 2, 0), this.height - height);
    this.tip.style.transform = `translate(${Math.max(left, 0)}px, ${top}px)`;
  }

  /** Arrows move through the dots by difference; Escape cancels a drag, else closes the tooltip, else (see BrushChip) removes the brush. */
  onKey(event) {
    if (event.key === "Enter") this.pick(this.hovered);
    if (event.key === "Escape" && (this.drag.cancel() || this.hovered)) {
      event.preventDefault();
      this.hover(null);
    }
    const order = this.byDifference.filter((point) => this.shown(point.tag));
    const here = order.indexOf(this.hovered);
    const last = order.length - 1;
    const [next, before] = here < 0 ? [0, last] : [Math.min(here + 1, last), Math.max(here - 1, 0)];
    const to = { ArrowRight: next, ArrowUp: next, ArrowLeft: before, ArrowDown: before, Home: 0, End: last }[event.key];
    if (to === undefined || !order.length) return;
    event.preventDefault();
    this.hover(order[to]);
  }

  pick(point) {
    if (point) this.onPick(point.tag);
  }

  /** Mark the tag that is open in the table with a ring (null: none). */
  choose(tag) {
    this.chosen = tag;
    if (this.width) this.drawOver();
  }

  /** `shown(tag)`: whether the table shows the tag. */
  filter(shown) {
    this.shown = shown;
    this.draw();
  }
}
