// The table of all tags. All rows have the same height, so that only visible rows need to be in the document. One row at a time
// can be open; the panel under it has its own height.

const OVERSCAN = 6; // rows kept above and below the visible ones
const PRINTED = 200; // most rows in print

class TagTable {
  /** `view` has the reader's choices (see page.js). `onArrange(table)`, `onSort()` and `onOpen(tag, asked)` notify the page;
      `asked` is false if a search closed the row. */
  constructor(view, { onArrange, onOpen, onSort }) {
    Object.assign(this, { view, onArrange, onOpen, onSort });
    this.box = byId("tags-box");
    this.rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) * 16 * TEXT;
    [this.width, this.height, this.left, this.top] = [0, 0, 0, 0]; // of the visible part; reading them forces layout
    this.rows = new Int32Array(0);
    this.shown = new Uint8Array(tagCount);
    this.live = new Map();
    this.open = null;
    this.openHeight = 0;
    this.focused = null;
    this.printing = false;
    this.build();
    this.listen();
    this.rebuild();
  }

  build() {
    this.above = el("tr", { class: "pad", "aria-hidden": "true" }, el("td"));
    this.below = el("tr", { class: "pad", "aria-hidden": "true" }, el("td"));
    this.body = el("tbody", {}, this.above, this.below);
    this.table = el("table");
    this.box.append(this.table);
  }

  listen() {
    this.box.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.box.addEventListener("click", (event) => this.onClick(event));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("focusin", (event) => this.onFocus(event));
    onResize(this.box, (width, height) => {
      Object.assign(this, { width, height });
      this.fit();
    });
    this.box.addEventListener("grown", () => this.fit());
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
  }

  // What is shown

  /** Rebuild head and rows after a change of columns. */
  rebuild() {
    this.columns = tableColumns(this.view);
    this.maker = new RowMaker(this.columns);
    if (!this.columns.some((column) => column.key === this.view.sort.key)) this.view.sort = { ...FIRST_SORT };
    const caption = el("caption", { class: "sr" }, "All tags, with columns for every tagger. Column buttons sort; a tag’s button opens its counts.");
    this.table.replaceChildren(caption, columnGroup(this.columns), tableHead(this.columns), this.body);
    this.table.style.minWidth = `${tableWidth(this.columns)}px`;
    for (const pad of [this.above, this.below]) pad.firstChild.colSpan = this.columns.length;
    if (this.open !== null) this.panel = this.panelOf(this.open); // it shows the difference of the two compared taggers
    for (const row of this.live.values()) row.remove();
    this.live.clear();
    this.sort();
  }

  sort() {
    const column = this.columns.find((item) => item.key === this.view.sort.key);
    this.order = orderBy(column.values, this.view.sort.descending);
    markSorted(this.table.tHead, this.view.sort);
    this.arrange();
  }

  /** Select the sorted tags that match, after a change of search or filter. */
  arrange() {
    const { matches, problem } = parseQuery(this.view.query, this.view);
    this.problem = problem;
    const { comparedOnly, brush } = this.view;
    for (let tag = 0; tag < tagCount; tag += 1) {
      this.shown[tag] = (tags.compared[tag] || !comparedOnly) && (!brush || brush.has(tag)) && matches(tag);
    }
    this.rows = this.order.filter((tag) => this.shown[tag]);
    if (this.open !== null && !this.has(this.open)) this.close({ asked: false });
    this.paint({ hasty: true });
    this.table.setAttribute("aria-rowcount", this.rows.length + 2);
    this.onArrange(this);
  }

  has(tag) {
    return this.shown[tag] === 1;
  }

  // Painting

  /** The visible rows as [first, last + 1], extended by `spare` rows. */
  sight(spare) {
    if (this.printing) return [0, Math.min(PRINTED, this.rows.length)];
    const first = this.rowAt(this.top) - spare;
    const last = this.rowAt(this.top + this.height) + 1 + spare;
    return [Math.max(first, 0), Math.min(last, this.rows.length)];
  }

  /** The number of columns, from the left, that includes all visible ones. */
  columnsInSight() {
    const right = this.left + this.width;
    let reached = 0;
    const beyond = this.columns.findIndex(({ kind }) => (reached += WIDTHS[kind]) >= right);
    return beyond < 0 ? this.columns.length : beyond + 1;
  }

  openAt() {
    if (this.open === null) return Infinity;
    if (this.rows[this.openedAt] !== this.open) this.openedAt = this.rows.indexOf(this.open);
    return this.openedAt;
  }

  rowAt(y) {
    const plain = Math.floor(y / this.rowHeight);
    if (plain <= this.openAt()) return plain;
    return Math.max(this.openAt(), Math.floor((y - this.openHeight) / this.rowHeight));
  }

  topOf(position) {
    return position * this.rowHeight + (position > this.openAt() ? this.openHeight : 0);
  }

  /** Put the visible rows into the document. Rows that stay are not touched, so that they keep the focus. `hasty`, between two
      keystrokes, paints only visible cells; the rows and cells around them follow after a pause. Before the first layout, only
      the height of all rows is set: the browser then reports the size of the box before it paints its first frame. */
  paint({ hasty = false } = {}) {
    clearTimeout(this.pause);
    if (!this.height && !this.printing) {
      this.below.firstChild.style.height = `${this.topOf(this.rows.length)}px`;
      return;
    }
    if (hasty) this.pause = setTimeout(() => this.paint(), 60);
    const [first, last] = this.sight(hasty ? 0 : OVERSCAN);
    const cells = hasty && !this.printing ? this.columnsInSight() : this.columns.length;
    const wanted = [];
    for (let position = first; position < last; position += 1) {
      const tag = this.rows[position];
      wanted.push(this.row(tag, position, cells));
      if (tag === this.open) wanted.push(this.panel);
    }
    if (!this.rows.length) wanted.push(this.emptyRow());
    const held = this.panel?.isConnected;
    this.replaceRows(wanted);
    if (!held) this.measurePanel();
    this.above.firstChild.style.height = `${this.topOf(first)}px`;
    this.below.firstChild.style.height = `${this.printing ? 0 : Math.max(0, this.topOf(this.rows.length) - this.topOf(last))}px`;
    this.setTabStop();
  }

  replaceRows(wanted) {
    const keep = new Set(wanted);
    for (const [tag, row] of this.live) {
      if (!keep.has(row)) this.live.delete(tag);
    }
    for (const node of [...this.body.children]) {
      if (!keep.has(node) && node !== this.above && node !== this.below) node.remove();
    }
    let cursor = this.above.nextSibling;
    for (const node of wanted) {
      if (node === cursor) cursor = cursor.nextSibling;
      else this.body.insertBefore(node, cursor);
    }
  }

  row(tag, position, cells) {
    const row = this.live.get(tag) ?? this.maker.row(tag);
    this.live.set(tag, row);
    this.maker.fill(row, tag, cells);
    row.setAttribute("aria-rowindex", position + 3);
    row.classList.toggle("open", tag === this.open);
    row.querySelector("button").setAttribute("aria-expanded", String(tag === this.open));
    return row;
  }

  emptyRow() {
    return el("tr", { class: "none" }, el("td", { colspan: this.columns.length }, "No tag matches."));
  }

  /** Set the width of the open panel to that of the box, and read its height, which is known only after layout. */
  measurePanel() {
    if (this.open === null || !this.panel.isConnected) return;
    this.panel.firstChild.firstChild.style.width = `${this.width}px`;
    this.openHeight = this.panel.offsetHeight;
  }

  fit() {
    this.measurePanel();
    this.paint();
  }

  onScroll() {
    [this.left, this.top] = [this.box.scrollLeft, this.box.scrollTop];
    this.paint();
  }

  /** Scroll to a position in pixels, as far as there are rows. */
  scrollTo(top) {
    this.box.scrollTop = top;
    this.top = this.box.scrollTop;
  }

  print(printing) {
    this.printing = printing;
    const hidden = this.rows.length - PRINTED;
    byId("print-note").textContent = hidden > 0 ? `The first ${PRINTED} of ${count(this.rows.length)} tags in the order chosen on the page.` : "";
    this.paint();
  }

  // Opening a row

  toggle(tag) {
    if (this.open === tag) this.close({ asked: true });
    else this.openRow(tag);
    this.paint();
  }

  panelOf(tag) {
    const panel = el("tr", { class: "panel" }, el("td", { colspan: this.columns.length }, detailBox(tag, this.view.comparison)));
    onResize(panel.firstChild.firstChild, () => this.fit()); // the curves are added after their block is unpacked
    return panel;
  }

  openRow(tag) {
    this.panel = this.panelOf(tag);
    this.open = tag;
    this.onOpen(tag, true);
  }

  /** Close the open row; a focus in its panel moves to the row. */
  close({ asked }) {
    const row = this.live.get(this.open);
    if (row && this.panel.contains(document.activeElement)) row.querySelector("button").focus({ preventScroll: true });
    this.open = null;
    this.openHeight = 0;
    this.onOpen(null, asked);
  }

  /** Open a tag's row and scroll to it; the caller makes sure that the filter includes the tag. */
  select(tag) {
    if (this.open !== tag) this.openRow(tag);
    if (!this.height) [this.width, this.height] = [this.box.clientWidth, this.box.clientHeight];
    const position = this.rows.indexOf(tag);
    this.scrollTo(Math.max(0, (position - 2) * this.rowHeight));
    this.paint();
    this.focus(position);
  }

  // Keyboard and pointer

  onClick(event) {
    const heading = event.target.closest("thead button");
    if (heading) {
      this.sortBy(heading.dataset.key);
      return;
    }
    const row = event.target.closest("tr.row");
    const selecting = String(window.getSelection()) !== "" && !event.target.closest("button");
    if (row && !selecting) this.toggle(Number(row.dataset.tag));
  }

  sortBy(key) {
    this.view.sort = nextSort(this.view.sort, this.columns.find((item) => item.key === key));
    this.scrollTo(0);
    this.sort();
    this.onSort();
  }

  onFocus(event) {
    const row = event.target.closest("tr.row");
    if (row) this.focused = Number(row.dataset.tag);
  }

  onKey(event) {
    if (event.key === "Escape" && this.open !== null) this.toggle(this.open);
    if (!event.target.matches("button.tag")) return;
    const here = this.rows.indexOf(this.focused);
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 3);
    const targets = {
      ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: this.rows.length - 1,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    this.focus(Math.min(Math.max(targets[event.key], 0), this.rows.length - 1));
  }

  /** Focus the row at a position, and scroll only as far as needed to make it visible. */
  focus(position) {
    const head = this.table.tHead.offsetHeight;
    const top = this.topOf(position);
    const room = this.height - head - this.rowHeight;
    if (top < this.top) this.scrollTo(top);
    else if (top > this.top + room) this.scrollTo(top - room);
    this.focused = this.rows[position];
    this.paint();
    this.live.get(this.focused).querySelector("button").focus({ preventScroll: true });
  }

  /** Tab enters the table once, at the row used last, else at the first visible row. */
  setTabStop() {
    const used = this.live.has(this.focused) ? this.focused : this.rows[this.sight(0)[0]];
    for (const [tag, row] of this.live) row.querySelector("button").tabIndex = tag === used ? 0 : -1;
  }
}
