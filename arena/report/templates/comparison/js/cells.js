// The cells of a row of the table of tags. A row is cloned from a blank row, and only visible cells are filled.

/** Makes rows for a list of columns. */
class RowMaker {
  constructor(columns) {
    this.columns = columns;
    this.blank = el("tr", {}, ...columns.map(blankCell));
  }

  /** The row of a tag with blank cells. */
  row(tag) {
    const row = this.blank.cloneNode(true);
    row.className = tags.compared[tag] ? "row" : "row out";
    row.dataset.tag = tag;
    row.filled = 0;
    return row;
  }

  /** Fill the first `cells` cells of a row that are still blank. */
  fill(row, tag, cells) {
    for (; row.filled < cells; row.filled += 1) {
      const column = this.columns[row.filled];
      FILLERS[column.kind](row.children[row.filled], tag, column);
    }
  }
}

function blankCell(column) {
  if (column.kind === "name") {
    return el("th", { scope: "row" }, el("button", { type: "button", class: "tag", tabindex: "-1" }, el("bdi")));
  }
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

function fill(cell, text, classes = "", title = "", style = "") {
  cell.textContent = text;
  if (classes) cell.className += ` ${classes}`;
  if (title) cell.title = title;
  if (style) cell.style.cssText = style;
}

const FIGURE_SPACE = "\u2007";

/** A value with fewer than four digits, with space after it, so that the points of a column are below each other. */
function aligned(text, digits) {
  return text + FIGURE_SPACE.repeat(4 - digits);
}

/** The value above a bar: its interval with a tick at the value; without an interval, a bar from 0 to the value. */
function fillFigure(cell, tag, { values, low, high, model }) {
  const value = values[tag];
  if (Number.isNaN(value)) {
    fill(cell, UNDEFINED);
    return;
  }
  const ends = low && low[tag] !== null ? [low[tag], high[tag]] : null;
  const length = Math.max(value, 0); // MCC and informedness can be negative
  const digits = ends ? knownDigits(ends) : digitsOfSupport(tags.support[tag]);
  fill(cell, aligned(figure(value, digits), digits), `figure m${styleOf(model)}`, ends ? `95 % interval ${rangeText(ends)}` : "", barStyle(ends ?? [0, length], ends ? value : length, ends ? SOLID : LENGTH));
}

/** The bar is the interval; zero is in the middle, and a positive difference (first model higher) is to the right. It has the
    colour of the higher model, or is hollow and grey if undetermined. Without an interval it runs from zero to the value. */
function fillDifference(cell, tag, { values, comparison, figure: key, reach }) {
  const value = values[tag];
  if (Number.isNaN(value)) {
    fill(cell, UNDEFINED);
    return;
  }
  const ends = comparison.interval(key, tag);
  const higher = comparison.testedFor(key) ? comparison.higher(key, tag) : value > 0 ? comparison.first : comparison.second;
  const place = (x) => 0.5 + Math.min(Math.max(x / reach, -1), 1) / 2;
  const drawn = ends ?? [Math.min(value, 0), Math.max(value, 0)];
  const classes = `figure delta ${higher === null ? "open quiet" : `m${styleOf(higher)}`}`;
  const title = ends ? `95 % interval ${rangeText(ends, signed)}: ${comparison.verdict(key, tag)}` : "";
  const digits = ends ? knownDigits(ends) : digitsOfSupport(tags.support[tag]);
  fill(cell, aligned(signed(value, digits), digits), classes, title, barStyle(drawn.map(place), place(value), higher === null ? HOLLOW : ends ? SOLID : LENGTH));
}

const SOLID = { tick: "2px 7px", bar: "3px", third: "100% 1px" };
const HOLLOW = { tick: "2px 7px", bar: "1px" };
const LENGTH = { ...SOLID, tick: "0 0" };

/** Widths and positions of the background layers (see table.css): tick, bar, rail, and zero of a difference. A background
    position in per cent refers to the space that the layer leaves free, hence the division. */
function barStyle([low, high], at, { tick, bar, third }) {
  const [width, place] = [`${(100 * (high - low)).toFixed(1)}%`, `${(100 * at).toFixed(1)}%`];
  const start = `${(high - low < 1 ? (100 * low) / (1 - high + low) : 0).toFixed(1)}%`;
  const size = `${tick},${width} ${bar},${third ?? `${width} ${bar}`},1px 7px`;
  return `background-size:${size};background-position-x:${place},${start},${start},50%`;
}

/** q, after the marker of the higher model or the mark of an undetermined difference; the verdict as text for screen readers. */
function fillQ(cell, tag, { comparison, figure: key }) {
  const words = comparison.verdict(key, tag);
  const higher = comparison.higher(key, tag);
  fill(cell, probability(comparison.q(key, tag)), higher === null ? "quiet" : "decided", words);
  if (!words) return;
  cell.prepend(higher === null ? el("span", { class: "undetermined", "aria-hidden": "true" }) : marker(styleOf(higher)));
  cell.append(el("span", { class: "sr" }, ` ${words}`));
}
