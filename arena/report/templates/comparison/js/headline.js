// The first screen: the largest differences of the two compared taggers, and what the page shows under which threshold policy.

const LISTED = models.length > 5 ? 10 : 6; // tags in the list; a picture of many taggers leaves room for more
const LISTED_SLICES = 3;

class Headline {
  /** `view` has the reader's choices (see page.js); `onTag(tag)`: the reader chose a tag; `onPair(comparison)`: a pair. */
  constructor(view, { onTag, onPair }) {
    Object.assign(this, { view, onTag });
    this.matrix = byId("matrix-box") && new Matrix(view, onPair);
    this.forest = byId("forest") && new PairForest(view);
  }

  draw() {
    this.name();
    if (byId("decided")) this.list();
    this.matrix?.draw();
    this.forest?.draw();
  }

  /** Name the policy wherever the page follows it, and say where it cannot. */
  name() {
    for (const node of document.querySelectorAll(".policy-name")) node.textContent = policyTitle();
    for (const node of document.querySelectorAll(".only-own")) node.hidden = policy === "own";
    const lacking = policy !== "own" && !hasCounts(policy);
    const bare = policy !== "own" && hasIntervals && models.every((_, model) => columnsOf[model].f1_low === undefined);
    byId("policy-told").textContent = lacking ? "No counts by tag under these thresholds." : bare ? "Single tags: no intervals under these thresholds." : "";
  }

  list() {
    const { comparison, metric } = this.view;
    const key = metric === "map" ? "ap" : "f1";
    byId("decided").hidden = false;
    byId("decided-title").textContent = models.length > 2 ? "Largest differences of two taggers" : `Largest differences: ${comparison.title()}`;
    byId("decided-list").replaceChildren(...this.ofTags(comparison, key), ...this.ofSlices(comparison, metric === "map" ? "map" : "macro_f1"));
  }

  ofTags(comparison, key) {
    const [differences, low, high, q, higher] = ["difference", "low", "high", "q", "higher"].map((name) => comparison.atOwn(key, name));
    const all = Array.from(tags.name.keys()).filter((tag) => tags.compared[tag] && differences[tag] !== null);
    const tested = q ? all.filter((tag) => q[tag] !== null) : [];
    const decided = tested.filter((tag) => higher[tag] !== null);
    const digits = (tag) => (low && low[tag] !== null ? knownDigits([low[tag], high[tag]]) : digitsOfSupport(tags.support[tag]));
    const bySize = (some) => some.sort((a, b) => Math.abs(differences[b]) - Math.abs(differences[a]));
    const others = bySize(all.filter((tag) => !q || higher[tag] === null));
    const largest = [...bySize(decided).slice(0, LISTED), ...others.slice(0, Math.max(LISTED - 1 - decided.length, 0))];
    const where = `${figureName(key)}, ${key === "ap" ? "any threshold" : "own thresholds"}`;
    const words = q ? `${decided.length ? count(decided.length) : "none"} of ${plural(tested.length, "tag", "tags")} decided` : "not tested on this page";
    return [
      el("h4", {}, `Tags (${where}): ${words}`),
      el("ul", {}, ...largest.map((tag) => this.item(this.tagLink(tag), signed(differences[tag], digits(tag)), whose(higher?.[tag] ?? null)))),
    ];
  }

  ofSlices(comparison, metric) {
    if (!data.slices.of) return [];
    const sign = ([, , first, second]) => (first === comparison.first && second === comparison.second ? 1 : first === comparison.second && second === comparison.first ? -1 : 0);
    const rows = data.slices.rows.filter((row) => row[1] === metric && sign(row));
    const largest = rows.sort((a, b) => Math.abs(b[4]) - Math.abs(a[4])).slice(0, LISTED_SLICES);
    const where = metric === "map" ? "mAP" : "macro F1, own thresholds";
    const words = rows.length ? `${count(rows.length)} of ${count(data.slices.of)} decided${rows.length > LISTED_SLICES ? "; the largest:" : ":"}` : `none of ${count(data.slices.of)} decided.`;
    return [
      el("h4", {}, `Categories and groups (${where}): ${words}`),
      el("ul", {}, ...largest.map((row) => this.item(el("a", { href: "#slices-title" }, el("bdi", {}, row[0])), signed(sign(row) * row[4], row[6]), whose(row[5])))),
    ];
  }

  item(name, value, owner) {
    return el("li", {}, name, el("span", {}, value), owner);
  }

  tagLink(tag) {
    const link = el("a", { href: `#${new URLSearchParams({ tag: tags.name[tag] })}`, title: tags.name[tag] }, el("bdi", {}, tags.name[tag]));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.onTag(tag);
    });
    return link;
  }
}

/** Which tagger is higher, with its marker; null means undetermined. */
function whose(higher) {
  if (higher === null) return el("span", { class: "whose" }, "undetermined");
  return el("span", { class: "whose decided" }, marker(styleOf(higher)), isolated(models[higher].name), el("span", {}, "higher"));
}

/** The difference of two taggers by number: {difference, low, high, p, higher, ...}; null if the page has none. */
function pairDifference(metric, under, first, second) {
  const turned = first > second;
  const [a, b] = turned ? [second, first] : [first, second];
  const cell = data.differences[metric][under]?.[a * models.length - (a * (a + 1)) / 2 + b - a - 1];
  if (!cell?.length || cell[0] === null) return null;
  const [difference, low, high, p, higher, pOfPlot, higherOfPlot] = cell;
  const minus = (value) => (value === null ? null : 0 - value);
  const three = turned ? [minus(difference), minus(high), minus(low)] : [difference, low, high];
  return { difference: three[0], low: three[1], high: three[2], p, higher, pOfPlot, higherOfPlot };
}
