"""One look for pages and pictures, and colours that stay apart in every kind of vision."""

import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline

from arena.report.html import template_text
from arena.report.plots.canvas import marker
from arena.report.styles import DARK, LIGHT, LINE_WIDTH, MODEL_LOOKS, THEMES, Theme
from arena.report.view_model.leaderboard import MODEL_STYLES

PAGE = template_text("page.css")
LINEAR_TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
VISIONS = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear sRGB as it is seen, at full severity (Machado, Oliveira and Fernandes 2009)."""


def variables(theme: Theme) -> dict[str, str]:
    """The custom properties of the page in a theme, short hex written out."""
    light, dark = PAGE.split("prefers-color-scheme: dark", 1)
    found = re.findall(r"--(\w+): #(\w+);", light if theme is LIGHT else dark.split("/* Base */")[0])
    return {name: f"#{''.join(sign * 2 for sign in digits) if len(digits) == 3 else digits}" for name, digits in found}


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(np.dot(LINEAR_TO_XYZ[1], linear(colour))) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(seen: np.ndarray) -> np.ndarray:
    xyz = LINEAR_TO_XYZ @ np.clip(seen, 0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """The difference of two colours; 1 can just be seen side by side, 10 at a glance."""
    chroma = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    grey = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    (l1, c1, h1), (l2, c2, h2) = (
        (light, np.hypot(a * grey, b), np.degrees(np.arctan2(b, a * grey)) % 360) for light, a, b in (one, other)
    )
    turn = (h2 - h1 + 180) % 360 - 180
    hue = (h1 + turn / 2) % 360
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    cosines = zip((-0.17, 0.24, 0.32, -0.2), (1, 2, 3, 4), (-30, 0, 6, -63), strict=True)
    t = 1 + sum(weight * np.cos(np.radians(times * hue + shift)) for weight, times, shift in cosines)
    dl = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * c)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t)
    bend = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + bend * dc * dh))


def symbol(place: int) -> np.ndarray:
    """The corners of the page's symbol for a model, upwards positive; a circle and an arc as points on them."""
    text = template_text("sprite.html.j2")
    shape = re.search(rf'id="mark-{place}" viewBox="-6 -6 12 12"><(.*?)/></symbol>', text)
    assert shape
    kind, _, rest = shape[1].partition(" ")
    numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", rest)]
    if kind == "circle":
        turn = np.linspace(0, 2 * np.pi, 40)
        return numbers[0] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if kind == "rect":
        x, y, width, height = numbers
        return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    return path_points(rest) * (1, -1)


def path_points(rest: str) -> np.ndarray:
    """The corners of a path of lines; a half-circle over the top by points on it."""
    at, points = np.zeros(2), []
    for letter, text in re.findall(r"([MLHVhvAZ])([^MLHVhvAZ\"]*)", rest.removeprefix('d="')):
        values = [float(number) for number in re.findall(r"-?\d*\.?\d+", text)]
        if letter == "A":
            turn = np.linspace(np.pi, 0, 20)
            points += [values[0] * np.array([np.cos(one), -np.sin(one)]) for one in turn]
            at = np.array(values[-2:])
            continue
        steps = [values] if letter in "HVhv" else [values[i : i + 2] for i in range(0, len(values), 2)]
        for step in steps:
            at = moved(at, letter, step)
            points.append(at)
    return np.array(points)


def moved(at: np.ndarray, letter: str, step: list[float]) -> np.ndarray:
    if letter in "Hh":
        return np.array([step[0] + (at[0] if letter == "h" else 0), at[1]])
    if letter in "Vv":
        return np.array([at[0], step[0] + (at[1] if letter == "v" else 0)])
    return np.array(step)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The shared part of two outlines over what either covers, after each is centred and scaled to the same box."""
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 81)]), axis=-1).reshape(-1, 2)
    inside = []
    for points in (one, other):
        low, high = points.min(axis=0), points.max(axis=0)
        inside.append(Outline((points - (low + high) / 2) / (high - low).max() * 2).contains_points(grid))
    return float((inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum())


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_the_page_has_the_themes_colours(theme: Theme) -> None:
    page = variables(theme)
    assert tuple(page[f"m{place}"] for place in range(MODEL_STYLES)) == theme.models
    assert [page[name] for name in ("surface", "ink", "muted", "line", "grid")] == [
        theme.surface, theme.ink, theme.muted, theme.line, theme.grid,
    ]  # fmt: skip


def test_the_page_has_the_dash_patterns() -> None:
    found = dict(re.findall(r"\.curve\.m(\d) { stroke-dasharray: ([\d ]+);", PAGE))
    assert [tuple(map(int, found.get(str(place), "").split())) for place in range(MODEL_STYLES)] == [
        s.dash for s in MODEL_LOOKS
    ]
    assert f"stroke-width: {LINE_WIDTH};" in PAGE


@pytest.mark.parametrize("place", range(len(MODEL_LOOKS)))
def test_the_page_has_the_markers(place: int) -> None:
    style = MarkerStyle(marker(place))
    drawn = np.array(style.get_path().transformed(style.get_transform()).to_polygons()[0])
    others = [overlap(symbol(other), drawn) for other in range(len(MODEL_LOOKS))]
    assert others[place] > 0.75
    assert others[place] == max(others), "no other symbol is more like it"


def test_no_two_models_look_the_same() -> None:
    assert len(MODEL_LOOKS) == MODEL_STYLES == len(LIGHT.models) == len(DARK.models)
    for looks in ([s.marker for s in MODEL_LOOKS], [s.dash for s in MODEL_LOOKS], LIGHT.models, DARK.models):
        assert len(set(looks)) == MODEL_STYLES


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_every_colour_is_seen_on_every_surface(theme: Theme) -> None:
    page = variables(theme)
    for surface in (page["page"], page["surface"], page["sunken"], page["hover"]):
        assert min(contrast(colour, surface) for colour in theme.models) >= 3
        assert min(contrast(colour, surface) for colour in (theme.ink, theme.muted)) >= 4.5


@pytest.mark.parametrize(("first", "least"), [(2, 12), (3, 11.5), (10, 7.5)])
@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_colours_stay_apart_in_every_kind_of_vision(theme: Theme, vision: str, first: int, least: float) -> None:
    """From each other, and from the grey of what is undetermined."""
    seen = [lab(VISIONS[vision] @ linear(colour)) for colour in (*theme.models[:first], theme.muted)]
    assert min(ciede2000(*two) for two in combinations(seen, 2)) >= least


def test_the_difference_of_colours_is_the_published_one() -> None:
    """Rows 1, 7 and 17 of the test data of Sharma, Wu and Dalal (2005)."""
    rows = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ]
    for one, other, expected in rows:
        assert ciede2000(np.array(one, float), np.array(other, float)) == pytest.approx(expected, abs=1e-4)
