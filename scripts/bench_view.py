"""Time from an answer in `arena view` to its acknowledgement and to the next image, in a real browser.

Usage: python scripts/bench_view.py [--answers 200] [--images 400] [--side 1280] [--stored 6000] [--pause 300]

Draws a dataset of images, scores it with two simulated taggers, and plans questions. Headless Chromium answers by key, a pause
after each question: into an empty file, into a file with many answers, and as two people at once. The acknowledgement is the
time of the request, from the key until the whole response is there: the answer is then on disk. The next image is shown when
it is complete and a frame was painted with it. Writes reports/benchmarks/view.{json,md}.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page
from reporting import Options, arena_command, chromium, machine_facts, machine_line, write_report

from arena.dataset.answer_book import AnswerBook
from arena.dataset.frozen import write_frozen
from arena.dataset.judgements import COLUMNS
from arena.pipeline.judge import PlanOptions, plan_questions
from arena.view.access import Access
from arena.view.app import create_app
from arena.view.server import ServerOptions, listening
from arena.view.viewed_run import read_viewed_run

LIMIT_MS = 100
"""Wanted: each answer is acknowledged, and the next image is shown, within this time."""

ACKNOWLEDGED = (
    "Acknowledged: from the key until the response is there; the answer is then on disk (written whole, flushed, under the "
    "lock of the file)."
)

TAGS = 20

MEASURE = """
async ([number, pause]) => {
  performance.setResourceTimingBufferSize(20000);
  performance.clearResourceTimings();
  const ask = document.querySelector("#ask"), shown = [];
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  for (let turn = 0; turn < number; turn += 1) {
    const before = ask.dataset.number;
    const changed = new Promise((done) => {
      const look = new MutationObserver(() => {
        if (ask.dataset.number === before) return;
        look.disconnect();
        done();
      });
      look.observe(ask, { attributes: true });
    });
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: turn % 3 ? "n" : "y", bubbles: true }));
    await changed;
    await document.querySelector("#image").decode().catch(() => {});
    await painted();
    shown.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, pause));
  }
  const requests = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/answer"));
  return { acknowledged: requests.map((one) => one.duration), shown };
}
"""


class Case(NamedTuple):
    """What is in the file before, and how many people answer at once."""

    title: str
    stored: int
    people: int


def draw_dataset(folder: Path, images: int, side: int) -> None:
    """Write a frozen dataset of smooth noise with random tags; the longer side of an image has `side` pixels."""
    size = (side, side * 3 // 4)
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(images):
        path = folder / "images" / f"{number:05d}.jpg"
        small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, quality=85)
        rows.append(
            {
                "image_id": path.stem, "path": f"images/{path.name}", "width": size[0], "height": size[1],
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "phash": "0" * 16, "dhash": "0" * 16,
                "tags": [f"tag_{tag}" for tag in range(TAGS) if rng.random() < 0.3], "rating": "g", "group": str(number),
            }
        )  # fmt: skip
    tags = [(f"tag_{tag}", "general") for tag in range(TAGS)]
    write_frozen(folder, card={"name": folder.name, "title": "Noise"}, images=pd.DataFrame(rows), tags=tags)


def make_run(build: Path, images: int, side: int) -> Path:
    """Return the run of two simulated taggers; it is made once."""
    run, dataset = build / f"run-{images}-{side}", build / f"noise-{images}-{side}"
    if (run / "run.json").exists():
        return run
    if not (dataset / "dataset.toml").exists():
        shutil.rmtree(dataset, ignore_errors=True)
        draw_dataset(dataset, images, side)
    table, rng = pd.read_parquet(dataset / "images.parquet"), np.random.default_rng(1)
    labels = np.array([[f"tag_{tag}" in names for tag in range(TAGS)] for names in table["tags"]])
    named = []
    for name, spread in (("a", 0.8), ("b", 1.2)):
        scores = 1 / (1 + np.exp(-(3 * labels - 1.5 + rng.normal(0, spread, labels.shape))))
        axes = {"tags": [f"tag_{tag}" for tag in range(TAGS)], "image_ids": table["image_id"].tolist()}
        np.savez(build / f"{name}.npz", scores=scores.astype(np.float32), **axes)  # type: ignore[arg-type]
        named += ["--scores", f"{name}={build / name}.npz"]
    done = arena_command("score", *named, "-d", dataset, "-o", run, "--bootstrap", 0, "--thumbnails", "none")
    if done.returncode:
        raise SystemExit(done.stderr)
    return run


def write_earlier(path: Path, rows: int) -> None:
    """Write a file with answers of an earlier plan."""
    path.unlink(missing_ok=True)
    if rows:
        values = {
            "image_id": [f"{row % 400:05d}" for row in range(rows)],
            "tag": [f"tag_{row % TAGS}" for row in range(rows)],
            "answer": "no", "judge": "earlier", "time": [f"2026-01-01T00:00:00.{row:06d}Z" for row in range(rows)],
            "inclusion_probability": 0.5, "plan": "earlier",
        }  # fmt: skip
        pd.DataFrame(values, columns=list(COLUMNS)).to_parquet(path, index=False)


@contextlib.contextmanager
def served(run: Path, plan: Path, judgements: Path) -> Iterator[str]:
    """Serve a run in a thread; the address with its token."""
    with listening(ServerOptions()) as bound:
        access = Access("127.0.0.1", bound.getsockname()[1])
        app = create_app(read_viewed_run(run), access, plan, AnswerBook(judgements))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield access.address
        finally:
            server.should_exit = True
            thread.join()


def open_page(browser: Browser, address: str, name: str) -> Page:
    """Open the mode Judge as a person."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address.replace("/?", "/judge?"))
    page.fill("#judge", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#ask[data-number]")
    return page


def measure(case: Case, run: Path, build: Path, browser: Browser, answers: int, pause_ms: int) -> dict[str, Any]:
    """Return median and 95th percentile of both times in milliseconds, over all people."""
    plan, judgements = build / "plan.parquet", build / "judgements.parquet"
    plan_questions(run, plan, PlanOptions(answers=max(100, answers * 8)))
    write_earlier(judgements, case.stored)
    with served(run, plan, judgements) as address:
        pages = [open_page(browser, address, f"person {number}") for number in range(case.people)]
        for page in pages:
            given = [answers // case.people, pause_ms]
            page.evaluate(f"(given) => {{ window.measured = ({MEASURE})(given); }}", given)
        found = [page.evaluate("() => window.measured") for page in pages]
        for page in pages:
            page.context.close()
    kept = len(pd.read_parquet(judgements)) - case.stored
    number = sum(len(one["shown"]) for one in found)
    if kept != number:
        raise SystemExit(f"{case.title}: {number} answers given, {kept} in the file")
    times = {name: np.concatenate([one[name] for one in found]) for name in ("acknowledged", "shown")}
    return {
        **case._asdict(),
        "answers": number,
        **{
            name: {"median": float(np.median(one)), "95 %": float(np.quantile(one, 0.95))}
            for name, one in times.items()
        },
    }


def as_markdown(facts: dict[str, Any]) -> list[str]:
    """Return the report, one row per case."""

    def times(one: dict[str, float]) -> str:
        mark = "" if one["95 %"] <= LIMIT_MS else " **over**"
        return f"{one['median']:.0f} ms | {one['95 %']:.0f} ms{mark}"

    setting = (
        f"Headless Chromium {facts['chromium']}; {facts['images']:,} images of at most {facts['side']:,} pixels a side. "
        f"{machine_line(facts)} Load average before: {facts['load']:.1f}. "
        f"Each answer is given {facts['pause_ms']} ms after its question. Wanted: {LIMIT_MS} ms."
    )
    return [
        "# Answers in `arena view`",
        "",
        setting,
        "",
        "| | answers | acknowledged: median | 95th percentile | next image shown: median | 95th percentile |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {one['title']} | {one['answers']} | {times(one['acknowledged'])} | {times(one['shown'])} |"
            for one in facts["cases"]
        ),
        "",
        f"{ACKNOWLEDGED} Every answer was found in the file.",
        "",
        "Made by `python scripts/bench_view.py`.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="view")
    parser.add_size("--answers", 200, tiny=4, help="answers of a case")
    parser.add_size("--images", 400, tiny=40)
    parser.add_size("--side", 1_280, tiny=160, help="longer side of an image in pixels")
    parser.add_size("--stored", 6_000, tiny=10, help="answers in the file before")
    parser.add_size("--pause", 300, tiny=0, help="milliseconds from a question to its answer; a fast person")
    options = parser.read(arguments)
    load = os.getloadavg()[0]
    run = make_run(options.build, options.images, options.side)
    cases = [
        Case("empty file", 0, 1),
        Case(f"{options.stored:,} answers in the file", options.stored, 1),
        Case("two people at once", options.stored, 2),
    ]
    with chromium() as browser:
        found = [measure(case, run, options.build, browser, options.answers, options.pause) for case in cases]
        facts = {
            **machine_facts("starlette", "uvicorn", "pyarrow"), "chromium": browser.version, "images": options.images,
            "side": options.side, "load": load, "pause_ms": options.pause,
            "cases": found,
        }  # fmt: skip
    write_report(options.out, "view", facts, as_markdown(facts))


if __name__ == "__main__":
    main()
