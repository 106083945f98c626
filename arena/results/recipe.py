"""How a run was made: one value that every path to a run folder writes, and that every reader of a run asks.

`run.json` keeps `created`, `arena_version`, `command`, `dataset`, `versions`, `machine`, `against` and `models` at its top,
where other tools read them; everything else about how the run was made is in its block `recipe`. A run of an earlier version
has no such block; `read_recipe` makes a recipe of what it says instead.
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
from arena.metrics.bootstrap import REPLICATES
from arena.metrics.counts import CONVENTIONS, MIN_POSITIVES, Convention
from arena.tags.groups import TagGroup

SLICE_COLUMNS = ("rating", "domain", "size")
"""Default columns of `images.parquet` to slice by, where a dataset has them; `size` comes from width and height."""

DATASET_KEYS = ("name", "title", "digest", "images", "licence")
"""Fields of `DatasetUsed` that `run.json` keeps in `dataset`."""

TOP_KEYS = ("created", "arena_version", "command", "versions", "machine")
"""Fields of `Recipe` that `run.json` keeps at its top under the same name."""

_OLD_SAMPLE = re.compile(r"(\d+) of seed (-?\d+)")
"""How a run of an earlier version describes its sample."""


class Sample(NamedTuple):
    """A random sample of a dataset; without a limit, all of it."""

    limit: int | None = None
    seed: int = 0

    @property
    def text(self) -> str:
        """For readers.

        >>> Sample(200, 3).text, Sample().text
        ('200 images, seed 3', 'all images')
        """
        return f"{self.limit:,} images, seed {self.seed}" if self.limit else "all images"


ALL_IMAGES = Sample()


@dataclass(frozen=True)
class DatasetUsed:
    """The images and labels that a run was scored on; empty where unknown.

    Attributes:
        digest: SHA-256 of what was scored: of the sample of a dataset, of a truth file, or of a matrix in memory.
        images: how many images it holds, those that a model skipped included.
        private: whether the dataset's card says `private = true`.
    """

    name: str = ""
    title: str = ""
    digest: str = ""
    images: int | None = None
    licence: str = ""
    private: bool = False
    sample: Sample = ALL_IMAGES

    def label(self, digits: int) -> str:
        """Name and first digits of the digest: `demo@12ab34cd`."""
        return f"{self.name or 'truth'}@{self.digest[:digits] or 'unknown'}"


@dataclass(frozen=True)
class Settings:
    """How scores become metrics.

    Attributes:
        min_positives: positives that a tag needs to enter the means.
        convention: a name of `CONVENTIONS`.
        replicates: resamples of every interval; 0 gives the plain metrics alone, in a third of the time.
        seed: of the resamples.
        slices: columns of the images to slice by. Columns other than `SLICE_COLUMNS` must be there.
        tag_groups: named groups of tags, each a slice.
        imply: raise the score of every implied tag to that of any tag implying it, by the implications of the truth.
        workers: threads; 0 takes as many as there are cores. The metrics do not depend on it, and no recipe keeps it.
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
        """The convention itself."""
        return CONVENTIONS[self.convention]


@dataclass(frozen=True)
class ThresholdsUsed:
    """The thresholds of a model in a run.

    Attributes:
        source: `option`, `file`, `card` or `default`.
        tags: how many tags have a threshold of their own; `per_tag` holds these, and `digest` is theirs.
    """

    source: str = "default"
    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    tags: int = 0
    digest: str = ""

    @classmethod
    def of(cls, thresholds: Thresholds, source: str) -> "ThresholdsUsed":
        """Those of a model, with the source that named them."""
        own = thresholds.tags
        return cls(source, thresholds.default, dict(thresholds.categories), len(own), digest(own) if own else "")


class Input(NamedTuple):
    """A file or folder that a run was made from.

    Attributes:
        kind: `dataset`, `truth`, `scores`, `model`, `index` or `pictures`.
        path: in `run.json` from the run folder, with slashes; absolute before the run is written.
        name: of the model, or of the index.
        digest: SHA-256 of the content; empty where unknown.
    """

    kind: str
    path: str
    name: str = ""
    digest: str = ""

    def seen_from(self, folder: Path) -> "Input":
        """The same with a path from a folder; one on another drive stays absolute."""
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
        settings: all of them, slices and tag groups by content.
        thresholds: of each model.
        renamed: old name -> new name of tags that were taken for one tag, on top of the dataset's aliases.
        inputs: files and folders that the run was made from.
        against: name, digest and size of each index of training images.
        command: as it was typed; empty for a run made in Python.
        started, created: when the command began, and when its result was made; UTC, ISO 8601.
        versions, machine: as `arena.base.provenance` gives them.
        groups_digest: digest of the tag groups of a run of an earlier version, which kept nothing else of them; empty where it
            did not even keep that; None where `settings` holds the groups.
    """

    dataset: DatasetUsed = DatasetUsed()
    settings: Settings = Settings()
    thresholds: Mapping[str, ThresholdsUsed] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    against: tuple[Mapping[str, Any], ...] = ()
    command: str = ""
    started: str = ""
    created: str = ""
    arena_version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    groups_digest: str | None = None

    @property
    def tag_groups_digest(self) -> str:
        """Digest of the tag groups; empty where it is unknown."""
        return digest_groups(self.settings.tag_groups) if self.groups_digest is None else self.groups_digest

    def paths(self, kinds: Sequence[str], folders: Sequence[Path], name: str | None = None) -> Iterator[Path]:
        """Where inputs of these kinds may lie: at their path from each folder, or beside it.

        Args:
            folders: the run folder, and where else the run may have been written.
            name: only inputs of this model.
        """
        for one in self.inputs:
            if one.kind in kinds and name in (None, one.name):
                last = Path(one.path).name
                places = [
                    place for folder in folders for place in (folder / one.path, folder / last, folder.parent / last)
                ]
                yield from (place for place in dict.fromkeys(places) if place.exists())


def digest_groups(groups: Sequence[TagGroup]) -> str:
    """Digest of named groups of tags by content, whatever their order."""
    return digest({group.name: asdict(group) for group in groups})


def write_recipe(recipe: Recipe, run: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """The content of `run.json` with a recipe in it.

    Args:
        run: what the result says of itself: `schema`, `models`, `skipped`.
        folder: the run folder, from which paths of inputs are then named; None leaves them absolute.
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
            "settings": _settings_content(recipe.settings),
            "renamed": dict(recipe.renamed),
            "inputs": [one._asdict() for one in inputs],
        },
        "models": models,
    }
    return {**made, **{key: value for key, value in run.items() if key not in made}}


def read_recipe(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Recipe:
    """The recipe of a run by its `run.json` and `summary.json`, whichever version wrote them.

    Raises:
        ValueError: a part of it is damaged.
    """
    try:
        return _read(run) if "recipe" in run else _upgraded(run, summary)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"run.json: its recipe is damaged, {type(error).__name__}: {error}") from None


def _filled(thresholds: dict[str, Any]) -> dict[str, Any]:
    """Without the number and digest of tags where none has a threshold of its own."""
    return thresholds if thresholds["tags"] else {key: thresholds[key] for key in ("source", "default", "categories")}


def _settings_content(settings: Settings) -> dict[str, Any]:
    content = asdict(replace(settings, slices=list(settings.slices), tag_groups=list(settings.tag_groups)))
    del content["workers"]
    return content


def _read(run: Mapping[str, Any]) -> Recipe:
    block = run["recipe"]
    groups = tuple(_group(table) for table in block["settings"]["tag_groups"])
    told = {key: value for key, value in block["settings"].items() if key in Settings.__dataclass_fields__}
    told |= {"slices": tuple(block["settings"]["slices"]), "tag_groups": groups}
    sample, private = Sample(block["sample"]["limit"], block["sample"]["seed"]), bool(block["private"])
    inputs = tuple(Input(*(str(one.get(key, "")) for key in Input._fields)) for one in block["inputs"])
    return replace(
        _of_the_top(run), settings=Settings(**told), renamed=dict(block["renamed"]), inputs=inputs,
        started=str(block["started"]), dataset=replace(_dataset(run), sample=sample, private=private),
    )  # fmt: skip


def _group(table: Mapping[str, Any]) -> TagGroup:
    return TagGroup(table["name"], table["title"], table["why"], tuple(table["tags"]), tuple(table["exceptions"]))


def _of_the_top(run: Mapping[str, Any]) -> Recipe:
    """What every version keeps in one way."""
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


def _thresholds(told: Mapping[str, Any]) -> ThresholdsUsed:
    return ThresholdsUsed(**{key: told[key] for key in ThresholdsUsed.__dataclass_fields__ if key in told})


def _upgraded(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Recipe:
    """Of a run of an earlier version: a sample in words, a digest for the tag groups, inputs only as the command named them."""
    told = run.get("settings", {})
    words = _OLD_SAMPLE.fullmatch(str(run.get("dataset", {}).get("sample", "")))
    sample = Sample(int(words[1]), int(words[2])) if words else Sample()
    plain = Settings()
    settings = Settings(
        summary.get("min_positives", plain.min_positives), summary.get("convention", plain.convention),
        summary.get("replicates", plain.replicates), told.get("seed", plain.seed), tuple(told.get("slices", SLICE_COLUMNS)),
        imply=bool(summary.get("imply")),
    )  # fmt: skip
    top = _of_the_top(run)
    files = [Input("scores", facts["scores"], name) for name, facts in run["models"].items() if "scores" in facts]
    return replace(
        top, dataset=replace(top.dataset, sample=sample), settings=settings,
        inputs=(*_named_by_command(top.command), *files), groups_digest=str(told.get("tag_groups", "")),
    )  # fmt: skip


def _named_by_command(command: str) -> Iterator[Input]:
    """What an old command may have named: `NAME=PATH` is a model or its scores, any other word a dataset or a truth file.

    Paths start from the working directory. None has a digest here, so a reader must compare that of what it finds.
    """
    try:
        words = shlex.split(command)[1:]
    except ValueError:
        return
    for part in (part for word in words for part in word.split(",") if part):
        name, separator, path = part.rpartition("=")
        if separator:
            yield from (Input(kind, str(Path(path).absolute()), name) for kind in ("scores", "model", "dataset"))
        elif not part.startswith("-"):
            yield Input("dataset", str(Path(part).absolute()))
