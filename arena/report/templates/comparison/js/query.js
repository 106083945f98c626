// The search box: words of a tag's name, and terms such as cat:meta sup>50 d<-0.05 is:undetermined. All must match.

let fieldNames = null;

/** What a term may call a field -> its column. */
function namesOfFields() {
  fieldNames ??= {
    sup: "support", support: "support", d: "difference", "|d|": "distance", q: "q",
    tp: "tp", fp: "fp", fn: "fn", tn: "tn", ...Object.fromEntries(FIGURES.flatMap(({ key, short }) => [[key, key], [short.toLowerCase(), key]])),
  };
  return fieldNames;
}

const COUNTED = ["support", "tp", "fp", "fn", "tn"];

/** = compares as many digits as were typed, at least two; a whole number is exact. */
function isNear(value, limit, text) {
  if (Number.isInteger(limit)) return value === limit;
  const digits = Math.max(2, text.split(".")[1]?.length ?? 0);
  return Math.abs(value - limit) < 0.5 * 10 ** -digits;
}

const OPERATORS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": isNear,
};
const KEYWORDS = { cat: categoryTest, category: categoryTest, name: wholeNameTest, is: kindTest, better: betterTest, group: groupTest };

/** A quoted text ends at its closing quote or, while it is typed, at the end of the query. */
const TERM = /-?(?:[a-z]+:)?"[^"]*(?:"\S*|$)|\S+/gi;
const COMPARISON = /^(?:(.+)\.)?(\|d\||[a-z0-9_]+)(<=|>=|<|>|=)(.*)$/i;

let foldedNames = null;

/** {matches(tag), problem}: invalid terms are ignored and reported in `problem`, one sentence each. */
function parseQuery(text, view) {
  const parsed = (text.match(TERM) ?? []).map((term) => parseTerm(term, view));
  const tests = parsed.flatMap(({ test }) => test ?? []);
  const problem = [...new Set(parsed.flatMap((one) => one.problem ?? []))].join(". ");
  return { matches: (tag) => tests.every((test) => test(tag)), problem };
}

/** {test(tag)}, {problem}, or both, for one term. Each dash before it negates; a last dash without a word is a word. */
function parseTerm(term, view) {
  const dashes = Math.min(/^-*/.exec(term)[0].length, term.length - 1);
  const { test, problem } = parseWord(term.slice(dashes), view);
  return { test: test && dashes % 2 ? (tag) => !test(tag) : test, problem };
}

function parseWord(term, view) {
  if (/^"[^"]*"?$/.test(term)) return nameTest(unquoted(term));
  const [, keyword, value] = /^([a-z]+):(.*)$/is.exec(term) ?? [];
  if (keyword && Object.hasOwn(KEYWORDS, keyword.toLowerCase())) return keywordTest(keyword.toLowerCase(), value, view);
  const comparison = COMPARISON.exec(term);
  // Only known fields are comparisons, because tags such as >_< or a=b must stay searchable.
  const known = comparison && Object.hasOwn(namesOfFields(), comparison[2].toLowerCase());
  return known ? comparisonTest(comparison, view) : nameTest(term);
}

function unquoted(text) {
  return text.replace(/^"([^"]*)"?$/, "$1");
}

/** A text quoted and clipped for a problem message. */
function quoted(text) {
  return `“${clipped(text, 40)}”`;
}

// Names and categories

function nameTest(text) {
  const wanted = folded(text);
  const names = allFolded();
  return { test: (tag) => names[tag].includes(wanted) };
}

function allFolded() {
  foldedNames ??= tags.name.map(folded);
  return foldedNames;
}

function keywordTest(keyword, value, view) {
  const wanted = unquoted(value).trim();
  return wanted ? KEYWORDS[keyword](wanted, view) : { problem: `${keyword}: needs a word after the colon` };
}

function wholeNameTest(wanted) {
  const [whole, names] = [folded(wanted), allFolded()];
  return { test: (tag) => names[tag] === whole };
}

/** A test by the start of the category's name; without a match no tag is shown and the problem lists the categories. */
function categoryTest(wanted) {
  const start = folded(wanted);
  const all = [...new Set(tags.category)].filter((name) => name);
  const matching = new Set(all.filter((name) => folded(name).startsWith(start)));
  const some = all.slice(0, 8).map((name) => clipped(name, 30));
  const known = all.length ? `categories: ${listed(some)}${all.length > some.length ? " and others" : ""}` : "the tags of this run have no categories";
  return { test: (tag) => matching.has(tags.category[tag]), problem: matching.size ? undefined : `No category begins with ${quoted(wanted)}; ${known}` };
}

function groupTest() {
  return { problem: "group: cannot be searched; this page has tag groups only as slices" };
}

// Verdicts

const UNTESTED = "needs a run of two or more taggers with intervals";

/** Why there are no verdicts on a metric. */
function untested(key, comparison) {
  if (!comparison || !comparisons.some(({ tested }) => tested)) return UNTESTED;
  const [of] = Array.from(models.keys()).filter((model) => comparisons.every(({ first, second }) => first === model || second === model));
  if (!comparison.tested) return `is on this page for the pairs with ${clipped(models[of].name, 40)} only`;
  return `of ${figureName(key)} was computed at the own thresholds only`;
}

function kindTest(wanted, { difference: key, comparison }) {
  if (wanted === "compared") return { test: (tag) => tags.compared[tag] };
  if (wanted !== "undetermined" && wanted !== "decided") {
    return { problem: `is: accepts undetermined, decided or compared, not ${quoted(wanted)}` };
  }
  if (!comparison?.testedFor(key)) return { problem: `is:${wanted} ${untested(key, comparison)}` };
  const [q, higher] = [comparison.column(key, "q"), comparison.column(key, "higher")];
  return { test: (tag) => q[tag] !== null && (higher[tag] !== null) === (wanted === "decided") };
}

/** Tags on which a tagger is significantly higher. */
function betterTest(wanted, { difference: key, comparison }) {
  if (!comparison?.testedFor(key)) return { problem: `better: ${untested(key, comparison)}` };
  const { model, problem } = modelNamed(wanted);
  if (problem) return { problem };
  if (model !== comparison.first && model !== comparison.second) {
    return { problem: `better:${clipped(wanted, 40)} must name one of the two compared taggers: ${comparison.title()}` };
  }
  const higher = comparison.column(key, "higher");
  return { test: (tag) => higher[tag] === model };
}

/** {model} or {problem}: a tagger by name, start of name, or position such as #2. */
function modelNamed(text) {
  const wanted = folded(text);
  const numbers = Array.from(models.keys());
  const finds = [
    (m) => models[m].name === text,
    (m) => folded(models[m].name) === wanted,
    (m) => wanted === `#${m + 1}`,
    (m) => folded(models[m].name).startsWith(wanted),
  ];
  const found = finds.map((matches) => numbers.filter(matches)).find((matching) => matching.length) ?? [];
  if (found.length === 1) return { model: found[0] };
  const named = (found.length ? found : numbers).map((m) => clipped(models[m].name, 40));
  return { problem: found.length ? `${quoted(text)} matches ${listed(named)}` : `No tagger is called ${quoted(text)}; taggers: ${listed(named)}` };
}

// Numbers

function comparisonTest([term, owner, name, operator, text], view) {
  const field = namesOfFields()[name.toLowerCase()];
  const limit = Number(text.replace(MINUS, "-"));
  if (text === "" || Number.isNaN(limit)) {
    return { problem: `${quoted(term)} needs a number, such as ${name}${operator}${COUNTED.includes(field) ? 50 : 0.5}` };
  }
  const { columns, problem } = columnsNamed(field, owner, view);
  if (problem) return { problem };
  const compare = OPERATORS[operator];
  if (field === "distance") return { test: (tag) => compare(Math.abs(columns[0][tag]), limit, text) };
  if (columns.length === 1) return { test: (tag) => compare(columns[0][tag], limit, text) };
  return { test: (tag) => columns.some((column) => compare(column[tag], limit, text)) };
}

/** {columns}, of which any must match, or {problem}: a metric without a tagger's name means any tagger. */
function columnsNamed(field, owner, { difference: key, comparison }) {
  if (field === "support") return { columns: [numbersOf(tags.support)] };
  if (field === "q" && !comparison?.testedFor(key)) return { problem: `q ${untested(key, comparison)}` };
  if (field === "q") return { columns: [numbersOf(comparison.column(key, "q"))] };
  if (field === "difference" || field === "distance") {
    return comparison ? { columns: [numbersOf(comparison.column(key, "difference"))] } : { problem: "d needs a run of two or more taggers" };
  }
  if (owner === undefined) return { columns: columnsOf.map((columns) => numbersOf(columns[field])) };
  const { model, problem } = modelNamed(unquoted(owner));
  return problem ? { problem } : { columns: [numbersOf(columnsOf[model][field])] };
}
