// Label issues: the list is in the page; this script adds the pictures and links each tag to its row.

/** `reveal(tag)` opens the row of a tag. */
function showSuspects(reveal) {
  const section = byId("suspects");
  if (!section) return;
  section.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-tag]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    reveal(Number(link.dataset.tag));
  });
  for (const name of section.querySelectorAll(".image[data-image]")) {
    name.replaceChildren(imageButton(Number(name.dataset.image), name.textContent));
    name.firstChild.classList.remove("image");
  }
  if (!hasPictures) return;
  const fill = () => loadImages().then(() => fillFrames(section));
  whenNear(section, fill);
  // Printing cannot wait for pictures, so they are there before anyone prints.
  (window.requestIdleCallback ?? setTimeout)(fill);
}

function fillFrames(section) {
  for (const frame of section.querySelectorAll(".frame[data-image]")) {
    frame.replaceWith(pictureFrame(Number(frame.dataset.image), clipped(frame.dataset.alt, 80)));
  }
}
