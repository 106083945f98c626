// The search box: words of a tag's name, and terms such as cat:meta sup>50 d<-0.05 is:undetermined. All of them must hold.

const FIELD_NAMES = {
  sup: "support", support: "support", d: "difference", "|d|": "distance", q: "q",
  tp: "tp", fp: "fp", fn: "fn", tn: "tn", ...Object.fromEntries(FIGURES.flatMap(({ key, short }) => [[key, key], [short.toLowerCase(), key]])),
};
const COUNTED = ["support", "tp", "fp", "fn", "tn"];
const SHOWN_ALIKE = 0.00005; // figures have four digits on the page, and = means as shown
const OPERATORS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => Math.abs(a - b) < SHOWN_ALIKE,
};
const KEYWORDS = { cat: categoryTest, category: categoryTest, name: wholeNameTest, is: kindTest, better: betterTest, group: groupTest };

/** A quoted text goes on to its closing quote, or, while it is being typed, to the end. */
const TERM = /-?(?:[a-z]+:)?"[^"]*(?:"\S*|$)|\S+/gi;
const COMPARISON = /^(?:(.+)\.)?(\|d\||[a-z0-9_]+)(<=|>=|<|>|=)(.*)$/i;

let lowerNames = null;

/** {matches(tag), problem}: terms that cannot be read are left out and told in `problem`, a sentence each. */
function parseQuery(text, view) {
  const parsed = (text.match(TERM) ?? []).map((term) => parseTerm(term, view));
  const tests = parsed.flatMap(({ test }) => test ?? []);
  const problem = [...new Set(parsed.flatMap((one) => one.problem ?? []))].join(". ");
  return { matches: (tag) => tests.every((test) => test(tag)), problem };
}

/** Of one term {test(tag)}, {problem}, or both. */
function parseTerm(term, view) {
  if (term.length > 1 && term.startsWith("-")) {
    const { test, problem } = parseTerm(term.slice(1), view);
    return { test: test && ((tag) => !test(tag)), problem };
  }
  if (/^"[^"]*"?$/.test(term)) return nameTest(unquoted(term));
  const [, keyword, value] = /^([a-z]+):(.*)$/is.exec(term) ?? [];
  if (keyword && Object.hasOwn(KEYWORDS, keyword.toLowerCase())) return keywordTest(keyword.toLowerCase(), value, view);
  const comparison = COMPARISON.exec(term);
  // Only known fields are comparisons: tags such as >_< or a=b must stay searchable.
  const known = comparison && Object.hasOwn(FIELD_NAMES, comparison[2].toLowerCase());
  return known ? comparisonTest(comparison, view) : nameTest(term);
}

function unquoted(text) {
  return text.replace(/^"([^"]*)"?$/, "$1");
}

/** A text in the words of a problem. */
function quoted(text) {
  return `“${clipped(text, 40)}”`;
}

// Names and categories

function nameTest(text) {
  const wanted = text.toLowerCase();
  lowerNames ??= tags.name.map((name) => name.toLowerCase());
  return { test: (tag) => lowerNames[tag].includes(wanted) };
}

function keywordTest(keyword, value, view) {
  const wanted = unquoted(value).trim();
  return wanted ? KEYWORDS[keyword](wanted, view) : { problem: `${keyword}: needs a word after it` };
}

function wholeNameTest(wanted) {
  const lower = wanted.toLowerCase();
  return { test: (tag) => tags.name[tag].length === wanted.length && tags.name[tag].toLowerCase() === lower };
}

/** By the beginning of the category's name; a beginning that none has shows no tag, and says which there are. */
function categoryTest(wanted) {
  const lower = wanted.toLowerCase();
  const all = [...new Set(tags.category)].filter((name) => name);
  const fitting = new Set(all.filter((name) => name.toLowerCase().startsWith(lower)));
  const some = all.slice(0, 8).map((name) => clipped(name, 30));
  const known = all.length ? `there ${all.length === 1 ? "is" : "are"} ${listed(some)}${all.length > some.length ? " and others" : ""}` : "no tag has one here";
  return { test: (tag) => fitting.has(tags.category[tag]), problem: fitting.size ? undefined : `No category begins with ${quoted(wanted)}; ${known}` };
}

function groupTest() {
  return { problem: "group: finds nothing, since a page knows groups of tags only as slices" };
}

// Verdicts

const UNTESTED = "compares two taggers, in a run with intervals";

function kindTest(wanted, { difference: key, comparison }) {
  if (wanted === "compared") return { test: (tag) => tags.compared[tag] };
  if (wanted !== "undetermined" && wanted !== "decided") {
    return { problem: `is: takes undetermined, decided or compared, not ${quoted(wanted)}` };
  }
  if (!comparison?.tested) return { problem: `is:${wanted} ${UNTESTED}` };
  const [q, higher] = [comparison.column(key, "q"), comparison.column(key, "higher")];
  return { test: (tag) => q[tag] !== null && (higher[tag] !== null) === (wanted === "decided") };
}

/** Beyond doubt, not by its figure alone. */
function betterTest(wanted, { difference: key, comparison }) {
  if (!comparison?.tested) return { problem: `better: ${UNTESTED}` };
  const { model, problem } = modelNamed(wanted);
  if (problem) return { problem };
  if (model !== comparison.first && model !== comparison.second) {
    return { problem: `better:${clipped(wanted, 40)} needs it to be one of the two compared, which are ${comparison.title()}` };
  }
  const higher = comparison.column(key, "higher");
  return { test: (tag) => higher[tag] === model };
}

/** {model} or {problem}: by its name, the beginning of its name, or #2 for the second. */
function modelNamed(text) {
  const wanted = text.toLowerCase();
  const numbers = Array.from(models.keys());
  const finds = [
    (m) => models[m].name === text,
    (m) => models[m].name.toLowerCase() === wanted,
    (m) => wanted === `#${m + 1}`,
    (m) => models[m].name.toLowerCase().startsWith(wanted),
  ];
  const found = finds.map((fits) => numbers.filter(fits)).find((fitting) => fitting.length) ?? [];
  if (found.length === 1) return { model: found[0] };
  const named = (found.length ? found : numbers).map((m) => clipped(models[m].name, 40));
  return { problem: found.length ? `${quoted(text)} fits ${listed(named)}` : `No tagger is called ${quoted(text)}; there ${named.length === 1 ? "is" : "are"} ${listed(named)}` };
}

// Numbers

function comparisonTest([term, owner, name, operator, text], view) {
  const field = FIELD_NAMES[name.toLowerCase()];
  const limit = Number(text.replace(MINUS, "-"));
  if (text === "" || Number.isNaN(limit)) {
    return { problem: `${quoted(term)} needs a number, as in ${name}${operator}${COUNTED.includes(field) ? 50 : 0.5}` };
  }
  const { columns, problem } = columnsNamed(field, owner, view);
  if (problem) return { problem };
  const holds = OPERATORS[operator];
  if (field === "distance") return { test: (tag) => holds(Math.abs(columns[0][tag]), limit) };
  if (columns.length === 1) return { test: (tag) => holds(columns[0][tag], limit) };
  return { test: (tag) => columns.some((column) => holds(column[tag], limit)) };
}

/** {columns}, of which one has to hold, or {problem}: a figure without a name is that of any tagger. */
function columnsNamed(field, owner, { difference: key, comparison }) {
  if (field === "support") return { columns: [numbersOf(tags.support)] };
  if (field === "q" && !comparison?.tested) return { problem: `q ${UNTESTED}` };
  if (field === "q") return { columns: [numbersOf(comparison.column(key, "q"))] };
  if (field === "difference" || field === "distance") {
    return comparison ? { columns: [numbersOf(comparison.column(key, "difference"))] } : { problem: "d compares two taggers" };
  }
  if (owner === undefined) return { columns: columnsOf.map((columns) => numbersOf(columns[field])) };
  const { model, problem } = modelNamed(unquoted(owner));
  return problem ? { problem } : { columns: [numbersOf(columnsOf[model][field])] };
}
