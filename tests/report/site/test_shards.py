"""Tags of runs as the tag page reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.base.errors import ArenaError
from arena.images.thumbnails import Limits, ThumbnailSource, file_name, write_thumbnails
from arena.report.columns import rounded_number
from arena.report.page.histograms import histograms
from arena.report.site.shards import shard_count, shard_of
from arena.report.site.tag_details import read_tag_details
from arena.report.site.tag_rows import read_run_tags
from arena.results.run_folder import read_result


def test_the_curves_of_a_tag_are_those_of_the_threshold_sweep(runs: list[Path]) -> None:
    result, details = read_result(runs[0]), read_tag_details(runs[0])
    assert details
    edges = np.linspace(0, 1, round(1 / details.step) + 1).astype(np.float32)
    for place, model in enumerate(result.models):
        rows = result.tag_sweep[result.tag_sweep["model"] == model]
        names = sorted(details.hits[place])
        bins = histograms(rows, names, edges)
        for number, name in enumerate(names):
            assert details.hits[place][name].tolist() == np.delete(bins[0, :, number], 1).tolist()
            assert details.alarms[place][name].tolist() == np.delete(bins[1, :, number], 1).tolist()
    assert set(details.images.values()) == {90}


def test_the_images_of_a_tag_are_the_worst_errors_of_the_run(runs: list[Path]) -> None:
    result, details = read_result(runs[0]), read_tag_details(runs[0])
    assert details
    table = result.tables["errors"]
    for name, errors in details.errors.items():
        rows = table[table["tag"] == name]
        found = {(result.models[one.model], one.kind, one.image): one.score for one in errors}
        wanted = {
            (row.model, int(row.kind == "miss"), row.image_id): rounded_number(row.score) for row in rows.itertuples()
        }
        assert found.items() <= wanted.items()
        assert {one.picture for one in errors} == {""}, "the run has no pictures"
    assert sum(map(len, details.errors.values())) > 0


def test_the_picture_of_an_image_is_that_of_the_run_and_is_open_by_its_rating(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    before = read_tag_details(run)
    assert before
    images = sorted({one.image for errors in before.errors.values() for one in errors})[:3]
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    sources = [
        ThumbnailSource(image, tmp_path / "a.png", f"{place}" * 64, rating)
        for place, (image, rating) in enumerate(zip(images, ("general", "explicit", "general"), strict=True))
    ]
    write_thumbnails(run, sources, limits=Limits(9, 10**6))
    (run / "thumbnails" / file_name(sources[2])).write_bytes(b"changed")
    after = read_tag_details(run)
    assert after
    found = {one.image: (one.picture, one.is_open) for errors in after.errors.values() for one in errors}
    assert [found[image] for image in images] == [
        (f"thumbnails/{file_name(sources[0])}", True), (f"thumbnails/{file_name(sources[1])}", False), ("", False),
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["</html>", "\n"])
def test_a_page_of_another_layout_has_no_curves(runs: list[Path], tmp_path: Path, change: str) -> None:
    (tmp_path / "index.html").write_text(change)
    assert read_tag_details(tmp_path) is None


def test_differences_are_those_of_the_higher_tagger(runs: list[Path]) -> None:
    result = read_result(runs[0])
    tags = read_run_tags(runs[0], result.run, result.models)
    table = result.tables["tag_differences"]
    tested = {
        (row["tag"], key): row
        for row in table.to_dict("records")
        for key in ("f1", "ap")
        if row[f"{key}_q"] == row[f"{key}_q"]
    }
    decided = {where: row for where, row in tested.items() if row[f"{where[1]}_higher"] in result.models}
    found = tags.differences
    assert len(found.tag) == len(decided) > 0
    for tag, metric, higher in zip(found.tag.tolist(), found.metric.tolist(), found.higher.tolist(), strict=True):
        key = ("f1", "ap")[metric]
        assert decided[tags.names[tag], key][f"{key}_higher"] == result.models[higher]
    assert (np.asarray(found.codes["value"]) > 10_005).all(), "above 0"
    assert tags.open.sum() == len(tested) - len(decided)


def test_a_changed_table_is_refused(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    result = read_result(run)
    (run / "tag_differences.parquet").write_bytes((run / "slices.parquet").read_bytes())
    with pytest.raises(ArenaError, match=r"tag_differences.parquet: it was changed after the run"):
        read_run_tags(run, result.run, result.models)


def test_the_hash_is_fnv_1a() -> None:
    assert [shard_of(name, 1 << 32) for name in ("", "a", "foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


def test_a_shard_holds_about_a_hundred_tags() -> None:
    counts = [shard_count(tags) for tags in range(0, 20_000, 7)]
    assert sorted(counts) == counts
    assert {count & (count - 1) for count in counts} == {0}
    spread = np.bincount([shard_of(f"tag_{number}", 64) for number in range(6_400)], minlength=64)
    assert 60 < spread.min() < spread.max() < 150
