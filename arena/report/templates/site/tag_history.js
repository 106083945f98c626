// History of a tag: a metric of every tagger over the runs. A line joins comparable runs only.

const HISTORY = { width: 360, height: 220, left: 46, right: 8, top: 12, bottom: 28, apart: 9, dates: 4 }; // as in series.py

/** A plot of a metric; `rows` are the metrics of all runs, `runs` the runs that know the tag, the oldest first. */
function historyChart({ key, name }, rows, runs) {
  const models = Object.keys(facts.styles).filter((model) => rows.some((row) => row.model === model));
  const known = rows.filter((row) => row[key] !== null);
  if (!known.length) return [];
  const end = axisEnd(Math.max(...known.map((row) => row[`${key}_high`] ?? row[key])));
  const label = `${name} of ${plural(models.length, "tagger", "taggers")} over ${plural(runs.length, "run", "runs")}; all values are in the tables below`;
  const drawing = svg("svg", { viewBox: `0 0 ${HISTORY.width} ${HISTORY.height}`, role: "img", "aria-label": label });
  drawing.append(...historyAxes(end, runs), ...models.map((model) => historyLine({ key, end, runs, models }, model, known)));
  return [el("figure", {}, el("figcaption", {}, name), drawing)];
}

function historyX(place, count) {
  return HISTORY.left + ((HISTORY.width - HISTORY.left - HISTORY.right) * (place + 0.5)) / count;
}

function historyY(value, end) {
  return HISTORY.top + (HISTORY.height - HISTORY.top - HISTORY.bottom) * (1 - value / end);
}

function historyAxes(end, runs) {
  const lines = axisTicks(end).flatMap(({ value, text }) => {
    const y = historyY(value, end);
    return [
      svg("line", { class: "grid", x1: HISTORY.left, x2: HISTORY.width - HISTORY.right, y1: y, y2: y }),
      svg("text", { x: HISTORY.left - 6, y: y + 4, "text-anchor": "end" }, text),
    ];
  });
  const number = Math.min(runs.length, HISTORY.dates);
  const places = new Set(Array.from({ length: number }, (_, i) => Math.round((i * (runs.length - 1)) / Math.max(number - 1, 1))));
  const dates = [...places].map((place) => {
    const x = historyX(place, runs.length);
    const anchor = x > HISTORY.width - HISTORY.right - 24 ? "end" : "middle"; // the last date would be cut
    return svg("text", { x, y: HISTORY.height - 8, "text-anchor": anchor }, runs[place].date);
  });
  return [...lines, ...dates];
}

/** The line and the marks of one tagger, moved aside so that taggers of one run do not hide each other. */
function historyLine({ key, end, runs, models }, model, rows) {
  const slot = (HISTORY.width - HISTORY.left - HISTORY.right) / runs.length;
  const aside = (models.indexOf(model) - (models.length - 1) / 2) * Math.min(HISTORY.apart, (0.8 * slot) / models.length);
  const style = facts.styles[model];
  const marks = [];
  const paths = new Map(); // one for each group of comparable runs
  runs.forEach((run, place) => {
    const row = rows.find((one) => one.run === run.id && one.model === model);
    if (!row) return;
    const [x, y] = [historyX(place, runs.length) + aside, historyY(row[key], end)];
    paths.set(run.group, `${paths.has(run.group) ? `${paths.get(run.group)}L` : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
    marks.push(historyMark({ x, y, style }, row, key, end, `${model}, ${run.date}: ${figure(row[key])} ${range(row, key)}`.trimEnd()));
  });
  return svg("g", { class: `m${style}` }, ...[...paths.values()].map((d) => svg("path", { class: `curve m${style}`, d })), ...marks);
}

function historyMark({ x, y, style }, row, key, end, text) {
  const [low, high] = [row[`${key}_low`], row[`${key}_high`]];
  const whisker = low === null || high === null ? [] : [svg("line", { class: "whisker", x1: x, x2: x, y1: historyY(high, end), y2: historyY(low, end) })];
  return svg("g", {}, svg("title", {}, text), ...whisker, markAt(style, x, y, 12));
}
