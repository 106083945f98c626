"""Publish the demo run under reports/demo: page, screenshot, text files, pictures.

Usage: arena run && python scripts/publish_demo.py [--run runs/demo] [--to reports/demo]

The screenshot is taken in Chromium (`apt-get install chromium`).
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

PUBLISHED = ("index.html", "summary.md", "summary.json", "detailed_metrics.txt", "full-metrics", "plots")
VIEWPORT = {"width": 1280, "height": 1180}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--to", type=Path, default=Path("reports/demo"))
    arguments = parser.parse_args()
    shutil.rmtree(arguments.to, ignore_errors=True)
    arguments.to.mkdir(parents=True)
    for name in PUBLISHED:
        source = arguments.run / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, arguments.to / name)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=VIEWPORT, color_scheme="light")
        page.goto((arguments.to / "index.html").resolve().as_uri())
        page.wait_for_selector("#tags")
        page.screenshot(path=arguments.to / "page.png")
        browser.close()


if __name__ == "__main__":
    main()
