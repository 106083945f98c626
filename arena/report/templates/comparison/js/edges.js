// A sign at the right edge of a box that has more to the right, so that no column is off the screen unnoticed.

function watchEdges() {
  for (const box of document.querySelectorAll(".scroll")) {
    const sign = el("div", { class: "more-right", hidden: true });
    box.after(el("div", { class: "edge", "aria-hidden": "true" }, sign));
    const look = () => {
      const more = box.clientWidth > 0 && box.scrollWidth - box.clientWidth - box.scrollLeft > 2;
      sign.hidden = !more;
      if (more) sign.style.height = `${box.clientHeight}px`;
    };
    box.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(() => {
      look();
      if (!sign.hidden) sign.style.insetBlockEnd = `${sign.parentNode.getBoundingClientRect().top - box.getBoundingClientRect().bottom}px`;
    });
    observer.observe(box);
    if (box.firstElementChild) observer.observe(box.firstElementChild);
  }
}
