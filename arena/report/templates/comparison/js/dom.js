// Element builders. Payload text becomes a text node or an attribute value, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The size of the reader's text as a multiple of the usual 16 pixels; margins of plots and widths of columns follow it. */
const TEXT = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

/** Lengths in pixels, enlarged with the text. */
function withText(lengths) {
  return Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, length * TEXT]));
}

function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Set attributes and append children: null and false attributes are omitted, true ones are set empty. */
function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

/** A name from the payload, isolated so that right-to-left marks in it do not reorder the text around it. */
function isolated(text) {
  return el("bdi", { title: text }, text);
}

function marker(style, attributes = {}) {
  const box = { class: `mark m${style}`, viewBox: "0 0 12 12", "aria-hidden": "true", ...attributes };
  return svg("svg", box, svg("use", { href: `#mark-${style}` }));
}

/** A name clipped to `length` code points, for places that cannot wrap; no surrogate pair is cut in half. */
function clipped(text, length) {
  const points = Array.from(text);
  return points.length <= length ? text : `${points.slice(0, length - 1).join("")}…`;
}

/** The end of an axis of values in 0 to 1: the first multiple of 0.1 with some space above the highest value. */
function axisEnd(highest) {
  return Math.min(1, Math.ceil(highest * 10 + 0.2) / 10);
}

/** Ticks [{value, text}] from 0 to the end of an axis, at most seven. */
function axisTicks(end) {
  const step = end > 0.6 ? 0.2 : end > 0.2 ? 0.1 : 0.05;
  const steps = Math.floor(end / step + 1e-9);
  return Array.from({ length: steps + 1 }, (_, i) => ({ value: i * step, text: (i * step).toFixed(step < 0.1 ? 2 : 1) }));
}

/** Call `listener` with the value of a group of radio buttons whenever it changes; returns the current value. */
function onChoice(name, listener) {
  const inputs = [...document.querySelectorAll(`input[name="${name}"]`)];
  for (const input of inputs) input.addEventListener("change", () => listener(input.value));
  return inputs.find((input) => input.checked).value;
}

function choose(name, value) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === value;
}

/** Call `draw(width, height)` with the size of a box as soon as it has one, and when it changes. The browser reports a size after
    its own layout; asking for one in between makes it compute the layout again. */
function onResize(box, draw) {
  resizeObserver(draw).observe(box);
}

/** The same for a plot, from the time when it is near the screen or printed. */
function onPlotResize(box, draw) {
  const observer = resizeObserver(draw);
  whenNear(box, () => observer.observe(box));
  // Before paper and after it: printing does not wait for the observer.
  matchMedia("print").addEventListener("change", () => box.clientWidth && draw(box.clientWidth, box.clientHeight));
}

function resizeObserver(draw) {
  let [width, height] = [0, 0];
  return new ResizeObserver(([{ contentRect }]) => {
    const [wide, high] = [Math.round(contentRect.width), Math.round(contentRect.height)];
    if (wide === 0 || (wide === width && high === height)) return;
    [width, height] = [wide, high];
    draw(width, height);
  });
}

/** Call `work` once, when a part of the page is at most a screen away. */
function whenNear(part, work) {
  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    work();
  }, { rootMargin: "100% 0px" });
  near.observe(part);
}

/** Call `work` after the next frame is painted; at once in a hidden page, which has no frames. */
function afterPaint(work) {
  if (document.hidden) setTimeout(work);
  else requestAnimationFrame(() => setTimeout(work));
}
