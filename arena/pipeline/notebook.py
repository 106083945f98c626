"""The arena in a notebook: scores and truth are frames, arrays or files; results are pandas frames.

>>> import pandas as pd
>>> truth = pd.DataFrame({"cat": [True, False, True], "dog": [False, False, True]}, index=["a", "b", "c"])
>>> scores = pd.DataFrame({"cat": [0.9, 0.2, 0.4], "dog": [0.1, 0.6, 0.8]}, index=["a", "b", "c"])
>>> score(scores, truth, min_positives=1).per_tag.set_index("tag")[["tp", "fp", "fn"]].loc["cat"].tolist()
[1, 0, 1]
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base import provenance
from arena.base.errors import ArenaError, ScoresError, nearest, refuse_twice
from arena.base.locks import lock_output
from arena.base.progress import Silent
from arena.cards import Thresholds, check_name
from arena.dataset.contamination import search_index_files
from arena.dataset.frozen import Truth, exact_weights
from arena.dataset.readers import truth_from_rows
from arena.evaluate import Entry, Settings, evaluate
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.judgements import read_given
from arena.pipeline.output import open_run_folder
from arena.pipeline.recipe import file_inputs, make_recipe, scores_input
from arena.pipeline.stages import sign_result, write_run
from arena.pipeline.truth import LoadedTruth, describe_scores, read_scores_of, read_truth, with_digest
from arena.report.notebook import notebook_html, notebook_markdown, result_line
from arena.results.recipe import DatasetUsed, RecipeInput
from arena.results.run_folder import Result
from arena.scores.matrix import Matrix
from arena.scores.store import Scores, check_values
from arena.tags import TagSpace
from arena.tags.spelling import spell_names

ScoresLike = pd.DataFrame | NDArray[Any] | Scores | str | Path
"""Scores: a frame (index: image ids, columns: tags), an array (images, tags), or the path of an `.npz` or a scores folder."""

TruthLike = pd.DataFrame | NDArray[Any] | Truth | str | Path
"""Labels: a frame or array of the same form that holds 0 and 1, the path of an `.npz`, or a dataset by name or folder."""


Weights = NDArray[Any] | Sequence[float] | None
"""One weight for each image of the truth; None uses the weights of the truth, if it has any."""

Known = pd.DataFrame | NDArray[Any] | None
"""Which labels of a truth in memory are known: a frame or array of the same form that holds 0 and 1; None if all are."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """The content of a run folder as frames; undefined metrics are NaN."""

    result: Result

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return self.result.summary

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per model and threshold policy: aggregates with both ends of their intervals."""
        rows = [
            {"model": model, "regime": regime, **metrics}
            for model, content in self.summary["models"].items()
            for regime, metrics in content["regimes"].items()
        ]
        return pd.DataFrame(rows).set_index(["model", "regime"])

    def __getattr__(self, name: str) -> pd.DataFrame:
        """Return a table of the run folder by its name: `per_tag`, `differences`, `tag_differences`, `slices`, ..."""
        tables = self.__dict__["result"].tables if "result" in self.__dict__ else {}
        if name.startswith("_") or name not in tables:
            raise AttributeError(f"no table is called {name!r}. {nearest(name, tables)}")
        found: pd.DataFrame = tables[name]
        return found

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self.result.tables])

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder with its page, as `arena score` does, but without thumbnails.

        Args:
            overwrite: replace a run of another recipe in the folder.

        Raises:
            ArenaError: the folder holds a run of another recipe, or files that arena did not write.
        """
        path = Path(folder)
        with lock_output(path, "score"):
            open_run_folder(path, self.result.recipe, overwrite=overwrite)
            write_run(path, self.result, self.result.recipe, None, DisplayOptions("none"), Silent())
        return path

    def __repr__(self) -> str:
        return f"Comparison({result_line(self.result)})"

    def _repr_html_(self) -> str:
        return notebook_html(self.result)

    def _repr_markdown_(self) -> str:
        return notebook_markdown(self.result)


def score(
    scores: ScoresLike,
    truth: TruthLike,
    *,
    name: str = "model",
    threshold: float | None = None,
    weights: Weights = None,
    known: Known = None,
    **settings: Any,
) -> Comparison:
    """Score one model.

    Args:
        threshold: the model's threshold, 0 to 1; None means 0.5.
        weights: as in `compare`.
        known: as in `compare`.
        settings: fields of `Settings`: `min_positives`, `convention`, `replicates`, `seed`, `slices`, `tag_groups`,
            `imply`; and `against`, `pictures` and `judgements` as in `compare`.

    Raises:
        ArenaError: the scores do not match the truth, or a setting is unknown or invalid.
    """
    thresholds = {} if threshold is None else {name: threshold}
    return compare({name: scores}, truth, thresholds=thresholds, weights=weights, known=known, **settings)


def compare(
    scores: Mapping[str, ScoresLike] | Sequence[ScoresLike],
    truth: TruthLike,
    *,
    thresholds: Mapping[str, float] | float | None = None,
    weights: Weights = None,
    known: Known = None,
    against: Sequence[str | Path] = (),
    pictures: Sequence[str] = (),
    judgements: str | Path | Sequence[str | Path] = (),
    **settings: Any,
) -> Comparison:
    """Compare models on the same images.

    Args:
        scores: model name -> scores, or a list of scores. A model of a list has the name of its file, or `model1`, `model2`.
        thresholds: model name -> threshold, 0 to 1, or one threshold for all models; 0.5 for a model without one.
        weights: for a sample that is not random, the number of images of the population that each image of the truth
            represents (1 / inclusion probability), in the order of the rows. They replace those of a dataset or truth file.
        known: which labels of the truth are known, in its rows and columns, such as `labels.notna()`; the truth must be a
            frame or an array, and its other values are ignored. None if all are known, or if the truth itself tells it.
        against: index files of training images; the truth must be a dataset. The table `contamination` then holds the metrics
            without the images that are in them.
        pictures: folders with the pictures of these indexes, each as `INDEX=FOLDER`.
        judgements: files of answers of people, Parquet or CSV (docs/judging.md). `summary["judged"]` then holds the metrics by
            judged truth.
        settings: as in `score`.

    Raises:
        ArenaError: the scores do not match the truth, or a threshold or setting is unknown or invalid.
    """
    scores = _scores_by_name(scores)
    if thresholds is not None and not isinstance(thresholds, Mapping):
        thresholds = dict.fromkeys(scores, float(thresholds))
    thresholds = thresholds or {}
    for name in thresholds:
        if name not in scores:
            raise ArenaError(f"thresholds: {name} has no scores. {nearest(name, scores)}")
        if not 0 <= thresholds[name] <= 1:
            raise ArenaError(f"thresholds: {name} = {thresholds[name]}; a threshold lies in 0 to 1")
    started = provenance.now()
    given = _with_weights(_truth(truth, known), weights)
    found = search_index_files(given.heldout, [Path(path) for path in against], Silent(), pictures=pictures)
    models = [_model(name, one, given.truth, thresholds.get(name)) for name, one in scores.items()]
    entries, chosen = [model.entry for model in models], _settings(settings)
    inputs = [model.source for model in models if model.source is not None]
    inputs += [*file_inputs("index", against), *file_inputs("pictures", pictures)]
    files = [judgements] if isinstance(judgements, (str, Path)) else judgements
    judged = read_given([Path(path) for path in files], given.truth)
    answers = None if judged is None else judged.judgements
    result = evaluate(given.truth, entries, chosen, against=found, judgements=answers)
    recipe = make_recipe(given, chosen, entries, inputs, command="", started=started, against=found, judged=judged)
    return Comparison(sign_result(result, recipe))


def _scores_by_name(scores: Mapping[str, ScoresLike] | Sequence[ScoresLike]) -> Mapping[str, ScoresLike]:
    """Return scores by model name. Scores of a list get the name of their file, or a number.

    Raises:
        ArenaError: there are no scores, they are neither a mapping nor a list, or two files have one name.
    """
    if isinstance(scores, (list, tuple)):
        names = [
            Path(one).stem if isinstance(one, (str, Path)) else f"model{number}" for number, one in enumerate(scores, 1)
        ]
        refuse_twice("arena.compare", "model", names)
        scores = dict(zip(names, scores, strict=True))
    if not isinstance(scores, Mapping):
        found = type(scores).__name__
        raise ArenaError(
            f"arena.compare: scores is a {found}; give a mapping of names to scores, such as {{'a': scores}}"
        )
    if not scores:
        raise ArenaError("arena.compare: no scores; give at least one model")
    return scores


def _settings(given: Mapping[str, Any]) -> Settings:
    fields = Settings.__dataclass_fields__
    for name in given:
        if name not in fields:
            raise ArenaError(f"{name}: no such setting. {nearest(name, fields)}")
    return replace(Settings(), **given)


def _truth(given: TruthLike, known: Known = None) -> LoadedTruth:
    if known is not None and isinstance(given, (str, Path, Truth)):
        raise ArenaError("known: give it with labels in a frame or an array; a file or a dataset holds its own")
    if isinstance(given, (str, Path)):
        return with_digest(read_truth(given))
    if not isinstance(given, Truth):
        ids, tags, values = _axes("truth", given)
        is_known = None if known is None else _as_known(known, ids, tags)
        if is_known is not None and is_known.shape == values.shape:
            values = np.where(is_known, values, 0)
        values = _as_labels(values)
        given = truth_from_rows("truth", values.shape, [values], tags, ids, known=is_known)
    digest = _digest(
        given.image_ids,
        given.tags.names,
        [
            *(part.astype(np.int64) for part in (given.values.indptr, given.values.indices)),
            *([] if given.weights is None else [given.weights]),
            *([] if given.known is None else [given.known.bits]),
        ],
    )
    dataset = DatasetUsed("truth", "truth in memory", digest, len(given.image_ids))
    return LoadedTruth(given, dataset, Path())


def _as_scores(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return scores as float32; a missing value becomes NaN, which `check_values` refuses.

    Raises:
        ScoresError: a value is not a number.
    """
    try:
        return np.asarray(np.where(pd.isna(values), np.nan, values) if values.dtype == object else values, np.float32)
    except (TypeError, ValueError) as error:
        raise ScoresError(f"{name}: scores must be numbers in 0 to 1 ({error})") from None


def _as_known(given: pd.DataFrame | NDArray[Any], ids: Sequence[str], tags: Sequence[str]) -> NDArray[Any]:
    """Return which labels are known, (images, tags), in the order of the truth.

    Raises:
        ScoresError: a frame has other images or tags than the truth.
    """
    rows, columns, values = _axes("known", given)
    if not isinstance(given, pd.DataFrame):
        return values
    if sorted(rows) != sorted(ids) or sorted(columns) != sorted(tags):
        raise ScoresError(
            "known: its images or tags differ from those of truth; give a frame with the same index and columns"
        )
    row, column = ({name: place for place, name in enumerate(names)} for names in (rows, columns))
    return values[np.ix_([row[name] for name in ids], [column[name] for name in tags])]


def _as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Return the labels of a frame or an array as bool.

    Raises:
        ScoresError: a label is missing (NaN, None, pandas' NA), or is neither 0 nor 1.
    """
    if (missing := int(np.count_nonzero(pd.isna(values)))) > 0:
        raise ScoresError(
            f"truth: {missing:,} of {values.size:,} labels are missing (NaN or NA); fill them with 0 or 1, "
            "leave out these images, or pass which labels are known with known="
        )
    if not np.isin(values, (0, 1)).all():
        raise ScoresError("truth: holds values other than 0 and 1")
    return values.astype(np.bool_)


def _with_weights(given: LoadedTruth, weights: Weights) -> LoadedTruth:
    """Return the truth with these weights and a digest that covers them; None leaves the truth as it is."""
    if weights is None:
        return given
    truth = given.truth
    exact = exact_weights("weights", weights, len(truth.image_ids))
    digest = _digest(truth.image_ids, (given.dataset.digest,), [exact])
    return given._replace(truth=replace(truth, weights=exact), dataset=replace(given.dataset, digest=digest))


class _Model(NamedTuple):
    """A model, and the file or folder of its scores; None for scores in memory."""

    entry: Entry
    source: RecipeInput | None


def _model(name: str, given: ScoresLike, truth: Truth, threshold: float | None) -> _Model:
    check_name(name)
    source, facts = None, dict[str, Any]()
    if isinstance(given, (str, Path)):
        scores, source = read_scores_of(Path(given)), scores_input(name, Path(given))
        facts = describe_scores(Path(given), scores)
    elif isinstance(given, Scores):
        scores = given
    else:
        ids, tags, values = _axes(name, given)
        matrix = Matrix.of(_as_scores(name, values))
        if isinstance(given, np.ndarray) and given.shape == truth.values.shape:
            ids, tags = truth.image_ids, truth.tags.names
        checked = check_values(name, matrix, ids, tags)
        scores = Scores(ids, TagSpace(spell_names(name, tags).names), checked.values, clipped=checked.clipped)
    tiles = (tile for _, tile in scores.values.tiles())
    key = _digest(scores.image_ids, scores.tags.names, tiles) if source is None else source.digest
    chosen = Thresholds(threshold), "default" if threshold is None else "option"
    return _Model(Entry(name, name, scores, *chosen, {**facts, "key": key}), source)


def _digest(image_ids: Sequence[str], tags: Sequence[str], parts: Iterable[NDArray[Any]]) -> str:
    """Hexadecimal SHA-256 over the names of rows and columns and the bytes of arrays in memory."""
    digest = hashlib.sha256(json.dumps([image_ids, tags]).encode())
    for part in parts:
        digest.update(part.tobytes())
    return digest.hexdigest()


def _axes(name: str, given: pd.DataFrame | NDArray[Any]) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[Any]]:
    """Image ids, tags and values of a frame or an array; the rows and columns of an array are numbered from 0."""
    if isinstance(given, pd.DataFrame):
        values = given.to_numpy()
        ids: Sequence[Any] = given.index.tolist()
        tags: Sequence[Any] = given.columns.tolist()
    else:
        values = np.asarray(given)
        if values.ndim != 2:
            raise ScoresError(f"{name}: shape {values.shape}; it must be a matrix (images, tags)")
        ids, tags = range(values.shape[0]), range(values.shape[1])
    for what, names in (("image", ids), ("tag", tags)):
        if len(set(names)) < len(names):
            raise ScoresError(f"{name}: an {what} is listed twice; each needs a name of its own")
    return tuple(map(str, ids)), tuple(map(str, tags)), values
