// What opens under a row: the whole name, why a tag is not compared, and the counts behind the figures.

const DETAIL_COLUMNS = [
  ["P", (columns, tag) => figure(columns.precision[tag])],
  ["R", (columns, tag) => figure(columns.recall[tag])],
  ["F1", (columns, tag) => figure(columns.f1[tag])],
  ["AP", (columns, tag) => figure(columns.ap[tag])],
  ["Threshold", (columns, tag) => columns.threshold[tag] ?? UNDEFINED],
  ["TP", (columns, tag) => count(columns.tp[tag])],
  ["FP", (columns, tag) => count(columns.fp[tag])],
  ["FN", (columns, tag) => count(columns.fn[tag])],
  ["TN", (columns, tag) => count(columns.tn[tag])],
];

function detailBox(tag) {
  const why = whyNotCompared(tag);
  return el(
    "div",
    { class: "detail-box", tabindex: "0", role: "group", "aria-label": "Counts" },
    el("p", { class: "full" }, el("bdi", {}, tags.name[tag])),
    el("p", { class: "hint" }, supportSentence(tag), why ? ` ${why}` : ""),
    detailTable(tag),
  );
}

function supportSentence(tag) {
  const { images } = data.dataset;
  const share = percent(tags.support[tag], images);
  const category = tags.category[tag] ? `Category ${tags.category[tag]}. ` : "";
  const support = `${count(tags.support[tag])} of ${plural(images, "image", "images")} have it`;
  return `${category}${support} (${share}, which is about the AP that random scores would reach).`;
}

function detailTable(tag) {
  const head = el("tr", {}, el("th", { scope: "col" }, "Tagger"), ...DETAIL_COLUMNS.map(([label]) => el("th", { scope: "col", class: "num" }, label)));
  const rows = models.map((model, m) => {
    const who = el("span", { class: "who" }, marker(styleOf(m)), isolated(model.name));
    const cells = DETAIL_COLUMNS.map(([, text]) => el("td", { class: "num" }, text(columnsOf[m], tag)));
    return el("tr", {}, el("th", { scope: "row" }, who), ...cells);
  });
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows));
}
