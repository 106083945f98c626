// One metric of two taggers, one on each axis; on the diagonal both are equal.

class Scatter extends DotPlot {
  constructor(comparison, calls) {
    super("scatter", comparison, calls);
  }

  show(change) {
    super.show(change);
    this.tally();
  }

  filter(shown) {
    super.filter(shown);
    this.tally();
  }

  axesOf(points) {
    const end = axisEnd(points.reduce((most, { x, y }) => Math.max(most, x, y), 0));
    const axis = linearAxis(0, end, axisTicks(end));
    return { x: axis, y: axis };
  }

  axisTitles(room) {
    return [this.comparison.first, this.comparison.second].map((m) => `${figureName(this.figure)} of ${clipped(models[m].name, room)}`);
  }

  guides() {
    const { first, second } = this.comparison;
    return [
      svg("line", { class: "diagonal", x1: this.px(0), y1: this.py(0), x2: this.px(1), y2: this.py(1) }),
      ...this.corner(second, { x: this.px(0) + 6, y: this.py(1) + 14 }),
      ...this.corner(first, { x: this.px(1) - 6, y: this.py(0) - 8, end: true }),
    ];
  }

  label() {
    const [a, b] = [this.comparison.first, this.comparison.second].map((model) => clipped(models[model].name, 60));
    return (
      `${figureName(this.figure)} of ${a} against ${b} for ${plural(this.points.length, "tag", "tags")}. ` +
      "Arrow keys move through the tags by difference, Enter opens one in the table. Drag, or use “Select a range” below, to select tags."
    );
  }

  /** Write the sentence on how many tags each tagger is higher, of all dots and of those that the table shows. */
  tally() {
    const { first, second } = this.comparison;
    const tested = this.comparison.testedFor(this.figure);
    const [a, b] = [first, second].map((model) => clipped(models[model].name, 60));
    const [firstHigher, secondHigher, rest] = this.sides(this.points);
    const shown = this.points.filter(({ tag }) => this.shown(tag));
    const parts = [
      `${figureName(this.figure)} is higher for `, isolated(a), ` on ${plural(firstHigher, "tag", "tags")}, for `, isolated(b),
      ` on ${count(secondHigher)}; ${tested ? "undetermined" : "equal"} on ${count(rest)}${tested ? "" : ` (${this.comparison.tested ? `${policyTitle()}; tested at own thresholds only` : "point estimates, not tested on this page"})`}.`,
    ];
    if (shown.length < this.points.length) {
      const counts = this.sides(shown).map(count);
      parts.push(` The table shows ${count(shown.length)} of them: ${listed(counts)}.`);
    }
    byId("scatter-tally").replaceChildren(...parts);
  }

  sides(points) {
    return [1, -1, 0].map((side) => points.filter((point) => point.side === side).length);
  }
}
