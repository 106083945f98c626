"""Publish the demo run as the site reports/demo, and take the screenshots of its page for the README.

Usage: arena run && python scripts/publish_demo.py [--run runs/demo] [--to reports/demo] [--url https://...]

The repository keeps one run: an earlier published site is deleted. Screenshots need Chromium (`apt-get install chromium`).
"""

import argparse
import shutil
from pathlib import Path

from reporting import chromium

from arena.report.site.folder import refuse_foreign
from arena.report.site.publish import publish_site

SCREENSHOTS = (("page.png", "", "", 1180), ("tag.png", "#tag=flag", "#tags", 860))
"""File name, fragment of the page's address, element to scroll to, and height in pixels; all are 1,280 pixels wide."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"), help="run to publish (default runs/demo)")
    parser.add_argument("--to", type=Path, default=Path("reports/demo"), help="site folder (default reports/demo)")
    parser.add_argument("--url", help="public address of the site (default: none)")
    arguments = parser.parse_args()
    refuse_foreign(arguments.to)
    shutil.rmtree(arguments.to, ignore_errors=True)
    done = publish_site([arguments.run], arguments.to, url=arguments.url)
    (page,) = arguments.to.glob("runs/*/index.html")
    take_screenshots(page, arguments.to)
    print(f"{done.written} files; the run's page is {page}")


def take_screenshots(page: Path, to: Path) -> None:
    """Take the screenshots of a page, with the light colour scheme of a desktop."""
    with chromium() as browser:
        for name, address, top, height in SCREENSHOTS:
            opened = browser.new_page(viewport={"width": 1280, "height": height}, color_scheme="light")
            opened.goto(page.resolve().as_uri() + address)
            opened.wait_for_selector(".tag-curves .hindsight li" if address else "#tags")
            if top:
                opened.locator(top).evaluate("(part) => part.scrollIntoView()")
            opened.screenshot(path=to / name)
            opened.close()


if __name__ == "__main__":
    main()
