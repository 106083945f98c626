"""The recipe of a run: how it was made. Every command that writes a run folder writes it, and every reader of a run uses it.

`run.json` holds `created`, `arena_version`, `command`, `dataset`, `versions`, `machine`, `against` and `models` at its top
level, where other tools read them. The rest of the recipe is in its block `recipe`. A run of an earlier version has no such
block; `read_recipe` makes a recipe from its other fields.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.provenance import digest
from arena.cards import Thresholds
from arena.metrics.counts import CONVENTIONS, MIN_POSITIVES, Convention
from arena.metrics.resamples import REPLICATES
from arena.tags.groups import TagGroup

SLICE_COLUMNS = ("rating", "domain", "size")
"""Default columns of `images.parquet` to slice by, if a dataset has them; `size` is computed from width and height."""

DATASET_KEYS = ("name", "title", "digest", "images", "licence")
"""Fields of `DatasetUsed` that `run.json` holds in `dataset`."""

JUDGEMENTS = "judgements"
"""Kind of an input that holds answers of people."""

TOP_KEYS = ("created", "arena_version", "command", "versions", "machine")
"""Fields of `Recipe` that `run.json` holds at its top level under the same name."""

_OLD_SAMPLE = re.compile(r"(\d+) of seed (-?\d+)")
"""The sample's description in a run of an earlier version."""


class Sample(NamedTuple):
    """A random sample of a dataset; without a limit, the whole dataset."""

    limit: int | None = None
    seed: int = 0

    @property
    def text(self) -> str:
        """The sample in words.

        >>> Sample(200, 3).text, Sample().text
        ('200 images, seed 3', 'all images')
        """
        return f"{self.limit:,} images, seed {self.seed}" if self.limit else "all images"


_WHOLE_DATASET = Sample()


@dataclass(frozen=True)
class DatasetUsed:
    """The images and labels that a run was scored on; a field is empty if unknown.

    Attributes:
        digest: SHA-256 of the sample of the dataset, of the truth file, or of the truth in memory.
        images: number of images, including those that a model skipped.
        private: whether the dataset's card says `private = true`.
        weighted: whether the images are a weighted sample.
        partly_known: whether cells of the truth are unknown.
    """

    name: str = ""
    title: str = ""
    digest: str = ""
    images: int | None = None
    licence: str = ""
    private: bool = False
    sample: Sample = _WHOLE_DATASET
    weighted: bool = False
    partly_known: bool = False

    def label(self, digits: int) -> str:
        """Name and first digits of the digest, such as `demo@12ab34cd`."""
        return f"{self.name or 'truth'}@{self.digest[:digits] or 'unknown'}"


@dataclass(frozen=True)
class Settings:
    """How scores become metrics.

    Attributes:
        min_positives: number of positives that a tag needs to enter the means.
        convention: a name of `CONVENTIONS`.
        replicates: number of bootstrap resamples; 0 gives the metrics without intervals, in a third of the time.
        seed: seed of the bootstrap.
        slices: columns of the images to slice by. Columns other than `SLICE_COLUMNS` must exist.
        tag_groups: named groups of tags; each becomes a slice.
        imply: raise the score of an implied tag to the largest score of the tags that imply it, by the truth's implications.
        workers: number of threads; 0 means one per core. It does not affect the metrics, and recipes do not store it.
    """

    min_positives: int = MIN_POSITIVES
    convention: str = "arena"
    replicates: int = REPLICATES
    seed: int = 0
    slices: Sequence[str] = SLICE_COLUMNS
    tag_groups: Sequence[TagGroup] = field(default=())
    imply: bool = False
    workers: int = 0

    @property
    def counting(self) -> Convention:
        """The convention as an object."""
        return CONVENTIONS[self.convention]


@dataclass(frozen=True)
class ThresholdsUsed:
    """The thresholds of a model in a run.

    Attributes:
        source: `option`, `file`, `card` or `default`.
        tags: number of tags with their own threshold; the table `per_tag` holds these thresholds.
        digest: digest of the thresholds of single tags; empty without any.
    """

    source: str = "default"
    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    tags: int = 0
    digest: str = ""

    @classmethod
    def of(cls, thresholds: Thresholds, source: str) -> "ThresholdsUsed":
        """Describe the thresholds of a model, with their source."""
        own = thresholds.tags
        return cls(source, thresholds.default, dict(thresholds.categories), len(own), digest(own) if own else "")


class RecipeInput(NamedTuple):
    """A file or folder that a run was made from.

    Attributes:
        kind: `dataset`, `truth`, `scores`, `model`, `index`, `pictures` or `judgements`.
        path: in `run.json` relative to the run folder, with slashes; absolute before the run is written.
        name: name of the model or of the index.
        digest: SHA-256 of the content; empty if unknown.
    """

    kind: str
    path: str
    name: str = ""
    digest: str = ""

    def seen_from(self, folder: Path) -> "RecipeInput":
        """The input with its path relative to a folder; a path on another drive stays absolute."""
        place = Path(self.path)
        if not place.is_absolute():
            return self
        try:
            return self._replace(
                path=Path(os.path.relpath(place.parent.resolve() / place.name, folder.resolve())).as_posix()
            )
        except ValueError:
            return self


@dataclass(frozen=True)
class Recipe:
    """How a run was made.

    Attributes:
        settings: all settings; tag groups with their content.
        thresholds: name of a model -> its thresholds.
        renamed: old name -> new name of tags that count as one tag, in addition to the dataset's aliases.
        inputs: files and folders that the run was made from.
        against: name, digest and size of each index of training images.
        answers: number of answers in the judgements; 0 without judgements.
        command: the command line; empty for a run made in Python.
        started, created: when the command started, and when its result was made; UTC, ISO 8601.
        versions, machine: values of `arena.base.provenance`.
        groups_digest: None if `settings` holds the tag groups; else, in a run of an earlier version, the digest of its tag
            groups, or empty if the run does not store it.
    """

    dataset: DatasetUsed = DatasetUsed()
    settings: Settings = Settings()
    thresholds: Mapping[str, ThresholdsUsed] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[RecipeInput, ...] = ()
    against: tuple[Mapping[str, Any], ...] = ()
    answers: int = 0
    command: str = ""
    started: str = ""
    created: str = ""
    arena_version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    groups_digest: str | None = None

    @property
    def tag_groups_digest(self) -> str:
        """Digest of the tag groups; empty if unknown."""
        return digest_groups(self.settings.tag_groups) if self.groups_digest is None else self.groups_digest

    def paths(self, kinds: Sequence[str], folders: Sequence[Path], name: str | None = None) -> Iterator[Path]:
        """Existing paths of inputs of these kinds: relative to each folder, and by file name in it and in its parent.

        Args:
            folders: the run folder, then other folders that relative paths may start from.
            name: only inputs of this model; None takes all.
        """
        for one in self.inputs:
            if one.kind in kinds and name in (None, one.name):
                last = Path(one.path).name
                places = [
                    place for folder in folders for place in (folder / one.path, folder / last, folder.parent / last)
                ]
                yield from (place for place in dict.fromkeys(places) if place.exists())


def digest_groups(groups: Sequence[TagGroup]) -> str:
    """Digest of the content of named tag groups; their order does not matter."""
    return digest({group.name: asdict(group) for group in groups})


def write_recipe(recipe: Recipe, run: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """The content of `run.json` with a recipe in it.

    Args:
        run: the other fields of the result: `schema`, `models`, `skipped`.
        folder: the run folder; paths of inputs become relative to it. None leaves them absolute.
    """
    inputs = recipe.inputs if folder is None else tuple(one.seen_from(folder) for one in recipe.inputs)
    models = {
        name: {**facts, "thresholds": _filled(asdict(recipe.thresholds[name]))} if name in recipe.thresholds else facts
        for name, facts in run["models"].items()
    }
    made = {
        "schema": run["schema"],
        **{key: getattr(recipe, key) for key in TOP_KEYS},
        "dataset": {key: value for key in DATASET_KEYS if (value := getattr(recipe.dataset, key)) not in ("", None)},
        **({"against": list(recipe.against)} if recipe.against else {}),
        "recipe": {
            "started": recipe.started,
            "sample": recipe.dataset.sample._asdict(),
            "private": recipe.dataset.private,
            **{key: True for key in _DATASET_FLAGS if getattr(recipe.dataset, key)},
            "settings": _settings_content(recipe.settings),
            "renamed": dict(recipe.renamed),
            "inputs": [one._asdict() for one in inputs],
            **({"answers": recipe.answers} if recipe.answers else {}),
        },
        "models": models,
    }
    return {**made, **{key: value for key, value in run.items() if key not in made}}


def read_recipe(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Recipe:
    """Read the recipe of a run from its `run.json` and `summary.json`, also of an earlier version.

    Raises:
        ValueError: a part of the recipe is damaged.
    """
    try:
        return _read(run) if "recipe" in run else _upgraded(run, summary)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"run.json: its recipe is damaged, {type(error).__name__}: {error}") from None


_DATASET_FLAGS = ("weighted", "partly_known")


def _filled(thresholds: dict[str, Any]) -> dict[str, Any]:
    """The thresholds without `tags` and `digest` if no tag has its own threshold."""
    return thresholds if thresholds["tags"] else {key: thresholds[key] for key in ("source", "default", "categories")}


def _settings_content(settings: Settings) -> dict[str, Any]:
    content = asdict(replace(settings, slices=list(settings.slices), tag_groups=list(settings.tag_groups)))
    del content["workers"]
    return content


def _read(run: Mapping[str, Any]) -> Recipe:
    block = run["recipe"]
    groups = tuple(_group(table) for table in block["settings"]["tag_groups"])
    settings = {key: value for key, value in block["settings"].items() if key in Settings.__dataclass_fields__}
    settings |= {"slices": tuple(block["settings"]["slices"]), "tag_groups": groups}
    sample, private = Sample(block["sample"]["limit"], block["sample"]["seed"]), bool(block["private"])
    weighted, partly_known = (bool(block.get(key)) for key in _DATASET_FLAGS)  # only runs of such datasets have them
    inputs = tuple(RecipeInput(*(str(one.get(key, "")) for key in RecipeInput._fields)) for one in block["inputs"])
    dataset = replace(_dataset(run), sample=sample, private=private, weighted=weighted, partly_known=partly_known)
    return replace(
        _top_level(run), settings=Settings(**settings), renamed=dict(block["renamed"]), inputs=inputs,
        started=str(block["started"]), answers=int(block.get("answers", 0)), dataset=dataset,
    )  # fmt: skip


def _group(table: Mapping[str, Any]) -> TagGroup:
    return TagGroup(table["name"], table["title"], table["why"], tuple(table["tags"]), tuple(table["exceptions"]))


def _top_level(run: Mapping[str, Any]) -> Recipe:
    """A recipe of the top-level fields, which every version stores in the same way."""
    return Recipe(
        dataset=_dataset(run),
        thresholds={
            name: _thresholds(facts["thresholds"]) for name, facts in run["models"].items() if "thresholds" in facts
        },
        against=tuple(run.get("against", ())),
        **{key: run[key] for key in TOP_KEYS if key in run},
    )


def _dataset(run: Mapping[str, Any]) -> DatasetUsed:
    facts = run.get("dataset", {})
    return DatasetUsed(**{key: facts[key] for key in DATASET_KEYS if key in facts})


def _thresholds(facts: Mapping[str, Any]) -> ThresholdsUsed:
    return ThresholdsUsed(**{key: facts[key] for key in ThresholdsUsed.__dataclass_fields__ if key in facts})


def _upgraded(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Recipe:
    """The recipe of a run of an earlier version.

    Such a run describes its sample in words, stores a digest of the tag groups, and names its inputs only in the command.
    """
    old = run.get("settings", {})
    words = _OLD_SAMPLE.fullmatch(str(run.get("dataset", {}).get("sample", "")))
    sample = Sample(int(words[1]), int(words[2])) if words else Sample()
    default = Settings()
    settings = Settings(
        summary.get("min_positives", default.min_positives), summary.get("convention", default.convention),
        summary.get("replicates", default.replicates), old.get("seed", default.seed),
        tuple(old.get("slices", SLICE_COLUMNS)), imply=bool(summary.get("imply")),
    )  # fmt: skip
    top = _top_level(run)
    files = [RecipeInput("scores", facts["scores"], name) for name, facts in run["models"].items() if "scores" in facts]
    return replace(
        top, dataset=replace(top.dataset, sample=sample), settings=settings,
        inputs=(*_named_by_command(top.command), *files), groups_digest=str(old.get("tag_groups", "")),
    )  # fmt: skip


def _named_by_command(command: str) -> Iterator[RecipeInput]:
    """Inputs that an old command may name: `NAME=PATH` may be scores, a model or a dataset, any other word a dataset or truth.

    Paths are relative to the working directory. The inputs have no digest, so a reader must check the digest of the content.
    """
    try:
        words = shlex.split(command)[1:]
    except ValueError:
        return
    for part in (part for word in words for part in word.split(",") if part):
        name, separator, path = part.rpartition("=")
        if separator:
            yield from (RecipeInput(kind, str(Path(path).absolute()), name) for kind in ("scores", "model", "dataset"))
        elif not part.startswith("-"):
            yield RecipeInput("dataset", str(Path(part).absolute()))
