"""The badge: readable, self-contained, and what shields.io reads."""

import json
from xml.etree import ElementTree as ET

import pytest

from arena.report.check.badge import BADGE_TEXT_COLOUR, LABEL_BACKGROUND, OUTCOME_COLOURS, badge_json, badge_svg

from .verdicts import ALL, failing, inconclusive, passing

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [LABEL_BACKGROUND, *OUTCOME_COLOURS.values()])
def test_text_stands_out(colour: str) -> None:
    light, dark = luminance(BADGE_TEXT_COLOUR), luminance(colour)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("name", ALL)
def test_it_is_an_svg_that_loads_nothing(name: str) -> None:
    text = badge_svg(ALL[name]())
    root = ET.fromstring(text)
    assert root.findtext(f"{SVG}title")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg",
        "title",
        "clipPath",
        "g",
        "rect",
        "text",
    }


def test_it_says_the_outcome() -> None:
    said = [
        ET.fromstring(badge_svg(one)).findall(f".//{SVG}text")[1].text for one in (passing(), failing(), inconclusive())
    ]
    assert said == ["passing", "failing, 2 of 4", "undecided"]


def test_shields_reads_the_endpoint() -> None:
    """The keys that its documentation names; the first three are required."""
    content = json.loads(badge_json(failing()))
    assert content == {
        "schemaVersion": 1, "label": "arena check", "message": "failing, 2 of 4", "color": "b3261e", "labelColor": "3b434b",
        "isError": True,
    }  # fmt: skip
    assert json.loads(badge_json(inconclusive(accept=True)))["isError"] is False
