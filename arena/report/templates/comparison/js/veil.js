// Frames of pictures. The style sheet blurs a picture that is not rated general or safe until the reader shows it.

function emptyFrame() {
  return el("span", { class: "frame none" }, "no picture");
}

/** A blurred picture. Its frame is the label of a checkbox, so that a click, a tap or the space bar shows and hides it. */
function veiled(picture, rating) {
  const box = el("input", { type: "checkbox", class: "sr", autocomplete: "off", "aria-label": `Show ${picture.alt}` });
  return el("label", { class: "frame veiled" }, box, picture, el("span", { class: "veil", "aria-hidden": "true" }, "Show", el("small", {}, rating)));
}
