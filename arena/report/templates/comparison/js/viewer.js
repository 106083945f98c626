// An image opened over the page: its picture, and the tags that the page knows about it, as recorded and by each tagger.

class ImageViewer {
  constructor() {
    this.title = el("h2", { id: "viewer-title" });
    this.content = el("div", { class: "viewer-content" });
    this.place = el("p", { class: "hint", role: "status" });
    const button = (label, text, act) => {
      const made = el("button", { type: "button", class: "action", "aria-label": label }, text);
      made.addEventListener("click", act);
      return made;
    };
    [this.before, this.after] = [button("Image before", "←", () => this.step(-1)), button("Next image", "→", () => this.step(1))];
    const controls = el("div", { class: "viewer-controls" }, this.place, this.before, this.after, button("Close", "✕", () => this.dialog.close()));
    this.dialog = el("dialog", { class: "viewer", "aria-labelledby": "viewer-title" }, el("header", {}, this.title, controls), this.content);
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.openers[this.at].focus());
    document.body.append(this.dialog);
  }

  /** Open the image of a button; the arrows go through the images of the same list of the page. */
  open(opener) {
    const part = opener.closest(".evidence-box, #suspects");
    this.openers = [...part.querySelectorAll(".open-image")].filter((one) => !one.closest("details:not([open])"));
    this.at = this.openers.indexOf(opener);
    this.fill();
    this.dialog.showModal();
  }

  step(by) {
    const to = this.at + by;
    if (to < 0 || to >= this.openers.length) return;
    this.at = to;
    this.fill();
  }

  onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.step(by);
  }

  fill() {
    const image = Number(this.openers[this.at].dataset.image);
    this.title.replaceChildren(isolated(imageId(image)));
    this.place.textContent = `${count(this.at + 1)} of ${plural(this.openers.length, "image", "images")} `;
    this.before.disabled = this.at === 0;
    this.after.disabled = this.at === this.openers.length - 1;
    this.content.replaceChildren(
      ...(hasPictures ? [pictureFrame(image, "opened")] : []),
      el("div", { class: "viewer-tags", tabindex: "0", role: "group", "aria-label": "Tags, scrolls" }, imageTable(image), el("p", { class: "hint" }, ...allTags(image))),
    );
  }
}

/** What the page holds about an image, for each tag: whether it is recorded, and each tagger's score and prediction. */
function factsOf(image) {
  factsOf.all ??= collectedFacts();
  return factsOf.all.get(image) ?? new Map();
}

function collectedFacts() {
  const all = new Map();
  const add = (image, tag, recorded, model, score, predicted) => {
    if (!all.has(image)) all.set(image, new Map());
    const of = all.get(image);
    if (!of.has(tag)) of.set(tag, { recorded, scores: new Map() });
    of.get(tag).scores.set(model, { score, predicted });
  };
  for (const { tag, model, kind, image, score } of wholeTable("errors", ["tag", "model", "kind", "image", "score"])) {
    add(image, tag, kind === 1, model, score, kind === 0);
  }
  const names = ["tag", "image", "carried", "right", "wrong", "right_score", "wrong_score"];
  for (const row of wholeTable("disagreements", names)) {
    add(row.image, row.tag, row.carried === 1, row.right, row.right_score, row.carried === 1);
    add(row.image, row.tag, row.carried === 1, row.wrong, row.wrong_score, row.carried !== 1);
  }
  for (const { image, tag, scores } of data.suspects) {
    scores.forEach(([score, threshold], model) => score !== null && add(image, tag, false, model, score, score >= threshold));
  }
  return all;
}

/** All rows of a table of the evidence, as objects. */
function wholeTable(table, names) {
  const columns = names.map((name) => imageBlock.column(`${table}.${name}`));
  return columns[0].map((_, row) => Object.fromEntries(names.map((name, i) => [name, columns[i][row]])));
}

function imageTable(image) {
  const rows = [...factsOf(image)].sort(([a], [b]) => nameRanks[a] - nameRanks[b]);
  if (!rows.length) return el("p", {}, "The page holds no tag of this image.");
  const heads = models.map((model, m) => el("th", { scope: "col", class: "num" }, el("span", { class: "who" }, marker(styleOf(m)), isolated(model.name))));
  const body = rows.map(([tag, { recorded, scores }]) =>
    el("tr", {}, el("th", { scope: "row" }, isolated(tags.name[tag])), el("td", {}, recorded ? "tagged" : "not tagged"),
      ...models.map((_, model) => scoreCell(scores.get(model), recorded))));
  return el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Tag"), el("th", { scope: "col" }, "Recorded"), ...heads)), el("tbody", {}, ...body));
}

/** A score, bold with a mark if it is a prediction; whether that is right is said in words. */
function scoreCell(found, recorded) {
  if (!found) return el("td", { class: "num quiet" }, UNDEFINED);
  const words = found.predicted ? "predicted" : "not predicted";
  const right = found.predicted === recorded;
  return el("td", { class: found.predicted ? "num predicted" : "num" }, figure(found.score), el("small", {}, `${words}, ${right ? "right" : "wrong"}`));
}

/** Where all tags of an image are: a link if `arena view` serves this page, else the command. */
function allTags(image) {
  if (byId("view-targets")) return [el("a", { href: `/image?${new URLSearchParams({ id: imageId(image) })}` }, "All tags of this image, as recorded and by every tagger")];
  return [`The page holds the tags above: errors, disagreements and likely missing labels. ${UNDEFINED}: not held. All tags and scores of every image: `, el("code", {}, "arena view RUN"), " with the folder of this run."];
}

let imageViewer = null;

/** Whether a click is on the name of an image or on a picture that is not blurred; opens the image. */
function onImageClick(event) {
  const frame = event.target.closest(".frame.open");
  const opener = event.target.closest(".open-image") ?? frame?.parentElement.querySelector(".open-image");
  if (!opener || opener.closest("dialog")) return;
  imageViewer ??= new ImageViewer();
  loadImages().then(() => imageViewer.open(opener));
}

/** The name of an image as a button that opens it. */
function imageButton(image, id) {
  return el("button", { type: "button", class: "image open-image", "data-image": image, title: id }, el("bdi", {}, id));
}

document.addEventListener("click", onImageClick);
