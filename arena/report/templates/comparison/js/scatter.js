// One figure of two models, a dot a tag. Dots are drawn on a canvas: 12,000 of them in a few milliseconds.

const SCATTER_MARGIN = { top: 12, right: 12, bottom: 42, left: 50 };
const REACH = 24; // pixels between pointer and dot

class Scatter {
  /** `onPick(tag)` is called when a reader chooses a dot. */
  constructor(comparison, onPick) {
    this.box = byId("scatter");
    this.onPick = onPick;
    this.comparison = comparison;
    this.shown = () => true;
    this.chosen = null;
    this.hovered = null;
    this.figure = onChoice("scatter-figure", (value) => this.show({ figure: value }));
    this.build();
    this.listen();
    this.show({});
  }

  build() {
    this.canvas = el("canvas", {
      tabindex: "0", role: "application", "aria-roledescription": "scatter plot", "aria-describedby": "scatter-tally",
    });
    this.ground = svg("svg", { class: "ground", "aria-hidden": "true" });
    this.rings = svg("svg", { class: "over", "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", role: "status", hidden: true });
    this.box.append(this.ground, this.canvas, this.rings, this.tip);
  }

  get across() {
    return this.comparison.first;
  }

  get up() {
    return this.comparison.second;
  }

  listen() {
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.nearest(event)));
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("click", (event) => this.pick(this.nearest(event)));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("blur", () => this.hover(null));
    onResize(this.box, () => this.draw());
    // At once, not in the next frame: a printer does not wait for one.
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", () => this.paint());
    }
  }

  show(change) {
    Object.assign(this, change);
    this.collect();
    this.tally();
    this.draw();
  }

  /** Compared tags where both models' figures are defined; common tags first, so that rare ones lie on top of them. */
  collect() {
    const [xs, ys] = [columnsOf[this.across][this.figure], columnsOf[this.up][this.figure]];
    this.points = [];
    for (let tag = 0; tag < tagCount; tag += 1) {
      if (tags.compared[tag] && xs[tag] !== null && ys[tag] !== null) this.points.push({ tag, x: xs[tag], y: ys[tag] });
    }
    this.points.sort((a, b) => tags.support[b.tag] - tags.support[a.tag]);
    this.mostSupport = Math.max(1, ...(this.points.length ? [tags.support[this.points[0].tag]] : []));
    this.end = axisEnd(this.points.reduce((most, { x, y }) => Math.max(most, x, y), 0));
    this.byDifference = [...this.points].sort((a, b) => a.x - a.y - (b.x - b.y));
  }

  /** Of a tag, 1 if the tagger across is higher, -1 if the one upwards is, else 0; of two, as far as it is decided. */
  side({ tag, x, y }) {
    if (!this.comparison.tested) return Math.sign(x - y);
    const higher = this.comparison.higher(this.figure, tag);
    return higher === null ? 0 : higher === this.across ? 1 : -1;
  }

  tally() {
    const across = this.points.filter((point) => this.side(point) > 0).length;
    const up = this.points.filter((point) => this.side(point) < 0).length;
    const [a, b] = [this.across, this.up].map((model) => clipped(models[model].name, 60));
    const rest = this.points.length - across - up;
    const { tested } = this.comparison;
    const line = byId("scatter-tally");
    line.replaceChildren(
      `${figureName(this.figure)} is higher for `, isolated(a), ` on ${plural(across, "tag", "tags")}, for `,
      isolated(b), ` on ${count(up)}; ${tested ? "undetermined on " : "equal on "}${count(rest)}${tested ? "" : " (point estimates)"}.`,
    );
    this.canvas.setAttribute(
      "aria-label",
      `${figureName(this.figure)} of ${a} against ${b} for ${plural(this.points.length, "tag", "tags")}. ` +
        "Arrow keys go through the tags by difference, Enter opens one in the table.",
    );
  }

  // Geometry

  px(value) {
    return SCATTER_MARGIN.left + (value / this.end) * (this.width - SCATTER_MARGIN.left - SCATTER_MARGIN.right);
  }

  py(value) {
    return this.height - SCATTER_MARGIN.bottom - (value / this.end) * (this.height - SCATTER_MARGIN.top - SCATTER_MARGIN.bottom);
  }

  /** 2 to 8 pixels by the logarithm of the support; smaller where dots are many. */
  radius(tag) {
    const share = Math.log1p(tags.support[tag]) / Math.log1p(this.mostSupport);
    return (2 + 6 * share * share) * (this.points.length > 1500 ? 0.65 : 1);
  }

  nearest(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    let best = null;
    let least = REACH * REACH;
    for (const point of this.points) {
      const distance = (this.px(point.x) - x) ** 2 + (this.py(point.y) - y) ** 2;
      if (distance <= least && this.shown(point.tag)) [best, least] = [point, distance];
    }
    return best;
  }

  // Drawing

  /** In the next frame, once, however many changes ask for it: typing in the search must not wait for the dots. */
  draw() {
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.width = this.box.clientWidth;
    this.height = this.box.clientHeight;
    if (!this.width || !this.height) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    this.drawDots(pen);
    this.drawGround();
    this.drawRings();
  }

  /** A dot takes the colour of the model that is higher, grey where that is undetermined; tags that the search leaves out stay as a faint ground. */
  drawDots(pen) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [across, up, even] = [`--m${styleOf(this.across)}`, `--m${styleOf(this.up)}`, "--muted"].map(colour);
    const strength = this.points.length > 1500 ? 0.45 : 0.7;
    for (const point of this.points) {
      const { tag, x, y } = point;
      const side = this.side(point);
      pen.globalAlpha = this.shown(tag) ? strength : 0.07;
      pen.fillStyle = side > 0 ? across : side < 0 ? up : even;
      pen.beginPath();
      pen.arc(this.px(x), this.py(y), this.radius(tag), 0, 2 * Math.PI);
      pen.fill();
    }
  }

  drawGround() {
    this.ground.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const corner = { class: "diagonal", x1: this.px(0), y1: this.py(0), x2: this.px(this.end), y2: this.py(this.end) };
    this.ground.replaceChildren(...this.ticks(), svg("line", corner), ...this.titles());
  }

  ticks() {
    return axisTicks(this.end).flatMap(({ value, text }) => {
      const [x, y] = [this.px(value), this.py(value)];
      const kind = value === 0 ? "axis" : "grid";
      return [
        svg("line", { class: kind, x1: x, x2: x, y1: this.py(0), y2: this.py(this.end) }),
        svg("line", { class: kind, x1: this.px(0), x2: this.px(this.end), y1: y, y2: y }),
        svg("text", { x, y: this.py(0) + 18, "text-anchor": "middle" }, text),
        svg("text", { x: this.px(0) - 8, y: y + 4, "text-anchor": "end" }, text),
      ];
    });
  }

  titles() {
    const room = Math.floor(this.width / 12);
    const [across, up] = [this.across, this.up].map((m) => `${figureName(this.figure)} of ${clipped(models[m].name, room)}`);
    const [middleX, middleY] = [this.px(this.end / 2), this.py(this.end / 2)];
    const turned = { class: "title", x: 14, y: middleY, "text-anchor": "middle", transform: `rotate(-90 14 ${middleY})` };
    return [
      svg("text", { class: "title", x: middleX, y: this.height - 5, "text-anchor": "middle" }, across),
      svg("text", turned, up),
    ];
  }

  drawRings() {
    this.rings.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const wanted = this.points.filter((point) => point === this.hovered || point.tag === this.chosen);
    this.rings.replaceChildren(
      ...wanted.map((point) =>
        svg("circle", { class: "ring", cx: this.px(point.x), cy: this.py(point.y), r: this.radius(point.tag) + 3 }),
      ),
    );
  }

  // Reading

  hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.canvas.classList.toggle("over-dot", point !== null);
    this.drawRings();
    this.tip.hidden = point === null;
    if (point) this.fillTip(point);
  }

  fillTip({ tag, x, y }) {
    const rows = [
      ["positive images", count(tags.support[tag])],
      [models[this.across].name, figure(x)],
      [models[this.up].name, figure(y)],
      ["difference", signed(this.comparison.difference(this.figure, tag))],
      ...(this.comparison.tested ? [["verdict", this.comparison.verdict(this.figure, tag)]] : []),
    ];
    const list = el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, el("bdi", {}, name)), el("dd", {}, value)]));
    this.tip.replaceChildren(el("b", {}, el("bdi", {}, tags.name[tag])), list);
    this.placeTip(this.px(x), this.py(y));
  }

  /** Beside the dot, on the side that has room. */
  placeTip(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + width + 14 > this.width ? x - width - 14 : x + 14;
    const top = Math.min(Math.max(y - height / 2, 0), this.height - height);
    this.tip.style.transform = `translate(${Math.max(left, 0)}px, ${top}px)`;
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const order = this.byDifference.filter((point) => this.shown(point.tag));
    if (event.key === "Enter") this.pick(this.hovered);
    if (event.key === "Escape") this.hover(null);
    if (!step || !order.length) return;
    event.preventDefault();
    const at = order.indexOf(this.hovered);
    this.hover(order[at < 0 ? (step > 0 ? 0 : order.length - 1) : Math.min(Math.max(at + step, 0), order.length - 1)]);
  }

  pick(point) {
    if (point) this.onPick(point.tag);
  }

  /** Ring the tag that is open in the table (null: none). */
  choose(tag) {
    this.chosen = tag;
    if (this.width) this.drawRings();
  }

  /** `shown(tag)`: whether the table's search shows it. */
  filter(shown) {
    this.shown = shown;
    this.draw();
  }
}
