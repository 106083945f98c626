"""The page of `arena pick` in a real browser, and its sentences for each outcome."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arena.dataset.frozen import Truth
from arena.evaluate.agreement import agreement, broken_rules, given_alone, rules_of
from arena.evaluate.choice import choose
from arena.evaluate.expected import Estimates, calibrate, estimate_metrics, match_run
from arena.evaluate.unlabelled import match_pictures
from arena.pipeline.pick.document import pick_document
from arena.report.pick.markdown import pick_markdown
from arena.report.pick.page import render_pick
from arena.tags import TagRelations

from ..browser import Opened
from ..evaluate.test_pick import entry, world
from .test_access import PHONE, everything

HOSTILE = '"><script>alert(1)</script>'


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents of two models with a hostile tag: with and without a calibration."""
    run, labels = world(1, 200)
    pictures, _ = world(2, 60)
    named = [
        entry(one.name, (HOSTILE, *one.scores.tags.names[1:]), one.scores.values.read()) for one in (*pictures, *run)
    ]
    pictures, run = named[:2], named[2:]
    relations = TagRelations.of(implications=[("t01", "t02")])
    matched = match_pictures(pictures[0].scores.image_ids, pictures, relations, categories={})
    truth = Truth.of(run[0].scores.image_ids, run[0].scores.tags, labels)
    labelled = match_run(matched, truth, {one.name: one for one in run}, 10, "run")
    estimates = estimate_metrics(matched, labelled, [calibrate(labelled, number) for number in (0, 1)], "run")
    calibration = {
        "run": "run", "dataset": "Drawn", "images": 200, "min_positives": 10, "tags": 12, "pictures_differ": ["a"],
        "shared_images": 3,
    }  # fmt: skip
    return tuple(made(matched, found, known) for found, known in ((estimates, calibration), (None, None)))  # type: ignore[return-value]


def made(matched: Any, estimates: Estimates | None, calibration: dict[str, Any] | None) -> dict[str, Any]:
    model = {"threshold": "0.5", "threshold_source": "default", "tags": 12, "key": "", "weights": None, "decisions": 9}
    facts = {
        "created": "2026-01-02T03:04:05Z", "arena_version": "0", "command": "", "recipe": {}, "versions": {}, "machine": {},
        "images": {"title": HOSTILE, "listed": 61, "scored": 60, "skipped": {HOSTILE: "truncated"}},
        "models": {name: {"title": name, **model} for name in ("a", "b")},
    }  # fmt: skip
    alone = {name: {**one, "tags": one["tags"][:3]} for name, one in given_alone(matched).items()}
    found = {
        "agreement": agreement(matched), "alone": alone,
        "rules": broken_rules(matched, rules_of(matched, [("t03", "t04")])),
        "judging": {"images": 60, "tags": 12, "difference": 0.01, "macro_f1": None, "micro_f1": 2500},
        **({} if calibration is None else {"calibration": calibration}),
    }  # fmt: skip
    return pick_document(found, matched, estimates, choose(estimates), facts)


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    return documents()


def webp() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(buffer, "WEBP")
    return buffer.getvalue()


def test_the_page_is_accessible_and_fits_a_phone(opened: Opened, both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    known, _ = both
    images = {str(number): (webp(), "unknown" if number % 2 else "general") for number in range(50)}
    page = opened.show(render_pick(known, images), viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert HOSTILE in page.inner_text("h1")
    assert HOSTILE in page.inner_text("main")
    assert page.locator(".frame.veiled img").first.evaluate("one => getComputedStyle(one).filter") != "none"
    page.check("#reveal")
    assert page.locator(".frame.veiled img").first.evaluate("one => getComputedStyle(one).filter") == "none"
    assert everything(page) == []


def test_markdown_and_page_say_what_is_missing(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    known, unknown = both
    text = pick_markdown(known)
    assert "another kind than the labelled images" in text
    assert text.count("<script") == text.count("\\<script")
    assert "## Expected metrics" in text
    assert "a has no threshold of its own; 0.5 is the default, not a recommendation." in text
    assert "## Expected metrics" not in pick_markdown(unknown)
    assert "Expected metrics" not in render_pick(unknown, {})
    assert "labelled run of the same taggers (--calibration)" in unknown["conclusion"][1]


def changed(document: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**document, **values}


def ends(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("choice", "judging", "first", "second"),
    [
        (
            {"reason": "better", "model": "a", "threshold": 0.4, "micro_f1": ends(0.6, 0.58, 0.62),
             "others": {"b": {**ends(0.02, 0.01, 0.03), "p": 0.01}}},
            {"difference": 0.01, "micro_f1": 2500, "macro_f1": 4000, "images": 60},
            "Take a at threshold 0.4: its expected micro F1 is 0.6000 [0.5800, 0.6200], +0.0200 [+0.0100, +0.0300] against b.",
            "Human answers that decide a difference of 0.01: about 2,500 for micro F1 and 4,000 for macro F1 (arena judge).",
        ),
        (
            {"reason": "undecided", "model": "a", "threshold": 0.4, "micro_f1": ends(0.6, 0.58, 0.62),
             "others": {"b": {**ends(0.02, -0.01, 0.05), "p": 0.2}}},
            {"difference": 0.01, "micro_f1": None, "macro_f1": None, "images": 60},
            "its lead over b, +0.0200 [−0.0100, +0.0500], may be chance.",
            "No number of human answers decides a difference of 0.01 on 60 images",
        ),
        (
            {"reason": "pictures differ"}, None, "No tagger or threshold can be recommended: by the tags of a,",
            "No tag is frequent and known to all taggers",
        ),
    ],
)  # fmt: skip
def test_conclusions(
    both: tuple[dict[str, Any], dict[str, Any]], choice: dict[str, Any], judging: Any, first: str, second: str
) -> None:
    from arena.report.pick.words import conclusion

    found = conclusion(changed(both[0], choice=choice, judging=judging))
    assert first in found[0]
    assert second in found[1]
