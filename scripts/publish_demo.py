"""Publish the demo run as the site reports/demo, and take the README's screenshot of its page.

Usage: arena run && python scripts/publish_demo.py [--run runs/demo] [--to reports/demo] [--url https://...]

The repository keeps one run: what was published before goes. The screenshot is taken in Chromium (`apt-get install chromium`).
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from arena.report.site.folder import refuse_foreign
from arena.report.site.publish import publish

VIEWPORT = {"width": 1280, "height": 1180}
SCREENSHOT = "page.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--to", type=Path, default=Path("reports/demo"))
    parser.add_argument("--url")
    arguments = parser.parse_args()
    refuse_foreign(arguments.to)
    shutil.rmtree(arguments.to, ignore_errors=True)
    done = publish([arguments.run], arguments.to, url=arguments.url)
    (page,) = arguments.to.glob("runs/*/index.html")
    take_screenshot(page, arguments.to / SCREENSHOT)
    print(f"{done.written} files; the run's page is {page}")


def take_screenshot(page: Path, to: Path) -> None:
    """The top of a page, as a light desktop shows it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport=VIEWPORT, color_scheme="light")
        opened.goto(page.resolve().as_uri())
        opened.wait_for_selector("#tags")
        opened.screenshot(path=to)
        browser.close()


if __name__ == "__main__":
    main()
