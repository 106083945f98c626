// The cells of a row of tags. A row is cloned from one that is blank and filled in: building it anew takes twice as long.

/** Rows for these columns. */
class RowMaker {
  constructor(columns) {
    this.columns = columns;
    this.blank = el("tr", {}, ...columns.map(blankCell));
  }

  row(tag) {
    const row = this.blank.cloneNode(true);
    row.className = tags.compared[tag] ? "row" : "row out";
    row.dataset.tag = tag;
    let cell = row.firstChild;
    for (const column of this.columns) {
      FILLERS[column.kind](cell, tag, column);
      cell = cell.nextSibling;
    }
    return row;
  }
}

function blankCell(column) {
  if (column.kind === "name") return el("th", { scope: "row" }, el("button", { type: "button", class: "tag", tabindex: "-1" }, el("bdi")));
  if (column.kind === "category") return el("td", { class: "quiet" }, el("bdi"));
  return el("td", { class: column.first ? "num first" : "num" });
}

const FILLERS = {
  name: fillName,
  category: (cell, tag) => (cell.firstChild.textContent = tags.category[tag] || UNDEFINED),
  support: (cell, tag) => (cell.textContent = count(tags.support[tag])),
  figure: fillFigure,
  difference: fillDifference,
  q: fillQ,
};

function fillName(cell, tag) {
  cell.title = tags.name[tag];
  cell.firstChild.firstChild.textContent = tags.name[tag];
  if (!tags.compared[tag]) cell.firstChild.append(el("span", { class: "sr" }, " (not compared)"));
}

/** Under the figure its interval, as a bar from low to high with a tick at the figure; without an interval its length. */
function fillFigure(cell, tag, { values, low, high, model }) {
  const value = values[tag];
  if (Number.isNaN(value)) {
    cell.textContent = UNDEFINED;
    return;
  }
  cell.textContent = figure(value);
  const ends = low && low[tag] !== null ? [low[tag], high[tag]] : null;
  if (ends) cell.title = `95 % interval ${rangeText(ends)}`;
  drawBar(cell, ends ?? [0, value], value, `m${styleOf(model)} ${ends ? "interval" : "length"}`);
}

/** The bar is the interval around zero, in the middle: solid in the colour of the model that is higher, the first to the
    right; hollow and grey where it is undetermined. Without an interval it runs from zero to the difference. */
function fillDifference(cell, tag, { values, comparison, figure: key, reach }) {
  const value = values[tag];
  cell.textContent = signed(Number.isNaN(value) ? null : value);
  if (Number.isNaN(value)) return;
  const ends = comparison.interval(key, tag);
  const open = comparison.tested && comparison.higher(key, tag) === null;
  if (ends) cell.title = `95 % interval ${rangeText(ends, signed)}: ${comparison.verdict(key, tag)}`;
  const side = open ? "open" : `m${styleOf(value > 0 ? comparison.first : comparison.second)}`;
  const place = (x) => 0.5 + Math.min(Math.max(x / reach, -1), 1) / 2;
  const drawn = ends ?? [Math.min(value, 0), Math.max(value, 0)];
  drawBar(cell, drawn.map(place), place(value), `delta ${side} ${ends ? "interval" : "length"}${open ? " quiet" : ""}`);
}

function drawBar(cell, [low, high], at, classes) {
  cell.className += ` figure ${classes}`;
  cell.style.cssText = `--low:${low};--high:${high};--at:${at}`;
}

/** Before q the mark of the model that is higher, or of what is undetermined; the verdict in words for screen readers. */
function fillQ(cell, tag, { comparison, figure: key }) {
  const words = comparison.verdict(key, tag);
  const higher = comparison.higher(key, tag);
  cell.className += higher === null ? " quiet" : " decided";
  cell.append(probability(comparison.q(key, tag)));
  if (!words) return;
  cell.title = words;
  cell.prepend(higher === null ? el("span", { class: "undetermined", "aria-hidden": "true" }) : marker(styleOf(higher)));
  cell.append(el("span", { class: "sr" }, ` ${words}`));
}
