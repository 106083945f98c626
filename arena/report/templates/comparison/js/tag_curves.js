// Curves of one tag: F1 against the threshold, and precision against recall.

/** Both plots with a description; histograms are unpacked for the first open tag. */
function tagCurves(tag) {
  const box = el("div", { class: "tag-curves" });
  if (!tags.support[tag] || !models.some((_, model) => knows(model, tag))) return box;
  const [left, right] = [el("div", { class: "plot" }), el("div", { class: "plot" })];
  const words = el("ul", { class: "hindsight" });
  box.append(
    el("div", { class: "small-plots" }, left, right),
    el("p", { class: "hint" }, `Markers: each tagger ${policy === "own" ? "at its own threshold" : `under ${policyTitle()}, cross-fitted`}. Best possible in hindsight (not a result): the threshold, in steps of ${data.histograms.step}, is chosen on the images it is scored on.`),
    words,
  );
  allHistograms().then((histograms) => {
    const points = histograms.map((one, model) => (knows(model, tag) ? tagPoints(one, model, tag) : []));
    drawTagCurves(tag, points, left, right);
    words.append(...points.flatMap((found, model) => (found.length ? [hindsight(tag, model, found)] : [])));
  });
  return box;
}

/** A model's metrics for a tag at every edge and at its own threshold, sorted by threshold. */
function tagPoints(histograms, model, tag) {
  const support = tags.support[tag];
  const { tp, fp, threshold } = columnsOf[model];
  const own = { ...figuresOf(tp[tag], fp[tag], support), threshold: threshold[tag], own: true };
  const points = EDGES.map((edge, i) => ({ ...figuresOf(histograms.tp(tag, i), histograms.fp(tag, i), support), threshold: edge }));
  const others = points.filter((point) => Math.abs(point.threshold - own.threshold) > 1e-9);
  return [...others, own].sort((a, b) => a.threshold - b.threshold);
}

function figuresOf(tp, fp, support) {
  return { precision: share(tp, tp + fp), recall: share(tp, support), f1: share(2 * tp, tp + fp + support) };
}

function drawTagCurves(tag, points, left, right) {
  const pointOf = { left: ({ threshold, f1 }) => pointOr(threshold, f1), right: ({ recall, precision }) => pointOr(recall, precision) };
  const curves = (of) => points.map((found) => found.map(of));
  const marks = (of) => points.map((found) => found.filter(({ own }) => own).map(of)[0] ?? null);
  const highest = Math.max(0, ...points.flat().map(({ f1 }) => f1));
  const [name, names] = [clipped(tags.name[tag], 60), models.map((model) => model.name)];
  new CurvePlot(left, { across: "threshold", up: "F1", mark: 14, names }).show({
    label: `F1 against the threshold for ${name}`, curves: curves(pointOf.left), marks: marks(pointOf.left), ends: [1, axisEnd(highest)],
  });
  new CurvePlot(right, { across: "recall", up: "precision", mark: 14, steps: true, names }).show({
    label: `Precision against recall for ${name}, over the thresholds`, curves: curves(pointOf.right), marks: marks(pointOf.right),
  });
}

function hindsight(tag, model, points) {
  const edges = points.filter(({ threshold }) => EDGES.includes(threshold));
  const best = edges.reduce((most, point) => (point.f1 > most.f1 ? point : most));
  const own = points.find((point) => point.own);
  const shown = (value) => figure(value, digitsOfSupport(tags.support[tag]));
  return el("li", {}, marker(styleOf(model)), isolated(models[model].name),
    `best in hindsight: F1 ${shown(best.f1)} at ${best.threshold.toFixed(2)}; ${policy === "own" ? "at its own threshold" : `under ${policyTitle()}:`} ${own.threshold ?? UNDEFINED}: ${shown(own.f1)}`);
}
