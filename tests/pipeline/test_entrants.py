"""Resolving the names of entrants, and the errors for names that resolve to nothing."""

import json
import shutil
from pathlib import Path

import pytest

from arena.base.errors import ArenaError, IncomparableError
from arena.cards import Thresholds
from arena.pipeline.entrants import (
    Entrant,
    ModelEntrant,
    PublishedEntrant,
    RunEntrant,
    ScoresEntrant,
    find_entrant,
    find_entrants,
    find_metrics,
    find_run,
    give_unique_names,
    require_metrics,
    require_scores,
    short_name,
)
from arena.pipeline.inputs import find_model_of, locate_scores, scores_of_run
from arena.results.baselines.store import set_baseline
from tests.conftest import forget_digests

from ..conftest import Wd
from .conftest import World

pytestmark = pytest.mark.usefixtures("no_page")


def resolve(spec: object) -> Entrant:
    return find_entrant(str(spec))


def run_entrant(spec: object) -> RunEntrant:
    found = resolve(spec)
    assert isinstance(found, RunEntrant)
    return found


def published_file(run: Path) -> Path:
    return next((run / "full-metrics").glob("*.txt"))


def test_each_kind_is_recognised(world: World, onnx_folder: Wd) -> None:
    run = world.run("one", "a")
    text = published_file(run)
    kinds: dict[object, type] = {
        run: RunEntrant, f"{run}/": RunEntrant, f"{run}:a": RunEntrant, f"new={run}": RunEntrant, f"new={run}:a": RunEntrant,
        "joytag-demo": ModelEntrant, f"new={onnx_folder.folder}": ModelEntrant, f"new={onnx_folder.folder}/": ModelEntrant,
        f"new={world.folder / 'one-a.npz'}": ScoresEntrant,
        text: PublishedEntrant, f"{text}:{text.stem}": PublishedEntrant, f"new={text}": PublishedEntrant,
    }  # fmt: skip
    for spec, kind in kinds.items():
        found = resolve(spec)
        assert (spec, type(found)) == (spec, kind)
        assert found.source == str(spec)
        assert found.name == "new" or not str(spec).startswith("new=")


def test_a_name_before_a_run_is_what_its_model_is_called(world: World) -> None:
    run = world.run("two", "a", "b")
    found = run_entrant(f"new={run}:b")
    assert (found.name, found.model, found.folder) == ("new", "b", run)


def test_a_run_stands_for_all_its_models_where_several_may_be_named(world: World) -> None:
    run = world.run("two", "a", "b")
    found = find_entrants(str(run))
    assert [(one.name, one.source) for one in found] == [("a", f"{run}:a"), ("b", f"{run}:b")]
    for spec in (str(run), f"new={run}"):
        with pytest.raises(ArenaError, match=rf"holds 2 models; name one of them: {spec}:a or {spec}:b$"):
            find_entrant(spec)
    with pytest.raises(ArenaError, match=r"no model is called 'c' in it. Known: a, b."):
        resolve(f"{run}:c")
    assert run_entrant(f"{run}:b").model == "b"


def test_a_folder_with_signs_in_its_name_is_taken_whole(world: World) -> None:
    for name in ("odd:name", "x=1", "C:"):
        run = world.run(name, "m")
        assert run_entrant(run).model == run_entrant(f"{run}:m").model == run_entrant(f"new={run}:m").model == "m"


def test_a_run_that_is_called_like_a_card_is_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    (world.folder / "wd14-demo").mkdir()
    assert isinstance(resolve("wd14-demo"), ModelEntrant), "a folder without a run hides no card"
    world.run("joytag-demo", "a")
    assert run_entrant("joytag-demo").model == "a"


def test_a_damaged_run_is_one_line(world: World) -> None:
    run = world.run("one", "a")
    forget_digests(run)
    summary = (run / "summary.json").read_text()
    for content, says in [
        ("{}", "no field .*; this is a damaged run"),
        ('{"models": {}}', "no field .*; this is a damaged run"),
        ("[", "damaged run"),
    ]:
        (run / "summary.json").write_text(content)
        with pytest.raises(ArenaError, match=says):
            resolve(run)
    (run / "summary.json").write_text(summary)
    (run / "per_tag.parquet").write_bytes(b"x")
    with pytest.raises(ArenaError, match="damaged run"):
        resolve(run)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("joytga-demo", "Did you mean joytag-demo"),
        ("runs/nothing", "no such file or folder; name RUN, RUN:MODEL, CARD"),
        ("runs/nothing:joytag", "no such file or folder"),
        ("C:\\runs\\old:joytag", "no such file or folder"),
        ("nothing.npz", "no such file or folder"),
        ("new=nothing", "no such file or folder: nothing"),
        ("new=joytag-demo", "no such file or folder: joytag-demo"),
        ("n/w={folder}/one", "no such file or folder"),
        ("n w={folder}/one-a.npz", "a name is made of letters"),
        ("{folder}/one/run.json", "neither a run nor published metrics"),
        ("{folder}", "no finished run in it"),
        ("{folder}/drawn:a", "neither a finished run nor a published file, so it has no :a"),
        ("{folder}/one-a.npz", "name scores and models as NAME="),
        ("new={folder}", "has no known layout"),
        ("@baseline", "no baseline is set; set one: arena baseline set"),
    ],
)
def test_what_is_nothing_is_refused_in_one_line(world: World, spec: str, says: str) -> None:
    world.run("one", "a")
    with pytest.raises(ArenaError, match=says) as caught:
        find_entrant(spec.format(folder=world.folder), baselines=world.folder / "none")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_baseline_is_found_by_its_name_and_may_be_renamed(world: World) -> None:
    home = world.folder / "baselines"
    set_baseline(run_entrant(world.run("old", "a")), home, reason="the first", name="v-1")
    set_baseline(find_run(f"v-2={world.run('new', 'a', seed=1)}"), home, reason="the second")
    for spec, name, release in (
        ("@baseline", "a", "new"),
        ("@baseline:v-1", "a", "old"),
        ("was=@baseline:v-2", "was", "new"),
    ):
        found = find_entrant(spec, baselines=home)
        assert isinstance(found, RunEntrant)
        assert (found.name, found.model, found.source) == (name, "a", spec)
        assert found.result.run["models"] == run_entrant(world.folder / release).result.run["models"]
    with pytest.raises(ArenaError, match=r"no baseline is called 'v-3'\. Did you mean"):
        find_entrant("@baseline:v-3", baselines=home)


def test_a_verb_refuses_the_kinds_that_it_cannot_use(world: World) -> None:
    text = published_file(world.run("one", "a"))
    with pytest.raises(ArenaError, match=r"holds no scores per image; arena parity takes RUN, "):
        require_scores(resolve(text), "arena parity")
    for spec in ("joytag-demo", f"new={world.folder / 'one-a.npz'}"):
        with pytest.raises(ArenaError, match=rf"{spec}: it has no metrics yet; .* FILE, NAME=FILE, RUN, RUN:MODEL"):
            require_metrics(resolve(spec))
        with pytest.raises(
            ArenaError, match=r"no finished run in it \(no run.json\); name RUN, RUN:MODEL or @baseline"
        ):
            find_run(spec)


def test_metrics_are_read_of_runs_and_of_files(world: World) -> None:
    run = world.run("two", "a", "b")
    ours, theirs, named, of_file = find_metrics([str(run), f"new={run}:a", f"file={run / 'full-metrics' / 'a.txt'}"])
    assert [one.name for one in (ours, theirs, named, of_file)] == ["a", "b", "new", "file"]
    assert list(named.tags["tp"]) == list(ours.tags["tp"])
    counts = of_file.tags.set_index("tag")["tp"]
    assert list(counts[list(ours.tags["tag"])]) == list(ours.tags["tp"])
    (world.folder / "notes.txt").write_text("nothing\n")
    with pytest.raises(ArenaError, match="no published metrics in a known format"):
        find_metrics([str(world.folder / "notes.txt")])


def test_a_run_of_an_older_schema_cannot_be_compared(world: World) -> None:
    run = world.run("one", "a")
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"schema": 1}))
    with pytest.raises(IncomparableError, match="schema 1, this version reads 2; score it again"):
        resolve(run)


def test_two_of_one_name_get_names_of_their_own(world: World) -> None:
    old, new = run_entrant(world.run("old", "a")), run_entrant(world.run("new", "a"))
    other = run_entrant(world.run("other", "b"))
    judged = give_unique_names([old, new], ("candidate", "baseline"))
    assert [one.name for one in judged] == ["a-candidate", "a-baseline"]
    assert [one.name for one in give_unique_names([old, new, other])] == ["a-old", "a-new", "b"]
    assert [one.name for one in give_unique_names([old, other], ("candidate", "baseline"))] == ["a", "b"]


def test_runs_of_one_name_in_two_folders_are_followed_by_both(world: World) -> None:
    for place in ("mine", "theirs"):
        (world.folder / place).mkdir()
    found = [run_entrant(f"{world.run(f'{place}/demo', 'a')}/") for place in ("mine", "theirs")]
    assert [one.name for one in give_unique_names(found)] == ["a-mine-demo", "a-theirs-demo"]


def test_the_same_twice_and_a_name_given_twice_are_refused(world: World) -> None:
    old, new = world.run("old", "a"), world.run("new", "b")
    for specs, name in [
        ((old, f"{old}:a"), "a-"),
        ((f"x={old}", f"x={new}"), "x"),
        (("joytag-demo",) * 2, "joytag-demo"),
    ]:
        with pytest.raises(ArenaError, match=rf"{name}.* is named twice; name each entrant once, or .* NAME=PATH"):
            give_unique_names([resolve(spec) for spec in specs])


def test_a_card_keeps_its_name_beside_a_run_of_it(world: World) -> None:
    found = give_unique_names([resolve("joytag-demo"), resolve(world.run("old", "joytag-demo"))])
    assert [one.name for one in found] == ["joytag-demo", "joytag-demo-old"]


def test_a_folder_is_called_after_an_entrant(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("old", "a")
    monkeypatch.chdir(world.folder / "old")
    wanted = {".": "old", "../old/": "old", "../old:a": "old-a", "@baseline:v 1": "baseline-v-1", "C:\\runs\\x": "x"}
    assert {spec: short_name(spec) for spec in wanted} == wanted


def test_a_run_remembers_its_threshold(world: World) -> None:
    assert run_entrant(world.run("one", "a", threshold=0.3)).result.thresholds_of("a") == Thresholds(0.3)


def test_scores_of_a_run_are_found_where_it_took_them_from_if_unchanged(world: World) -> None:
    run = run_entrant(world.run("one", "a"))
    assert scores_of_run(run).values.shape == world.truth.shape
    world.npz("one-a", seed=9)
    with pytest.raises(ArenaError, match=r"its input one-a.npz was moved or has changed; name .* a=FILE.npz"):
        scores_of_run(run)


def test_scores_beside_the_run_are_found_too(world: World) -> None:
    folder = world.run("one", "a")
    (world.folder / "elsewhere").mkdir()
    shutil.move(folder, world.folder / "elsewhere" / "one")
    shutil.move(world.folder / "one-a.npz", world.folder / "elsewhere")
    found = locate_scores(run_entrant(world.folder / "elsewhere" / "one"))
    assert found.samefile(world.folder / "elsewhere" / "one-a.npz")


def test_no_model_is_at_hand_for_scores_of_a_file(world: World) -> None:
    one = run_entrant(world.run("one", "a"))
    assert find_model_of(one.result, "a", one.folders, None) is None
