// What stands behind a tag's figures: the images a tagger gets most wrong, what it confuses the tag with, and where two part.

const KINDS = ["Highest-scored false alarms", "Lowest-scored misses"];

/** The evidence of a tag as elements; a sentence where the page has no room for it. */
function evidenceOf(tag) {
  const found = data.evidence.tags[tag];
  if (!found) return whyNoEvidence(tag);
  return [
    el("div", { class: "evidence" }, ...models.map((_, model) => errorsOf(found, model))),
    ...disagreementsOf(found.disagreements),
  ];
}

function whyNoEvidence(tag) {
  const shown = Object.keys(data.evidence.tags).length;
  if (!tags.compared[tag] || !data.evidence.of || shown === data.evidence.of) return [];
  const where = "errors.parquet, confusions.parquet and disagreements.parquet of the run folder have the others";
  return [el("p", { class: "hint" }, `Images are listed for the ${count(shown)} compared tags with the most positive images; ${where}.`)];
}

function errorsOf(found, model) {
  const lists = KINDS.map((title, kind) => imageList(title, found.errors[model][kind]));
  const confused = found.confusions[model];
  const items = confused.map(([name, images, expected]) =>
    el("li", {}, isolated(name), el("small", {}, ` ${plural(images, "image", "images")}, ${expected} expected by chance`)),
  );
  const confusion = items.length ? [el("h4", {}, "Given where these were missed"), el("ul", {}, ...items)] : [];
  return el("div", {}, el("p", { class: "who" }, marker(styleOf(model)), isolated(models[model].name)), ...lists.flat(), ...confusion);
}

function imageList(title, rows) {
  const items = rows.map(([image, score]) => el("li", {}, imageName(image), scoreText(score)));
  return [el("h4", {}, title), items.length ? el("ol", {}, ...items) : el("p", { class: "hint" }, "None.")];
}

function imageName(image) {
  return el("bdi", { class: "image" }, data.evidence.images[image]);
}

function scoreText(score) {
  return el("small", {}, ` ${figure(score)}`);
}

/** Only one of two taggers is right about these images, at their own thresholds. */
function disagreementsOf(rows) {
  if (!rows.length) return [];
  const head = ["Image", "Has the tag", "Right", "Score", "Wrong", "Score"];
  const cells = head.map((text) => el("th", { scope: "col", class: text === "Score" ? "num" : null }, text));
  const body = rows.map(([image, carried, right, rightScore, wrong, wrongScore]) =>
    el("tr", {},
      el("th", { scope: "row" }, imageName(image)), el("td", {}, carried ? "yes" : "no"),
      el("td", {}, whoIs(right)), el("td", { class: "num" }, figure(rightScore)),
      el("td", {}, whoIs(wrong)), el("td", { class: "num" }, figure(wrongScore))),
  );
  const title = el("caption", {}, "Right against wrong, the widest gaps");
  return [el("table", { class: "parted" }, title, el("thead", {}, el("tr", {}, ...cells)), el("tbody", {}, ...body))];
}

function whoIs(model) {
  return el("span", { class: "who" }, marker(styleOf(model)), isolated(models[model].name));
}
