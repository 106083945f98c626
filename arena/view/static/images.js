// Keys of the grid and of one image; every action is also a link or a button of the page.
import { onKeys, revealing } from "./keys.js";

const toggle = revealing();
const link = (selector) => () => document.querySelector(selector)?.click();
const cells = [...document.querySelectorAll(".grid a")];

function move(step) {
  const at = cells.indexOf(document.activeElement);
  cells[Math.min(cells.length - 1, Math.max(0, at < 0 ? 0 : at + step))]?.focus();
}

function columns() {
  const top = cells[0]?.offsetTop;
  return Math.max(1, cells.filter((one) => one.offsetTop === top).length);
}

if (cells.length) {
  onKeys({
    ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => move(columns()), ArrowUp: () => move(-columns()),
    b: toggle,
  });
} else {
  onKeys({
    ArrowRight: link("[rel=next]"), ArrowLeft: link("[rel=prev]"), j: link("[rel=next]"), k: link("[rel=prev]"),
    Escape: link(".back"), b: toggle,
  });
}

const next = document.querySelector("[data-next]");
if (next) new Image().src = next.dataset.next;
