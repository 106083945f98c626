// Section "Over thresholds": every model's curves, and its micro and macro metrics at a threshold set by slider or pointer.
// Metrics over all compared tags are those of sweep.parquet; metrics over the tags in the table are computed from histograms.

const AVERAGES = ["macro", "micro"];
const SWEEP_FIGURES = ["precision", "recall", "f1"];

/** This section's part of the view, from the address; `at` null means the first model's own threshold. */
function sweepFromAddress(address) {
  const at = address.has("at") ? Number(address.get("at")) : NaN;
  return {
    at: at >= 0 && at <= 1 ? at : null,
    shownOnly: address.get("over") === "shown",
    average: AVERAGES.includes(address.get("average")) ? address.get("average") : "macro",
    curve: SWEEP_FIGURES.includes(address.get("curve")) ? address.get("curve") : "f1",
  };
}

function sweepToAddress(kept, { at, shownOnly, average, curve }) {
  if (at !== null) kept.set("at", at);
  if (shownOnly) kept.set("over", "shown");
  if (average !== "macro") kept.set("average", average);
  if (curve !== "f1") kept.set("curve", curve);
}

class Sweep {
  /** `view` has the reader's choices (see page.js); `onChange()` is called when this section changes them. */
  constructor(view, onChange) {
    Object.assign(this, { view, onChange, shown: [], source: comparedSource() });
    this.range = byId("sweep-range");
    this.overThreshold = new CurvePlot(byId("sweep"), { across: "threshold", up: "", names: models.map(({ name }) => name) });
    this.precisionRecall = new CurvePlot(byId("sweep-pr"), { across: "", up: "", names: models.map(({ name }) => name) });
    this.listen();
    this.restore();
  }

  listen() {
    onChoice("average", (average) => this.choose({ average }));
    onChoice("sweep-figure", (curve) => this.choose({ curve }));
    byId("sweep-shown").addEventListener("change", (event) => this.choose({ shownOnly: event.target.checked }));
    this.range.addEventListener("input", () => this.moveTo(Number(this.range.value)));
    this.follow(this.overThreshold, ([threshold]) => this.nearest(threshold));
    this.follow(this.precisionRecall, (point) => this.nearestPoint(point));
    matchMedia("print").addEventListener("change", (event) => (event.matches ? this.fillOwn() : this.read()));
  }

  /** A press or a drag over a plot sets the threshold. Hovering only shows the metrics there, until the pointer leaves. */
  follow(plot, indexAt) {
    const { box } = plot;
    box.addEventListener("pointerdown", (event) => this.moveTo(indexAt(plot.at(event))));
    box.addEventListener("pointermove", (event) => (event.buttons & 1 ? this.moveTo(indexAt(plot.at(event))) : this.show(indexAt(plot.at(event)), "Pointer at")));
    box.addEventListener("pointerleave", () => this.read());
  }

  /** Set controls and plots from the view. */
  restore() {
    choose("average", this.view.average);
    choose("sweep-figure", this.view.curve);
    byId("sweep-shown").checked = this.view.shownOnly;
    this.refresh();
  }

  choose(change) {
    Object.assign(this.view, change);
    if ("shownOnly" in change) this.refresh();
    else this.draw();
    this.onChange();
  }

  /** Take the rows of the table when they change. */
  filter(rows) {
    this.shown = rows;
    if (this.view.shownOnly) this.refresh();
  }

  /** Choose the tags: all compared ones, or, after a pause so that typing stays fast, those in the table. */
  refresh() {
    clearTimeout(this.pending);
    if (this.view.shownOnly) this.pending = setTimeout(() => this.useShown(), 30);
    else this.use(comparedSource());
  }

  async useShown() {
    const rows = this.shown;
    if (!histogramsRead.size) byId("sweep-over").textContent = "Unpacking the counts…";
    const histograms = await allHistograms();
    if (this.view.shownOnly && rows === this.shown) this.use(shownSource(histograms, rows));
  }

  use(source) {
    this.source = source;
    this.range.max = source.thresholds.length - 1;
    byId("sweep-over").textContent = source.description;
    this.draw();
  }

  /** A model's metric at each threshold. */
  column(model, figure, average = this.view.average) {
    return this.source.curves[model][`${average}_${figure}`];
  }

  draw() {
    const { average, curve } = this.view;
    const [name, mean] = [figureName(curve), average === "macro" ? "Macro" : "Micro"];
    const ofTaggers = `of ${plural(models.length, "tagger", "taggers")}`;
    const own = models.map((_, model) => this.ownPoints(model));
    const highest = Math.max(0, ...own.map(({ left }) => left?.[1] ?? 0), ...models.flatMap((_, model) => this.column(model, curve)));
    this.overThreshold.up = `${mean.toLowerCase()} ${curve === "f1" ? name : curve}`;
    this.overThreshold.show({
      label: `${mean} ${name} against the threshold ${ofTaggers}`, ends: [1, axisEnd(highest)],
      curves: models.map((_, model) => this.points(model).map(({ left }) => left)), marks: own.map(({ left }) => left),
    });
    Object.assign(this.precisionRecall, { across: `${average} recall`, up: `${average} precision` });
    this.precisionRecall.show({
      label: `${mean} precision against recall ${ofTaggers}, over the thresholds`,
      curves: models.map((_, model) => this.points(model).map(({ right }) => right)), marks: own.map(({ right }) => right),
    });
    this.build();
    this.read();
  }

  /** A model's points in both plots at each threshold; null if undefined, such as precision above the highest score. */
  points(model) {
    const [values, precisions, recalls] = [this.view.curve, "precision", "recall"].map((name) => this.column(model, name));
    return this.source.thresholds.map((threshold, i) => ({
      left: pointOr(threshold, values[i]), right: pointOr(recalls[i], precisions[i]),
    }));
  }

  /** A model's points at its own threshold; on the left only if that is a single number. */
  ownPoints(model) {
    const own = (figure) => this.source.own[model][`${this.view.average}_${figure}`];
    return {
      left: pointOr(thresholdOf(model), own(this.view.curve)),
      right: pointOr(own("recall"), own("precision")),
    };
  }

  // Reading at a threshold

  nearest(threshold) {
    return nearestOf(this.source.thresholds, (value) => Math.abs(value - threshold));
  }

  /** The index of the threshold at which any model's curve is nearest to a point of the plot. */
  nearestPoint([recall, precision]) {
    const distances = this.source.thresholds.map((_, i) => {
      const squares = models.map((_, model) => {
        const [x, y] = [this.column(model, "recall")[i], this.column(model, "precision")[i]];
        return x === null || y === null ? Infinity : (x - recall) ** 2 + (y - precision) ** 2;
      });
      return Math.min(...squares);
    });
    return nearestOf(distances, (distance) => distance);
  }

  moveTo(i) {
    this.view.at = this.source.thresholds[i];
    this.read();
    this.onChange();
  }

  /** Set slider, crosshairs and table to the view's threshold; in print, the table to the policy of the page. */
  read() {
    const i = this.nearest(this.view.at ?? (thresholdOf(0) || 0.5));
    const { average, curve } = this.view;
    this.range.value = i;
    const values = models.map((model, m) => `${model.name} ${meanText(m, `${average}_${curve}`, this.column(m, curve)[i])}`);
    this.range.setAttribute("aria-valuetext", `${this.source.thresholds[i]}: ${average} ${figureName(curve)} ${values.join(", ")}`);
    this.show(i, "At");
    if (matchMedia("print").matches) this.fillOwn();
  }

  /** Set crosshairs and table to a threshold. */
  show(i, where) {
    const threshold = this.source.thresholds[i];
    const { curve } = this.view;
    const points = models.map((_, model) => ({
      left: pointOr(threshold, this.column(model, curve)[i]), right: pointOr(this.column(model, "recall")[i], this.column(model, "precision")[i]),
    }));
    this.overThreshold.point({ x: threshold, points: points.map(({ left }) => left) });
    this.precisionRecall.point({ points: points.map(({ right }) => right) });
    this.fill([`${where} threshold `, el("b", { id: "sweep-at" }, threshold.toFixed(2))], (model, column) => this.source.curves[model][column][i]);
  }

  /** Over how many tags a mean is, if not over all those that the sentence above the table names. */
  fewerTags(number) {
    return number === this.source.tags ? "" : `over ${count(number)}`;
  }

  fillOwn() {
    this.fill([policy === "own" ? "At each tagger’s own threshold" : `Under ${policyTitle()}`], (model, column) => this.source.own[model][column]);
  }

  // The table, which is also the legend

  build() {
    const head = el("tr", {}, (this.heading = el("th", { scope: "col" })));
    const groups = el("tr", {}, el("td"));
    for (const average of AVERAGES) {
      groups.append(el("th", { scope: "colgroup", colspan: 3, class: "first" }, average === "macro" ? "Macro" : "Micro"));
      head.append(...SWEEP_FIGURES.map((name, i) => heading(figureName(name), numberClass(i))));
    }
    groups.append(el("th", { scope: "colgroup", colspan: 2, class: "first unprinted" }, policy === "own" ? "Own threshold" : policyTitle()));
    head.append(heading("Threshold", "num first unprinted"), heading(`${this.view.average === "macro" ? "Macro" : "Micro"} ${figureName(this.view.curve)}`, "num unprinted"));
    this.cells = new Map();
    const rows = models.map((_, model) => this.row(model));
    byId("sweep-readout").replaceChildren(el("table", {}, el("thead", {}, groups, head), el("tbody", {}, ...rows)));
  }

  row(model) {
    const cells = AVERAGES.flatMap((average) => SWEEP_FIGURES.map((name, i) => {
      const [value, tagsOf] = [document.createTextNode(""), average === "macro" ? document.createTextNode("") : null];
      this.cells.set(`${model}.${average}_${name}`, { value, tagsOf });
      return el("td", { class: numberClass(i) }, el("span", {}, value), ...(tagsOf ? [el("small", {}, tagsOf)] : []));
    }));
    const own = this.source.own[model][`${this.view.average}_${this.view.curve}`];
    return el("tr", {}, el("th", { scope: "row" }, legendKey(model)), ...cells,
      el("td", { class: "num first unprinted" }, policy === "own" ? models[model].threshold : thresholdOf(model) ?? "several"), el("td", { class: "num unprinted" }, meanText(model, `${this.view.average}_${this.view.curve}`, own)));
  }

  /** Fill the table. Only texts change, so that it follows the slider at the frame rate of the screen. */
  fill(heading, valueOf) {
    this.heading.replaceChildren(...heading);
    for (const average of AVERAGES) {
      for (const name of SWEEP_FIGURES) {
        models.forEach((_, model) => {
          const { value, tagsOf } = this.cells.get(`${model}.${average}_${name}`);
          value.data = meanText(model, `${average}_${name}`, valueOf(model, `${average}_${name}`));
          if (tagsOf) tagsOf.data = this.fewerTags(valueOf(model, `${average}_${name}_tags`));
        });
      }
    }
  }
}

/** The threshold of a model under the policy of the page; null if it has several or none. */
function thresholdOf(model) {
  const found = policy === "own" ? Number(models[model].threshold) : data.operating_points[policy][model].threshold;
  return Number.isFinite(found) ? found : null;
}

/** A mean with the digits that its interval at the model's own threshold allows. */
function meanText(model, key, value) {
  return figure(value, knownDigits(models[model].intervals[key]));
}

/** Metrics over all compared tags: plain means, which the leaderboard shows as published. */
function comparedSource() {
  return {
    thresholds: data.sweep.thresholds,
    curves: models.map(({ name }) => data.sweep.models[name]),
    own: policy === "own"
      ? models.map(({ macro, micro, as_published }) => ({ ...named("macro", macro), ...named("micro", micro), ...as_published }))
      : data.operating_points[policy],
    tags: data.compared_tags,
    description: `Over all ${plural(data.compared_tags, "compared tag", "compared tags")}.`,
  };
}

function named(average, figures) {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${average}_${name}`, value]));
}

/** Metrics over the tags in the table that are compared; those over all compared tags if these are all. */
function shownSource(histograms, rows) {
  const chosen = rows.filter((tag) => tags.compared[tag]);
  if (chosen.length === data.compared_tags) return comparedSource();
  const left = rows.length - chosen.length;
  const others = left ? `; ${plural(left, "other tag in the table is", "other tags in the table are")} not in the means` : "";
  return {
    thresholds: EDGES,
    curves: histograms.map((one) => sweepOver(one, chosen)),
    own: models.map((_, model) => ownOver(model, chosen)),
    tags: chosen.length,
    description: `Over ${plural(chosen.length, "tag", "tags")} of ${count(data.compared_tags)}, at thresholds in steps of ${data.histograms.step}${others}.`,
  };
}

function pointOr(x, y) {
  return x === null || y === null || x === undefined || y === undefined ? null : [x, y];
}

function nearestOf(values, distance) {
  let best = 0;
  values.forEach((value, i) => {
    if (distance(value) < distance(values[best])) best = i;
  });
  return best;
}

function numberClass(place) {
  return place === 0 ? "num first" : place === 2 ? "num ends" : "num";
}

function heading(text, kind) {
  return el("th", { scope: "col", class: kind }, text);
}

/** A legend entry: dash pattern and marker as in the plots, and the model's name. */
function legendKey(model) {
  const style = styleOf(model);
  const sample = svg("path", { class: `curve m${style}`, d: "M0 6H38" });
  const line = svg("svg", { class: `line m${style}`, viewBox: "0 0 38 12", "aria-hidden": "true" }, sample, markAt(style, 19, 6, 12));
  return el("span", { class: "who" }, line, isolated(models[model].name));
}
