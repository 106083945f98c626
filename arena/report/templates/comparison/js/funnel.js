// The difference of two taggers over support. Rare tags vary more by chance, so two equal taggers give a funnel around zero.

class Funnel extends DotPlot {
  constructor(comparison, calls) {
    super("funnel", comparison, calls);
  }

  axesOf(points) {
    const supports = points.map(({ x }) => x);
    const [least, most] = supports.length ? [supports[supports.length - 1], supports[0]] : [1, 10];
    const end = axisEnd(points.reduce((largest, { y }) => Math.max(largest, Math.abs(y)), 0));
    return { x: countAxis(least, most), y: evenAxis(end) };
  }

  axisTitles(room) {
    const names = [this.comparison.first, this.comparison.second].map((m) => clipped(models[m].name, Math.floor(room / 2)));
    return ["positive images", `${figureName(this.figure)} of ${names.join(` ${MINUS} `)}`];
  }

  guides() {
    const { first, second } = this.comparison;
    return [
      ...this.corner(first, { x: this.px(1) - 6, y: this.py(1) + 14, end: true }),
      ...this.corner(second, { x: this.px(1) - 6, y: this.py(0) - 8, end: true }),
    ];
  }

  label() {
    const [a, b] = [this.comparison.first, this.comparison.second].map((model) => clipped(models[model].name, 60));
    return (
      `Difference in ${figureName(this.figure)}, ${a} minus ${b}, over the number of positive images, for ` +
      `${plural(this.points.length, "tag", "tags")}. Arrow keys move through the tags by difference, Enter opens one in the table. ` +
      "Drag, or use “Select a range” below, to select tags."
    );
  }
}
