"""The output folder of `arena pick`: its files, its recipe, and the cells of its judging plan read again."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.files import digest_file
from arena.base.format import listed
from arena.base.provenance import is_sealed
from arena.base.reading import read_json
from arena.base.schema import TABLE, TEXT, Schema, table_of
from arena.base.tables import Kind, read_frame
from arena.dataset.tars import TAR_KINDS, image_places
from arena.evaluate.expected import ModelView, joint_probabilities
from arena.evaluate.judged import Cells
from arena.images.thumbnails import ThumbnailSource
from arena.metrics.tag_calibration import Curve
from arena.pipeline.output import OVERWRITE_FIX, claim_folder
from arena.results.recipe import RecipeInput
from arena.results.written import holds_run
from arena.scores.store import Scores, read_store

PICK_FILE = "pick.json"
"""File of the result; it is written last, so a folder with it is finished."""

TAGS_TABLE, IMAGES_TABLE, PLAN_FILE = "tags.parquet", "images.parquet", "plan.parquet"

PICK_SCHEMA = 1
"""Version of `pick.json`."""

_AGAIN = "run arena pick again"

_DOCUMENT = Schema(
    table_of({
        "schema": {"enum": [PICK_SCHEMA]}, "models": table_of(others=TABLE), "recipe": TABLE, "images": TABLE,
        "files": table_of(others=TEXT),
    })
)  # fmt: skip

_TAG_KINDS = dict.fromkeys(("model", "tag", "name", "category"), Kind.TEXT) | {
    "threshold": Kind.NUMBER, "predicted": Kind.INTEGER, "planned": Kind.FLAG, "shift": Kind.NUMBER,
}  # fmt: skip
_IMAGE_KINDS = {"image_id": Kind.IDENTIFIER, "path": Kind.TEXT, "rating": Kind.TEXT, "group": Kind.IDENTIFIER}


def claim_pick_folder(folder: Path, recipe: Mapping[str, Any], *, overwrite: bool) -> None:
    """Create the output folder, or check that an existing one may be written to.

    Raises:
        ArenaError: it holds a run, a result of another recipe and `overwrite` is false, or files that arena did not write.
    """
    if holds_run(folder):
        raise ArenaError(f"{folder}: holds a run; name another folder with --output")
    if not overwrite and (folder / PICK_FILE).exists():
        try:
            found = read_pick_document(folder)
        except ArenaError:  # a damaged result is replaced
            found = None
        if found is not None and (different := list(_differences(found["recipe"], recipe, folder))):
            raise ArenaError(
                f"{folder}: holds a result of another recipe ({listed(different, keep=3)}); {OVERWRITE_FIX}"
            )
    claim_folder(folder)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> Iterator[str]:
    there, now = old.get("thresholds", {}), new["thresholds"]
    if sorted(there) != sorted(now):
        yield f"models {listed(list(there))} there, {listed(list(now))} now"
        return
    yield from (f"threshold of {name}" for name in now if now[name] != there[name])
    yield from (key.replace("_", " ") for key in ("sample", "difference", "min_positives") if old.get(key) != new[key])
    inputs = {(one["kind"], one["name"]): (one["path"], one["digest"]) for one in old.get("inputs", [])}
    current = {(one.kind, one.name): one.seen_from(folder) for one in new["inputs"]}
    for kind, name in sorted(inputs.keys() ^ current.keys()):
        yield f"{kind} {name}".strip()
    for key in sorted(inputs.keys() & current.keys()):
        path, digest = inputs[key]
        if path != current[key].path and (digest != current[key].digest or not digest):
            yield f"{key[0]} {path} there, {current[key].path} now"


def read_pick_document(folder: Path) -> dict[str, Any]:
    """Return the content of `pick.json`, after a check that neither it nor a file that it lists was changed.

    Raises:
        ArenaError: there is no finished result, it is damaged or was changed.
    """
    path = folder / PICK_FILE
    if not path.exists():
        raise ArenaError(f"{folder}: no {PICK_FILE} in it; make one with arena pick")
    found: dict[str, Any] = read_json(path, _DOCUMENT, fix=_AGAIN)
    if not is_sealed(found):
        raise ArenaError(f"{path}: it differs from its own digest, so it was changed; {_AGAIN}")
    return found


def _read_table(folder: Path, name: str, kinds: Mapping[str, Kind], document: Mapping[str, Any]) -> pd.DataFrame:
    path = folder / name
    if not path.exists() or digest_file(path) != document["files"].get(name):
        raise ArenaError(f"{path}: missing, or changed after {PICK_FILE} was written; {_AGAIN}")
    return read_frame(path, kinds, optional=TAR_KINDS, fix=_AGAIN)


class StoredPick(NamedTuple):
    """A finished result of `arena pick`."""

    folder: Path
    document: Mapping[str, Any]
    tags: pd.DataFrame
    images: pd.DataFrame

    @property
    def title(self) -> str:
        """Name of the pictures."""
        return str(self.document["images"].get("title", ""))

    def cells(self, models: Sequence[str] = ()) -> Cells:
        """Return the cells of the judging plan.

        Args:
            models: the models to plan for; none takes all.

        Raises:
            ArenaError: there is no such model, no tag to judge, or the scores are missing or changed.
        """
        every = list(self.document["models"])
        for name in models:
            if name not in every:
                raise ArenaError(f"--models {name}: no such model in {self.folder}. {nearest(name, every)}")
        planned = self.tags[self.tags["planned"]]
        names = list(dict.fromkeys(planned["tag"]))
        if not names:
            raise ArenaError(
                f"{self.folder}: no tag to judge, because the models have none in common, or none is frequent"
            )
        image_ids = [str(one) for one in self.images["image_id"]]
        views = {
            name: self._view(planned[planned["model"] == name].set_index("tag").loc[names], image_ids) for name in every
        }
        prior = joint_probabilities(list(views.values()))
        wanted = list(models) or every
        groups = tuple(str(one) for one in self.images["group"])
        labels = np.zeros(prior.shape, np.bool_)
        return Cells(
            tuple(image_ids), tuple(names), labels, {name: views[name].scores for name in wanted},
            {name: views[name].scores >= views[name].thresholds for name in wanted}, groups, prior=prior,
        )  # fmt: skip

    def _view(self, rows: pd.DataFrame, image_ids: Sequence[str]) -> ModelView:
        """Return the scores and the calibration of one model for the tags of some rows of the table of tags."""
        name = str(rows["model"].iloc[0])
        scores = read_store(self.folder / "scores" / name, key=self.document["models"][name]["key"])
        found, thresholds = _scores(scores, image_ids, list(rows["name"])), rows["threshold"].to_numpy(np.float32)
        curve = self.document["models"][name].get("curve")
        if curve is None:
            return ModelView(found, thresholds)
        knots, weights = (np.array(curve[key], np.float64) for key in ("knots", "weights"))
        shifts = rows["shift"].to_numpy(np.float64)
        return ModelView(found, thresholds, Curve(knots, weights, np.eye(len(weights))), shifts)

    def sources(self, names: Sequence[str]) -> list[ThumbnailSource]:
        """Return the files of images, in the order of `names`.

        Raises:
            ArenaError: the folder of the images is not where it was.
        """
        inputs = [RecipeInput(**one) for one in self.document["recipe"]["inputs"]]
        path = next(one.path for one in inputs if one.kind == "images")
        root = self.folder / path
        if not root.is_dir():
            raise ArenaError(f"{root}: the folder of the images is not there; move it back, or {_AGAIN}")
        rows = self.images.set_index("image_id").loc[list(names)]
        return [
            ThumbnailSource(str(image), place, "", rating)
            for image, place, rating in zip(rows.index, image_places(root, rows), rows["rating"], strict=True)
        ]


def _scores(scores: Scores, image_ids: Sequence[str], names: Sequence[str]) -> Any:
    """Return the scores of some images and tags; float32 (images, tags)."""
    row = {image: place for place, image in enumerate(image_ids)}
    place = np.array([row.get(image, -1) for image in scores.image_ids], np.int64)
    columns = np.array([scores.tags.index[name] for name in names], np.int64)
    return np.asarray(scores.values.columns(columns, place), np.float32)


def is_pick(folder: Path) -> bool:
    """Return whether a folder holds a result of `arena pick`."""
    return (folder / PICK_FILE).is_file()


def read_pick(folder: Path) -> StoredPick:
    """Read the output folder of `arena pick`.

    Raises:
        ArenaError: there is no finished result, or a file is damaged or was changed.
    """
    document = read_pick_document(folder)
    tags, images = (
        _read_table(folder, name, kinds, document)
        for name, kinds in ((TAGS_TABLE, _TAG_KINDS), (IMAGES_TABLE, _IMAGE_KINDS))
    )
    return StoredPick(folder, document, tags, images)
