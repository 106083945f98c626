// The columns of the table of tags: what each is called, what it sorts by, and how a cell of it is filled.

const NARROW = window.innerWidth < 640; // a phone: the category is said in the open row instead
const WIDTHS = { name: NARROW ? 136 : 190, category: 104, support: 88, figure: 76, difference: 104, q: 76 };

let ranks = null;

/** Position of a tag in the order of names, which settles every tie. */
function nameRank(tag) {
  if (ranks === null) {
    const order = Array.from(tags.name.keys());
    order.sort((a, b) => (tags.name[a] < tags.name[b] ? -1 : 1));
    ranks = new Int32Array(tagCount);
    order.forEach((member, rank) => (ranks[member] = rank));
  }
  return ranks[tag];
}

/** Columns in order; `shown` is the set of figures, `differenceKey` the figure of the difference between two taggers, if any. */
function tableColumns({ figures: shown, difference: differenceKey, comparison }) {
  const columns = [{ key: "name", kind: "name", label: "Tag", value: nameRank }];
  if (hasCategories && !NARROW) {
    columns.push({ key: "category", kind: "category", label: "Category", value: (tag) => tags.category[tag] || null });
  }
  columns.push({ key: "support", kind: "support", label: "Support", hint: "images that have the tag", value: (tag) => tags.support[tag] });
  const figures = FIGURES.filter((item) => shown.has(item.key));
  models.forEach((_, model) => {
    figures.forEach((item, i) => columns.push(figureColumn(model, item, i === 0)));
  });
  if (comparison) columns.push(differenceColumn(differenceKey, comparison));
  if (comparison?.tested) columns.push(qColumn(differenceKey, comparison));
  return columns;
}

function figureColumn(model, item, first) {
  const values = columnsOf[model][item.key];
  return { key: `${item.key}.${model}`, kind: "figure", label: item.short, hint: item.name, model, first, value: (tag) => values[tag] };
}

function differenceColumn(key, comparison) {
  const hint = `${figureName(key)} of ${models[comparison.first].name} minus ${models[comparison.second].name}`;
  const value = (tag) => comparison.difference(key, tag);
  return { key: "difference", kind: "difference", label: `Δ ${figureName(key)}`, hint, figure: key, comparison, first: true, value };
}

function qColumn(key, comparison) {
  const hint = `q of the difference in ${figureName(key)}: decided up to ${DECIDED}, else undetermined`;
  return { key: "q", kind: "q", label: "q", hint, figure: key, comparison, value: (tag) => comparison.q(key, tag) };
}

/** Tags by a column; undefined last whatever the direction, ties by name. */
function compareBy(column, descending) {
  const { value } = column;
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === y) return nameRank(a) - nameRank(b);
    if (x === null || y === null) return x === null ? 1 : -1;
    return x < y ? -sign : sign;
  };
}

function isText(column) {
  return column.kind === "name" || column.kind === "category";
}

/** Text starts ascending, numbers descending, but q with the surest. */
function startsDescending(column) {
  return !isText(column) && column.kind !== "q";
}

// Head

function tableHead(columns, sort) {
  const names = el("tr", { "aria-rowindex": 2 }, ...columns.map((column) => headCell(column, sort)));
  return el("thead", {}, el("tr", { "aria-rowindex": 1 }, ...groupCells(columns)), names);
}

/** One heading above all columns of a model. */
function groupCells(columns) {
  const cells = columns.filter((c) => !("model" in c) && c.kind !== "difference" && c.kind !== "q").map((c) => el("td", { class: c.kind === "name" ? "stuck" : null }));
  models.forEach((model, m) => {
    const span = columns.filter((column) => column.model === m).length;
    const heading = { class: "group first", scope: "colgroup", colspan: span };
    if (span) cells.push(el("th", heading, marker(styleOf(m)), isolated(model.name)));
  });
  const comparison = columns[columns.length - 1].comparison;
  if (comparison) {
    const { first, second, tested } = comparison;
    const label = el("span", { class: "sr" }, `${models[first].name} minus ${models[second].name}`);
    const heading = { class: "group first num", scope: "colgroup", colspan: tested ? 2 : 1 };
    cells.push(el("th", heading, marker(styleOf(first)), `${MINUS} `, marker(styleOf(second)), label));
  }
  return cells;
}

function headCell(column, sort) {
  const sorted = column.key === sort.key ? (sort.descending ? "descending" : "ascending") : null;
  const classes = [isText(column) ? "" : "num", column.first ? "first" : "", column.kind === "name" ? "stuck" : ""];
  const whose = "model" in column ? el("span", { class: "sr" }, ` ${column.hint} of ${models[column.model].name}`) : "";
  const button = el("button", { type: "button", "data-key": column.key, title: column.hint ?? null }, column.label, whose);
  return el("th", { scope: "col", class: classes.join(" ").trim() || null, "aria-sort": sorted }, button);
}

/** Fixed widths: with only the rows in sight in the document, widths by content would jump while scrolling. */
function columnGroup(columns) {
  const group = el("colgroup");
  for (const column of columns) {
    const col = el("col");
    if (column.kind !== "name") col.style.width = `${WIDTHS[column.kind]}px`;
    group.append(col);
  }
  return group;
}

function tableWidth(columns) {
  return columns.reduce((sum, column) => sum + WIDTHS[column.kind], 0);
}

// Cells

function bodyCell(column, tag) {
  if (column.kind === "name") return nameCell(tag);
  if (column.kind === "category") return el("td", { class: "quiet" }, el("bdi", {}, tags.category[tag] || UNDEFINED));
  if (column.kind === "support") return el("td", { class: "num" }, count(tags.support[tag]));
  if (column.kind === "q") return qCell(column, tag);
  return column.kind === "figure" ? figureCell(column, tag) : differenceCell(column, tag);
}

function nameCell(tag) {
  const name = tags.name[tag];
  const aside = tags.compared[tag] ? "" : el("span", { class: "sr" }, " (not compared)");
  const button = el("button", { type: "button", class: "tag", tabindex: "-1", "aria-expanded": "false" }, el("bdi", {}, name), aside);
  return el("th", { scope: "row", title: name }, button);
}

/** A thin bar under F1 and AP shows the size at a glance. */
function figureCell(column, tag) {
  const value = column.value(tag);
  const barred = value !== null && (column.key.startsWith("f1") || column.key.startsWith("ap"));
  const style = barred ? ` figure m${styleOf(column.model)}` : "";
  const ends = rangeText(intervalOf(column.model, column.key.split(".")[0], tag));
  const cell = el("td", { class: `num${column.first ? " first" : ""}${style}`, title: ends ? `95 % interval ${ends}` : null }, figure(value));
  if (barred) cell.style.setProperty("--share", value);
  return cell;
}

/** The bar runs from the middle towards, and in the colour of, the model that is higher: the first to the right. What is
    undetermined has no colour, and is grey. */
function differenceCell(column, tag) {
  const value = column.value(tag);
  const { comparison } = column;
  const open = comparison.tested && comparison.higher(column.figure, tag) === null;
  const side = `m${styleOf(value > 0 ? comparison.first : comparison.second)}`;
  const bar = value ? ` figure ${value > 0 ? "right" : "left"} ${open ? "open" : side}` : "";
  const ends = rangeText(comparison.interval(column.figure, tag), signed);
  const cell = el("td", { class: `num first${bar}${open ? " quiet" : ""}`, title: ends ? `95 % interval ${ends}` : null }, signed(value));
  if (value) cell.style.setProperty("--share", Math.abs(value));
  return cell;
}

/** Bold where it decides; the verdict is said to screen readers and as a title. */
function qCell(column, tag) {
  const value = column.value(tag);
  const words = column.comparison.verdict(column.figure, tag);
  const decided = column.comparison.higher(column.figure, tag) !== null;
  const aside = words ? el("span", { class: "sr" }, ` ${words}`) : "";
  return el("td", { class: `num ${decided ? "decided" : "quiet"}`, title: words || null }, probability(value), aside);
}
