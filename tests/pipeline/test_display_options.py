"""Display options of a run: thumbnails, only names of images, or neither."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from arena import cli
from arena.base.progress import Progress, Silent
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.evaluate import Settings
from arena.images.thumbnails import Limits, read_thumbnails
from arena.pipeline.display_options import THUMBNAIL_LIMITS, DisplayOptions, rating_in_words
from arena.pipeline.report import rewrite_reports
from arena.pipeline.score import score_files
from arena.pipeline.stages import Execution, Scoring, write_run
from arena.results.run_folder import read_result, write_result
from tests.conftest import without_plots, write_dataset
from tests.report.unpacking import decompress

pytestmark = pytest.mark.usefixtures("no_plots")


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


SCORING = Scoring(Settings(min_positives=5, replicates=60))


class Given(NamedTuple):
    """A dataset of 40 drawings, two files of scores, and the run folder that they were scored into."""

    dataset: Path
    files: dict[str, Path]
    run: Path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Scores of two models that correlate with the truth; the run has no thumbnails yet."""
    folder = tmp_path_factory.mktemp("showing")
    dataset = write_dataset(folder / "drawn")
    heldout = read_frozen(find_dataset(str(dataset)))
    rng, truth, files = np.random.default_rng(1), heldout.truth.values.toarray(), {}
    for name in ("a", "b"):
        values = np.clip(0.3 + 0.4 * truth + rng.normal(0, 0.25, truth.shape), 0, 1).astype(np.float32)
        files[name] = folder / f"{name}.npz"
        np.savez(files[name], scores=values, tags=np.array(heldout.tags.names), image_ids=np.array(heldout.image_ids))
    with without_plots():
        run = score_files(
            files,
            folder / "run",
            dataset=str(dataset),
            scoring=SCORING,
            showing=DisplayOptions("none"),
            execution=Execution(command="x"),
        )
    return Given(dataset, files, run)


def copy_of(given: Given, folder: Path) -> Given:
    for source in (given.dataset, given.run):
        shutil.copytree(source, folder / source.name)
    return Given(folder / "drawn", given.files, folder / "run")


@pytest.fixture
def given(scored: Given, tmp_path: Path) -> Given:
    """A separate copy."""
    return copy_of(scored, tmp_path)


@pytest.fixture(scope="module")
def with_thumbnails(scored: Given, tmp_path_factory: pytest.TempPathFactory) -> Given:
    """The same with thumbnails, as a run writes them by default."""
    made = copy_of(scored, tmp_path_factory.mktemp("shown"))
    with without_plots():
        show(made)
    return made


@pytest.fixture
def shown(with_thumbnails: Given, tmp_path: Path) -> Given:
    """A separate copy of the run with thumbnails."""
    return copy_of(with_thumbnails, tmp_path)


def show(given: Given, showing: DisplayOptions = DisplayOptions(), progress: Progress = Silent()) -> Path:
    """The steps of a run after the evaluation."""
    result = read_result(given.run)
    write_run(given.run, result, result.recipe, read_frozen(find_dataset(str(given.dataset))), showing, progress)
    return given.run


def rate(folder: Path, ratings: list[str], card: str = "") -> None:
    table = pd.read_parquet(folder / "images.parquet")
    table["rating"] = [ratings[row % len(ratings)] for row in range(len(table))]
    table.to_parquet(folder / "images.parquet")
    (folder / "dataset.toml").write_text((folder / "dataset.toml").read_text() + card)


def unpacked(page: str, block: str) -> bytes:
    found = re.search(rf'id="{block}">([^<]*)<', page)
    assert found
    return decompress(found[1])


def page_of(run: Path) -> str:
    return (run / "index.html").read_text(encoding="utf-8")


def told(page: str) -> dict[str, Any]:
    return json.loads(page.split('id="payload">')[1].split("</script>")[0])["pictures"]


def test_a_run_keeps_thumbnails_of_the_images_that_its_page_names(given: Given) -> None:
    rate(given.dataset, ["g", "q", "?"])
    notes = Notes()
    run = show(given, progress=notes)
    found, page = read_thumbnails(run), page_of(run)
    named = json.loads(unpacked(page, "evidence-block").partition(b"\n")[0])
    images = next(one["of"] for one in named if one["name"] == "images")
    assert set(images) == set(found) > set(read_result(run).tables["labels"]["image_id"][:1])
    ratings = pd.read_parquet(given.dataset / "images.parquet").set_index("image_id")["rating"]
    words = {"g": "general", "q": "questionable", "?": "unknown"}
    assert {image: one.rating for image, one in found.items()} == {image: words[ratings[image]] for image in found}
    assert any(f"{len(found)} thumbnails" in line for line in notes.lines)
    assert told(page)["inside"] == len(found)
    assert page.split('id="picture-block">')[1].split("<")[0].count("\n") == len(found) - 1


@pytest.mark.parametrize("how", ["option", "card", "no ids"])
def test_a_private_set_leaves_no_image_anywhere(shown: Given, how: str) -> None:
    assert "UklGR" in page_of(shown.run), "a WebP in base64"
    if how == "card":
        rate(shown.dataset, ["g"], "private = true\n")
    run = show(
        shown,
        {"option": DisplayOptions("none"), "card": DisplayOptions(), "no ids": DisplayOptions(image_ids=False)}[how],
    )
    assert not (run / "thumbnails").exists()
    rewrite_reports(run, DisplayOptions("all"))
    page = page_of(run)
    assert not re.search("<img|data:image/webp|UklGR|'self'", page)
    assert told(page) == {"inside": 0, "beside": 0, "folder": "thumbnails", "type": "image/webp", "blurred": 0}


def test_a_page_without_ids_names_no_image(given: Given) -> None:
    (given.dataset / "images/0007.png").write_bytes(b"broken")
    showing, again = DisplayOptions(image_ids=False), Execution(overwrite=True)
    run = score_files(
        given.files, given.run, dataset=str(given.dataset), scoring=SCORING, showing=showing, execution=again
    )
    page = page_of(run)
    ids = pd.read_parquet(given.dataset / "images.parquet")["image_id"]
    everything = page + unpacked(page, "evidence-block").decode("latin-1") + (run / "summary.md").read_text()
    assert [image for image in ids if f'"{image}"' in everything or f">{image}<" in everything] == []
    assert 'id="suspects"' not in page
    rewrite_reports(run)
    assert page_of(run) == page, "the choice is the run's own"
    assert show(given) == run
    assert f'"{ids[0]}"' in unpacked(page_of(run), "evidence-block").decode("latin-1")


def test_reports_are_written_again_from_the_run_folder_alone(shown: Given) -> None:
    run = shown.run
    page = page_of(run)
    shown.dataset.rename(shown.dataset.with_name("gone"))
    rewrite_reports(run)
    assert page_of(run) == page
    rewrite_reports(run, DisplayOptions("none"))
    assert told(page_of(run))["inside"] == 0
    assert read_thumbnails(run), "the pictures are still there"
    rewrite_reports(run, DisplayOptions(image_ids=False))
    assert 'id="suspects"' not in page_of(run)
    rewrite_reports(run)
    assert page_of(run) == page


def test_the_command_line_chooses_by_option_and_by_environment(
    shown: Given, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shown.run
    for arguments, environment, pictures in (
        (["--thumbnails", "none"], "some", False), ([], "none", False), (["--no-image-ids"], "all", False), ([], "some", True),
    ):  # fmt: skip
        monkeypatch.setenv("ARENA_THUMBNAILS", environment)
        cli.main(["report", str(run), *arguments])
        assert (told(page_of(run))["inside"] > 0) == pictures, arguments
    assert capsys.readouterr().out.count("index.html") == 4


def test_pictures_that_another_run_left_are_not_shown(shown: Given) -> None:
    run = shown.run
    result = read_result(run)
    del result.run["shows"]
    write_result(result, run)
    rewrite_reports(run)
    assert told(page_of(run))["inside"] == 0


def test_a_truth_that_is_no_dataset_has_no_thumbnails(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids, tags = np.array([str(i) for i in range(60)]), np.array(["x", "y"])
    truth = rng.random((60, 2)) < 0.5
    np.savez(tmp_path / "t.npz", truth=truth, tags=tags, image_ids=ids)
    np.savez(tmp_path / "s.npz", scores=np.float32(0.5 * truth + 0.3 * rng.random((60, 2))), tags=tags, image_ids=ids)
    few = Scoring(Settings(replicates=0))
    run = score_files({"s": tmp_path / "s.npz"}, tmp_path / "of", truth=tmp_path / "t.npz", scoring=few)
    assert not (run / "thumbnails").exists()
    assert "<img" not in page_of(run)


def test_all_is_more_than_some(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(THUMBNAIL_LIMITS, "some", Limits(3, 10**6))
    assert len(read_thumbnails(show(given))) == 3
    assert len(read_thumbnails(show(given, DisplayOptions("all")))) > 3


def test_what_a_rating_means_is_the_cards_to_say() -> None:
    scheme = {"rating_scheme": "danbooru-2022"}
    assert [rating_in_words(one, scheme) for one in "gsqe"] == ["general", "sensitive", "questionable", "explicit"]
    assert rating_in_words("s", {"rating_scheme": "danbooru-2021"}) == "safe"
    assert rating_in_words("safe", {}) == "safe"
    assert [rating_in_words(one, {}) for one in ("s", "g", "", None, "unrated")] == [
        "safe or sensitive", "general", "unknown", "unknown", "unknown",
    ]  # fmt: skip
