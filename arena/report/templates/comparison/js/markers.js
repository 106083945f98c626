// Markers of the page's sprite on a canvas. Their outlines are traced dot by dot in pixels: a `Path2D` under a transform of its
// own takes ten times as long, 100 ms for 11,000 dots.

const MARKER_RADIUS = 5; // of the markers in the sprite
const SAMPLES = 96; // points along an outline, of which its corners are kept

function traceCircle(pen, x, y, radius) {
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}

/** trace(pen, x, y, radius) of a marker. */
function markerTracer(style) {
  const shape = byId(`mark-${style}`).firstElementChild;
  if (shape.localName === "circle") return traceCircle;
  const corners = outline(shape);
  return (pen, x, y, radius) => {
    for (const [dx, dy] of corners) pen.lineTo(x + dx * radius, y + dy * radius);
    pen.closePath();
  };
}

/** Points round a shape, about (0, 0) and 1 in radius; those on a straight line are left out. */
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
