"""`arena pick` from a folder of pictures to its page, its document and its judging plan."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pandas as pd
import pytest

from arena.base.locks import lock_output
from arena.dataset.frozen import read_frozen
from arena.report.pick.schema import pick_schema
from tests.conftest import arena_here, write_dataset, write_onnx, write_selected_tags

HOSTILE = '"><script>alert(1)</script>'


class Made(NamedTuple):
    """Two tiny models, a labelled run of them, and pictures one of which is damaged."""

    folder: Path
    models: str
    run: Path
    pictures: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("pick")
    dataset = write_dataset(folder / "drawn", images=60)
    specs = []
    for number, name in enumerate(("one", "two")):
        (folder / name).mkdir()
        tags = [*(f"tag_{tag}" for tag in range(number, 12)), HOSTILE, "a|b [c](d)"]
        write_selected_tags(folder / name, tags)
        write_onnx(folder / name / "model.onnx", len(tags), seed=number)
        specs.append(f"{name}={folder / name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.report.plots.write_plots", lambda *given: [])
        patch.chdir(folder)
        models = ",".join(specs)
        done = arena_here(
            "run", "-m", models, "-d", dataset, "-o", folder / "run", "--bootstrap", 0, "--thumbnails", "none"
        )
        assert done.returncode == 0, done.stderr
        pictures = folder / "pictures"
        shutil.copytree(write_dataset(folder / "others", images=60, seed=1) / "images", pictures)
        (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
        (pictures / "tag_implications.csv").write_text("antecedent_name,consequent_name,status\ntag_2,tag_1,active\n")
        done = arena_here("pick", pictures, "-m", models, "-o", folder / "plain")
        assert done.returncode == 0, done.stderr
        done = arena_here("pick", pictures, "-m", models, "-o", folder / "known", "--calibration", folder / "run")
        assert done.returncode == 0, done.stderr
        yield Made(folder, models, folder / "run", pictures)


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "pick.json").read_text())
    jsonschema.Draft202012Validator(pick_schema()).validate(found)
    return found


def test_without_calibration_nothing_is_recommended(made: Made) -> None:
    found = document(made.folder / "plain")
    assert found["images"]["scored"] == 60
    assert list(found["images"]["skipped"]) == ["broken"]
    assert found["choice"] == {
        "reason": "no calibration",
        "model": None,
        "threshold": None,
        "micro_f1": None,
        "others": {},
    }
    assert "no threshold can be recommended" in found["conclusion"][0]
    assert found["common_tags"] == 13
    assert found["rules"]["one"]["implications"]["rules"] == 1
    assert "expected" not in found["models"]["one"]


def test_with_calibration_metrics_are_expected(made: Made) -> None:
    found = document(made.folder / "known")
    assert (found["calibration"]["run"], found["calibration"]["shared_images"]) == ("run", 0)
    assert found["calibration"]["tags"] == 11
    for one in found["models"].values():
        f1 = one["expected"]["best"]["micro_f1"]
        assert f1["low"] <= f1["value"] <= f1["high"]
    assert found["choice"]["model"] in ("one", "two")
    assert (made.folder / "known" / "pick.md").read_text().count("## ") >= 4


def test_hostile_tags_are_text_on_the_page(made: Made) -> None:
    page = (made.folder / "plain" / "index.html").read_text()
    assert "<script" not in page
    assert "broken" in page
    assert "data:image/webp;base64," in page


def test_the_same_command_continues_and_another_recipe_is_refused(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(made.folder / "plain", folder)
    (folder / "pick.json").unlink()
    again = arena_here("pick", made.pictures, "-m", made.models, "-o", folder)
    assert "one: all scores exist already" in again.stderr
    assert (folder / "pick.json").exists()
    other = arena_here("pick", made.pictures, "-m", made.models, "-o", folder, "-t", "one=0.3")
    assert other.returncode == 2
    assert "holds a result of another recipe (threshold of one); name another folder" in other.stderr
    with lock_output(folder, "pick"):
        second = arena_here("pick", made.pictures, "-m", made.models, "-o", folder)
    assert second.returncode == 2
    assert "writes to it; wait until it has ended" in second.stderr


def test_a_judging_plan_needs_no_label(made: Made, tmp_path: Path) -> None:
    folder, judgements, page = made.folder / "known", tmp_path / "j.parquet", tmp_path / "judge.html"
    plan = tmp_path / "plan.parquet"
    assert len(pd.read_parquet(folder / "plan.parquet"))
    shown = arena_here("judge", "page", folder, folder / "plan.parquet", "-o", page, "--judgements", judgements)
    assert shown.returncode == 0, shown.stderr
    assert "tag_3" in page.read_text()
    more = ("--answers", 1200, "-o", plan, "--judgements", judgements)
    for _ in range(2):
        planned = arena_here("judge", "plan", folder, *more)
        assert planned.returncode == 0, planned.stderr
        table = pd.read_parquet(plan)
        answers = tmp_path / "answers.csv"
        kept = table[["image_id", "tag", "inclusion_probability", "plan"]]
        cells = zip(table["image_id"], table["tag"], strict=True)
        words = ["yes" if sum(map(ord, image + tag)) % 3 == 0 else "no" for image, tag in cells]
        kept.assign(answer=words, judge="x", time="2026-01-01T00:00:00Z").to_csv(answers, index=False)
        added = arena_here("judge", "add", answers, "--judgements", judgements)
        assert added.returncode == 0, added.stderr
    status = arena_here("judge", "status", folder, plan, "--judgements", judgements)
    assert status.returncode == 0, status.stderr
    assert "are recorded" not in status.stdout
    assert "one" in status.stdout


def test_one_model_has_no_agreement(made: Made, tmp_path: Path) -> None:
    one = made.models.partition(",")[0]
    dataset = made.folder / "others"
    done = arena_here("pick", dataset, "-m", one, "-o", tmp_path / "x", "--limit", 20, "--thumbnails", "none")
    assert done.returncode == 0, done.stderr
    assert "With one tagger there is no agreement to measure." in " ".join(done.stdout.split())
    found = document(tmp_path / "x")
    assert found["agreement"] == []
    assert found["images"]["listed"] == 20
    images = read_frozen_ids(dataset)
    assert set(pd.read_parquet(tmp_path / "x" / "images.parquet")["image_id"]) < images


def test_models_without_a_common_tag_cannot_be_compared(made: Made, tmp_path: Path) -> None:
    (tmp_path / "three").mkdir()
    write_selected_tags(tmp_path / "three", ["z_0", "z_1"])
    write_onnx(tmp_path / "three" / "model.onnx", 2, seed=3)
    models = f"one={made.folder / 'one'},three={tmp_path / 'three'}"
    done = arena_here("pick", made.folder / "others", "-m", models, "-o", tmp_path / "x", "--limit", 10)
    assert done.returncode == 0, done.stderr
    found = document(tmp_path / "x")
    assert (found["common_tags"], found["judging"]) == (0, None)
    assert "The taggers have no tag in common" in " ".join(done.stdout.split())
    assert not (tmp_path / "x" / "plan.parquet").exists()
    refused = arena_here("judge", "plan", tmp_path / "x", "-o", tmp_path / "p.parquet")
    assert "no tag to judge" in refused.stderr


def read_frozen_ids(folder: Path) -> set[str]:
    from arena.cards import find_dataset

    return set(read_frozen(find_dataset(str(folder))).image_ids)


def test_a_private_dataset_shows_no_image_unless_asked(made: Made, tmp_path: Path) -> None:
    dataset = tmp_path / "private"
    shutil.copytree(made.folder / "drawn", dataset)
    card = (dataset / "dataset.toml").read_text()
    (dataset / "dataset.toml").write_text(f"private = true\n{card}")
    more = ("--limit", 20, "--calibration", made.run)
    done = arena_here("pick", dataset, "-m", made.models, "-o", tmp_path / "x", *more)
    assert done.returncode == 0, done.stderr
    assert document(tmp_path / "x")["calibration"]["shared_images"] == 20
    assert "data:image/webp" not in (tmp_path / "x" / "index.html").read_text()
    assert not (tmp_path / "x" / "thumbnails").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{empty}", "-m", "{models}"), "no image in it"),
        (("none", "-m", "{models}"), "none: no such folder or dataset"),
        (("{pictures}", "-m", "new={one}", "--calibration", "{run}"), "no model new in it, only one and two."),
        (("{pictures}", "-m", "{models}", "--calibration", "{pictures}"), "no finished run in it"),
        (("{pictures}", "-m", "{models}", "--relations", "none"), "--relations none: no such folder"),
        (("{pictures}", "-m", "two={one}", "--calibration", "{run}", "-o", "{empty}/x"), "its two has other weights"),
        (("{pictures}", "-m", "{models}", "-o", "{run}"), "holds a run; name another folder"),
    ],
)
def test_wrong_input_is_one_line(made: Made, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "empty").mkdir()
    names = {
        "empty": tmp_path / "empty", "models": made.models, "pictures": made.pictures, "run": made.run,
        "one": made.folder / "one",
    }  # fmt: skip
    given = [one.format(**names) for one in arguments]
    done = arena_here("pick", *given, *([] if "-o" in given else ["-o", tmp_path / "out"]))
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_file_is_named(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(made.folder / "plain", folder)
    (folder / "tags.parquet").write_bytes(b"x")
    done = arena_here("judge", "plan", folder, "-o", tmp_path / "p.parquet")
    assert done.returncode == 2
    assert "tags.parquet: missing, or changed after pick.json was written" in done.stderr
