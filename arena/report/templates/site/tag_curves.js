// Curves of a tag in its newest run: F1 against the threshold, and precision against recall.

let drawnStyles = [];

/** Style of a tagger of the drawn curves, for CurvePlot. */
function styleOf(model) {
  return drawnStyles[model];
}

/** Both plots; nothing if the run has no curves. `rows` are the metrics of the taggers in the run. */
function curvesOf(shard, tag, entry, rows) {
  const curves = tagCurves(shard, tag, entry.support);
  if (!curves.length || !entry.support) return [];
  drawnStyles = curves.map(({ model }) => facts.styles[model]);
  const [left, right] = [el("div", { class: "plot" }), el("div", { class: "plot" })];
  const own = curves.map(({ model }) => rows.find((row) => row.model === model));
  const name = clipped(shard.column("name")[tag], 60);
  const names = curves.map(({ model }) => model);
  afterPaint(() => {
    const highest = Math.max(0, ...curves.flatMap(({ points }) => points.map(({ f1 }) => f1)));
    new CurvePlot(left, { across: "threshold", up: "F1", mark: 14, names }).show({
      label: `F1 against the threshold for ${name}`, ends: [1, axisEnd(highest)],
      curves: curves.map(({ points }) => points.map(({ threshold, f1 }) => pair(threshold, f1))),
      marks: own.map((row) => row && pair(row.threshold, row.f1)),
    });
    new CurvePlot(right, { across: "recall", up: "precision", mark: 14, steps: true, names }).show({
      label: `Precision against recall for ${name}, over the thresholds`,
      curves: curves.map(({ points }) => points.map(({ recall, precision }) => pair(recall, precision))),
      marks: own.map((row) => row && pair(row.recall, row.precision)),
    });
  });
  return [
    el("div", { class: "tag-curves" }, el("div", { class: "small-plots" }, left, right)),
    el("p", { class: "hint" }, "Markers: each tagger at its own threshold."),
  ];
}

function pair(x, y) {
  return x === null || y === null ? null : [x, y];
}

/** For each tagger the metrics at every edge of the histograms. */
function tagCurves(shard, tag, support) {
  const of = shard.column("curve.tag");
  const [models, steps, images, hits, alarms] = ["model", "step", "images", "hits", "alarms"].map((name) => shard.column(`curve.${name}`));
  const found = [];
  let start = 0;
  of.forEach((own, row) => {
    const edges = Math.round(1 / steps[row]) + 1;
    if (own === tag) {
      const tp = countsFrom(hits.slice(start, start + edges), support);
      const fp = countsFrom(alarms.slice(start, start + edges), images[row] - support);
      found.push({ model: models[row], points: tp.map((count, edge) => pointAt(count, fp[edge], support, edge * steps[row])) });
    }
    start += edges;
  });
  return found;
}

/** Counts at or above each edge; the first entry of `bins` is the number below every edge, and `all` the total. */
function countsFrom(bins, all) {
  const counts = [all - bins[0], ...bins.slice(1)];
  for (let at = counts.length - 2; at > 0; at -= 1) counts[at] += counts[at + 1];
  return counts;
}

function pointAt(tp, fp, support, threshold) {
  return { threshold, precision: tp + fp ? tp / (tp + fp) : null, recall: tp / support, f1: (2 * tp) / (tp + fp + support) };
}
