"""Write the output folder of `arena pick`; `pick.json` is the last file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arena.base import provenance
from arena.base.files import digest_file, open_whole, to_json, write_whole
from arena.base.progress import Progress
from arena.base.version import __version__
from arena.dataset.tars import tar_columns
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.choice import choose
from arena.evaluate.expected import (
    ModelCalibration,
    tag_shifts,
)
from arena.evaluate.judged_plan import Differences, draw_plan
from arena.evaluate.matching import describe_thresholds
from arena.evaluate.unlabelled import Pictures, own_thresholds
from arena.images.thumbnails import Limits, ThumbnailSource, read_thumbnails, remove_thumbnails, write_thumbnails
from arena.pipeline.pick.compute import Found
from arena.pipeline.pick.document import pick_document
from arena.pipeline.pick.folder import (
    IMAGES_TABLE,
    PICK_FILE,
    PLAN_FILE,
    TAGS_TABLE,
)
from arena.pipeline.pick.options import PickOptions
from arena.pipeline.pick.pictures import PictureSet
from arena.pipeline.stages import Execution
from arena.report.pick.markdown import pick_markdown
from arena.report.pick.page import render_pick

_THUMBNAILS = Limits(2_000, 16_000_000)


def write_pick(
    folder: Path, given: PictureSet, found: Found, recipe: Mapping[str, Any], options: PickOptions, execution: Execution
) -> None:  # fmt: skip
    """Write all files; `pick.json` is the last one."""
    for name in (PICK_FILE, "index.html"):
        (folder / name).unlink(missing_ok=True)
    _write_table(folder / TAGS_TABLE, _tag_table(found))
    _write_table(folder / IMAGES_TABLE, _image_table(given, found.pictures))
    if found.cells is not None:
        judging = found.document["judging"]
        wanted = [judging[key] for key in ("macro_f1", "micro_f1")]
        answers = max([LEAST_ANSWERS, *(one for one in wanted if one is not None)])
        both = None if None in wanted else Differences(judging["difference"], judging["difference"])
        _write_table(folder / PLAN_FILE, draw_plan(found.cells, answers, 0, differences=both).table)
    else:
        (folder / PLAN_FILE).unlink(missing_ok=True)
    thumbnails = _thumbnails(folder, given, found, options, execution.progress)
    facts = _facts(given, found, recipe, execution, folder)
    made = pick_document(found.document, found.pictures, found.estimates, choose(found.estimates), facts)
    document = json.loads(
        to_json(made)
    )  # as readers find it, with null for NaN, so that its digest is that of the file
    write_whole(folder / "pick.md", pick_markdown(document))
    write_whole(folder / "index.html", render_pick(document, thumbnails))
    files = [TAGS_TABLE, IMAGES_TABLE, "pick.md", "index.html", *([PLAN_FILE] if found.cells is not None else [])]
    document["files"] = {name: digest_file(folder / name) for name in files}
    write_whole(folder / PICK_FILE, to_json(provenance.seal(document)))


def _facts(
    given: PictureSet, found: Found, recipe: Mapping[str, Any], execution: Execution, folder: Path
) -> dict[str, Any]:
    entries = [one.entry for one in found.pictures.models]
    shown = {**recipe, "inputs": [one.seen_from(folder)._asdict() for one in recipe["inputs"]]}
    return {
        "created": provenance.now(), "arena_version": __version__, "command": execution.command, "recipe": shown,
        "images": {
            "title": given.title, "listed": len(given.source.image_ids), "scored": len(found.pictures.truth.image_ids),
            "skipped": dict(found.pictures.skipped),
        },
        "models": {
            entry.name: {
                "title": entry.title, "threshold": describe_thresholds(entry), "threshold_source": entry.threshold_source,
                "tags": len(entry.scores.tags), "key": entry.facts.get("key", ""), "weights": entry.facts.get("weights"),
                "decisions": int(found.pictures.predicted[entry.name].nnz),
                **({} if found.calibrations is None else {"curve": _curve(found.calibrations[number])}),
            }
            for number, entry in enumerate(entries)
        },
        "versions": provenance.versions(), "machine": provenance.machine(),
    }  # fmt: skip


def _curve(calibration: ModelCalibration) -> dict[str, list[float]]:
    curve = calibration.curve.curve
    return {"knots": curve.knots.tolist(), "weights": curve.weights.tolist()}


def _tag_table(found: Found) -> pd.DataFrame:
    """Return a row for each model and each tag it knows; `shift`, that of the calibrated logit, is missing without one."""
    pictures, rows = found.pictures, []
    tags, planned = pictures.truth.tags, np.isin(np.arange(len(pictures.truth.tags)), found.planned)
    for number, one in enumerate(pictures.models):
        name = one.entry.name
        known = np.flatnonzero(one.chosen >= 0)
        shifts = None if found.calibrations is None else tag_shifts(found.calibrations[number])[known]
        rows.append(
            pd.DataFrame(
                {
                    "model": name,
                    "tag": [tags.names[tag] for tag in known],
                    "name": [one.names[place] for place in one.chosen[known]],
                    "category": [tags.category(int(tag)) for tag in known],
                    "threshold": own_thresholds(one, known).astype(np.float64),
                    "predicted": np.diff(pictures.predicted[name].indptr)[known].astype(np.int64),
                    "planned": planned[known],
                    "shift": np.nan if shifts is None else shifts,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _image_table(given: PictureSet, pictures: Pictures) -> pd.DataFrame:
    place = {image: row for row, image in enumerate(given.source.image_ids)}
    rows = [place[image] for image in pictures.truth.image_ids]
    groups = given.groups or given.source.image_ids
    table = pd.DataFrame(
        {
            "image_id": list(pictures.truth.image_ids),
            "path": [given.paths[row] for row in rows],
            "rating": [given.ratings[row] for row in rows],
            "group": [groups[row] for row in rows],
        }
    )
    return table.assign(**tar_columns(given.root, [given.source.paths[row] for row in rows]))


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with open_whole(path) as file:
        table.to_parquet(file, index=False)


def _thumbnails(
    folder: Path, given: PictureSet, found: Found, options: PickOptions, progress: Progress
) -> dict[str, tuple[bytes, str]]:
    """Write the thumbnails of the images that the page names; return their bytes and ratings by image."""
    if not (not given.private if options.thumbnails is None else options.thumbnails):
        remove_thumbnails(folder)
        return {}
    wanted = dict.fromkeys(
        example["image_id"]
        for one in found.document["alone"].values()
        for tag in one["tags"]
        for example in tag["examples"]
    )
    place = {image: row for row, image in enumerate(given.source.image_ids)}
    sources = [
        ThumbnailSource(image, given.source.paths[row], given.source.digests[row], given.ratings[row])
        for image, row in ((image, place[image]) for image in wanted)
    ]
    write_thumbnails(folder, sources, limits=_THUMBNAILS, progress=progress)
    return {
        image: ((folder / "thumbnails" / one.file).read_bytes(), one.rating)
        for image, one in read_thumbnails(folder).items()
    }
