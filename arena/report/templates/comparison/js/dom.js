// Element builders. What comes from the payload enters as a text node or an attribute value, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Attributes that are null or false are left out, true ones are set empty. */
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

/** A name from the payload, isolated: right-to-left marks in it must not reorder what stands beside it. */
function isolated(text) {
  return el("bdi", { title: text }, text);
}

function marker(style, attributes = {}) {
  const box = { class: `mark m${style}`, viewBox: "0 0 12 12", "aria-hidden": "true", ...attributes };
  return svg("svg", box, svg("use", { href: `#mark-${style}` }));
}

/** The first characters of a name for places that cannot wrap; counted in code points, so no emoji is cut in half. */
function clipped(text, length) {
  const points = Array.from(text);
  return points.length <= length ? text : `${points.slice(0, length - 1).join("")}…`;
}

/** Where an axis of figures ends: the first tenth that leaves room above the highest, so that low figures fill the plot. */
function axisEnd(highest) {
  return Math.min(1, Math.ceil(highest * 10 + 0.2) / 10);
}

/** [{value, text}] from 0 to the end of an axis, at most seven. */
function axisTicks(end) {
  const step = end > 0.6 ? 0.2 : end > 0.2 ? 0.1 : 0.05;
  const steps = Math.floor(end / step + 1e-9);
  return Array.from({ length: steps + 1 }, (_, i) => ({ value: i * step, text: (i * step).toFixed(step < 0.1 ? 2 : 1) }));
}

/** Call `listener` with the value of a group of radio buttons whenever it changes; returns the present one. */
function onChoice(name, listener) {
  const inputs = [...document.querySelectorAll(`input[name="${name}"]`)];
  for (const input of inputs) input.addEventListener("change", () => listener(input.value));
  return inputs.find((input) => input.checked).value;
}

function choose(name, value) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === value;
}

/** Redraw when the box changes its size; a hidden box has none and is left alone. */
function onResize(box, draw) {
  let [width, height] = [box.clientWidth, box.clientHeight];
  new ResizeObserver(() => {
    if (box.clientWidth === 0 || (box.clientWidth === width && box.clientHeight === height)) return;
    [width, height] = [box.clientWidth, box.clientHeight];
    draw();
  }).observe(box);
}

/** Once the next frame is painted; a page that nobody sees has no frames. */
function afterPaint(work) {
  if (document.hidden) setTimeout(work);
  else requestAnimationFrame(() => setTimeout(work));
}
