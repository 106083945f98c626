// The search box: words of a tag's name, and comparisons such as cat:meta sup>50 d<-0.05 q<=0.05. All terms must hold.

const FIELD_NAMES = {
  sup: "support", support: "support", d: "difference", q: "q",
  p: "precision", precision: "precision", r: "recall", recall: "recall", f1: "f1", ap: "ap",
};
const OPERATORS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
};

let lowerNames = null;

/** Names in lower case, made when the first search needs them. */
function lowerName(tag) {
  lowerNames ??= tags.name.map((name) => name.toLowerCase());
  return lowerNames[tag];
}

/** {matches(tag), problem}: terms that cannot be read are left out and named in `problem`. */
function parseQuery(text, view) {
  const tests = [];
  let problem = "";
  for (const term of text.match(/-?"[^"]*"|\S+/g) ?? []) {
    const parsed = parseTerm(term, view);
    if (parsed.problem) problem = parsed.problem;
    else tests.push(parsed.test);
  }
  return { matches: (tag) => tests.every((test) => test(tag)), problem };
}

function parseTerm(term, view) {
  if (term.length > 1 && term.startsWith("-")) {
    const inner = parseTerm(term.slice(1), view);
    return inner.problem ? inner : { test: (tag) => !inner.test(tag) };
  }
  if (/^".*"$/.test(term)) return nameTest(term.slice(1, -1));
  const category = /^(?:cat|category):(.+)$/i.exec(term);
  if (category) return categoryTest(category[1].toLowerCase());
  const comparison = /^([a-z0-9]+)(<=|>=|<|>|=)(.*)$/i.exec(term);
  const field = comparison && Object.hasOwn(FIELD_NAMES, comparison[1].toLowerCase());
  // Only known fields are comparisons: tags such as >_< or a=b must stay searchable.
  return field ? comparisonTest(term, comparison, view) : nameTest(term);
}

function nameTest(text) {
  const wanted = text.toLowerCase();
  return { test: (tag) => lowerName(tag).includes(wanted) };
}

function categoryTest(wanted) {
  return { test: (tag) => (tags.category[tag] ?? "").toLowerCase().startsWith(wanted) };
}

function comparisonTest(term, [, name, operator, text], { difference: key, comparison }) {
  const field = FIELD_NAMES[name.toLowerCase()];
  const limit = Number(text.replace(MINUS, "-"));
  if (text === "" || Number.isNaN(limit)) return { problem: `“${clipped(term, 40)}” needs a number, as in ${name}${operator}0.5` };
  if (field === "difference" && !comparison) return { problem: "d compares two taggers" };
  const holds = (value) => value !== null && OPERATORS[operator](value, limit);
  if (field === "support") return { test: (tag) => holds(tags.support[tag]) };
  if (field === "q" && !comparison?.tested) return { problem: "q compares two taggers, in a run with intervals" };
  if (field === "q") return { test: (tag) => holds(comparison.q(key, tag)) };
  if (field === "difference") return { test: (tag) => holds(comparison.difference(key, tag)) };
  return { test: (tag) => columnsOf.some((columns) => holds(columns[field][tag])) };
}
