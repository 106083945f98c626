// Axes of plots: convert a value to a share of the axis (0 to 1) and back; values converted back are rounded.

function linearAxis(start, end, ticks) {
  const length = end - start;
  return {
    start, end, ticks,
    shareOf: (value) => (value - start) / length,
    valueAt: (share) => Math.round((start + share * length) * 1000) / 1000 + 0, // + 0 turns −0 into 0
  };
}

/** An axis from −end to end, for differences. */
function evenAxis(end) {
  const above = axisTicks(end).slice(1);
  const ticks = [
    ...above.map(({ value, text }) => ({ value: -value, text: MINUS + text })).reverse(),
    { value: 0, text: "0" },
    ...above.map(({ value, text }) => ({ value, text: `+${text}` })),
  ];
  return linearAxis(-end, end, ticks);
}

const NONE = 0.5; // position of 0 on a logarithmic axis

/** A logarithmic axis of counts, with some space below the smallest and above the largest. */
function countAxis(least, most) {
  const start = Math.max(least, NONE) / 1.15;
  const end = Math.max(most, 1) * 1.15;
  const length = Math.log(end / start);
  return {
    start, end,
    ticks: countTicks(least, most).map((value) => ({ value, text: count(value) })),
    shareOf: (value) => Math.log(Math.max(value, NONE) / start) / length,
    valueAt: (share) => Math.round(start * Math.exp(share * length)),
  };
}

/** Ticks at 1, 3, 10, 30 ..., or at 1, 10, 100 ... if those are more than six; both ends if fewer than two fit. */
function countTicks(least, most) {
  const fine = [1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7].filter((value) => value >= least && value <= most);
  const ticks = fine.length > 6 ? fine.filter((value) => String(value).startsWith("1")) : fine;
  if (ticks.length < 2) return [...new Set([least, most])];
  return least === 0 ? [0, ...ticks] : ticks;
}
