"""Compare the recipe of a finished run with that of a new one for the same folder."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from arena.base.format import listed, shown
from arena.results.recipe import Recipe, RecipeInput, Settings, ThresholdsUsed, digest_groups

_UNCOMPARED = ("workers", "tag_groups")
"""Settings that do not affect metrics, or that are compared by their digest."""


def recipe_differences(old: Recipe, models: Sequence[str], new: Recipe, folder: Path) -> Iterator[str]:
    """Yield a phrase for each choice of the user that differs: dataset, sample, models, thresholds, settings, inputs.

    A file may have other content under the same path, and a model another path under the same name, such as a checkpoint that
    was trained further: its scores are then made again, with a note. A choice that the old run did not record is not compared.
    If the models differ, thresholds, settings and inputs are not compared.

    Args:
        old: recipe of the finished run.
        models: models of the finished run.
        new: recipe of the new run.
        folder: folder of the finished run; paths in its recipe are relative to it.
    """
    yield from _dataset(old, new)
    if sorted(models) != sorted(new.thresholds):
        yield f"models {_names(models)} there, {_names(list(new.thresholds))} now"
        return
    for name, used in new.thresholds.items():
        if name in old.thresholds and _chosen(old.thresholds[name]) != _chosen(used):
            yield f"threshold of {name} {_threshold(old.thresholds[name])} there, {_threshold(used)} now"
    yield from _settings(old, new)
    if dict(old.renamed) != dict(new.renamed):
        yield "other renamed tags"
    yield from _inputs(old, new, folder)


def _dataset(old: Recipe, new: Recipe) -> Iterator[str]:
    one, other = old.dataset, new.dataset
    if one.name != other.name:
        yield f"dataset {shown(one.name)} there, {shown(other.name)} now"
    elif one.sample != other.sample:
        yield f"{one.sample.text} there, {other.sample.text} now"


def _settings(old: Recipe, new: Recipe) -> Iterator[str]:
    for key in (one.name for one in fields(Settings) if one.name not in _UNCOMPARED):
        there, now = _plain(getattr(old.settings, key)), _plain(getattr(new.settings, key))
        if there != now:
            yield f"{key} {_text(there)} there, {_text(now)} now"
    if old.tag_groups_digest not in ("", digest_groups(new.settings.tag_groups)):
        yield "other tag groups"


def _inputs(old: Recipe, new: Recipe, folder: Path) -> Iterator[str]:
    """Yield the inputs that have both another path and another digest, or that only one recipe has."""
    there, now = ({(one.kind, one.name): one.seen_from(folder) for one in recipe.inputs} for recipe in (old, new))
    for key in sorted(now.keys() | there.keys()):
        before, after = there.get(key), now.get(key)
        if key[0] == "model" and before is not None and after is not None:
            continue
        if key[0] == "model" and {("scores", key[1])} & (now.keys() | there.keys()):
            continue  # a run that was read again records both its scores and its model
        if before is None or after is None or not _same(before, after):
            yield f"{' '.join(filter(None, key))} {_path(before)} there, {_path(after)} now"


def _same(one: RecipeInput, other: RecipeInput) -> bool:
    return one.path == other.path or bool(one.digest and one.digest == other.digest)


def _path(one: RecipeInput | None) -> str:
    return "not given" if one is None else shown(one.path)


def _chosen(used: ThresholdsUsed) -> object:
    """Return the threshold of an option; None for thresholds of files and cards, which belong to the model."""
    return (used.source, used.default) if used.source == "option" else None


def _threshold(used: ThresholdsUsed) -> str:
    return f"{used.default:g}" if used.source == "option" and used.default is not None else "its own"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _text(value: Any) -> str:
    return ",".join(map(str, value)) or "none" if isinstance(value, list) else shown(str(value))


def _names(names: Sequence[str]) -> str:
    return listed([shown(name) for name in names], keep=5)
