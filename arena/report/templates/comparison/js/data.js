// The payload, read once. Columns are arrays indexed by tag; a model is a number.

const data = JSON.parse(byId("payload").textContent);
const models = data.models;
const block = new Block(await inflated("tag-block"));
const tags = Object.fromEntries(["name", "category", "support", "compared"].map((name) => [name, block.column(name)]));
const tagCount = tags.name.length;
const MODEL_STYLES = 10;
/** Number of images that the counts of a tag add up to: in a weighted sample, the sum of the weights. */
const IMAGES = data.dataset.weighted_images ?? data.dataset.images;
/** The same for each tag; where cells are unknown, that of the images in which the tag is known. */
const knownImages = block.column("known") ?? tags.name.map(() => IMAGES);

/** Metrics that can be a column of the table of tags: {key, short, name, about, standard, tested}. */
const FIGURES = data.metrics;
const STANDARD = FIGURES.filter(({ standard }) => standard);
const TESTED = FIGURES.filter(({ tested }) => tested).map(({ key }) => key);

/** Columns derived from a model's counts if the block does not contain them; null if undefined. Under a threshold policy `fp` is
    null, at least 1 but unknown, where no prediction is true. */
const DERIVED = {
  fn: (tp, fp, support) => support - tp,
  tn: (tp, fp, support) => (fp === null ? null : IMAGES - fp - support),
  precision: (tp, fp) => (fp === null ? 0 : share(tp, tp + fp)),
  recall: (tp, fp, support) => share(tp, support),
  f1: (tp, fp, support) => (fp === null ? 0 : share(2 * tp, tp + fp + support)),
  f2: (tp, fp, support) => (fp === null ? 0 : share(5 * tp, tp + fp + 4 * support)),
  mcc: matthews,
  informedness: (tp, fp, support) => (fp === null ? null : difference(share(tp, support), share(fp, IMAGES - support))),
};

function matthews(tp, fp, support) {
  if (fp === null) return null;
  const [fn, negatives] = [support - tp, IMAGES - support];
  const tn = negatives - fp;
  return share(tp * tn - fp * fn, Math.sqrt(tp + fp) * Math.sqrt(support) * Math.sqrt(negatives) * Math.sqrt(tn + fn));
}

function difference(one, other) {
  return one === null || other === null ? null : one - other;
}

/** Ends of intervals derived from counts, for a run with intervals and independent images. */
const DERIVED_ENDS = {
  precision: (tp, fp) => (fp === null ? [null, null] : wilson(tp, tp + fp)),
  recall: (tp, fp, support) => wilson(tp, support),
  f1: (tp, fp, support) => (fp === null ? [null, null] : wilson(tp, fp + support)).map((end) => (end === null ? null : (2 * end) / (1 + end))),
};
const SPREAD = 1.959963984540054 ** 2; // square of the normal quantile for 95 %

/** [low, high] of Wilson's interval, computed in the same steps as arena/metrics/intervals.py. */
function wilson(successes, trials) {
  if (trials === 0) return [null, null];
  const proportion = successes / trials;
  const whole = trials + SPREAD;
  const centre = (trials * proportion + SPREAD / 2) / whole;
  const half = Math.sqrt(SPREAD * (trials * proportion * (1 - proportion) + SPREAD / 4)) / whole;
  const low = proportion === 0 ? 0 : Math.min(Math.max(centre - half, 0), proportion);
  return [low, proportion === 1 ? 1 : Math.min(Math.max(centre + half, proportion), 1)];
}

function share(part, whole) {
  return whole === 0 ? null : part / whole;
}

/** One model's columns over tags: metrics, counts and ends of intervals; each is computed on first use. */
class ModelColumns {
  constructor(model) {
    this.model = model;
    const names = ["threshold", "tp", "fp", ...Object.keys(DERIVED), ...FIGURES.flatMap(({ key }) => [key, `${key}_low`, `${key}_high`])];
    for (const name of new Set(names)) {
      Object.defineProperty(this, name, { get: () => this.stored(name) ?? this.derived(name) });
    }
  }

  stored(name) {
    return block.column(`${this.model}.${name}`);
  }

  derived(name) {
    const formula = this.formula(name);
    if (!formula) return undefined;
    this.made ??= {};
    this.made[name] ??= this.tp.map((tp, tag) => (tp === null ? null : formula(tp, this.fp[tag], tags.support[tag])));
    return this.made[name];
  }

  /** The formula of a derived column. Ends of intervals are derived only if AP has intervals, that is, if the run has any. */
  formula(name) {
    const [, key, end] = /^(.*)_(low|high)$/.exec(name) ?? [];
    if (!Object.hasOwn(DERIVED_ENDS, key ?? "")) return DERIVED[name];
    return this.ap_low && ((...counts) => DERIVED_ENDS[key](...counts)[end === "low" ? 0 : 1]);
  }
}

/** The columns at the models' own thresholds, and those under the threshold policy of the page (see policies.js). */
const ownColumns = models.map((_, model) => new ModelColumns(model));
const columnsOf = [...ownColumns];
const hasCategories = tags.category.some((category) => category);

function styleOf(model) {
  return model % MODEL_STYLES;
}

function figureName(key) {
  return FIGURES.find((item) => item.key === key).name;
}

/** Whether a model knows a tag: it has counts for exactly the tags that it knows. */
function knows(model, tag) {
  return ownColumns[model].tp[tag] !== null;
}

/** Why a tag is not in the means, as a sentence; "" if it is. */
function whyNotCompared(tag) {
  if (tags.compared[tag]) return "";
  const reasons = [];
  const unaware = models.filter((_, model) => !knows(model, tag)).map((model) => model.name);
  if (unaware.length) reasons.push(`${listed(unaware)} ${unaware.length > 1 ? "do" : "does"} not know it`);
  if (tags.support[tag] < data.min_positives) {
    reasons.push(`${plural(tags.support[tag], "positive image", "positive images")}, fewer than ${data.min_positives}`);
  }
  return `Not compared: ${reasons.length ? reasons.join("; ") : "this run excluded it from the means"}.`;
}
