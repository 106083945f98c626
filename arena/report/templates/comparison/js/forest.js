// The differences of the two compared taggers under every threshold policy. The page has the drawing of the best two from the start.

class PairForest {
  constructor(view) {
    Object.assign(this, { view, drawn: bestComparison, panels: [...byId("forest").querySelectorAll(".panel-of-rows")] });
  }

  draw() {
    const { comparison } = this.view;
    this.mark();
    if (comparison === this.drawn) return;
    this.drawn = comparison;
    const rows = METRICS_IN_ORDER.map((metric) => this.policiesOf(metric).map((under) => pairDifference(metric, under, comparison.first, comparison.second)));
    const axis = differenceAxis(rows.flat().flatMap((row) => (row ? [row.difference, row.low, row.high] : [])));
    this.panels.forEach((panel, place) => this.fill(panel, comparison, rows[place], axis));
  }

  policiesOf(metric) {
    return metric === "map" ? ["own"] : POLICIES.map(({ name }) => name);
  }

  /** Mark the row of the policy of the page. */
  mark() {
    this.panels.forEach((panel, place) => {
      const names = this.policiesOf(METRICS_IN_ORDER[place]);
      [...panel.querySelectorAll(".part")].forEach((part, row) => part.classList.toggle("of-page", names.length > 1 && names[row] === policy));
    });
  }

  fill(panel, { first, second }, rows, axis) {
    panel.querySelector(".panel-title small").replaceChildren(isolated(models[first].name), " minus ", isolated(models[second].name));
    [...panel.querySelectorAll(".part")].forEach((part, place) => fillContrast(part, rows[place], axis));
    const [scale, towards] = [panel.querySelector(".scale"), panel.querySelectorAll(".towards span")];
    scale.replaceChildren(...axis.ticks.flatMap(({ at, text }) => [
      svg("line", { class: "tick", x1: at, x2: at, y1: 0, y2: 4 }), svg("text", { x: at, y: 17, "text-anchor": "middle" }, text),
    ]));
    towards[0].replaceChildren("← ", marker(styleOf(second)), isolated(models[second].name));
    towards[1].replaceChildren(marker(styleOf(first)), isolated(models[first].name), " →");
  }
}

function fillContrast(part, row, axis) {
  const [values, words] = part.querySelectorAll("p > small");
  const higher = row?.higherOfPlot ?? null;
  const ends = row && row.low !== null ? [row.low, row.high] : null;
  values.textContent = row ? `${signed(row.difference, knownDigits(ends))} ${rangeText(ends, signed)}` : UNDEFINED;
  words.className = higher === null ? "open" : "decided";
  const told = row ? `${higher === null ? "undetermined" : `${clipped(models[higher].name, 30)} higher`}, p ${probability(row.pOfPlot)}` : "undefined";
  words.replaceChildren(...(higher === null ? [] : [marker(styleOf(higher))]), el("bdi", {}, told));
  const strip = part.querySelector(".strip");
  strip.setAttribute("class", `strip n1${higher === null ? "" : ` m${styleOf(higher)}`}`);
  const line = (kind, at) => svg("line", { class: kind, x1: at, x2: at, y1: 0, y2: "100%" });
  const [zero, at] = [axis.placeOf(0), row ? axis.placeOf(row.difference) : null];
  const dot = higher === null ? svg("circle", { class: "open", r: 4 }) : svg("use", { class: "dot", href: `#mark-${styleOf(higher)}`, x: -5.5, y: -5.5, width: 11, height: 11 });
  strip.replaceChildren(
    ...axis.ticks.map((tick) => line("grid", tick.at)), line("zero", zero), ...(row && row.low !== null ? whisker(axis.placeOf(row.low), axis.placeOf(row.high)) : []),
    svg("svg", { x: at ?? zero, y: "50%", overflow: "visible" }, row ? dot : svg("text", { y: 4, "text-anchor": "middle" }, UNDEFINED)),
  );
}

function whisker(low, high) {
  const end = (at) => svg("svg", { x: at, y: "50%", overflow: "visible" }, svg("path", { class: "whisker", d: "M0-3V3" }));
  return [svg("line", { class: "whisker", x1: low, x2: high, y1: "50%", y2: "50%" }), end(low), end(high)];
}

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** The shortest axis with round steps that contains 0 and every value; places are in per cent. */
function differenceAxis(values) {
  const known = values.filter((value) => value !== null);
  const [least, most] = [Math.min(0, ...known), Math.max(0, ...known)];
  const ends = (step) => [Math.floor(least / step + 1e-6), Math.ceil(most / step - 1e-6)];
  const step = STEPS.find((one) => ends(one)[1] - ends(one)[0] < 6) ?? 0.5;
  const [low, high] = ends(step);
  const length = Math.max(high - low, 1);
  const placeOf = (value) => `${((100 * (value / step - low)) / length).toFixed(2)}%`;
  const digits = step < 0.01 ? 3 : step < 0.1 ? 2 : 1;
  const ticks = Array.from({ length: length + 1 }, (_, i) => {
    const value = (low + i) * step;
    const sign = value > 0 ? "+" : MINUS;
    return { at: placeOf(value), text: low + i === 0 ? "0" : `${sign}${Math.abs(value).toFixed(digits)}` };
  });
  return { ticks, placeOf };
}
