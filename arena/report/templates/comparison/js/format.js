// Number formats. The rules are those of arena/base/format.py, so that page and text files agree in every digit.

const UNDEFINED = "–";
const MINUS = "−";

/** A value with four digits, or fewer; only exact 0 and 1 are shown as such. */
function figure(value, digits = 4) {
  if (value === null || value === undefined) return UNDEFINED;
  const text = fixed(Number(fixed(value, 4)), digits);
  if (Number(text) === 0 && value !== 0) return `<${(10 ** -digits).toFixed(digits)}`;
  if (Number(text) === 1 && value !== 1) return `>${(1 - 10 ** -digits).toFixed(digits)}`;
  return text;
}

/** A difference with four digits, or fewer, and a sign, except for exact zero. */
function signed(value, digits = 4) {
  if (value === null || value === undefined) return UNDEFINED;
  if (value === 0) return figure(0, digits);
  const [sign, text] = [value > 0 ? "+" : MINUS, figure(Math.abs(value), digits)];
  if (text[0] !== "<" && text[0] !== ">") return sign + text;
  return ((text[0] === ">") === value > 0 ? ">" : "<") + sign + text.slice(1);
}

/**
 * toFixed with ties to even, as Python rounds: 1/32 is 0.0312. A double is exactly between two decimals of `digits` digits only
 * if it is an odd multiple of 1 / 2^(digits + 1), which ratios of counts often are.
 */
function fixed(value, digits) {
  const parts = value * 2 ** (digits + 1);
  if (!Number.isInteger(parts) || parts % 2 === 0) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** digits).toFixed(digits);
}

/** How many digits of a value are known, 2 to 4, by its interval [low, high]; 4 without one. */
function knownDigits(ends) {
  if (!ends) return 4;
  const [low, high] = ends.map((end) => Math.floor(end * 10000 + 0.5));
  return digitsOfWidth(high - low);
}

/** How many digits of a share of `support` images are known, 2 to 4, where no interval was computed. */
function digitsOfSupport(support) {
  return digitsOfWidth(19600 / Math.sqrt(Math.max(support, 1)));
}

/** The known digits of an interval of this width, in units of 0.0001. */
function digitsOfWidth(width) {
  if (width < 71) return 4;
  return width < 710 ? 3 : 2;
}

/** An interval as text, with the digits that are known; "" without an interval. */
function rangeText(ends, show = figure) {
  return ends ? `[${ends.map((end) => show(end, knownDigits(ends))).join(", ")}]` : "";
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
