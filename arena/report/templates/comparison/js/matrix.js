// The matrix of paired differences: the tagger of the row minus that of the column, under the threshold policy of the page.

class Matrix {
  constructor(view, onPair) {
    Object.assign(this, { view, table: byId("matrix") });
    this.table.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) onPair(comparisonAt(button.dataset.pair));
    });
  }

  draw() {
    const { metric } = this.view;
    const under = data.differences[metric][policy] ? policy : "own";
    const name = METRIC_TITLES[metric];
    byId("matrix-box").hidden = false;
    byId("matrix-told").replaceChildren(
      el("b", {}, `${name}, ${metric === "map" ? "any threshold" : policyTitle(under)}`),
      ": the tagger of the row minus that of the column, with 95 % interval. ", el("span", { class: "up-sign" }, "▲"), " higher, ",
      el("span", { class: "down-sign" }, "▼"), ` lower, ? undetermined, at p ≤ ${DECIDED} after correction (Holm) over all pairs and metrics, as in the leaderboard. Press a cell to compare its two taggers on the whole page.`);
    const order = this.order(metric, under);
    const head = el("tr", {}, el("td", { class: "stuck" }), ...order.map((model) => el("th", { scope: "col" }, el("span", { class: "who" }, marker(styleOf(model)), isolated(models[model].name)))));
    const rows = order.map((row) => el("tr", {}, el("th", { scope: "row", class: "stuck" }, el("span", { class: "who" }, marker(styleOf(row)), isolated(models[row].name))), ...order.map((column) => this.cell(metric, under, row, column))));
    this.table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows));
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
    const button = el("button", { type: "button", "data-pair": `${row}.${column}`, "aria-pressed": String(chosen), title: `p ${probability(found.p)}` },
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
