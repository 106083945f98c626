"""Write the page of a dataset: one self-contained HTML file that needs neither network nor script.

`render_dataset` takes plain values: the result of `describe`, the gallery of pairs, and the ratings to blur. Pictures with
these ratings are blurred until the reader ticks a box. In a browser without `:has` they stay blurred.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from arena.base.format import UNDEFINED, count, encodable, plural
from arena.report.dataset.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, support_chart
from arena.report.dataset.text import (
    category_rows,
    group_sentence,
    pair_rows,
    rating_rows,
    size_rows,
    step_rows,
    support_rows,
    tag_rows,
    value_rows,
)
from arena.report.html import content_security_policy, environment, template_text

_SHOWN_TAGS = 60
"""Largest number of tags in the table of the page."""

BLURRED_RATINGS = ("g", "s", "q", "e", "unknown")
"""Ratings that can be blurred: first letters, and `unknown` for any other rating."""

CLASS_MEANING = {
    "identical": "the same file or the same pixels",
    "near": "confirmed copies: re-encoded, resized, slightly cropped or watermarked",
    "alternate": "similar images that are different versions of one picture",
    "rejected": "candidates by hash that turned out to be different pictures",
    "candidate": "close by hash, but not confirmed: the pictures were not available",
}
"""Description of each class of pairs."""


def render_dataset(payload: Mapping[str, Any]) -> str:
    """Return the page of a dataset as one self-contained HTML document.

    Args:
        payload: `dataset` (result of `describe`), `pictures` (result of `sample_pictures`), `gallery` (result of `gallery`, or
            None), `blur` (some of `BLURRED_RATINGS`) and `arena_version`.
    """
    dataset, images = payload["dataset"], payload["dataset"]["images"]
    supports = [tag["images"] for tag in dataset["tags"]]
    style = template_text("page.css") + template_text("dataset/page.css")
    page = (
        environment()
        .get_template("dataset/page.html.j2")
        .render(
            dataset=dataset,
            facts=fact_rows(dataset["facts"]),
            gallery=_gallery_view(payload["gallery"], frozenset(payload["blur"])),
            pictures=[_picture(one, frozenset(payload["blur"])) for one in payload["pictures"]],
            chart=support_chart(supports, dataset["min_positives"]),
            drawn={
                "width": WIDTH,
                "height": HEIGHT,
                "left": LEFT,
                "right": WIDTH - RIGHT,
                "top": TOP,
                "bottom": HEIGHT - BOTTOM,
            },
            radius=dataset["facts"].get("phash_radius_bits"),
            meaning=CLASS_MEANING,
            arena_version=payload["arena_version"],
            csp=content_security_policy(scripts=[], styles=[style]),
            style=Markup(style),
            subject=_subject(dataset),
            tables={
                "categories": category_rows(dataset["categories"]),
                "steps": step_rows(dataset["steps"]),
                "support": support_rows(dataset["support"]),
                "tags": tag_rows(dataset, _SHOWN_TAGS),
                "pairs": pair_rows(dataset),
                "ratings": rating_rows(dataset),
                "formats": value_rows(dataset["formats"], images),
                "sizes": size_rows(dataset),
            },
            groups=group_sentence(dataset["groups"]),
        )
    )
    return encodable(page)


def _subject(dataset: Mapping[str, Any]) -> str:
    """Return one sentence that describes the dataset: images, tags and source."""
    text = f"{plural(dataset['images'], 'image', 'images')} with {plural(len(dataset['tags']), 'tag', 'tags')}"
    if (source := dataset["facts"].get("source")) and isinstance(source, str):
        text += f", from {source}"
    return text + "."


def rating_class(rating: str) -> str:
    """Return the entry of `BLURRED_RATINGS` of a rating.

    >>> [rating_class(text) for text in ("e", "Explicit", "safe", "unrated", "")]
    ['e', 'e', 's', 'unknown', 'unknown']
    """
    words = {"general": "g", "safe": "s", "sensitive": "s", "questionable": "q", "explicit": "e"}
    known = words.get(rating.strip().lower(), rating.strip().lower())
    return known if known in BLURRED_RATINGS else "unknown"


def fact_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every key and value of the card as text."""
    return [
        (
            key,
            ", ".join(map(str, value))
            if isinstance(value, list)
            else str(value).lower()
            if value is True or value is False
            else str(value),
        )
        for key, value in facts.items()
    ]


def _gallery_view(gallery: Mapping[str, Any] | None, blur: frozenset[str]) -> dict[str, Any] | None:
    """Return the gallery with caption and blur of each pair. A pair is blurred if either picture has a rating to blur."""
    if gallery is None:
        return None
    classes = [
        {
            **group,
            "slices": [{**part, "pairs": [_pair(pair, blur) for pair in part["pairs"]]} for part in group["slices"]],
        }
        for group in gallery["classes"]
    ]
    blurred = sum(pair["blurred"] for group in classes for part in group["slices"] for pair in part["pairs"])
    return {**gallery, "classes": classes, "blurred": blurred, "shown": sum(group["shown"] for group in classes)}


def _picture(picture: Mapping[str, Any], blur: frozenset[str]) -> dict[str, Any]:
    """Return a picture with its alternative text, and whether it is blurred."""
    is_blurred = bool(picture["thumbnail"]) and rating_class(picture["rating"]) in blur
    return {**picture, "alt": _alt(picture), "blurred": is_blurred}


def _pair(pair: Mapping[str, Any], blur: frozenset[str]) -> dict[str, Any]:
    pictures = [{**picture, "alt": _alt(picture)} for picture in pair["pictures"]]
    # Without a thumbnail there is nothing to blur, so the unknown rating of a missing picture does not count.
    ratings = {rating_class(picture["rating"]) for picture in pictures if picture["thumbnail"]}
    return {**pair, "pictures": pictures, "blurred": bool(ratings & blur), "facts": _pair_facts(pair)}


def _pair_facts(pair: Mapping[str, Any]) -> list[str]:
    """Return the known facts of a pair as short texts.

    >>> _pair_facts({"phash_bits": 4, "dhash_bits": None, "found_by": "mirrored", "source": "", "figures": {"colour": 2.5}})
    ['pHash 4', 'dHash –', 'found by mirrored', 'colour 2.5']
    """
    parts = [f"{name} {_bits(pair[key])}" for name, key in (("pHash", "phash_bits"), ("dHash", "dhash_bits"))]
    parts += [f"found by {pair['found_by']}"] if pair["found_by"] else []
    parts += [f"right image from {pair['source']}"] if pair["source"] else []
    return parts + [f"{name} {value:.3g}" for name, value in sorted(pair["figures"].items())]


def _bits(value: int | None) -> str:
    return UNDEFINED if value is None else count(value)


def _alt(picture: Mapping[str, Any]) -> str:
    size = f", {picture['width']} by {picture['height']} pixels" if picture["width"] else ""
    rated = f", rated {picture['rating']}" if picture["rating"] else ""
    return f"{picture['image_id']}{size}{rated}"


def parse_blurred_ratings(names: Sequence[str]) -> tuple[str, ...]:
    """Return the ratings to blur; `none` alone gives an empty tuple.

    Raises:
        ValueError: a name is not in `BLURRED_RATINGS`; the message is that name.
    """
    if list(names) == ["none"]:
        return ()
    if unknown := [name for name in names if name not in BLURRED_RATINGS]:
        raise ValueError(unknown[0])
    return tuple(names)
