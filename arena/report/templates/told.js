// How sure the figures are: intervals of each tag's figures, and of two taggers the difference with its q and verdict.

/** {f1, ap}: {low, high, q, higher}, arrays over tags; null unless two taggers were compared with intervals. */
const pair = tags.pair;
const DECIDED = 0.05; // as in figures.py
const hasIntervals = columnsOf.some((columns) => "f1_low" in columns);

/** [low, high] of a model's figure, or null. */
function intervalOf(model, key, tag) {
  const [low, high] = [columnsOf[model][`${key}_low`]?.[tag], columnsOf[model][`${key}_high`]?.[tag]];
  return low === null || low === undefined || high === null ? null : [low, high];
}

/** Both ends as shown; "" without an interval. */
function rangeText(ends, show = figure) {
  return ends === null ? "" : `[${show(ends[0])}, ${show(ends[1])}]`;
}

/** [low, high] of the difference of two taggers, or null. */
function differenceInterval(key, tag) {
  const low = pair?.[key].low[tag] ?? null;
  return low === null ? null : [low, pair[key].high[tag]];
}

function qOf(key, tag) {
  return pair === null ? null : pair[key].q[tag];
}

/** The number of the tagger that is higher beyond doubt, or null. */
function higherOf(key, tag) {
  return pair?.[key].higher[tag] ?? null;
}

/** Two significant digits; never 0 or 1 for what is not, nor 0.05 for what is above it. */
function probability(value) {
  if (value === null || value === undefined) return UNDEFINED;
  if (value < 0.0001) return "<0.0001";
  const text = value >= 0.1 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
  if (value > DECIDED && Number(text) <= DECIDED) return `>${DECIDED}`;
  if (text === "1.00") return value === 1 ? "1" : ">0.99";
  return text;
}

/** The verdict on a tag in words; "" where nothing was tested. */
function verdictOf(key, tag) {
  if (qOf(key, tag) === null) return "";
  const higher = higherOf(key, tag);
  return higher === null ? "undetermined" : `${clipped(models[higher].name, 60)} is higher`;
}
