// The cells of a row of tags. Rows are cloned from a blank one and filled in; a row that is in the document already can be
// filled anew with another tag, which spares the browser most of its work.

/** Rows for these columns. */
class RowMaker {
  constructor(columns) {
    this.columns = columns;
    this.blank = el("tr", {}, ...columns.map(blankCell));
  }

  /** A row of a tag: `old`, if given, with its cells filled anew. */
  row(tag, old = null) {
    const row = old ?? this.blank.cloneNode(true);
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
  if (column.kind === "name") {
    return el("th", { scope: "row" }, el("button", { type: "button", class: "tag", tabindex: "-1" }, el("bdi"), el("span", { class: "sr" })));
  }
  if (column.kind === "category") return el("td", { class: "quiet" }, el("bdi"));
  return el("td", { class: plainClass(column) });
}

function plainClass(column) {
  return column.first ? "num first" : "num";
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
  const [name, aside] = cell.firstChild.children;
  cell.title = tags.name[tag];
  name.textContent = tags.name[tag];
  aside.textContent = tags.compared[tag] ? "" : " (not compared)";
}

/** Text, classes, title and style of a cell; none of them stays from a tag before. */
function fill(cell, text, classes, title = "", style = "") {
  cell.textContent = text;
  if (cell.className !== classes) cell.className = classes;
  if (title) cell.title = title;
  else cell.removeAttribute("title");
  cell.style.cssText = style;
}

/** Under the figure its interval, as a bar from low to high with a tick at the figure; without an interval its length. */
function fillFigure(cell, tag, column) {
  const { values, low, high, model } = column;
  const value = values[tag];
  if (Number.isNaN(value)) {
    fill(cell, UNDEFINED, plainClass(column));
    return;
  }
  const ends = low && low[tag] !== null ? [low[tag], high[tag]] : null;
  const classes = `${plainClass(column)} figure m${styleOf(model)}`;
  fill(cell, figure(value), classes, ends ? `95 % interval ${rangeText(ends)}` : "", barStyle(ends ?? [0, value], value, ends ? SOLID : LENGTH));
}

/** The bar is the interval around zero, in the middle: solid in the colour of the model that is higher, the first to the
    right; hollow and grey where it is undetermined. Without an interval it runs from zero to the difference. */
function fillDifference(cell, tag, { values, comparison, figure: key, reach }) {
  const value = values[tag];
  if (Number.isNaN(value)) {
    fill(cell, UNDEFINED, "num first");
    return;
  }
  const ends = comparison.interval(key, tag);
  const higher = comparison.tested ? comparison.higher(key, tag) : value > 0 ? comparison.first : comparison.second;
  const place = (x) => 0.5 + Math.min(Math.max(x / reach, -1), 1) / 2;
  const drawn = ends ?? [Math.min(value, 0), Math.max(value, 0)];
  const classes = `num first figure delta ${higher === null ? "open quiet" : `m${styleOf(higher)}`}`;
  const title = ends ? `95 % interval ${rangeText(ends, signed)}: ${comparison.verdict(key, tag)}` : "";
  fill(cell, signed(value), classes, title, barStyle(drawn.map(place), place(value), higher === null ? HOLLOW : ends ? SOLID : LENGTH));
}

const SOLID = { tick: "2px 7px", bar: "3px", third: "100% 1px" };
const HOLLOW = { tick: "2px 7px", bar: "1px" };
const LENGTH = { ...SOLID, tick: "0 0" };

/** How wide the layers of the background are (see table.css), and where: tick, bar, rail, and the zero of a difference. A
    place in per cent is that of the room which the layer leaves, hence the division. */
function barStyle([low, high], at, { tick, bar, third }) {
  const [width, place] = [`${(100 * (high - low)).toFixed(1)}%`, `${(100 * at).toFixed(1)}%`];
  const start = `${(high - low < 1 ? (100 * low) / (1 - high + low) : 0).toFixed(1)}%`;
  const size = `${tick},${width} ${bar},${third ?? `${width} ${bar}`},1px 7px`;
  return `background-size:${size};background-position-x:${place},${start},${start},50%`;
}

/** Before q the mark of the model that is higher, or of what is undetermined; the verdict in words for screen readers. */
function fillQ(cell, tag, column) {
  const { comparison, figure: key } = column;
  const words = comparison.verdict(key, tag);
  const higher = comparison.higher(key, tag);
  fill(cell, probability(comparison.q(key, tag)), `${plainClass(column)} ${higher === null ? "quiet" : "decided"}`, words);
  if (!words) return;
  cell.prepend(higher === null ? el("span", { class: "undetermined", "aria-hidden": "true" }) : marker(styleOf(higher)));
  cell.append(el("span", { class: "sr" }, ` ${words}`));
}
