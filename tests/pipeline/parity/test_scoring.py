"""A model compared with stored scores, and the thresholds of both."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arena.base.errors import ArenaError, IncomparableError, WeightsError
from arena.cards import find_model
from arena.pipeline.predict import predict_folder
from arena.pipeline.run import run_benchmark
from arena.pipeline.stages import Compute, Execution
from tests.cli.test_cli import arena

from .conftest import TAGS, compare, compare_named, compare_scores, write_card

Port = Callable[..., str]
CPU = Compute("cpu")


@pytest.fixture
def last(port: Port, pictures: Path) -> Path:
    """Scores of the unchanged model."""
    path = pictures.parent / "last.npz"
    predict_folder(port("first"), pictures, path, compute=CPU)
    return path


def give_thresholds(spec: str, values: dict[str, str]) -> None:
    """Thresholds of single tags next to their names, as animetimm publishes them."""
    path = Path(spec.partition("=")[2]) / "selected_tags.csv"
    header, *rows = path.read_text().splitlines()
    lines = [f"{header},best_threshold", *(f"{row},{values.get(row.split(',')[1], '')}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def test_decisions_are_taken_at_thresholds_of_a_models_files(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    give_thresholds(b, {f"tag_{i}": "0.99" for i in range(12)})
    report = compare(a, b, pictures)
    parity = report.parity
    assert (parity.largest, report.verdict.word, parity.same_thresholds) == (0, "different", False)
    assert parity.flips.flipped > 1
    assert parity.flips_at_a.flipped == parity.flips_at_b.flipped == 0
    assert parity.flips_at_b.positives < parity.flips_at_a.positives
    assert {one.name for one in parity.worst_tags} <= {f"tag_{i}" for i in range(12)}, "the others stay at 0.35"
    assert compare(a, b, pictures, thresholds={"b": 0.35}).verdict.word == "identical", "an option replaces all"


def test_a_wrong_threshold_in_a_file_is_told_before_anything_is_scored(port: Port, pictures: Path) -> None:
    b = port("b")
    give_thresholds(b, {"tag_0": "1.01"})
    with pytest.raises(WeightsError, match=r"the threshold of tag 'tag_0' is '1.01'"):
        compare(port("a"), b, pictures)
    assert not (pictures.parent / "scores").exists()


def test_a_model_is_held_against_scores_of_a_file(port: Port, pictures: Path, last: Path) -> None:
    report = compare(f"last={last}", port("now"), pictures)
    parity = report.parity
    assert (parity.a, parity.b, parity.images, parity.tags) == ("last", "now", 20, TAGS)
    assert report.verdict.word == "identical"
    assert parity.same_thresholds
    assert report.notes == (
        "last ran in an unknown precision, now in fp32 on cpu",
        "last has no known thresholds; its decisions use those of now",
    )


def test_a_file_borrows_thresholds_of_files_and_of_options(port: Port, pictures: Path, last: Path) -> None:
    now = port("now")
    give_thresholds(now, {"tag_3": "0.01"})
    assert compare(f"last={last}", now, pictures).verdict.word == "identical"
    assert compare(f"last={last}", now, pictures, thresholds={"now": 0.2}).verdict.word == "identical"
    own = compare(f"last={last}", now, pictures, thresholds={"last": 0.9})
    assert not own.parity.same_thresholds
    assert own.parity.flips.flipped > 1


def test_of_two_files_one_borrows_what_the_other_tells(last: Path) -> None:
    report = compare_scores({"a": last, "b": last}, thresholds={"b": 0.2})
    assert report.parity.same_thresholds
    assert report.notes == ("a has no known thresholds; its decisions use those of b",)
    assert compare_scores({"a": last, "b": last}).notes == (), "0.5 both"


@pytest.mark.parametrize(
    ("change", "cause"),
    [({"channels": "rgb"}, "channels"), ({"resize": "lanczos"}, "resize"), ({"more": 'pad = "none"'}, "layout")],
)
def test_a_fault_of_the_model_is_named(
    port: Port, pictures: Path, last: Path, change: dict[str, object], cause: str
) -> None:
    report = compare(f"last={last}", port("now", **change), pictures)
    assert report.finding is not None
    assert (report.finding.cause, report.finding.agrees, report.tried_on) == (cause, True, 16)


@pytest.mark.usefixtures("no_page")
def test_a_model_is_held_against_scores_of_a_run(port: Port, drawn_dataset: Path, tmp_path: Path) -> None:
    first = run_benchmark(
        [port("first"), port("other")], str(drawn_dataset), tmp_path / "run", execution=Execution(compute=CPU)
    )
    how = {"dataset": str(drawn_dataset), "folder": tmp_path / "kept"}
    kept = f"last={first / 'scores/first'}"
    report = compare_named(port("now"), kept, **how)
    assert report.verdict.word == "identical"
    assert report.notes == ("last has no known thresholds; its decisions use those of now",)
    for named in (f"{first}:first", f"last={first}:first"):
        report = compare_named(named, f"now={tmp_path / 'now'}", **how)
        assert (report.verdict.word, report.notes) == ("identical", ()), "a run knows its thresholds, and how it ran"
    write_card(tmp_path / "now", channels="rgb")
    report = compare_named(f"now={tmp_path / 'now'}", kept, **how)
    assert report.finding is not None
    assert report.finding.cause == "channels"


def test_rows_are_matched_by_image_and_others_are_left_out(port: Port, pictures: Path, last: Path) -> None:
    arrays = dict(np.load(last))
    rows = np.array([7, 3, 12, 5])
    ids = arrays["image_ids"][rows]
    ids[1] = "elsewhere"
    np.savez(last, **(arrays | {"scores": arrays["scores"][rows], "image_ids": ids}))
    now = port("now")
    report = compare(f"last={last}", now, pictures)
    assert (report.parity.images, report.verdict.word) == (3, "identical")
    assert report.notes[-2:] == (
        "only last has scores of 1 image; left out",
        "last has no scores of 17 images of pictures; left out",
    )
    np.savez(last, **(arrays | {"image_ids": np.array([f"x{i}" for i in range(20)])}))
    with pytest.raises(
        IncomparableError, match=r"last has scores of none of the images of pictures \(its first is 'x0', theirs '00'"
    ):
        compare(f"last={last}", now, pictures)


@pytest.mark.parametrize("first", ["model", "scores"])
def test_scores_may_be_named_as_a_model_is(port: Port, pictures: Path, last: Path, first: str) -> None:
    now, old = port("now", channels="rgb"), f"last={last}"
    report = compare(now, old, pictures) if first == "model" else compare(old, now, pictures)
    assert (report.parity.a, report.parity.b) == ("last", "now")
    assert report.finding is not None
    assert report.finding.cause == "channels"
    with pytest.raises(ArenaError, match="stored scores need no images; leave out --images"):
        compare(old, f"other={last}", pictures)


def test_scores_behind_a_card_are_a_model_whose_pixels_tell_nothing(port: Port, pictures: Path, last: Path) -> None:
    card = pictures.parent / "old.toml"
    card.write_text('name = "old"\nadapter = "precomputed"\nfolder = "."\nfiles = ["last.npz"]')
    assert find_model(f"old={card}").adapter == "precomputed"
    report = compare(port("now", channels="rgb"), f"old={card}", pictures)
    assert (report.verdict.word, report.finding, report.tried_on) == ("different", None, 0)


def test_what_cannot_be_held_against_each_other_is_one_line(port: Port, pictures: Path, last: Path) -> None:
    now = port("now")
    with pytest.raises(ArenaError, match="now is named twice; name each entrant once, or give it another name"):
        compare(f"now={last}", now, pictures)
    with pytest.raises(ArenaError, match="no model of this run"):
        compare(f"last={last}", now, pictures, thresholds={"then": 0.4})
    compare(now, port("b"), pictures)
    with pytest.raises(ArenaError, match=r"new scores of now would replace .*name another folder"):
        compare(f"last={pictures.parent / 'scores/now'}", now, pictures)


@pytest.mark.usefixtures("eighty_columns")
def test_one_call_on_the_command_line(
    port: Port, pictures: Path, last: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--scores", f"last={last}", "--images", pictures, "--keep", tmp_path / "kept", "--device", "cpu"]
    code, out, err = arena("parity", port("now"), *how, capsys=capsys)
    assert code == 0, err
    assert "last (A) and now (B)" in out
    assert "identical: every score is the same" in out
    code, out, _ = arena("parity", port("wrong", more='pad = "none"'), *how, capsys=capsys)
    assert code == 1
    assert "it is padded with white to a square, then resized, not squashed" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wd14-demo", "--scores", "a=LAST"], "a model needs images; set either --images FOLDER or --dataset NAME"),
        (["now", "then", "--scores", "a=LAST", "-d", "demo"], "3 entrants are named; name two"),
        (["now", "--scores", "a=LAST", "--scores", "b=LAST"], "3 entrants are named; name two"),
        (["--scores", "a=LAST", "--scores", "a=LAST"], "a is named twice"),
        (["--scores", "a=LAST", "--scores", "b=LAST", "-d", "demo"], "stored scores need no images"),
        (["--scores", "a=LAST", "-d", "demo"], "1 entrant is named; name two"),
        (["wd14-dmeo", "--scores", "a=LAST", "-d", "demo"], "Did you mean wd14-demo"),
    ],
)
def test_any_other_two_are_one_line(
    last: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, _, err = arena("parity", *(word.replace("LAST", str(last)) for word in arguments), capsys=capsys)
    assert code == 2, err
    assert message in err
    assert len(err.strip().splitlines()) == 1
