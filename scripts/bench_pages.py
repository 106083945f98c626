"""Size and response time of comparison pages in a real browser, at JoyTag's scale and at the largest supported scale.

Usage: python scripts/bench_pages.py [--build build/pages] [--cases 3x5813,10x12476] [--again]

Simulates labels and scores (`simulation/world.py`: JoyTag's supports, repeated if there are more tags), runs `arena score`
once per case, and opens the page from disk in headless Chromium. The times to open the page, for each keystroke and for each
step of the slider are medians over five fresh openings. Writes reports/benchmarks/pages.{json,md}. An exceeded limit is
marked, and the exit code is then 1.
"""

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from playwright.sync_api import Browser, Page
from reporting import Options, arena_peak_gib, chromium, write_report
from simulation import world

from arena.base import provenance
from arena.pipeline.report import rewrite_reports


class Case(NamedTuple):
    """Size of a run (taggers, tags, images) and limits of its page; None is no limit."""

    models: int
    tags: int
    images: int
    most_bytes: int | None
    most_open_ms: float
    most_keystroke_ms: float | None
    most_frame_ms: float | None


CASES = {
    "3x5813": Case(3, 5_813, world.JOYTAG_IMAGES, 2_000_000, 1_000, 50, 1_000 / 30),
    "10x12476": Case(10, 12_476, 4_096, None, 3_000, None, None),
}
ALL_CASES = CASES | {"2x60": Case(2, 60, 8_000, None, 60_000, None, None)}
"""All cases, with a small one to try the script."""

TYPED = "tag_12 sup>20 d<-0.01"

FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#tags-box tr.row")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.firstRow = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""

PAINTED = """
() => new Promise((done) => {
  const look = () => (window.firstRow ? done() : setTimeout(look, 5));
  look();
})
"""

KEYSTROKES = """
async (typed) => {
  const box = document.querySelector("#query");
  const times = [];
  for (let end = 1; end <= typed.length; end += 1) {
    box.value = typed.slice(0, end);
    const start = performance.now();
    box.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  box.value = "";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  return times;
}
"""

SLIDE = """
async () => {
  const range = document.querySelector("#sweep-range");
  range.scrollIntoView();
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  const times = [];
  for (let at = 0; at <= Number(range.max); at += 1) {
    range.value = at;
    const start = performance.now();
    range.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
    await new Promise((done) => setTimeout(done));
    times.push(performance.now() - start);
  }
  return times;
}
"""


def make_run(case: Case, folder: Path) -> Path:
    """Simulate and score once; return the run folder. The score files are deleted when the run exists."""
    run, names = folder / "run", [f"tagger-{chr(ord('a') + number)}" for number in range(case.models)]
    if (run / "run.json").exists():
        rewrite_reports(run)
        return run
    if not (folder / "truth.npz").exists():
        write_scores(case, folder, names)
    scores = [part for name in names for part in ("--scores", f"{name}={folder / name}.npz", "-t", f"{name}=0.4")]
    arena_peak_gib("score", *scores, "--truth", folder / "truth.npz", "-o", run)
    for file in folder.glob("*.npz"):
        file.unlink()
    return run


def write_scores(case: Case, folder: Path, names: list[str]) -> None:
    """Write scores of taggers of about JoyTag's quality, each slightly better than the one before; then the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    supports = np.resize(world.joytag_supports(), case.tags)
    prevalence = np.minimum(supports / world.JOYTAG_IMAGES, 0.6)
    taggers = [world.make_tagger(prevalence, rng, quality=3.9 + 0.05 * number) for number in range(case.models)]
    drawn = world.draw(prevalence, taggers, case.images, rng)
    axes = {
        "tags": np.array([f"tag_{tag}" for tag in range(case.tags)]),
        "image_ids": np.array([f"{image:06d}" for image in range(case.images)]),
    }
    for name in names:
        np.savez(folder / name, scores=drawn.scores.pop(0), **axes)  # type: ignore[arg-type]
    np.savez(folder / "truth", truth=np.ascontiguousarray(drawn.truth.toarray()), **axes)  # type: ignore[arg-type]


def measure(case: Case, run: Path, browser: Browser, openings: int) -> dict[str, Any]:
    """Return sizes in bytes and times in milliseconds, as medians over this number of openings of the page."""
    page = run / "index.html"
    opened = [
        _with_page(browser, page, lambda shown: float(shown.evaluate("window.firstRow"))) for _ in range(openings)
    ]
    used = [
        _with_page(browser, page, lambda shown: (shown.evaluate(KEYSTROKES, TYPED), shown.evaluate(SLIDE)))
        for _ in range(openings)
    ]
    typed, slid = ([statistics.median(step) for step in zip(*one, strict=True)] for one in zip(*used, strict=True))
    return {
        **case._asdict(),
        "bytes": page.stat().st_size,
        "first_row_ms": statistics.median(opened),
        "keystroke_ms": {"median": statistics.median(typed), "slowest": max(typed)},
        "slider_ms": {"median": statistics.median(slid), "95 %": float(np.quantile(slid, 0.95))},
    }


def _with_page(browser: Browser, path: Path, read: Callable[[Page], Any]) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.add_init_script(FIRST_ROW)
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("#tags-box tr.row", state="attached")
    page.evaluate(PAINTED)
    found = read(page)
    context.close()
    return found


def rows_of(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return one row per measurement: name, value, limit, and whether the limit is kept."""
    size, most = found["bytes"], found["most_bytes"]
    wanted = f"{most / 1e6:g} MB" if most else "–"
    rows = [("page, without thumbnails", f"{size / 1e6:.2f} MB", wanted, most is None or size < most)]
    typed, slid = found["keystroke_ms"], found["slider_ms"]
    for name, value, limit in (
        ("opening, until the first row of the table", found["first_row_ms"], found["most_open_ms"]),
        ("keystroke in the search, until the rows are painted: median", typed["median"], found["most_keystroke_ms"]),
        ("keystroke in the search: slowest", typed["slowest"], found["most_keystroke_ms"]),
        ("step of the slider, until the frame is painted: median", slid["median"], found["most_frame_ms"]),
        ("step of the slider: 95th percentile", slid["95 %"], found["most_frame_ms"]),
    ):
        wanted = f"{limit:.0f} ms" if limit else "–"
        rows.append((name, f"{value:.0f} ms", wanted, limit is None or value <= limit))
    return rows


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as Markdown, one table per case."""
    lines = ["# Comparison pages in a browser", "", f"Headless Chromium {report['chromium']}, {report['machine']}.", ""]
    for found in report["cases"].values():
        lines += [
            f"## {found['models']} models × {found['tags']:,} tags ({found['images']:,} images)", "",
            "| | measured | limit | |", "| --- | ---: | ---: | --- |",
            *(f"| {name} | {value} | {limit} | {verdict(limit, kept)} |" for name, value, limit, kept in rows_of(found)),
            "",
        ]  # fmt: skip
    return "\n".join([*lines, "Made by `python scripts/bench_pages.py`."]) + "\n"


def verdict(limit: str, kept: bool) -> str:
    """Return whether a limit is kept, as text; empty if there is no limit."""
    if limit == "–":
        return ""
    return "kept" if kept else "**not kept**"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="pages")
    parser.add_size("--cases", ",".join(CASES), tiny="2x60")
    parser.add_size("--openings", 5, tiny=1)
    parser.add_argument("--again", action="store_true", help="simulate and score again, even if a run exists")
    options = parser.read(arguments)
    kept = options.out / "pages.json"
    report: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {"cases": {}}
    for name in options.cases.split(","):
        if options.again:
            shutil.rmtree(options.build / name, ignore_errors=True)
        run = make_run(ALL_CASES[name], options.build / name)
        with chromium() as browser:
            report["cases"][name] = measure(ALL_CASES[name], run, browser, options.openings)
            report["chromium"] = browser.version
        report["machine"] = provenance.device_name("cpu")
        write_report(options.out, "pages", report, as_markdown(report).splitlines())
    if not all(kept for found in report["cases"].values() for *_, kept in rows_of(found)):
        sys.exit("bench_pages: a limit is exceeded; see the rows marked **not kept**")


if __name__ == "__main__":
    main()
