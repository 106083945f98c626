// The matrix of paired differences: the tagger of the row minus that of the column, under the threshold policy of the page.

class Matrix {
  constructor(view, onPair) {
    Object.assign(this, { view, table: byId("matrix") });
    this.table.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) onPair(comparisonAt(button.dataset.pair));
    });
    this.table.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Arrow keys move through the cells, so that Tab enters the matrix once. */
  onKey(event) {
    const here = event.target.closest("td");
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [0, 0];
    if (!here || (!down && !right)) return;
    event.preventDefault();
    const rows = [...this.table.tBodies[0].rows];
    let [row, column] = [rows.indexOf(here.parentNode) + down, here.cellIndex + right];
    if (rows[row]?.cells[column]?.className === "same") [row, column] = [row + down, column + right];
    const button = rows[row]?.cells[column]?.querySelector("button");
    if (!button) return;
    here.querySelector("button").tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  }

  draw() {
    const { metric } = this.view;
    const under = data.differences[metric][policy] ? policy : "own";
    const name = METRIC_TITLES[metric];
    byId("matrix-box").hidden = false;
    byId("matrix-told").replaceChildren(
      el("b", {}, `${name}, ${metric === "map" ? "any threshold" : policyTitle(under)}`),
      ": the tagger of the row minus that of the column, with 95 % interval. ", el("span", { class: "up-sign" }, "▲"), " higher, ",
      el("span", { class: "down-sign" }, "▼"), ` lower, ? undetermined, at p ≤ ${DECIDED} after correction (Holm) over all pairs and metrics, as in the leaderboard. An interval is not corrected. Press a cell to compare its two taggers on the whole page.`);
    const order = this.order(metric, under);
    const head = el("tr", {}, el("td", { class: "stuck" }), ...order.map((model) => el("th", { scope: "col" }, el("span", { class: "who" }, marker(styleOf(model)), isolated(models[model].name)))));
    const rows = order.map((row) => el("tr", {}, el("th", { scope: "row", class: "stuck" }, el("span", { class: "who" }, marker(styleOf(row)), isolated(models[row].name))), ...order.map((column) => this.cell(metric, under, row, column))));
    const { pair } = document.activeElement.dataset;
    this.table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows));
    const buttons = [...this.table.querySelectorAll("button")];
    const focused = buttons.find((button) => button.dataset.pair === pair);
    focused?.focus();
    const stop = focused ?? buttons.find((button) => button.getAttribute("aria-pressed") === "true") ?? buttons[0];
    if (stop) stop.tabIndex = 0;
  }

  /** The models by the number of others that they are above. */
  order(metric, under) {
    const above = models.map((_, a) => models.filter((_, b) => a !== b && (pairDifference(metric, under, a, b)?.difference ?? -1) > 0).length);
    return Array.from(models.keys()).sort((a, b) => above[b] - above[a]);
  }

  cell(metric, under, row, column) {
    if (row === column) return el("td", { class: "same" });
    const found = pairDifference(metric, under, row, column);
    if (found === null) return el("td", {}, UNDEFINED);
    const [sign, word, kind] = found.higher === null ? ["?", "undetermined", "open"] : found.higher === row ? ["▲", "higher", "higher"] : ["▼", "lower", "lower"];
    const { comparison } = this.view;
    const chosen = [comparison.first, comparison.second].includes(row) && [comparison.first, comparison.second].includes(column);
    const button = el("button", { type: "button", tabindex: "-1", "data-pair": `${row}.${column}`, "aria-pressed": String(chosen), title: `p ${probability(found.p)}` },
      el("span", {}, el("span", { "aria-hidden": "true" }, `${sign} `), short(found.difference)), el("small", {}, found.low === null ? "" : `[${short(found.low)}, ${short(found.high)}]`),
      el("span", { class: "sr" }, ` ${word}, ${models[row].name} minus ${models[column].name}`));
    return el("td", { class: kind }, button);
  }
}

/** A difference with three digits, for a matrix of many; only exact zero has no sign. */
function short(value) {
  if (value === 0) return "0";
  return `${value > 0 ? "+" : MINUS}${Math.abs(value).toFixed(3).replace(/^0/, "")}`;
}
