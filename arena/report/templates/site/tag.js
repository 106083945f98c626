// The tag page: the tag that the address names, in every run that knows it, the newest first.

const runOf = new Map(facts.runs.map((run) => [run.id, run]));
const MOST_PAIRS = 12;
const KINDS = ["False positives with the highest scores", "False negatives with the lowest scores"];
const FIGURES = facts.metrics.flatMap(({ key }) => [key, `${key}_low`, `${key}_high`]);

let shownSlug = null;

async function show() {
  const slug = decoded(window.location.hash.slice(1));
  shownSlug = slug;
  if (!slug) return say("Tag", "The address names no tag.");
  const shard = await loadShard(shardOf(slug)).catch(() => null);
  if (shownSlug !== slug) return undefined; // another tag was named meanwhile
  if (!shard) return say(slug, "The data of this tag cannot be loaded; the site may be incomplete.");
  const tag = shard.column("slug").indexOf(slug);
  return tag < 0 ? say(slug, "No run of this site compared a tag of this name.") : showTag(shard, tag);
}

/** The text after the # of an address; a damaged escape stays as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function say(name, text) {
  named(name);
  byId("subject").replaceChildren(text, " ", el("a", { href: "tags/index.html" }, "All tags"));
  byId("tag").replaceChildren();
}

function named(name) {
  document.title = `${clipped(name, 100)} · tag · arena`;
  byId("name").replaceChildren(el("bdi", {}, name));
  byId("name").classList.toggle("long", name.length > 60);
}

function showTag(shard, tag) {
  const entries = shardRows(shard, "in", tag, ["run", "category", "support", "compared", "open"]).filter(({ run }) => runOf.has(run));
  if (!entries.length) return say(shard.column("name")[tag], "No run of this site has this tag any more.");
  const rows = shardRows(shard, "row", tag, ["run", "model", "threshold", ...FIGURES]);
  const pairs = shardRows(shard, "difference", tag, ["run", "metric", "higher", "lower", "value", "low", "high", "q"]);
  const name = shard.column("name")[tag];
  named(name);
  const [newest] = entries;
  byId("subject").replaceChildren("Category ", isolated(newest.category || "none"), `; in ${plural(entries.length, "run", "runs")}`);
  const sections = entries.map((entry) => {
    const own = rows.filter((row) => row.run === entry.run);
    const decided = pairs.filter((pair) => pair.run === entry.run);
    const more = entry === newest ? [...curvesOf(shard, tag, entry, own), ...imagesOf(shard, tag, entry)] : [];
    return runSection(name, entry, own, decided, more);
  });
  return byId("tag").replaceChildren(sections[0], ...historySection(rows, entries), ...sections.slice(1));
}

function runSection(name, entry, rows, decided, more) {
  const run = runOf.get(entry.run);
  const inRun = `runs/${encodeURIComponent(run.id)}/index.html#${new URLSearchParams({ tag: name })}`;
  const title = run.models.flatMap((model, place) => [place ? " vs " : "", el("bdi", {}, model)]);
  const compared = entry.compared ? "" : " · not compared in this run";
  return el("section", { class: "wrap" },
    el("h2", {}, el("a", { href: inRun }, ...title)),
    el("p", { class: "hint" }, `${run.date} · `, isolated(run.dataset), ` · ${count(entry.support)} of ${plural(run.images, "image", "images")}${compared} · `,
      el("a", { href: inRun }, "this tag in the run")),
    tableOf(rows), ...differencesOf(entry, rows, decided), ...more);
}

function tableOf(rows) {
  const head = ["Tagger", ...facts.metrics.map(({ short }) => short), "threshold"];
  const heads = head.map((text, place) => el("th", { scope: "col", class: place ? "num" : null }, text));
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, el("span", { class: "name" }, marker(facts.styles[row.model]), isolated(row.model))),
    ...facts.metrics.map(({ key }) => el("td", { class: "num" }, figure(row[key]), ...small(range(row, key)))),
    el("td", { class: "num" }, String(Number(row.threshold.toPrecision(6))))));
  return el("div", { class: "scroll card", tabindex: "0", role: "group", "aria-label": "Metrics, scrolls sideways" },
    el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body)));
}

/** The interval of a metric; "" without one. */
function range(row, key) {
  const [low, high] = [row[`${key}_low`], row[`${key}_high`]];
  return low === null || high === null ? "" : `[${figure(low)}, ${figure(high)}]`;
}

function small(text) {
  return text ? [el("small", {}, text)] : [];
}

function differencesOf(entry, rows, decided) {
  const lines = decided.slice(0, MOST_PAIRS).map(({ metric, higher, lower, value, low, high, q }) =>
    el("p", {}, `${metric}: `, el("b", {}, isolated(higher)), " higher than ", isolated(lower), ` by ${signed(value)} [${signed(low)}, ${signed(high)}], q ${q}`));
  const hidden = decided.length - lines.length;
  if (hidden > 0) lines.push(el("p", {}, `${plural(hidden, "more difference is", "more differences are")} significant.`));
  if (entry.open) lines.push(el("p", {}, undetermined(entry, rows, decided)));
  return lines.length ? [el("div", { class: "differences" }, ...lines)] : [];
}

function undetermined(entry, rows, decided) {
  if (rows.length !== 2) return `${plural(entry.open, "difference is", "differences are")} undetermined`;
  return `${listed(facts.tested.filter((name) => !decided.some(({ metric }) => metric === name)))}: undetermined`;
}

/** Images that the taggers got wrong in the newest run; pictures are those of the run. */
function imagesOf(shard, tag, { run }) {
  const images = shardRows(shard, "image", tag, ["model", "kind", "id", "score", "picture", "open"]);
  const pictured = images.some(({ picture }) => picture);
  const parts = [...new Set(images.map(({ model }) => model))].map((model) =>
    el("div", {}, el("p", { class: "who" }, marker(facts.styles[model]), isolated(model)),
      ...KINDS.flatMap((title, kind) => imageList(title, images.filter((one) => one.model === model && one.kind === kind), run, pictured))));
  return parts.length ? [el("div", { class: "evidence-box" }, el("div", { class: pictured ? "evidence pictured" : "evidence" }, ...parts))] : [];
}

function imageList(title, images, run, pictured) {
  if (!images.length) return [];
  const items = images.map((image) => el("li", {}, ...(pictured ? [frameOf(image, run)] : []),
    el("bdi", { class: "image", title: image.id }, image.id), el("small", {}, ` ${figure(image.score)}`)));
  return [el("h3", {}, title), el("ol", {}, ...items)];
}

function frameOf({ id, picture, open }, run) {
  if (!picture) return emptyFrame();
  const drawing = el("img", { alt: clipped(id, 80), loading: "lazy", decoding: "async", src: `runs/${encodeURIComponent(run)}/${picture}` });
  const frame = open ? el("span", { class: "frame open" }, drawing) : veiled(drawing, "not rated general or safe");
  drawing.addEventListener("error", () => frame.replaceWith(emptyFrame()));
  return frame;
}

function historySection(rows, entries) {
  const runs = facts.runs.filter(({ id }) => entries.some(({ run }) => run === id));
  if (runs.length < 2) return [];
  const charts = facts.metrics.filter(({ name }) => facts.tested.includes(name)).flatMap((metric) => historyChart(metric, rows, runs));
  const models = Object.keys(facts.styles).filter((model) => rows.some((row) => row.model === model));
  return [el("section", { class: "wrap" }, el("h2", {}, "History"),
    el("p", { class: "hint" }, "A line joins comparable runs only: the same images, the same compared tags and the same rules. Bars are 95 % intervals."),
    el("ul", { class: "keys" }, ...models.map((model) => el("li", {}, marker(facts.styles[model]), isolated(model)))),
    el("div", { class: "over-time" }, ...charts))];
}

window.addEventListener("hashchange", show);
show();
