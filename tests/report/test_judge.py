"""The page of questions in a real browser: keys, undo, what is kept and what is saved."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from arena.dataset.judgements import COLUMNS, read_judgements
from arena.report.judge import Question, QuestionImage, render_questions

from ..browser import Opened
from .test_access import PHONE, everything


def webp(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "WEBP")
    return buffer.getvalue()


HOSTILE = '"><script>alert(1)</script>,x'


@pytest.fixture
def html() -> str:
    images = [QuestionImage("a,b", webp("red"), "general"), QuestionImage(HOSTILE, webp("blue"), "explicit")]
    questions = [Question(0, 0, 0.5), Question(1, 1, 0.25), Question(1, 0, 1.0)]
    return render_questions("Drawn", "abc", images, ["long_hair", HOSTILE], questions, COLUMNS)


def test_answers_are_kept_undone_and_saved(opened: Opened, html: str, tmp_path: Path) -> None:
    page = opened.show(html, viewport=PHONE)
    assert "long hair" in page.inner_text("#question")
    assert everything(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.keyboard.press("y")
    assert HOSTILE.replace("_", " ") in page.inner_text("#question")
    assert page.locator("#image.blurred").count() == 1
    page.keyboard.press("b")
    assert page.locator("#image.blurred").count() == 0
    page.keyboard.press("n")
    page.keyboard.press("z")
    page.keyboard.press("u")
    page.reload()
    assert page.inner_text("#count") == "2 of 3 answered"
    page.keyboard.press("n")
    assert page.locator("[data-answer=yes]").is_disabled()
    page.keyboard.press("y")
    page.fill("#judge", "ann,a")
    with page.expect_download() as found:
        page.click("#save")
    path = tmp_path / found.value.suggested_filename
    found.value.save_as(path)
    assert path.name == "answers-abc-ann_a.csv"
    rows = read_judgements(path)
    assert rows["answer"].tolist() == ["yes", "unclear", "no"]
    assert rows["image_id"].tolist() == ["a,b", HOSTILE, HOSTILE]
    assert rows["tag"].tolist() == ["long_hair", HOSTILE, "long_hair"]
    assert rows["inclusion_probability"].tolist() == [0.5, 0.25, 1.0]
    assert set(rows["judge"]) == {"ann,a"}
    assert next(csv.reader(path.read_text().splitlines())) == list(COLUMNS)
