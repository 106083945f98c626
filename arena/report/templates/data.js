// The payload, read once. Columns stay the arrays they arrive as: a tag is an index into all of them, a model a number.

const data = JSON.parse(byId("payload").textContent);
const models = data.models;
const tags = data.tags;
const tagCount = tags.name.length;
const MODEL_STYLES = 10;

const FIGURES = [
  { key: "precision", short: "P", name: "Precision" },
  { key: "recall", short: "R", name: "Recall" },
  { key: "f1", short: "F1", name: "F1" },
  { key: "ap", short: "AP", name: "AP" },
];

/** By model number: {precision, recall, f1, ap, tp, fp, fn, tn, threshold}, each an array over tags. */
const columnsOf = models.map((model) => tags.models[model.name]);
const hasCategories = tags.category.some((category) => category);
const isPair = models.length === 2;

function styleOf(model) {
  return model % MODEL_STYLES;
}

function figureName(key) {
  return FIGURES.find((item) => item.key === key).name;
}

/** First model minus second; undefined (null) where one of them is. */
function difference(key, tag) {
  const [first, second] = [columnsOf[0][key][tag], columnsOf[1][key][tag]];
  return first === null || second === null ? null : first - second;
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
