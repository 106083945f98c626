// Draws the markers of the page's sprite on a canvas. Outlines are traced per dot in pixels: a `Path2D` with a transform per dot
// takes ten times as long, 100 ms for 11,000 dots.

const MARKER_RADIUS = 5; // radius of the markers in the sprite
const SAMPLES = 96; // points sampled along an outline; only corners are kept

function traceCircle(pen, x, y, radius) {
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

const tracers = new Map();

/** The function trace(pen, x, y, radius) of a marker; made once for each marker. */
function markerTracer(style) {
  if (!tracers.has(style)) tracers.set(style, newTracer(style));
  return tracers.get(style);
}

function newTracer(style) {
  const shape = byId(`mark-${style}`).firstElementChild;
  if (shape.localName === "circle") return traceCircle;
  const corners = outline(shape);
  return (pen, x, y, radius) => {
    for (const [dx, dy] of corners) pen.lineTo(x + dx * radius, y + dy * radius);
    pen.closePath();
  };
}

/** The corners of a shape, centred at (0, 0) with radius 1; points on straight lines are omitted. */
function outline(shape) {
  const length = shape.getTotalLength();
  const points = Array.from({ length: SAMPLES }, (_, i) => {
    const { x, y } = shape.getPointAtLength((i / SAMPLES) * length);
    return [x / MARKER_RADIUS, y / MARKER_RADIUS];
  });
  return points.filter(([x, y], i) => {
    const [[ax, ay], [bx, by]] = [points.at(i - 1), points[(i + 1) % SAMPLES]];
    return Math.abs((x - ax) * (by - y) - (y - ay) * (bx - x)) > 1e-5;
  });
}
