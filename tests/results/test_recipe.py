"""A recipe is read as it was written, its inputs are found from the run folder, and older versions can be read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.base.provenance import digest
from arena.cards import Thresholds
from arena.results.recipe import (
    SLICE_COLUMNS,
    DatasetUsed,
    Recipe,
    RecipeInput,
    Sample,
    Settings,
    ThresholdsUsed,
    digest_groups,
    read_recipe,
    write_recipe,
)
from arena.results.run_folder import read_result
from arena.tags.groups import TagGroup
from tests.conftest import DATA

OLD = DATA / "old_run" / "run"
WORDS = st.text(max_size=12)
NAMES = st.text("abc_", min_size=1, max_size=5)
SHARES = st.floats(0, 1)

samples = st.builds(Sample, st.integers(1, 10**6), st.integers()) | st.just(Sample())
datasets = st.builds(
    DatasetUsed, WORDS, WORDS, WORDS, st.none() | st.integers(0), WORDS, st.booleans(), samples, *[st.booleans()] * 2
)
tag_groups = st.builds(TagGroup, NAMES, WORDS, WORDS, st.lists(WORDS).map(tuple), st.lists(WORDS).map(tuple))
settings = st.builds(
    Settings, st.integers(0), st.sampled_from(["arena", "joytag"]), st.integers(0), st.integers(), st.lists(NAMES).map(tuple),
    st.lists(tag_groups, max_size=3).map(tuple), st.booleans(),
)  # fmt: skip
thresholds = st.builds(
    ThresholdsUsed.of,
    st.builds(
        Thresholds, st.none() | SHARES, st.dictionaries(NAMES, SHARES), tags=st.dictionaries(NAMES, SHARES, max_size=3)
    ),
    st.sampled_from(["option", "file", "card", "default"]),
)
recipes = st.builds(
    Recipe, datasets, settings, st.dictionaries(NAMES, thresholds, max_size=3), st.dictionaries(NAMES, WORDS),
    st.lists(st.builds(RecipeInput, WORDS, WORDS, WORDS, WORDS), max_size=3).map(tuple),
    st.lists(st.fixed_dictionaries({"name": WORDS, "digest": WORDS}), max_size=2).map(tuple),
    st.integers(0), WORDS, WORDS, WORDS, WORDS, st.dictionaries(WORDS, WORDS), st.dictionaries(WORDS, WORDS),
)  # fmt: skip


@given(recipes)
def test_a_recipe_is_read_as_it_was_written(recipe: Recipe) -> None:
    run = {"schema": 2, "models": {name: {"key": "k"} for name in recipe.thresholds}, "skipped": {}, "signature": "s"}
    written = json.loads(json.dumps(write_recipe(recipe, run)))
    assert read_recipe(written, {}) == recipe
    assert (written["signature"], written["skipped"]) == ("s", {})
    again = json.loads(json.dumps(write_recipe(read_recipe(written, {}), written)))
    assert again == written, "writing it twice changes nothing"


def test_other_tools_find_what_they_read_where_it_was() -> None:
    recipe = Recipe(
        DatasetUsed("demo", "Demo", "ab", 9, "CC0-1.0"), thresholds={"m": ThresholdsUsed("card", 0.4)}, command="arena run",
        created="2027-01-01T00:00:00Z", arena_version="1", versions={"numpy": "2"}, machine={"cores": "2"},
    )  # fmt: skip
    run = write_recipe(recipe, {"schema": 2, "models": {"m": {"key": "cd"}}, "skipped": {}})
    assert run["dataset"] == {"name": "demo", "title": "Demo", "digest": "ab", "images": 9, "licence": "CC0-1.0"}
    assert run["models"]["m"] == {"key": "cd", "thresholds": {"source": "card", "default": 0.4, "categories": {}}}
    tops = (run["command"], run["created"], run["arena_version"], run["versions"], run["machine"], run["skipped"])
    assert tops == ("arena run", "2027-01-01T00:00:00Z", "1", {"numpy": "2"}, {"cores": "2"}, {})


@pytest.mark.parametrize(
    ("place", "folder", "path"),
    [
        ("a/scores.npz", "runs/ab", "../../a/scores.npz"),
        ("runs/ab.npz", "runs/ab", "../ab.npz"),
        ("runs/old/scores/m", "runs/old", "scores/m"),
    ],
)
def test_an_input_is_named_from_the_run_folder(place: str, folder: str, path: str, tmp_path: Path) -> None:
    recipe = Recipe(inputs=(RecipeInput("scores", str(tmp_path / place), "m", "ab"),))
    run = write_recipe(recipe, {"schema": 2, "models": {}}, tmp_path / folder)
    (found,) = read_recipe(run, {}).inputs
    assert found == RecipeInput("scores", path, "m", "ab")


def test_inputs_are_found_from_the_run_folder_and_beside_it_by_kind_and_model(tmp_path: Path) -> None:
    run, kept = tmp_path / "runs" / "ab", tmp_path / "files" / "a.npz"
    for folder in (run, kept.parent):
        folder.mkdir(parents=True)
    kept.touch()
    recipe = Recipe(inputs=(RecipeInput("scores", "../../files/a.npz", "a"), RecipeInput("truth", "../../files/a.npz")))
    assert [path.samefile(kept) for path in recipe.paths(("scores",), [run], "a")] == [True]
    assert list(recipe.paths(("scores",), [run], "b")) == list(recipe.paths(("model",), [run])) == []
    beside = kept.rename(run.parent / "a.npz")
    assert [path.samefile(beside) for path in recipe.paths(("truth",), [run])] == [True]


@pytest.mark.parametrize(
    ("words", "sample"),
    [("200 of seed 3", Sample(200, 3)), ("7 of seed -1", Sample(7, -1)), ("all", Sample()), (None, Sample())],
)
def test_the_words_of_an_older_version_are_a_sample(words: str | None, sample: Sample) -> None:
    dataset = {"name": "drawn", "digest": "ab"} | ({} if words is None else {"sample": words})
    assert read_recipe({"dataset": dataset, "models": {}}, {}).dataset == DatasetUsed(
        "drawn", digest="ab", sample=sample
    )


def test_an_older_run_tells_its_settings_and_that_its_tag_groups_are_not_known() -> None:
    recipe = read_result(OLD, ()).recipe
    assert recipe.settings == Settings(min_positives=3, replicates=20, slices=SLICE_COLUMNS)
    assert recipe.groups_digest == recipe.tag_groups_digest == read_result(OLD, ()).run["settings"]["tag_groups"]
    assert recipe.thresholds == {"first": ThresholdsUsed("option", 0.4), "second": ThresholdsUsed("default")}
    even_older = read_recipe(
        {"models": {}}, {"min_positives": 5, "convention": "joytag", "replicates": 0, "imply": True}
    )
    assert even_older.settings == Settings(5, "joytag", 0, imply=True)
    assert even_older.groups_digest == ""


def test_the_command_of_an_older_run_names_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OLD.parent)
    recipe = read_result(OLD, ()).recipe
    assert {path.name for path in recipe.paths(("scores",), [OLD], "first")} == {"first.npz"}
    assert "truth.npz" in {path.name for path in recipe.paths(("dataset", "truth"), [OLD])}
    assert read_recipe({"models": {}, "command": 'arena run "unclosed'}, {}).inputs == ()


def test_the_digest_of_tag_groups_is_that_of_older_versions() -> None:
    group = TagGroup("hats", "Hats", "", ("hat",))
    content = {"hats": {"name": "hats", "title": "Hats", "why": "", "tags": ("hat",), "exceptions": ()}}
    assert digest_groups([group]) == digest(content)
    assert digest_groups([group]) != digest_groups([])


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.update(recipe=[]),
        lambda run: run["recipe"].pop("settings"),
        lambda run: run["recipe"]["settings"].update(slices=3),
        lambda run: run["recipe"]["settings"].update(tag_groups=[{"name": "hats"}]),
        lambda run: run["recipe"].update(sample=7),
        lambda run: run.pop("models"),
    ],
)
def test_a_damaged_recipe_is_refused_in_one_line(change: Any, tmp_path: Path) -> None:
    run = write_recipe(Recipe(), {"schema": 2, "models": {}})
    change(run)
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "summary.json").write_text('{"models": {"a": {}}}')
    with pytest.raises(ArenaError, match=r"run.json: .*; this is a damaged run") as caught:
        read_result(tmp_path, ())
    assert "\n" not in str(caught.value)
