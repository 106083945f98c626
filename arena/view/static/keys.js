// What the pages share: keys, and the images that are blurred until they are asked for.

const TYPED = "input:not([type=checkbox], [type=file]), select, textarea";

/** Call a function for a key, unless it is typed into a field or has a modifier. */
export function onKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPED)) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

const KEPT = "arena-revealed";

/** Return the function that shows or blurs images; the choice holds for this tab, so a list is not unblurred one by one. */
export function revealing() {
  const button = document.getElementById("reveal");
  const show = (on) => {
    document.body.classList.toggle("revealed", on);
    button?.setAttribute("aria-pressed", String(on));
    sessionStorage.setItem(KEPT, on ? "1" : "");
  };
  const toggle = () => show(!document.body.classList.contains("revealed"));
  button?.addEventListener("click", toggle);
  if (sessionStorage.getItem(KEPT)) show(true);
  return toggle;
}
