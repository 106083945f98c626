"""The page of questions: one offline HTML file that shows the cells of a plan one at a time and saves the answers to a file.

The page names neither models nor recorded labels, so that nothing but the image answers the question.
"""

import base64
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from arena.base.format import encodable
from arena.base.version import __version__
from arena.report.html import content_security_policy, embedded_json, environment, template_text
from arena.report.page.pictures import OPEN_RATINGS

_STYLES = ("page.css", "judge/judge.css")


class QuestionImage(NamedTuple):
    """An image of the page.

    Attributes:
        content: WebP bytes.
        rating: a word; an image is blurred unless its rating is in `OPEN_RATINGS`.
    """

    image_id: str
    content: bytes
    rating: str


class Question(NamedTuple):
    """A cell to ask: number of the image, number of the tag, and the probability with which the cell was drawn."""

    image: int
    tag: int
    inclusion: float


def render_questions(
    dataset: str, plan: str, images: Sequence[QuestionImage], tags: Sequence[str], questions: Sequence[Question],
    columns: Sequence[str],
) -> str:  # fmt: skip
    """Return the page as one self-contained HTML document.

    Args:
        dataset: title of the dataset.
        plan: identifier of the plan; the browser keeps the answers under it.
        columns: columns of the file of answers, in order: image, tag, answer, judge, time, inclusion probability, plan.
    """
    style, script = "\n".join(map(template_text, _STYLES)), template_text("judge/judge.js")
    data = {
        "plan": plan,
        "tags": list(tags),
        "cells": [list(one) for one in questions],
        "columns": list(columns),
        "images": [
            {"id": one.image_id, "content": base64.b64encode(one.content).decode(), "open": one.rating in OPEN_RATINGS}
            for one in images
        ],
    }
    page = (
        environment()
        .get_template("judge/page.html.j2")
        .render(
            dataset=dataset,
            arena_version=__version__,
            data=Markup(embedded_json(data)),
            csp=content_security_policy(scripts=[script], styles=[style]),
            style=Markup(style),
            script=Markup(script),
        )
    )
    return encodable(page)
