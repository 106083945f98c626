// Columns as typed arrays, to search and sort thousands of tags between two keystrokes; NaN means undefined.

const typed = new WeakMap();
const orders = new WeakMap();

/** A column of numbers or nulls as a typed array; made once for each column. */
function numbersOf(column) {
  if (!typed.has(column)) typed.set(column, Float64Array.from(column, (value) => (value === null ? NaN : value)));
  return typed.get(column);
}

const collator = new Intl.Collator("en", { numeric: true });

/** Ranks of texts as people sort them: tag_2 before tag_10, é after e; NaN for empty texts. */
function ranksOf(texts) {
  const sorted = [...new Set(texts)].filter((text) => text).sort((a, b) => collator.compare(a, b) || (a < b ? -1 : 1));
  const places = new Map(sorted.map((text, place) => [text, place]));
  return Float64Array.from(texts, (text) => places.get(text) ?? NaN);
}

const nameRanks = ranksOf(tags.name); // breaks every tie
const categoryRanks = ranksOf(tags.category);

/** All tags sorted by a typed column: undefined last in both directions, ties by name. Cached. */
function orderBy(values, descending) {
  if (!orders.has(values)) orders.set(values, {});
  const cached = orders.get(values);
  return (cached[descending] ??= sortedBy(values, descending ? -1 : 1));
}

function sortedBy(values, sign) {
  const all = Int32Array.from({ length: tagCount }, (_, tag) => tag);
  const byName = (a, b) => nameRanks[a] - nameRanks[b];
  const defined = all.filter((tag) => !Number.isNaN(values[tag])).sort((a, b) => sign * (values[a] - values[b]) || byName(a, b));
  const undefinedOnes = all.filter((tag) => Number.isNaN(values[tag])).sort(byName);
  all.set(defined);
  all.set(undefinedOnes, defined.length);
  return all;
}
