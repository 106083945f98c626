// The panel under an open row: full name, why the tag is not compared, metrics with intervals, counts, and evidence.

const DETAIL_COLUMNS = [
  ["Threshold", (columns, tag) => columns.threshold[tag] ?? UNDEFINED],
  ["TP", (columns, tag) => count(columns.tp[tag])],
  ["FP", (columns, tag) => count(columns.fp[tag])],
  ["FN", (columns, tag) => count(columns.fn[tag])],
  ["TN", (columns, tag) => count(columns.tn[tag])],
];

function detailBox(tag, comparison) {
  const why = whyNotCompared(tag);
  return el(
    "div",
    { class: "detail-box", tabindex: "0", role: "group", "aria-label": "Counts and evidence" },
    el("h3", { class: "full" }, el("bdi", {}, tags.name[tag])),
    el("p", { class: "hint" }, supportSentence(tag), why ? ` ${why}` : "", lacksCounts(tag) ? ` This page has counts under ${policyTitle()} for compared tags only.` : ""),
    detailTable(tag),
    ...differenceLines(tag, comparison),
    tagCurves(tag),
    ...evidenceOf(tag),
  );
}

/** Differences in F1 and AP, first tagger minus second: interval, q, verdict. */
function differenceLines(tag, comparison) {
  if (!comparison?.tested) return [];
  const lines = TESTED.filter((key) => comparison.atOwn(key, "q")[tag] !== null).map((key) => {
    const [value, low, high, q, higher] = ["difference", "low", "high", "q", "higher"].map((name) => comparison.atOwn(key, name)[tag]);
    const ends = low === null ? null : [low, high];
    const numbers = `${signed(value, knownDigits(ends))} ${rangeText(ends, signed)}, q ${probability(q)}`;
    const where = policy === "own" || key === "ap" ? "" : " at own thresholds";
    const pair = models.length > 2 ? ` (${comparison.title()})` : "";
    return el("li", {}, `Difference in ${figureName(key)}${where}${pair} ${numbers}: `, el("b", {}, higher === null ? "undetermined" : `${clipped(models[higher].name, 60)} is higher`), ".");
  });
  return lines.length ? [el("ul", { class: "differences" }, ...lines)] : [];
}

function figureDetail(model, key, tag) {
  const ends = rangeText(intervalOf(model, key, tag));
  return el("td", { class: "num" }, el("span", {}, tagFigure(model, key, tag)), ends ? el("small", {}, ends) : "");
}

function supportSentence(tag) {
  const images = knownImages[tag];
  const share = percent(tags.support[tag], images);
  const category = tags.category[tag] ? `Category ${tags.category[tag]}. ` : "";
  const support = `${count(tags.support[tag])} of ${plural(images, "image", "images")}${images === IMAGES ? "" : " in which it is known"} have it`;
  return `${category}${support} (${share}, about the AP of random scores).`;
}

function detailTable(tag) {
  const head = el("tr", {}, el("th", { scope: "col" }, "Tagger"), ...[...STANDARD.map((item) => item.short), ...DETAIL_COLUMNS.map(([label]) => label)].map((label) => el("th", { scope: "col", class: "num" }, label)));
  const rows = models.map((model, m) => {
    const who = el("span", { class: "who" }, marker(styleOf(m)), isolated(model.name));
    const cells = DETAIL_COLUMNS.map(([, text]) => el("td", { class: "num" }, text(columnsOf[m], tag)));
    const figures = STANDARD.map((item) => figureDetail(m, item.key, tag));
    return el("tr", {}, el("th", { scope: "row" }, who), ...figures, ...cells);
  });
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows));
}
