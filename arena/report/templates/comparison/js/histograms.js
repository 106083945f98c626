// Score histograms of each tag, packed by arena/report/page/histograms.py; exact at bin edges, unknown between them.

const EDGES = Array.from({ length: Math.round(1 / data.histograms.step) + 1 }, (_, i) => Number((i * data.histograms.step).toFixed(4)));

/** One model's counts of every tag at every edge. */
class Histograms {
  constructor(model, bytes) {
    const known = tags.name.map((_, tag) => tag).filter((tag) => knows(model, tag));
    const read = varintReader(bytes);
    this.hits = cumulated(read, known, (tag) => tags.support[tag]);
    this.falseAlarms = cumulated(read, known, (tag) => knownImages[tag] - tags.support[tag]);
  }

  tp(tag, edge) {
    return this.hits[tag * EDGES.length + edge];
  }

  fp(tag, edge) {
    return this.falseAlarms[tag * EDGES.length + edge];
  }
}

/** Counts at or above each edge, tag by tag, from the bins; `all(tag)` is the total, from which the lowest bin follows. */
function cumulated(read, known, all) {
  const edges = EDGES.length;
  const counts = new Int32Array(tagCount * edges);
  for (const tag of known) counts[tag * edges] = all(tag) - read();
  for (let bin = 1; bin < edges; bin += 1) {
    for (const tag of known) counts[tag * edges + bin] = read();
  }
  for (const tag of known) {
    for (let at = tag * edges + edges - 2; at > tag * edges; at -= 1) counts[at] += counts[at + 1];
  }
  return counts;
}

/** A reader of LEB128 integers: groups of seven bits, lowest first; the high bit marks that more follow. */
function varintReader(bytes) {
  let at = 0;
  return () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      at += 1;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
}

const histogramsRead = new Map();

/** A promise of a model's histograms, which are unpacked on first use. */
function histogramsOf(model) {
  if (!histogramsRead.has(model)) {
    histogramsRead.set(model, inflated(`histogram-${model}`).then((bytes) => new Histograms(model, bytes)));
  }
  return histogramsRead.get(model);
}

function allHistograms() {
  return Promise.all(models.map((_, model) => histogramsOf(model)));
}

// Metrics from counts, by the run's convention

/** Means of a metric over tags at several points. A tag with an undefined metric counts as `undefinedAs`; null: not in the mean. */
class Means {
  constructor(points, undefinedAs) {
    this.sums = new Float64Array(points);
    this.tags = new Int32Array(points);
    this.undefinedAs = undefinedAs;
  }

  add(point, part, whole) {
    if (whole === 0 && this.undefinedAs === null) return;
    this.sums[point] += whole === 0 ? this.undefinedAs : part / whole;
    this.tags[point] += 1;
  }

  value(point) {
    return share(this.sums[point], this.tags[point]);
  }
}

/** Macro and micro metrics over tags at several points; micro metrics use the sum of the counts of all tags. */
class Totals {
  constructor(points) {
    const { precision, recall, f1 } = data.histograms.undefined;
    this.precision = new Means(points, precision);
    this.recall = new Means(points, recall);
    this.f1 = new Means(points, f1);
    this.tp = new Float64Array(points);
    this.fp = new Float64Array(points);
    this.support = new Float64Array(points);
  }

  add(point, tp, fp, support) {
    this.tp[point] += tp;
    this.fp[point] += fp;
    this.support[point] += support;
    this.precision.add(point, tp, tp + fp);
    this.recall.add(point, tp, support);
    if (support > 0 || !data.histograms.f1_needs_positives) this.f1.add(point, 2 * tp, tp + fp + support);
  }

  /** The metrics at one point, named like the columns of the sweep; null if undefined. */
  figures(point) {
    const [tp, fp, support] = [this.tp[point], this.fp[point], this.support[point]];
    const micro = { micro_precision: share(tp, tp + fp), micro_recall: share(tp, support), micro_f1: share(2 * tp, tp + fp + support) };
    const macro = ["precision", "recall", "f1"].flatMap((name) => [
      [`macro_${name}`, this[name].value(point)], [`macro_${name}_tags`, this[name].tags[point]],
    ]);
    return { ...Object.fromEntries(macro), ...micro };
  }
}

/** A model's metrics over the chosen tags at every edge, named like the columns of the sweep. */
function sweepOver(histograms, chosen) {
  const totals = new Totals(EDGES.length);
  for (const tag of chosen) {
    for (let edge = 0; edge < EDGES.length; edge += 1) {
      totals.add(edge, histograms.tp(tag, edge), histograms.fp(tag, edge), tags.support[tag]);
    }
  }
  const rows = EDGES.map((_, edge) => totals.figures(edge));
  return Object.fromEntries(Object.keys(rows[0]).map((name) => [name, rows.map((row) => row[name])]));
}

/** A model's metrics over the chosen tags under the policy of the page; none if a count is unknown there. */
function ownOver(model, chosen) {
  const totals = new Totals(1);
  const { tp, fp } = columnsOf[model];
  if (chosen.some((tag) => tp[tag] === null || fp[tag] === null)) return {};
  for (const tag of chosen) totals.add(0, tp[tag], fp[tag], tags.support[tag]);
  return totals.figures(0);
}
