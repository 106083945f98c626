"""The output folder: a run of another recipe and files of other programs are never replaced unasked."""

import json
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.files import MARK, write_whole
from arena.base.progress import Silent
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.report import rewrite_reports
from arena.pipeline.score import score_files
from arena.pipeline.stages import Execution, Scoring, write_reports, write_run
from arena.results.recipe import Settings
from arena.results.run_folder import read_result
from arena.results.written import RUN_FILE, UNFINISHED

from .conftest import World

pytestmark = pytest.mark.usefixtures("no_page")


class Score:
    """`arena score` of one file in one folder, with a few settings that each test changes."""

    def __init__(self, world: World) -> None:
        self.world, self.folder = world, world.folder / "run"
        self.path = world.npz("a")

    def __call__(self, threshold: float = 0.4, *, overwrite: bool = False, name: str = "a", **settings: object) -> Path:
        chosen = Settings(**{"min_positives": 1, "replicates": 0, **settings})  # type: ignore[arg-type]
        return score_files(
            {name: self.path}, self.folder, dataset=str(self.world.dataset), showing=DisplayOptions("none"),
            scoring=Scoring(chosen, {name: threshold}), execution=Execution(overwrite=overwrite),
        )  # fmt: skip


@pytest.fixture
def score(world: World) -> Score:
    return Score(world)


def test_the_same_recipe_is_refreshed(score: Score) -> None:
    before = (score() / "summary.json").read_bytes()
    assert (score() / "summary.json").read_bytes() == before
    score.path.write_bytes(score.world.npz("b", seed=9).read_bytes())
    assert (score() / "summary.json").read_bytes() != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": 0.2}, "threshold of a 0.4 there, 0.2 now"),
        ({"convention": "joytag"}, "convention arena there, joytag now"),
        ({"min_positives": 3}, "min_positives 1 there, 3 now"),
        ({"replicates": 20}, "replicates 0 there, 20 now"),
        ({"slices": ()}, "slices rating,domain,size there, none now"),
        ({"name": "b"}, "models a there, b now"),
    ],
)
def test_another_recipe_is_refused_unless_it_may_overwrite(score: Score, change: dict[str, object], words: str) -> None:
    before = {path.name: path.read_bytes() for path in score().iterdir() if path.is_file()}
    with pytest.raises(
        ArenaError, match=r"run: holds a run of another recipe .* --output, or .* --overwrite"
    ) as raised:
        score(**change)  # type: ignore[arg-type]
    assert words in str(raised.value)
    assert {path.name: path.read_bytes() for path in score.folder.iterdir() if path.is_file()} == before
    score(overwrite=True, **change)  # type: ignore[arg-type]


def test_another_file_or_dataset_is_another_recipe(score: Score) -> None:
    score()
    score.path = score.world.npz("c", seed=2)
    with pytest.raises(ArenaError, match=r"scores a \.\./a\.npz there, \.\./c\.npz now"):
        score()


def test_files_of_other_programs_survive(score: Score) -> None:
    for name in ("plots", "full-metrics", "thumbnails"):
        (score.folder / name).mkdir(parents=True)
        (score.folder / name / "mine.txt").write_text("mine")
    (score.folder / "index.html").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ArenaError, match=r"holds files that arena did not write .* an empty folder with --output"):
            score(overwrite=overwrite)
    assert {path.read_text() for path in score.folder.rglob("*") if path.is_file()} == {"mine"}
    assert not (score.folder / MARK).exists()


def test_files_of_others_inside_a_run_folder_survive_new_reports(score: Score) -> None:
    folder = score()
    mine = [folder / name / "notes.txt" for name in ("plots", "full-metrics", "thumbnails")]
    (folder / "thumbnails").mkdir(exist_ok=True)
    for path in mine:
        path.write_text("mine")
    (folder / "full-metrics/old.txt").write_text("Tag: cat (0) (cnt: 1)\n")
    write_reports(read_result(folder), folder)
    score()
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert not (folder / "full-metrics/old.txt").exists()


def test_an_interrupted_run_and_a_run_of_an_earlier_version_continue(score: Score) -> None:
    folder = score()
    (folder / MARK).unlink()
    score()
    (folder / "run.json").unlink()
    score(0.1)
    content = json.loads((folder / "run.json").read_text())
    content["schema"] = 1
    (folder / "run.json").write_text(json.dumps(content))
    with pytest.raises(ArenaError, match="holds a run of another version"):
        score(0.1)


class Killed(BaseException):
    """Ends a command as a signal does."""


def test_killed_at_any_file_a_run_is_unfinished_or_whole_and_continues_to_the_same_files(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, folder = read_result(score()), tmp_path / "again"
    rename, left = Path.replace, 100

    def two_reports(result: object, folder: Path, *_: object) -> list[Path]:
        for name in ("index.html", "summary.md"):
            write_whole(folder / name, name)
        return [folder / "index.html", folder / "summary.md"]

    def write(*, renames: int = 100) -> None:
        nonlocal left
        left = renames
        write_run(folder, result, result.recipe, None, DisplayOptions("none"), Silent())

    def counted(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return rename(path, target)

    monkeypatch.setattr("arena.pipeline.stages._reports", two_reports)
    monkeypatch.setattr(Path, "replace", counted)
    folder.mkdir()
    write()
    whole, words = contents(folder), []
    last = 100 - left
    for renames in (0, 4, *range(last - 5, last)):
        with pytest.raises(Killed):
            write(renames=renames)
        left = 100
        with pytest.raises(ArenaError, match=r"unfinished|no finished run") as told:
            read_result(folder)
        words.append("unfinished, its reports" in str(told.value))
        if words[-1]:
            rewrite_reports(folder)
            assert contents(folder) == whole, renames
    assert words == [False] * (len(words) - words.count(True)) + [True] * words.count(True)
    assert words.count(True) == len(("index.html", "summary.md", UNFINISHED, RUN_FILE))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
