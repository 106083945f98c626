// The page: one view (the reader's choices), stored in the address so that a link shows the same rows.

/** Metrics shown initially: the standard ones for at most two taggers on a wide screen, else F1 and AP. */
function firstFigures() {
  const wide = models.length <= 2 && !NARROW;
  return new Set(wide ? STANDARD.map((item) => item.key) : TESTED);
}

const firstMetric = METRICS_IN_ORDER[0];

/** The id in an address that is a plain anchor; null for any other. */
function sectionOf(hash) {
  return /^#[^=]+$/.test(hash) ? hash.slice(1) : null;
}

/** Scroll to a part of the page; what it is folded into is opened. */
function goTo(id) {
  const part = byId(id);
  for (let box = part?.closest("details"); box; box = box.parentNode.closest("details")) box.open = true;
  part?.scrollIntoView();
}

function firstView() {
  return {
    query: "", comparedOnly: false, brush: null, comparison: bestComparison, difference: "f1", figures: firstFigures(),
    without: new Set(), sort: { ...FIRST_SORT }, policy: "own", metric: firstMetric, section: null,
  };
}

/** The initial view changed by the address after #; unknown parts are ignored. */
function viewFromAddress() {
  const view = firstView();
  const address = new URLSearchParams(window.location.hash.slice(1));
  view.query = address.get("q") ?? "";
  view.comparedOnly = address.get("compared") === "1";
  if (TESTED.includes(address.get("d"))) view.difference = address.get("d");
  view.comparison = comparisonAt(address.get("pair")) ?? view.comparison;
  if (POLICIES.some(({ name }) => name === address.get("thresholds"))) view.policy = address.get("thresholds");
  if (Object.hasOwn(data.differences, address.get("metric"))) view.metric = address.get("metric");
  view.section = sectionOf(window.location.hash) ?? address.get("section");
  const [, key, direction] = /^(.*)-(up|down)$/.exec(address.get("sort") ?? "") ?? [];
  if (key) view.sort = { key, descending: direction === "down" };
  const figures = (address.get("columns") ?? "").split(" ").filter((name) => FIGURES.some((item) => item.key === name));
  if (address.has("columns")) view.figures = new Set(figures);
  view.without = new Set((address.get("without") ?? "").split(" ").filter((name) => name));
  Object.assign(view, sweepFromAddress(address));
  view.brush = Brush.read(address.get("brush"));
  view.open = address.has("tag") ? tags.name.indexOf(address.get("tag")) : -1;
  return view;
}

function addressOf(view, open) {
  const first = firstView();
  const kept = new URLSearchParams();
  if (view.policy !== first.policy) kept.set("thresholds", view.policy);
  if (view.metric !== first.metric) kept.set("metric", view.metric);
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
  else if (view.section && view.section !== "top") kept.set("section", view.section);
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
    for (const link of document.querySelectorAll(".contents a")) link.addEventListener("click", () => (link.closest("details").open = false));
    document.querySelector(".skip").href = "#tags";
    for (const id of ["charts", "tags"]) byId(id).hidden = false;
    byId("dots").hidden = !this.view.comparison;
    byId("difference").hidden = !this.view.comparison;
    this.offerPairs();
    this.offerColumns();
    this.plots = [];
    this.headline = new Headline(this.view, { onTag: (tag) => this.reveal(tag), onPair: (comparison) => this.compare(comparison) });
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
    if (this.view.section && this.view.open < 0) goTo(this.view.section);
  }

  /** Draw the plots after the table is painted, a tenth of a second later. */
  draw() {
    this.headline.draw();
    this.sweep = new Sweep(this.view, () => this.remember());
    this.plots = this.view.comparison ? this.dotPlots() : [];
    for (const plot of this.plots) plot.showBrush(this.view.brush);
    if (this.table.open !== null) for (const plot of this.plots) plot.choose(this.table.open);
    this.filterPlots(this.table);
    watchEdges();
    showSuspects((tag) => this.reveal(tag));
    document.body.dataset.drawn = "";
  }

  dotPlots() {
    const calls = { onPick: (tag) => this.reveal(tag), onBrush: (brush) => this.brush(brush) };
    if (this.view.brush) choose("dots-figure", this.view.brush.figure);
    return [new Scatter(this.view.comparison, calls), new Funnel(this.view.comparison, calls)];
  }

  /** With more than two taggers the reader picks the two that the page compares, at any of its selectors. */
  offerPairs() {
    for (const box of document.querySelectorAll(".choice")) {
      box.hidden = models.length < 3;
      const selects = [...box.querySelectorAll("select")];
      for (const select of selects) {
        select.append(...models.map(({ name }, model) => el("option", { value: String(model) }, clipped(name, 40))));
        select.addEventListener("change", () => this.pick(selects, select));
      }
    }
  }

  /** Compare the two selected taggers; the other one changes places with a tagger that is selected twice. */
  pick(selects, changed) {
    const { first, second } = this.view.comparison;
    let [one, other] = selects.map(({ value }) => Number(value));
    if (one === other) [one, other] = changed === selects[0] ? [one, first] : [second, other];
    this.compare(comparisonOf(one, other));
  }

  /** Checkboxes for the taggers and other columns that can be hidden. */
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
    this.headline.draw();
    this.fillControls();
  }

  /** Show everything under another threshold policy. */
  async under(policy) {
    this.view.policy = policy;
    await this.usePolicy();
    this.remember();
  }

  /** Take over the policy of the view; the last one chosen counts. */
  async usePolicy() {
    const { policy: wanted } = this.view;
    await usePolicy(wanted);
    if (wanted !== this.view.policy) return;
    if (this.view.brush) this.view.brush = this.view.brush.again();
    for (const plot of this.plots) plot.show({});
    this.table.rebuild();
    this.sweep?.refresh();
    this.headline.draw();
    this.fillControls();
  }

  fillControls() {
    const { comparison } = this.view;
    for (const select of document.querySelectorAll(".pair-first")) select.value = String(comparison?.first ?? "");
    for (const select of document.querySelectorAll(".pair-second")) select.value = String(comparison?.second ?? "");
    byId("policy").value = this.view.policy;
    choose("headline", this.view.metric);
    byId("query").value = this.view.query;
    byId("compared-only").checked = this.view.comparedOnly;
    this.chip.show(this.view.brush);
    for (const plot of this.plots) plot.showBrush(this.view.brush);
    choose("difference", this.view.difference);
    for (const input of byId("figures").querySelectorAll("input")) input.checked = this.view.figures.has(input.value);
    for (const input of byId("others").querySelectorAll("input")) input.checked = !this.view.without.has(input.value);
  }

  listen() {
    byId("policy").addEventListener("change", () => this.under(byId("policy").value));
    onChoice("headline", (metric) => this.show({ metric }));
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

  /** Change the metric of the first screen. */
  show(change) {
    Object.assign(this.view, change);
    this.headline.draw();
    this.remember();
  }

  /** Change the search or a filter. */
  narrow(change) {
    Object.assign(this.view, change);
    this.table.scrollTo(0);
    this.table.arrange();
    this.remember();
  }

  /** Filter to the tags inside a range of a plot; null removes this filter. */
  brush(brush) {
    this.narrow({ brush });
    this.fillControls();
  }

  /** Change the columns. */
  reshape(change) {
    Object.assign(this.view, change);
    this.table.rebuild();
    this.remember();
  }

  onColumns() {
    const chosen = (id, state) => [...byId(id).querySelectorAll("input")].filter((input) => input.checked === state).map((input) => input.value);
    this.reshape({ figures: new Set(chosen("figures", true)), without: new Set(chosen("others", false)) });
  }

  /** Append an example of the help to the search. */
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
    byId("tags-told").textContent = done ? "Link to this view copied." : "The browser does not allow copying; the link is the address of this page.";
  }

  onArrange(table) {
    const shown = table.rows.length;
    byId("tags-status").textContent = shown === tagCount ? plural(tagCount, "tag", "tags") : `${count(shown)} of ${plural(tagCount, "tag", "tags")}`;
    byId("query-problem").textContent = table.problem;
    byId("tags-told").textContent = "";
    byId("query").setAttribute("aria-invalid", String(table.problem !== ""));
    // Rows have priority: dots are drawn after a pause.
    clearTimeout(this.dots);
    this.dots = setTimeout(() => this.filterPlots(table), 80);
  }

  filterPlots(table) {
    for (const plot of this.plots) plot.filter((tag) => table.has(tag));
    this.sweep?.filter(table.rows);
  }

  /** Opening or closing a tag adds a history entry, so that Back undoes it; typing in the search does not. */
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

  /** Show a tag in the table; filters that hide it are cleared. */
  reveal(tag) {
    if (!this.table.has(tag)) {
      Object.assign(this.view, { query: "", comparedOnly: false, brush: null });
      this.fillControls();
      this.table.arrange();
    }
    this.table.select(tag);
    byId("tags-box").scrollIntoView({ block: "nearest" });
  }

  /** Store the view in the address after a pause, without a history entry; browsers limit the rate of such changes. */
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

  /** Restore the view after Back, Forward or an edited address. A jump to an anchor is no view: the address is rewritten. */
  restore() {
    const section = sectionOf(window.location.hash);
    if (section !== null) {
      this.view.section = section;
      goTo(section);
      this.remember();
      return;
    }
    clearTimeout(this.pending);
    this.restoring = true;
    const { policy: before } = this.view;
    Object.assign(this.view, viewFromAddress());
    if (this.view.policy !== before) this.usePolicy();
    if (this.table.open !== null && this.table.open !== this.view.open) this.table.close({ asked: false });
    for (const plot of this.plots) plot.show({ comparison: this.view.comparison });
    this.sweep?.restore();
    this.headline.draw();
    this.fillControls();
    this.table.rebuild();
    if (this.view.open >= 0) this.reveal(this.view.open);
    this.kept = this.table.open;
    this.restoring = false;
  }
}

const opening = viewFromAddress().policy;
if (opening !== "own") await usePolicy(opening);
new Page();
