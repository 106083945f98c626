// How sure the figures are: intervals of each tag's figures, and of two taggers the difference with its q and verdict.

const DECIDED = 0.05; // as in arena/base/format.py
const hasIntervals = columnsOf.some((columns) => columns.f1_low !== undefined);

/** [low, high] of a model's figure, or null. */
function intervalOf(model, key, tag) {
  const [low, high] = [columnsOf[model][`${key}_low`]?.[tag], columnsOf[model][`${key}_high`]?.[tag]];
  return low === null || low === undefined || high === null ? null : [low, high];
}

/** Both ends as shown; "" without an interval. */
function rangeText(ends, show = figure) {
  return ends === null ? "" : `[${show(ends[0])}, ${show(ends[1])}]`;
}

/** Two taggers tag by tag, by F1 or AP: the first's figure less the second's. */
class Comparison {
  constructor(first, second) {
    Object.assign(this, { first, second, place: `${first}.${second}` });
    /** Whether the run says how sure a difference is. */
    this.tested = this.column("f1", "q") !== undefined;
  }

  /** A column over tags: difference, low, high, q or higher; undefined where the page has none. */
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

  q(key, tag) {
    return this.of(key, "q", tag);
  }

  /** The number of the tagger that is higher beyond doubt, or null. */
  higher(key, tag) {
    return this.of(key, "higher", tag);
  }

  /** The verdict on a tag in words; "" where nothing was tested. */
  verdict(key, tag) {
    if (this.q(key, tag) === null) return "";
    const higher = this.higher(key, tag);
    return higher === null ? "undetermined" : `${clipped(models[higher].name, 60)} is higher`;
  }

  title() {
    return `${clipped(models[this.first].name, 40)} ${MINUS} ${clipped(models[this.second].name, 40)}`;
  }
}

/** Every pair that the page can compare tag by tag: all of up to five taggers; of more, those with the first. */
const comparisons = data.pairs.map(([first, second]) => new Comparison(first, second));

/** Two significant digits; never 0 or 1 for what is not, nor 0.05 for what is above it. */
function probability(value) {
  if (value === null || value === undefined) return UNDEFINED;
  if (value < 0.0001) return "<0.0001";
  const text = value >= 0.0995 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
  if (value > DECIDED && Number(text) <= DECIDED) return `>${DECIDED}`;
  if (text === "1.00") return value === 1 ? "1" : ">0.99";
  return text;
}
