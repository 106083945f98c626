// Evidence behind a tag's metrics: the worst errors of each tagger, confused tags, and images on which two taggers disagree.

const KINDS = [
  { title: "False positives with the highest scores", alt: "not tagged" },
  { title: "False negatives with the lowest scores", alt: "tagged" },
];

/** The evidence of a tag as elements; a sentence if the page does not include it. It is unpacked on first use. */
function evidenceOf(tag) {
  if (!tags.compared[tag] || !data.evidence.of) return [];
  const box = el("div", { class: "evidence-box" });
  if (imageBlock) box.append(...evidenceParts(tag));
  else {
    box.append(el("p", { class: "hint" }, "Unpacking the images …"));
    loadImages().then(() => {
      box.replaceChildren(...evidenceParts(tag));
      box.dispatchEvent(new Event("grown", { bubbles: true }));
    });
  }
  return [box];
}

function evidenceParts(tag) {
  if (!tagsWithEvidence().has(tag)) return [el("p", { class: "hint" }, whyNoEvidence())];
  return [
    el("div", { class: hasPictures ? "evidence pictured" : "evidence" }, ...models.map((_, model) => errorsOf(tag, model))),
    ...disagreementsOf(tag),
  ];
}

function tagsWithEvidence() {
  tagsWithEvidence.set ??= new Set(imageBlock.column("tags"));
  return tagsWithEvidence.set;
}

function whyNoEvidence() {
  const shown = `This page lists images for ${count(data.evidence.tags)} of ${plural(data.evidence.of, "compared tag", "compared tags")}`;
  const where = "errors.parquet, confusions.parquet and disagreements.parquet of the run folder have the others";
  return `${shown}: those with the largest decided differences, and those with the most positive images; ${where}.`;
}

/** The rows of a tag in a table of the evidence, as objects; rows of one tag are adjacent. */
function evidenceRows(table, tag, names) {
  const places = firstRows(table);
  const of = imageBlock.column(`${table}.tag`);
  const columns = names.map((name) => [name, imageBlock.column(`${table}.${name}`)]);
  const rows = [];
  for (let row = places.get(tag) ?? of.length; of[row] === tag; row += 1) rows.push(Object.fromEntries(columns.map(([name, values]) => [name, values[row]])));
  return rows;
}

/** The first row of each tag. */
function firstRows(table) {
  firstRows[table] ??= new Map(imageBlock.column(`${table}.tag`).map((tag, row) => [tag, row]).reverse());
  return firstRows[table];
}

function errorsOf(tag, model) {
  const wrong = evidenceRows("errors", tag, ["model", "kind", "image", "score"]).filter((row) => row.model === model);
  const lists = data.image_ids ? KINDS.map((kind, number) => imageList(tag, model, kind, wrong.filter((row) => row.kind === number))) : [];
  return el("div", {}, el("p", { class: "who" }, marker(styleOf(model)), isolated(models[model].name)), ...lists.flat(), ...confusionsOf(tag, model));
}

function imageList(tag, model, { title, alt }, rows) {
  const threshold = ownColumns[model].threshold[tag];
  const heading = el("h4", {}, title, el("small", {}, `${policy === "own" ? "" : " own"} threshold ${threshold ?? UNDEFINED}`));
  const items = rows.map(({ image, score }) => imageItem(image, `${alt} ${tags.name[tag]}`, el("small", {}, ` ${figure(score)}`)));
  return [heading, items.length ? el("ol", {}, ...items) : el("p", { class: "hint" }, "None.")];
}

/** An image in a list: its picture if the page has any, its id, and `details`. */
function imageItem(image, alt, ...details) {
  const frame = hasPictures ? [pictureFrame(image, clipped(alt, 80))] : [];
  return el("li", {}, ...frame, imageButton(image, imageId(image)), ...details);
}

function confusionsOf(tag, model) {
  const rows = evidenceRows("confusions", tag, ["model", "instead_of", "images", "expected_tenths"]).filter((row) => row.model === model);
  if (!rows.length) return [];
  const items = rows.map((row) => {
    const expected = String(row.expected_tenths / 10);
    return el("li", {}, isolated(tags.name[row.instead_of]), el("small", {}, ` ${plural(row.images, "image", "images")}, ${expected} expected by chance`));
  });
  return [el("h4", {}, "Predicted where these tags were missed"), el("ul", {}, ...items)];
}

/** Images on which one tagger is right and another wrong at their own thresholds, by pair of taggers. */
function disagreementsOf(tag) {
  const rows = evidenceRows("disagreements", tag, ["image", "carried", "right", "wrong", "right_score", "wrong_score"]);
  const pairs = new Map(rows.map(({ right, wrong }) => [`${right} ${wrong}`, [right, wrong]]));
  const parts = [...pairs.values()].map(([right, wrong]) =>
    el("div", {},
      el("h4", {}, whoIs(right), " right, ", whoIs(wrong), " wrong"),
      el("ol", {}, ...rows.filter((row) => row.right === right && row.wrong === wrong).map((row) => partedItem(tag, row)))),
  );
  if (!parts.length) return [];
  const title = el("h4", { class: "apart" }, "Disagreements with the largest score differences");
  return [title, el("div", { class: hasPictures ? "evidence pictured" : "evidence" }, ...parts)];
}

function partedItem(tag, row) {
  const carried = row.carried ? "tagged" : "not tagged";
  const scores = [[row.right, row.right_score], [row.wrong, row.wrong_score]].map(([model, score]) => el("small", {}, " ", markOf(model), figure(score)));
  return imageItem(row.image, `${carried} ${tags.name[tag]}`, el("small", {}, ` ${carried}`), ...scores);
}

/** A tagger's marker, labelled with its name. */
function markOf(model) {
  return marker(styleOf(model), { "aria-hidden": null, role: "img", "aria-label": models[model].name });
}

function whoIs(model) {
  return el("span", { class: "who" }, marker(styleOf(model)), isolated(models[model].name));
}
