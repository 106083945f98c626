// Number formats. The rules are those of arena/base/format.py, so that page and text files agree in every digit.

const UNDEFINED = "–";
const MINUS = "−";

/** A value with four digits; only exact 0 and 1 are shown as such. */
function figure(value) {
  if (value === null || value === undefined) return UNDEFINED;
  const text = fixed4(value);
  if (text === "0.0000" && value !== 0) return "<0.0001";
  if (text === "1.0000" && value !== 1) return ">0.9999";
  return text;
}

/** A difference with four digits and a sign, except for exact zero. */
function signed(value) {
  if (value === null) return UNDEFINED;
  if (value === 0) return "0.0000";
  const sign = value > 0 ? "+" : MINUS;
  const text = fixed4(Math.abs(value));
  if (text === "0.0000") return value > 0 ? "<+0.0001" : `>${MINUS}0.0001`;
  if (text === "1.0000" && Math.abs(value) !== 1) return `${value > 0 ? ">" : "<"}${sign}0.9999`;
  return sign + text;
}

/**
 * toFixed(4) with ties to even, as Python rounds: 1/32 is 0.0312. A double is exactly between two four-digit decimals only if
 * it is an odd multiple of 1/32 (2^5 · 625 = 20,000), which ratios of counts often are.
 */
function fixed4(value) {
  const thirtySeconds = value * 32;
  if (!Number.isInteger(thirtySeconds) || thirtySeconds % 2 === 0) return value.toFixed(4);
  const below = Math.floor(value * 10000);
  return ((below % 2 === 0 ? below : below + 1) / 10000).toFixed(4);
}

function count(value) {
  if (value === null || value === undefined) return UNDEFINED;
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A share in per cent with one digit; only exact 0 and 100 are shown as such. */
function percent(part, whole) {
  if (whole === 0) return UNDEFINED;
  if (part === 0 || part === whole) return part === 0 ? "0 %" : "100 %";
  const text = ((100 * part) / whole).toFixed(1);
  if (text === "0.0") return "<0.1 %";
  return text === "100.0" ? ">99.9 %" : `${text} %`;
}

function listed(items) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}
