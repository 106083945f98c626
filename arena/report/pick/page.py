"""The page of `arena pick`: one self-contained HTML file that needs neither network nor script."""

import base64
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from arena.base.format import encodable, plural
from arena.base.version import __version__
from arena.report.html import content_security_policy, environment, template_text
from arena.report.page.pictures import OPEN_RATINGS
from arena.report.pick.tables import (
    agreement_table,
    alone_table,
    difference_table,
    expected_table,
    rule_table,
    shift_table,
    worst_rules,
)
from arena.report.pick.words import ASSUMPTION, alarm, notes

_STYLES = ("page.css", "pick/pick.css")

_SHOWN_SKIPPED = 100
"""Largest number of unreadable images that the page names."""


def render_pick(document: Mapping[str, Any], thumbnails: Mapping[str, tuple[bytes, str]]) -> str:
    """Return the page as one self-contained HTML document.

    Args:
        document: the content of `pick.json`.
        thumbnails: image -> WebP bytes and rating; images without one are named only.
    """
    style = "\n".join(map(template_text, _STYLES))
    alone = {name: _tags(one, thumbnails) for name, one in document["alone"].items()}
    page = (
        environment()
        .get_template("pick/page.html.j2")
        .render(
            document=document,
            arena_version=__version__,
            csp=content_security_policy(scripts=[], styles=[style]),
            style=Markup(style),
            alarm=alarm(document),
            notes=list(notes(document)),
            assumption=ASSUMPTION,
            tables={
                "expected": expected_table(document),
                "differences": difference_table(document),
                "shifts": shift_table(document),
                "agreement": agreement_table(document),
                "alone": alone_table(document),
                "rules": rule_table(document),
                "implications": worst_rules(document, "implications"),
                "exclusions": worst_rules(document, "exclusions"),
            },
            alone=alone,
            blurred=any(image["veiled"] for tags in alone.values() for tag in tags for image in tag["pictures"]),
            skipped=list(document["images"]["skipped"].items())[:_SHOWN_SKIPPED],
            subject=_subject(document),
        )
    )
    return encodable(page)


def _subject(document: Mapping[str, Any]) -> str:
    images = plural(document["images"]["scored"], "image", "images")
    taggers = plural(len(document["models"]), "tagger", "taggers")
    return f"{images}, {taggers}, {plural(document['common_tags'], 'common tag', 'common tags')}, no label"


def _tags(alone: Mapping[str, Any], thumbnails: Mapping[str, tuple[bytes, str]]) -> list[dict[str, Any]]:
    """Return the tags of one model with their example pictures."""
    return [{**tag, "pictures": [_picture(one, thumbnails) for one in tag["examples"]]} for tag in alone["tags"]]


def _picture(example: Mapping[str, Any], thumbnails: Mapping[str, tuple[bytes, str]]) -> dict[str, Any]:
    content, rating = thumbnails.get(example["image_id"], (b"", ""))
    return {
        **example, "content": base64.b64encode(content).decode(), "veiled": bool(content) and rating not in OPEN_RATINGS,
    }  # fmt: skip
