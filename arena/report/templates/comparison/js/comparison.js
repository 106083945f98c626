// Uncertainty: intervals of each tag's metrics, and for two taggers the difference with q and verdict.

const DECIDED = 0.05; // as in arena/base/format.py
const hasIntervals = ownColumns.some((columns) => columns.f1_low !== undefined);

/** [low, high] of a model's metric, or null. */
function intervalOf(model, key, tag) {
  const [low, high] = [columnsOf[model][`${key}_low`]?.[tag], columnsOf[model][`${key}_high`]?.[tag]];
  return low === null || low === undefined || high === null ? null : [low, high];
}

/** How many digits of a model's metric of a tag are known: by its interval, else by the tag's support. */
function tagDigits(model, key, tag) {
  const ends = intervalOf(model, key, tag);
  return ends ? knownDigits(ends) : digitsOfSupport(tags.support[tag]);
}

/** A model's metric of a tag with the digits that are known. */
function tagFigure(model, key, tag) {
  return figure(columnsOf[model][key][tag], tagDigits(model, key, tag));
}

/** Two taggers compared tag by tag on F1 or AP: the first minus the second. F1 is that under the threshold policy of the page;
    its differences were tested at the own thresholds only. */
class Comparison {
  constructor(first, second) {
    Object.assign(this, { first, second, place: `${first}.${second}` });
    /** Whether the differences were tested at the own thresholds. */
    this.tested = this.stored("ap", "q") !== undefined;
  }

  /** Whether the differences of a metric under the policy of the page were tested. */
  testedFor(key) {
    return this.column(key, "q") !== undefined;
  }

  /** A column over tags: difference, low, high, q or higher; undefined if the page has none. */
  column(key, name) {
    const untested = policy !== "own" && key !== "ap";
    return (untested ? undefined : this.stored(key, name)) ?? (name === "difference" ? this.derived(key) : undefined);
  }

  /** A column of the page; the pair may be stored the other way round. */
  stored(key, name) {
    const column = block.column(`${this.place}.${key}.${name}`);
    if (column !== undefined) return column;
    const turned = { low: "high", high: "low" }[name] ?? name;
    const values = block.column(`${this.second}.${this.first}.${key}.${turned}`);
    if (values === undefined || name === "q" || name === "higher") return values;
    return this.once(`${key}.${name}`, () => values.map((value) => (value === null ? null : 0 - value)));
  }

  /** The same at the own thresholds, whatever the policy of the page. */
  atOwn(key, name) {
    return this.stored(key, name) ?? (name === "difference" ? this.derived(key, "own", ownColumns) : undefined);
  }

  derived(key, under = policy, columns = columnsOf) {
    const [first, second] = [this.first, this.second].map((model) => columns[model][key]);
    return this.once(`${under}.${key}`, () => first.map((value, tag) => difference(value, second[tag])));
  }

  once(name, make) {
    this.made ??= new Map();
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name);
  }

  of(key, name, tag) {
    return this.column(key, name)?.[tag] ?? null;
  }

  difference(key, tag) {
    return this.of(key, "difference", tag);
  }

  /** [low, high] of the difference, or null. */
  interval(key, tag) {
    const low = this.of(key, "low", tag);
    return low === null ? null : [low, this.of(key, "high", tag)];
  }

  /** The difference as text, with the digits that are known. */
  differenceText(key, tag) {
    const ends = this.interval(key, tag);
    return signed(this.difference(key, tag), ends ? knownDigits(ends) : digitsOfSupport(tags.support[tag]));
  }

  q(key, tag) {
    return this.of(key, "q", tag);
  }

  /** The number of the significantly higher tagger, or null. */
  higher(key, tag) {
    return this.of(key, "higher", tag);
  }

  /** The verdict on a tag as text; "" if nothing was tested. */
  verdict(key, tag) {
    if (this.q(key, tag) === null) return "";
    const higher = this.higher(key, tag);
    return higher === null ? "undetermined" : `${clipped(models[higher].name, 60)} is higher`;
  }

  title() {
    return `${clipped(models[this.first].name, 40)} ${MINUS} ${clipped(models[this.second].name, 40)}`;
  }
}

const compared = new Map();

/** The comparison of two taggers, by number; the same one for each call. */
function comparisonOf(first, second) {
  const place = `${first}.${second}`;
  if (!compared.has(place)) compared.set(place, new Comparison(first, second));
  return compared.get(place);
}

/** The comparison with this `place`; undefined if it names no pair of taggers. */
function comparisonAt(place) {
  const [first, second] = (/^\d+\.\d+$/.test(place ?? "") ? place : "").split(".").map(Number);
  const known = first !== second && models[first] && models[second];
  return known ? comparisonOf(first, second) : undefined;
}

/** The pairs whose differences were tested tag by tag: all pairs of up to five taggers; with more, those with the best. */
const comparisons = data.pairs.map(([first, second]) => comparisonOf(first, second));
/** The pair that the page shows first; null for one tagger. */
const bestComparison = data.best_pair ? comparisonOf(...data.best_pair) : null;

/** A p or q with two significant digits; only exact 0 and 1 are shown as such, and a value above 0.05 not as 0.05. */
function probability(value) {
  if (value === null || value === undefined) return UNDEFINED;
  if (value < 0.0001) return "<0.0001";
  const text = value >= 0.0995 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
  if (value > DECIDED && Number(text) <= DECIDED) return `>${DECIDED}`;
  if (text === "1.00") return value === 1 ? "1" : ">0.99";
  return text;
}
