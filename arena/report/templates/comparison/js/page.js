// The page: one view (what the reader chose), kept in the address so that a link shows the same rows.

/** Figures shown at first: all for two taggers on a wide screen, else the two that matter most. */
function firstFigures() {
  const roomy = models.length <= 2 && !NARROW;
  return new Set(roomy ? FIGURES.map((item) => item.key) : ["f1", "ap"]);
}

function firstView() {
  return { query: "", comparedOnly: false, brush: null, comparison: comparisons[0] ?? null, difference: "f1", figures: firstFigures(), sort: { key: "support", descending: true } };
}

/** The address after #, read over the first view; whatever it does not know is passed over. */
function viewFromAddress() {
  const view = firstView();
  const given = new URLSearchParams(window.location.hash.slice(1));
  view.query = given.get("q") ?? "";
  view.comparedOnly = given.get("compared") === "1";
  if (given.get("d") === "ap") view.difference = "ap";
  view.comparison = comparisons.find(({ place }) => place === given.get("pair")) ?? view.comparison;
  const [, key, direction] = /^(.*)-(up|down)$/.exec(given.get("sort") ?? "") ?? [];
  if (key) view.sort = { key, descending: direction === "down" };
  const figures = (given.get("columns") ?? "").split(" ").filter((name) => FIGURES.some((item) => item.key === name));
  if (figures.length) view.figures = new Set(figures);
  Object.assign(view, sweepFromAddress(given));
  view.brush = Brush.read(given.get("brush"));
  view.open = given.has("tag") ? tags.name.indexOf(given.get("tag")) : -1;
  return view;
}

function addressOf(view, open) {
  const first = firstView();
  const kept = new URLSearchParams();
  if (view.query) kept.set("q", view.query);
  if (view.comparedOnly) kept.set("compared", "1");
  if (view.brush) kept.set("brush", view.brush.address());
  if (view.comparison !== first.comparison) kept.set("pair", view.comparison.place);
  if (view.difference !== first.difference) kept.set("d", view.difference);
  if (view.sort.key !== "support" || !view.sort.descending) kept.set("sort", `${view.sort.key}-${view.sort.descending ? "down" : "up"}`);
  if ([...view.figures].join(" ") !== [...first.figures].join(" ")) kept.set("columns", [...view.figures].join(" "));
  sweepToAddress(kept, view);
  if (open !== null) kept.set("tag", tags.name[open]);
  return `#${kept}`;
}

class Page {
  constructor() {
    this.view = viewFromAddress();
    for (const id of ["charts", "tags"]) byId(id).hidden = false;
    byId("dots").hidden = !this.view.comparison;
    byId("difference").hidden = !this.view.comparison;
    this.offerPairs();
    this.sweep = new Sweep(this.view, () => this.remember());
    this.plots = this.view.comparison ? this.dotPlots() : [];
    this.chip = new BrushChip(() => this.brush(null));
    this.table = new TagTable(this.view, {
      onArrange: (table) => this.onArrange(table),
      onOpen: (tag) => this.onOpen(tag),
      onSort: () => this.remember(),
    });
    this.fillControls();
    this.listen();
    if (this.view.open >= 0) this.reveal(this.view.open);
    showSuspects((tag) => this.reveal(tag));
  }

  dotPlots() {
    const calls = { onPick: (tag) => this.reveal(tag), onBrush: (brush) => this.brush(brush) };
    if (this.view.brush) choose("dots-figure", this.view.brush.figure);
    return [new Scatter(this.view.comparison, calls), new Funnel(this.view.comparison, calls)];
  }

  /** More than two taggers: the reader picks which two the scatter and the table's differences compare. */
  offerPairs() {
    for (const select of document.querySelectorAll("select.pair")) {
      select.closest("label").hidden = comparisons.length < 2;
      select.append(...comparisons.map((one) => el("option", { value: one.place }, one.title())));
      select.addEventListener("change", () => this.compare(comparisons.find(({ place }) => place === select.value)));
    }
  }

  compare(comparison) {
    for (const plot of this.plots) plot.show({ comparison });
    this.reshape({ comparison });
    this.fillControls();
  }

  fillControls() {
    for (const select of document.querySelectorAll("select.pair")) select.value = this.view.comparison?.place ?? "";
    byId("query").value = this.view.query;
    byId("compared-only").checked = this.view.comparedOnly;
    this.chip.show(this.view.brush);
    for (const plot of this.plots) plot.showBrush(this.view.brush);
    choose("difference", this.view.difference);
    for (const input of byId("figures").querySelectorAll("input")) input.checked = this.view.figures.has(input.value);
  }

  listen() {
    byId("query").addEventListener("input", (event) => this.narrow({ query: event.target.value }));
    byId("compared-only").addEventListener("change", (event) => this.narrow({ comparedOnly: event.target.checked }));
    onChoice("difference", (difference) => this.reshape({ difference }));
    byId("figures").addEventListener("change", () => this.onFigures());
  }

  /** Another search or filter. */
  narrow(change) {
    Object.assign(this.view, change);
    byId("tags-box").scrollTop = 0;
    this.table.arrange();
    this.remember();
  }

  /** Only the tags inside a range of a plot; null: no longer. */
  brush(brush) {
    this.narrow({ brush });
    this.fillControls();
  }

  /** Other columns. */
  reshape(change) {
    Object.assign(this.view, change);
    this.table.rebuild();
    this.remember();
  }

  onFigures() {
    const inputs = [...byId("figures").querySelectorAll("input")];
    this.reshape({ figures: new Set(inputs.filter((input) => input.checked).map((input) => input.value)) });
  }

  onArrange(table) {
    const shown = table.rows.length;
    byId("tags-status").textContent = shown === tagCount ? plural(tagCount, "tag", "tags") : `${count(shown)} of ${plural(tagCount, "tag", "tags")}`;
    byId("query-problem").textContent = table.problem;
    for (const plot of this.plots) plot.filter((tag) => table.has(tag));
    this.sweep.filter(table.rows);
  }

  onOpen(tag) {
    for (const plot of this.plots) plot.choose(tag);
    this.remember();
  }

  /** Show a tag in the table; a search that hides it gives way. */
  reveal(tag) {
    if (!this.table.has(tag)) {
      Object.assign(this.view, { query: "", comparedOnly: false, brush: null });
      this.fillControls();
      this.table.arrange();
    }
    this.table.select(tag);
    byId("tags-box").scrollIntoView({ block: "nearest" });
  }

  /** Keep the view in the address, without a step in the history; browsers limit how often, so it waits for a pause. */
  remember() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => window.history.replaceState(null, "", addressOf(this.view, this.table.open)), 250);
  }
}

new Page();
