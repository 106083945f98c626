// Uncertainty: intervals of each tag's metrics, and for two taggers the difference with q and verdict.

const DECIDED = 0.05; // as in arena/base/format.py
const hasIntervals = columnsOf.some((columns) => columns.f1_low !== undefined);

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

/** Two taggers compared tag by tag on F1 or AP: the first minus the second. */
class Comparison {
  constructor(first, second) {
    Object.assign(this, { first, second, place: `${first}.${second}` });
    /** Whether the differences were tested. */
    this.tested = this.column("f1", "q") !== undefined;
  }

  /** A column over tags: difference, low, high, q or higher; undefined if the page has none. */
  column(key, name) {
    return block.column(`${this.place}.${key}.${name}`) ?? (name === "difference" ? this.derived(key) : undefined);
  }

  derived(key) {
    this.made ??= {};
    this.made[key] ??= columnsOf[this.first][key].map((value, tag) => difference(value, columnsOf[this.second][key][tag]));
    return this.made[key];
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

/** Every pair that the page can compare: all pairs of up to five taggers; with more, those with the first tagger. */
const comparisons = data.pairs.map(([first, second]) => new Comparison(first, second));

/** A p or q with two significant digits; only exact 0 and 1 are shown as such, and a value above 0.05 not as 0.05. */
function probability(value) {
  if (value === null || value === undefined) return UNDEFINED;
  if (value < 0.0001) return "<0.0001";
  const text = value >= 0.0995 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
  if (value > DECIDED && Number(text) <= DECIDED) return `>${DECIDED}`;
  if (text === "1.00") return value === 1 ? "1" : ">0.99";
  return text;
}
