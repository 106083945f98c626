// Element builders. Payload text becomes a text node or an attribute value, never markup.

const SVG = "http://www.w3.org/2000/svg";

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

/** Call `draw` when the size of the box changes, unless the box is hidden. */
function onResize(box, draw) {
  let [width, height] = [box.clientWidth, box.clientHeight];
  new ResizeObserver(() => {
    if (box.clientWidth === 0 || (box.clientWidth === width && box.clientHeight === height)) return;
    [width, height] = [box.clientWidth, box.clientHeight];
    draw();
  }).observe(box);
}

/** Call `work` after the next frame is painted; at once in a hidden page, which has no frames. */
function afterPaint(work) {
  if (document.hidden) setTimeout(work);
  else requestAnimationFrame(() => setTimeout(work));
}
