// Links from the figures of the comparison page to their images: of every section, model, slice, tag and suspected label.
const targets = JSON.parse(document.querySelector("#view-targets").textContent);
const KINDS = [["fp", "false positives"], ["fn", "false negatives"]];

function link(text, filter, path = "/images") {
  const found = document.createElement("a");
  found.href = `${path}?${new URLSearchParams(filter)}`;
  found.textContent = text;
  return found;
}

function addLinks(place, links, tag = "span") {
  const box = document.createElement(tag);
  box.className = "view-links";
  box.append(...links);
  place.append(box);
}

const nameIn = (place) => place?.querySelector("bdi")?.textContent ?? "";

/** False positives and negatives of every model, and where models disagree. */
function errors(filter) {
  const several = targets.models.length > 1;
  const each = targets.models.flatMap((model) =>
    KINDS.map(([show, words]) => link(several ? `${words} of ${model}` : words, { ...filter, show, model })),
  );
  return several ? [...each, link("models disagree", { ...filter, show: "disagree" })] : each;
}

/** A tag's panel opens from its row, from a point of the scatter and from a name in a plot. */
function linkPanel(panel) {
  const title = panel.querySelector("h3.full");
  if (!title || panel.querySelector(".view-links")) return;
  const tag = nameIn(title);
  const box = document.createElement("p");
  addLinks(box, [link("images with this tag", { tag, show: "recorded" }), ...errors({ tag })]);
  title.after(box);
}

for (const row of document.querySelectorAll("tr[data-model]")) {
  const { model } = row.dataset;
  addLinks(row.querySelector("th"), KINDS.map(([show, words]) => link(words, { show, model })));
}
for (const body of document.querySelectorAll("#slices tbody")) {
  const kind = nameIn(body.querySelector(".kind"));
  for (const head of body.querySelectorAll("tr:not(.kind) > th")) {
    const found = targets.slices.find(([group, title]) => group === kind && title === nameIn(head));
    if (found) addLinks(head, [link("images", { slice: found[2] })]);
  }
}
for (const card of document.querySelectorAll(".suspect")) {
  addLinks(card.querySelector("p.image"), [link("image", { id: nameIn(card.querySelector("p.image")), tag: nameIn(card.querySelector("h4")) }, "/image")]);
}
for (const row of document.querySelectorAll("table.static tbody th")) {
  addLinks(row, [link("images", { tag: nameIn(row) })]);
}
for (const heading of document.querySelectorAll("main h2:not(.sr)")) {
  if (!heading.closest("section, div.wrap")?.querySelector("svg.plot, .plot, .multiples, table")) continue;
  const box = document.createElement("p");
  addLinks(box, [link("images", targets.models.length > 1 ? { show: "disagree" } : { show: "fp" })]);
  heading.after(box);
}
document.querySelectorAll(".detail-box").forEach(linkPanel);
new MutationObserver((changes) => {
  for (const node of changes.flatMap((one) => [...one.addedNodes])) {
    if (node instanceof Element) (node.matches(".detail-box") ? [node] : node.querySelectorAll(".detail-box")).forEach(linkPanel);
  }
}).observe(document.body, { childList: true, subtree: true });
