// The payload, read once. Columns are arrays: a tag is an index into all of them, a model a number.

const data = JSON.parse(byId("payload").textContent);
const models = data.models;
const block = new Block(await inflated("tag-block"));
const tags = Object.fromEntries(["name", "category", "support", "compared"].map((name) => [name, block.column(name)]));
const tagCount = tags.name.length;
const MODEL_STYLES = 10;

const FIGURES = [
  { key: "precision", short: "P", name: "Precision" },
  { key: "recall", short: "R", name: "Recall" },
  { key: "f1", short: "F1", name: "F1" },
  { key: "ap", short: "AP", name: "AP" },
];

/** What follows from a model's counts of a tag, where the block has no column of it; null where undefined. */
const DERIVED = {
  fn: (tp, fp, support) => support - tp,
  tn: (tp, fp, support) => data.dataset.images - fp - support,
  precision: (tp, fp) => share(tp, tp + fp),
  recall: (tp, fp, support) => share(tp, support),
  f1: (tp, fp, support) => share(2 * tp, tp + fp + support),
};

function share(part, whole) {
  return whole === 0 ? null : part / whole;
}

/** One model's columns over tags: figures, counts and ends of intervals; each is made when it is first asked for. */
class ModelColumns {
  constructor(model) {
    for (const name of ["threshold", "tp", "fp", "ap", ...Object.keys(DERIVED), ...FIGURES.flatMap(({ key }) => [`${key}_low`, `${key}_high`])]) {
      Object.defineProperty(this, name, { get: () => block.column(`${model}.${name}`) ?? this.derived(name) });
    }
  }

  derived(name) {
    if (!(name in DERIVED)) return undefined;
    this.made ??= {};
    this.made[name] ??= this.tp.map((tp, tag) => (tp === null ? null : DERIVED[name](tp, this.fp[tag], tags.support[tag])));
    return this.made[name];
  }
}

const columnsOf = models.map((_, model) => new ModelColumns(model));
const hasCategories = tags.category.some((category) => category);

function styleOf(model) {
  return model % MODEL_STYLES;
}

function figureName(key) {
  return FIGURES.find((item) => item.key === key).name;
}

/** A model that lacks a tag has no counts for it; one that has it always has. */
function knows(model, tag) {
  return columnsOf[model].tp[tag] !== null;
}

/** Why a tag does not enter the means, as a sentence; "" if it does. */
function whyNotCompared(tag) {
  if (tags.compared[tag]) return "";
  const reasons = [];
  const strangers = models.filter((_, model) => !knows(model, tag)).map((model) => model.name);
  if (strangers.length) reasons.push(`${listed(strangers)} ${strangers.length > 1 ? "do" : "does"} not know it`);
  if (tags.support[tag] < data.min_positives) {
    reasons.push(`${plural(tags.support[tag], "positive image", "positive images")}, fewer than ${data.min_positives}`);
  }
  return `Not compared: ${reasons.length ? reasons.join("; ") : "left out of the means by this run"}.`;
}
