// The columns of the table of tags: labels, sort values, and the head of the table.

const NARROW = window.innerWidth < 640; // a phone: the category is shown in the open row instead
const WIDTHS = withText({ name: NARROW ? 136 : 184, category: 92, support: 88, figure: 76, difference: 104, q: 98 });
const REACHES = [0.02, 0.05, 0.1, 0.2, 0.5, 1]; // possible ends of the axis of difference bars, to both sides

/** The columns in order; the view has the selected metrics, the two compared taggers, and the hidden columns. */
function tableColumns({ figures: shown, difference: key, comparison, without }) {
  const columns = [{ key: "name", kind: "name", label: "Tag", values: nameRanks }];
  if (hasCategories && !NARROW && !without.has("category")) {
    columns.push({ key: "category", kind: "category", label: "Category", values: categoryRanks });
  }
  columns.push({ key: "support", kind: "support", label: "Support", hint: "images with the tag", values: numbersOf(tags.support) });
  const figures = FIGURES.filter((item) => shown.has(item.key));
  models.forEach((_, model) => {
    if (!without.has(String(model))) figures.forEach((item, i) => columns.push(figureColumn(model, item, i === 0)));
  });
  if (comparison && !without.has("difference")) columns.push(differenceColumn(key, comparison));
  if (comparison?.testedFor(key) && !without.has("q")) columns.push(qColumn(key, comparison, without.has("difference")));
  return columns;
}

function figureColumn(model, item, first) {
  const columns = columnsOf[model];
  const [low, high] = [columns[`${item.key}_low`], columns[`${item.key}_high`]];
  return { key: `${item.key}.${model}`, kind: "figure", label: item.short, hint: item.name, about: item.about, model, first, values: numbersOf(columns[item.key]), low, high };
}

function differenceColumn(key, comparison) {
  const reach = reachOf(key, comparison);
  const bar = comparison.testedFor(key) ? `; the bar is the 95 % interval on an axis from ${MINUS}${reach} to +${reach}` : "";
  const hint = `${figureName(key)} of ${models[comparison.first].name} minus ${models[comparison.second].name}${bar}`;
  const values = numbersOf(comparison.column(key, "difference"));
  return { key: "difference", kind: "difference", label: `Δ ${figureName(key)}`, hint, figure: key, comparison, first: true, values, reach };
}

function qColumn(key, comparison, first) {
  const hint = `q of the difference in ${figureName(key)}: decided if at most ${DECIDED}, else undetermined`;
  return { key: "q", kind: "q", label: "q", hint, figure: key, comparison, first, values: numbersOf(comparison.column(key, "q")) };
}

/** The end of the shortest axis that contains 95 % of the differences of compared tags; a longer interval goes on past the end. */
function reachOf(key, comparison) {
  const sizes = numbersOf(comparison.column(key, "difference")).map(Math.abs).filter((size, tag) => size >= 0 && tags.compared[tag]).sort();
  const most = sizes.length ? sizes[Math.floor(0.95 * (sizes.length - 1))] : 1;
  return REACHES.find((reach) => reach >= most) ?? 1;
}

function isText(column) {
  return column.kind === "name" || column.kind === "category";
}

/** The first sort direction: descending for numbers, ascending for text and for q. */
function startsDescending(column) {
  return !isText(column) && column.kind !== "q";
}

const FIRST_SORT = { key: "support", descending: true };

/** The first press on a column sorts by it, the second reverses the direction, the third restores the initial order. */
function nextSort(sort, column) {
  const first = startsDescending(column);
  if (sort.key !== column.key) return { key: column.key, descending: first };
  const reset = sort.descending !== first && column.key !== FIRST_SORT.key;
  return reset ? { ...FIRST_SORT } : { key: column.key, descending: !sort.descending };
}

// Head

function tableHead(columns) {
  const names = el("tr", { "aria-rowindex": 2 }, ...columns.map(headCell));
  return el("thead", {}, el("tr", { "aria-rowindex": 1 }, ...groupCells(columns)), names);
}

/** One heading above all columns of a model, and one above those of the comparison. */
function groupCells(columns) {
  const cells = columns.filter((c) => !("model" in c) && !c.comparison).map((c) => el("td", { class: c.kind === "name" ? "stuck" : null }));
  models.forEach((model, m) => {
    const span = columns.filter((column) => column.model === m).length;
    const heading = { class: "group first", scope: "colgroup", colspan: span };
    if (span) cells.push(el("th", heading, marker(styleOf(m)), isolated(model.name)));
  });
  const compared = columns.filter((column) => column.comparison);
  if (compared.length) {
    const { first, second } = compared[0].comparison;
    const label = el("span", { class: "sr" }, `${models[first].name} minus ${models[second].name}`);
    const heading = { class: "group first num", scope: "colgroup", colspan: compared.length };
    cells.push(el("th", heading, marker(styleOf(first)), `${MINUS} `, marker(styleOf(second)), label));
  }
  return cells;
}

function headCell(column) {
  const classes = [isText(column) ? "" : "num", column.first ? "first" : "", column.kind === "name" ? "stuck" : ""];
  const owner = "model" in column ? el("span", { class: "sr" }, ` ${column.hint} of ${models[column.model].name}`) : "";
  const button = el("button", { type: "button", "data-key": column.key, title: [column.hint, column.about].filter((text) => text).join(": ") || null }, column.label, owner);
  return el("th", { scope: "col", class: classes.join(" ").trim() || null }, button);
}

/** Mark the sorted column in the head. */
function markSorted(head, sort) {
  for (const button of head.querySelectorAll("button")) {
    if (button.dataset.key === sort.key) button.parentNode.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
    else button.parentNode.removeAttribute("aria-sort");
  }
}

/** Fixed widths: only visible rows are in the document, so widths by content would change while scrolling. */
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
