// Export: the displayed rows as CSV, and a link to this view.

/** A byte-order mark: without it, spreadsheets read UTF-8 in another encoding and garble names. */
const BOM = "\ufeff";
const FORMULA = /^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

/** A text cell is always quoted, so that no separator that a spreadsheet guesses can split it. Text that a spreadsheet would
    run as a formula gets a leading apostrophe. */
function csvText(text) {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** A cell: numbers with all digits that the page has, quoted text, and nothing if undefined. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? String(value) : csvText(value);
}

/** Columns [{title, value(tag)}] with all data of a tag: all taggers, all metrics, all compared pairs. */
function csvColumns() {
  const common = [
    { title: "tag", value: (tag) => tags.name[tag] }, { title: "category", value: (tag) => tags.category[tag] },
    { title: "support", value: (tag) => tags.support[tag] }, { title: "compared", value: (tag) => (tags.compared[tag] ? "yes" : "no") },
  ];
  return [...common, ...models.flatMap((_, model) => csvOfModel(model)), ...comparisons.flatMap(csvOfPair)];
}

/** The threshold policy that a column is under, for its title; nothing for the own thresholds and for what needs no threshold. */
function ofPolicy(name) {
  const [, key] = /^(.*?)(?:_low|_high)?$/.exec(name);
  const thresholded = Object.hasOwn(DERIVED, key) || Object.hasOwn(COUNTED_COLUMNS, key);
  return policy === "own" || !thresholded ? "" : ` under ${policyTitle()}`;
}

function csvOfModel(model) {
  const columns = columnsOf[model];
  const figures = FIGURES.flatMap(({ key }) => [key, `${key}_low`, `${key}_high`]);
  return [...figures, "threshold", "tp", "fp", "fn", "tn"].filter((name) => columns[name]).map((name) => {
    const values = columns[name];
    return { title: `${models[model].name} ${name}${ofPolicy(name)}`, value: (tag) => values[tag] };
  });
}

/** Columns of a pair. The verdict is the name of the higher tagger, "undetermined", or empty if not tested. */
function csvOfPair(comparison) {
  const pair = `${models[comparison.first].name} minus ${models[comparison.second].name}`;
  return TESTED.flatMap((key) => {
    const numbers = ["difference", "low", "high", "q"].filter((name) => comparison.column(key, name)).map((name) => {
      const values = comparison.column(key, name);
      return { title: `${pair} ${key} ${name}${ofPolicy(key)}`, value: (tag) => values[tag] };
    });
    const [q, higher] = [comparison.column(key, "q"), comparison.column(key, "higher")];
    const words = (tag) => (q[tag] === null ? null : models[higher[tag]]?.name ?? "undetermined");
    return [...numbers, ...(comparison.testedFor(key) ? [{ title: `${pair} ${key} higher`, value: words }] : [])];
  });
}

/** Rows as CSV (RFC 4180), as a list of strings. */
function csvOf(rows) {
  const columns = csvColumns();
  const line = (cells) => `${cells.join(",")}\r\n`;
  const pieces = [BOM, line(columns.map(({ title }) => csvText(title)))];
  for (const tag of rows) pieces.push(line(columns.map(({ value }) => csvCell(value(tag)))));
  return pieces;
}

/** The file name: dataset, taggers and date, with letters, digits, dots and dashes only. */
function csvName() {
  const day = data.created.slice(0, 10);
  const plain = [data.dataset.name, ...models.map((model) => model.name), day].map((text) => text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 24));
  return `arena-${plain.filter((text) => text).join("-").slice(0, 120)}-tags.csv`;
}

function saveAs(name, pieces) {
  const address = URL.createObjectURL(new Blob(pieces, { type: "text/csv;charset=utf-8" }));
  const link = el("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Copy text; returns whether it succeeded. Falls back to a selection if the clipboard API is denied. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = el("textarea", { readonly: true, "aria-hidden": "true", class: "sr" });
    const before = document.activeElement;
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus({ preventScroll: true });
    return done;
  }
}
