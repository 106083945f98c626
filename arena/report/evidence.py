"""What stands behind a tag's figures: images that a model gets most wrong, tags it confuses, and where models part.

Errors are of every model and tag, and name images; a page of thousands of tags would be mostly this. So tags are taken
by falling support as long as there is room, and the page says for how many there was.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from arena.report.columns import rounded
from arena.result import Result

EVIDENCE_BYTES = 300_000
"""Room in the page's data for evidence, which is that of about 300 tags; 5,813 tags of two models need 2 MB without it."""

EVIDENCE_IMAGES = 5
"""Images shown of each kind: false alarms, misses, and of each model that is right where another is wrong."""

KINDS = ("false alarm", "miss")


def evidence(result: Result, tags: Mapping[str, int]) -> dict[str, Any]:
    """The evidence of as many tags as fit, of those given in order.

    Args:
        tags: the compared ones, the most important first, each with its place on the page.

    Returns: `images` ids, `of` how many tags could have evidence, and `tags` by place, each with
    `errors` (by model, then kind: [image, score] ...), `confusions` (by model: [tag instead of which, images, expected]
    ...) and `disagreements` ([image, carried, right model, its score, wrong model, its score] ...); images and models are
    numbers.
    """
    numbers = {name: place for place, name in enumerate(result.models)}
    errors, confusions, disagreements = (
        _by_tag(result.tables[name]) for name in ("errors", "confusions", "disagreements")
    )
    images: dict[str, int] = {}
    found: dict[str, Any] = {}
    room = EVIDENCE_BYTES
    for tag, place in tags.items():
        seen = len(images)
        entry = {
            "errors": _errors(errors(tag), numbers, images),
            "confusions": _confusions(confusions(tag), numbers),
            "disagreements": _disagreements(disagreements(tag), numbers, images),
        }
        room -= _size([tag, entry]) + sum(_size(name) + 1 for name in list(images)[seen:])
        if room < 0:
            images = dict(list(images.items())[:seen])
            break
        found[str(place)] = entry
    return {"images": list(images), "of": len(tags), "tags": found}


def _by_tag(table: pd.DataFrame) -> Callable[[str], list[dict[str, Any]]]:
    """Reads the rows of a tag, in the table's order; of most tags of a large run they are never asked for."""
    places = table.groupby("tag", sort=False).indices
    columns = {str(name): table[name].tolist() for name in table}

    def rows(tag: str) -> list[dict[str, Any]]:
        return [{name: values[place] for name, values in columns.items()} for place in places.get(tag, ())]

    return rows


def _number_of(image: str, images: dict[str, int]) -> int:
    return images.setdefault(image, len(images))


def _errors(rows: Iterable[Mapping[str, Any]], numbers: Mapping[str, int], images: dict[str, int]) -> list[Any]:
    found: list[list[list[Any]]] = [[[] for _ in KINDS] for _ in numbers]
    for row in sorted(rows, key=lambda row: row["rank"]):
        place = found[numbers[row["model"]]][KINDS.index(row["kind"])]
        if len(place) < EVIDENCE_IMAGES:
            place.append([_number_of(row["image_id"], images), rounded(row["score"])])
    return found


def _confusions(rows: Iterable[Mapping[str, Any]], numbers: Mapping[str, int]) -> list[Any]:
    found: list[list[Any]] = [[] for _ in numbers]
    for row in rows:
        found[numbers[row["model"]]].append([row["instead_of"], int(row["images"]), round(float(row["expected"]), 1)])
    return found


def _disagreements(rows: Iterable[Mapping[str, Any]], numbers: Mapping[str, int], images: dict[str, int]) -> list[Any]:
    found: list[Any] = []
    shown: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = (row["right"], row["wrong"])
        shown[pair] = shown.get(pair, 0) + 1
        if shown[pair] <= EVIDENCE_IMAGES:
            scores = (rounded(row["right_score"]), rounded(row["wrong_score"]))
            models = (numbers[row["right"]], numbers[row["wrong"]])
            image = _number_of(row["image_id"], images)
            found.append([image, int(row["carried"]), models[0], scores[0], models[1], scores[1]])
    return found


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
