"""The curves and images of a run's tags, read from the packed blocks of its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.images.thumbnails import THUMBNAIL_FOLDER, Thumbnail, read_thumbnails
from arena.metrics.counts import Integers
from arena.report.page.pictures import OPEN_RATINGS
from arena.report.page.unpacked import PackedColumns, decode_varints, decompress, page_blocks
from arena.report.site.run_page import read_page


class ErrorImage(NamedTuple):
    """An image that a tagger got wrong.

    Attributes:
        model: index of the tagger.
        kind: 0 for a false positive, 1 for a false negative.
        picture: path of its picture below the run folder; empty if there is none.
        is_open: whether the picture is shown unblurred.
    """

    model: int
    kind: int
    image: str
    score: float
    picture: str
    is_open: bool


@dataclass(frozen=True)
class TagDetails:
    """Curves and images of a run's tags.

    Attributes:
        step: distance of the thresholds of the curves, from 0 to 1.
        images: number of images in which each tag is known.
        hits, alarms: for each tagger and tag the histogram of the scores of images with and without the tag: first the number
            below every threshold, then that of each bin but the lowest. Tags that the tagger does not know are left out.
        errors: images with errors by tag.
    """

    step: float
    images: Mapping[str, int]
    hits: Sequence[Mapping[str, Integers]]
    alarms: Sequence[Mapping[str, Integers]]
    errors: Mapping[str, Sequence[ErrorImage]]


def read_tag_details(folder: Path) -> TagDetails | None:
    """Read the page of a run folder; None if it has another layout, such as that of an earlier version."""
    try:
        return _read(folder, page_blocks(read_page(folder) or ""))
    except (ArenaError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _read(folder: Path, blocks: Mapping[str, str]) -> TagDetails:
    payload, tags = json.loads(blocks["payload"]), PackedColumns(decompress(blocks["tag-block"]))
    names, step = tags.column("name"), payload["histograms"]["step"]
    dataset, models = payload["dataset"], payload["models"]
    images = dataset.get("weighted_images") or dataset["images"]
    known = tags.column("known") if "known" in tags else [images] * len(names)
    hits, alarms = [], []
    for place in range(len(models)):
        own = [name for name, code in zip(names, tags.codes(f"{place}.tp").tolist(), strict=True) if code]
        bins = decode_varints(decompress(blocks[f"histogram-{place}"])).reshape(2, round(1 / step) + 1, len(own))
        hits.append(dict(zip(own, bins[0].T, strict=True)))
        alarms.append(dict(zip(own, bins[1].T, strict=True)))
    thumbnails = read_thumbnails(folder)
    errors = _errors(PackedColumns(decompress(blocks["evidence-block"])), names, thumbnails)
    return TagDetails(step, dict(zip(names, known, strict=True)), hits, alarms, errors)


def _errors(
    evidence: PackedColumns, names: Sequence[str], thumbnails: Mapping[str, Thumbnail]
) -> dict[str, list[ErrorImage]]:
    images = evidence.column("images")
    columns = (evidence.column(f"errors.{name}") for name in ("tag", "model", "kind", "image", "score"))
    found: dict[str, list[ErrorImage]] = {}
    for tag, model, kind, image, score in zip(*columns, strict=True):
        picture = thumbnails.get(images[image])
        path = f"{THUMBNAIL_FOLDER}/{picture.file}" if picture else ""
        is_open = picture is not None and picture.rating in OPEN_RATINGS
        found.setdefault(names[tag], []).append(ErrorImage(model, kind, images[image], score, path, is_open))
    return found
