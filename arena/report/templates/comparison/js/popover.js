// Details elements as panels over the page: Escape or a click elsewhere closes them.

/** Make a details element a panel. */
function popover(details) {
  const close = () => (details.open = false);
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    close();
    details.querySelector("summary").focus();
  });
  document.addEventListener("pointerdown", (event) => !details.contains(event.target) && close());
  details.addEventListener("focusout", ({ relatedTarget: next }) => next && !details.contains(next) && close());
}
