// The page: one view (what the reader chose), kept in the address so that a link shows the same rows.

/** Metrics shown at first: the standard ones for two taggers on a wide screen, else the two that matter most. */
function firstFigures() {
  const roomy = models.length <= 2 && !NARROW;
  return new Set(roomy ? STANDARD.map((item) => item.key) : TESTED);
}

function firstView() {
  return {
    query: "", comparedOnly: false, brush: null, comparison: comparisons[0] ?? null, difference: "f1", figures: firstFigures(),
    without: new Set(), sort: { ...FIRST_SORT },
  };
}

/** The address after #, read over the first view; whatever it does not know is passed over. */
function viewFromAddress() {
  const view = firstView();
  const given = new URLSearchParams(window.location.hash.slice(1));
  view.query = given.get("q") ?? "";
  view.comparedOnly = given.get("compared") === "1";
  if (TESTED.includes(given.get("d"))) view.difference = given.get("d");
  view.comparison = comparisons.find(({ place }) => place === given.get("pair")) ?? view.comparison;
  const [, key, direction] = /^(.*)-(up|down)$/.exec(given.get("sort") ?? "") ?? [];
  if (key) view.sort = { key, descending: direction === "down" };
  const figures = (given.get("columns") ?? "").split(" ").filter((name) => FIGURES.some((item) => item.key === name));
  if (given.has("columns")) view.figures = new Set(figures);
  view.without = new Set((given.get("without") ?? "").split(" ").filter((name) => name));
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
  if (figuresText(view) !== figuresText(first)) kept.set("columns", figuresText(view));
  if (view.without.size) kept.set("without", [...view.without].join(" "));
  sweepToAddress(kept, view);
  if (open !== null) kept.set("tag", tags.name[open]);
  return `#${kept}`;
}

function figuresText({ figures }) {
  return FIGURES.filter(({ key }) => figures.has(key)).map(({ key }) => key).join(" ");
}

class Page {
  constructor() {
    this.view = viewFromAddress();
    this.restoring = true;
    this.kept = null;
    document.querySelector(".skip").href = "#tags";
    for (const id of ["charts", "tags"]) byId(id).hidden = false;
    byId("dots").hidden = !this.view.comparison;
    byId("difference").hidden = !this.view.comparison;
    this.offerPairs();
    this.offerColumns();
    this.plots = [];
    this.chip = new BrushChip(() => this.brush(null));
    this.table = new TagTable(this.view, {
      onArrange: (table) => this.onArrange(table),
      onOpen: (tag, asked) => this.onOpen(tag, asked),
      onSort: () => this.remember(),
    });
    this.fillControls();
    this.listen();
    if (this.view.open >= 0) this.reveal(this.view.open);
    this.kept = this.table.open;
    this.restoring = false;
    afterPaint(() => this.draw());
  }

  /** The table is there first, and what is drawn once it is painted: a tenth of a second later. */
  draw() {
    this.sweep = new Sweep(this.view, () => this.remember());
    this.plots = this.view.comparison ? this.dotPlots() : [];
    for (const plot of this.plots) plot.showBrush(this.view.brush);
    if (this.table.open !== null) for (const plot of this.plots) plot.choose(this.table.open);
    this.filterPlots(this.table);
    showSuspects((tag) => this.reveal(tag));
    document.body.dataset.drawn = "";
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

  /** The taggers, and what else can be left out. */
  offerColumns() {
    const boxes = [...models.map((model, m) => [String(m), el("span", { class: "who" }, marker(styleOf(m)), isolated(model.name))])];
    if (models.length < 2) boxes.length = 0;
    if (hasCategories && !NARROW) boxes.push(["category", "Category"]);
    if (this.view.comparison) boxes.push(["difference", "Difference"]);
    if (this.view.comparison?.tested) boxes.push(["q", "q and verdict"]);
    byId("others").append(...boxes.map(([value, label]) => el("label", { class: "check" }, el("input", { type: "checkbox", value }), label)));
    byId("others").hidden = !boxes.length;
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
    for (const input of byId("others").querySelectorAll("input")) input.checked = !this.view.without.has(input.value);
  }

  listen() {
    byId("query").addEventListener("input", (event) => this.narrow({ query: event.target.value }));
    byId("compared-only").addEventListener("change", (event) => this.narrow({ comparedOnly: event.target.checked }));
    onChoice("difference", (difference) => this.reshape({ difference }));
    byId("columns-menu").addEventListener("change", () => this.onColumns());
    for (const details of document.querySelectorAll("details.popover")) popover(details);
    fillQueryHelp(byId("query-examples"), (term) => this.addTerm(term));
    byId("save-csv").addEventListener("click", () => this.save());
    byId("copy-link").addEventListener("click", () => this.copyLink());
    window.addEventListener("popstate", () => this.restore());
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

  onColumns() {
    const chosen = (id, state) => [...byId(id).querySelectorAll("input")].filter((input) => input.checked === state).map((input) => input.value);
    this.reshape({ figures: new Set(chosen("figures", true)), without: new Set(chosen("others", false)) });
  }

  /** An example of the help goes to the end of the search. */
  addTerm(term) {
    const box = byId("query");
    box.value = `${box.value} ${term}`.trim();
    byId("query-help").open = false;
    box.focus();
    this.narrow({ query: box.value });
  }

  save() {
    saveAs(csvName(), csvOf(this.table.rows));
    byId("tags-told").textContent = `${plural(this.table.rows.length, "tag", "tags")} saved, with all columns of all taggers.`;
  }

  async copyLink() {
    this.keep();
    const done = await copied(window.location.href);
    byId("tags-told").textContent = done ? "Link to this view copied." : "The browser does not let the page copy; the link is the address of this page.";
  }

  onArrange(table) {
    const shown = table.rows.length;
    byId("tags-status").textContent = shown === tagCount ? plural(tagCount, "tag", "tags") : `${count(shown)} of ${plural(tagCount, "tag", "tags")}`;
    byId("query-problem").textContent = table.problem;
    byId("tags-told").textContent = "";
    byId("query").setAttribute("aria-invalid", String(table.problem !== ""));
    // The rows first: dots are drawn once the reader pauses.
    clearTimeout(this.dots);
    this.dots = setTimeout(() => this.filterPlots(table), 80);
  }

  filterPlots(table) {
    for (const plot of this.plots) plot.filter((tag) => table.has(tag));
    this.sweep?.filter(table.rows);
  }

  /** Opening or closing a tag is a step in the history, so that Back undoes it; every letter of a search is none. */
  onOpen(tag, asked) {
    for (const plot of this.plots) plot.choose(tag);
    if (this.restoring) return;
    if (!asked) {
      this.remember();
      return;
    }
    this.keep();
    this.kept = tag;
    window.history.pushState(null, "", addressOf(this.view, tag));
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
    this.pending = setTimeout(() => {
      this.kept = this.table.open;
      this.keep();
    }, 250);
  }

  keep() {
    clearTimeout(this.pending);
    window.history.replaceState(null, "", addressOf(this.view, this.kept));
  }

  /** Back, forward or an edited address: its view. A jump to a place in the page is none, and the view comes back. */
  restore() {
    if (/^#[^=]+$/.test(window.location.hash)) {
      this.remember();
      return;
    }
    clearTimeout(this.pending);
    this.restoring = true;
    Object.assign(this.view, viewFromAddress());
    if (this.table.open !== null && this.table.open !== this.view.open) this.table.close({ asked: false });
    for (const plot of this.plots) plot.show({ comparison: this.view.comparison });
    this.sweep?.restore();
    this.fillControls();
    this.table.rebuild();
    if (this.view.open >= 0) this.reveal(this.view.open);
    this.kept = this.table.open;
    this.restoring = false;
  }
}

new Page();
