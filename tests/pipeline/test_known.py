"""Runs on labels of which some are unknown: what they print, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import arena
from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen, write_frozen
from arena.metrics.recalibration import count_logits
from arena.pipeline.bisect.checkpoints import CheckpointScores
from arena.pipeline.notebook import Comparison
from arena.pipeline.score import score_files
from arena.pipeline.stages import Execution, Scoring
from arena.report.html import render_comparison
from arena.report.view import page_view
from arena.results.recipe import Settings
from arena.results.run_folder import read_result
from tests.conftest import without_plots

pytestmark = pytest.mark.usefixtures("no_plots")

RNG = np.random.default_rng(3)
IDS, TAGS = [f"i{n}" for n in range(90)], ["cat", "dog", "sun"]
LABELS = pd.DataFrame(RNG.random((90, 3)) < 0.4, index=IDS, columns=TAGS)
KNOWN = pd.DataFrame(RNG.random((90, 3)) < 0.6, index=IDS, columns=TAGS)
SCORES = pd.DataFrame(np.float32(0.5 * LABELS + 0.5 * RNG.random((90, 3))), index=IDS, columns=TAGS)


@pytest.fixture(scope="module")
def partly() -> Comparison:
    return arena.compare({"a": SCORES, "b": 1 - SCORES}, LABELS, known=KNOWN, replicates=20)


@pytest.fixture(scope="module")
def folder(partly: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with without_plots():
        return partly.save(tmp_path_factory.mktemp("run") / "run")


def test_every_report_prints_the_known_cells(folder: Path) -> None:
    known, total = int(KNOWN.to_numpy().sum()), KNOWN.size
    result = read_result(folder)
    assert (result.summary["known_cells"], result.summary["cells"]) == (known, total)
    assert result.recipe.dataset.partly_known
    assert json.loads((folder / "run.json").read_text())["recipe"]["partly_known"] is True
    assert f"known cells: {known} of {total}" in (folder / "summary.md").read_text()
    page = (folder / "index.html").read_text()
    assert f"<dt>Known cells</dt><dd>{known} <small>of {total}</small></dd>" in page
    assert f"Known cells: {known} of {total}" in page


def test_full_metrics_count_known_images(folder: Path) -> None:
    numbers = [
        sum(int(part.partition(": ")[2]) for part in line.split(", "))
        for line in (folder / "full-metrics/a.txt").read_text().splitlines()
        if line.startswith("TP: ")
    ]
    assert sorted(numbers) == sorted(KNOWN.sum().tolist())
    rows = read_result(folder).tags_of("a")
    assert rows["known"].tolist() == rows[["tp", "fp", "fn", "tn"]].sum(axis=1).tolist() == KNOWN.sum().tolist()


def test_the_page_counts_known_images(partly: Comparison) -> None:
    payload = page_view(partly.result, None)
    by_name = dict(zip(payload["tags"]["name"], payload["tags"]["known"], strict=True))
    assert by_name == KNOWN.sum().to_dict()
    assert '"name":"known"' not in render_comparison(payload), "columns are packed"
    plain = page_view(arena.score(SCORES, LABELS, replicates=0).result, None)
    assert "known" not in plain["tags"]
    assert "Known cells" not in render_comparison(plain)


def test_known_aligns_with_the_labels(partly: Comparison) -> None:
    turned = KNOWN.sample(frac=1, random_state=1)[TAGS[::-1]]
    missing = LABELS.astype(object).where(KNOWN, None)
    for labels, known in ((LABELS, turned), (LABELS, KNOWN.to_numpy()), (missing, missing.notna())):
        found = arena.compare({"a": SCORES, "b": 1 - SCORES}, labels, known=known, replicates=20)
        pd.testing.assert_frame_equal(found.per_tag, partly.per_tag)
        assert found.result.recipe.dataset.digest == partly.result.recipe.dataset.digest


def test_wrong_known_is_one_line(tmp_path: Path) -> None:
    for known, message in (
        (KNOWN.iloc[1:], "known: its images or tags differ from those of truth"),
        (KNOWN.to_numpy()[:, :2], r"truth: known \(90, 2\), but truth \(90, 3\)"),
        (KNOWN.to_numpy() * 0.5, "known is float64 and holds values other than 0 and 1"),
    ):
        with pytest.raises(ArenaError, match=message):
            arena.score(SCORES, LABELS, known=known)
    with pytest.raises(ArenaError, match="known: give it with labels in a frame or an array"):
        arena.score(SCORES, tmp_path / "truth.npz", known=KNOWN)
    with pytest.raises(ArenaError, match=r"labels are missing .*, or pass which labels are known with known="):
        arena.score(SCORES, LABELS.astype(object).where(KNOWN, None))


def test_known_true_everywhere_writes_the_same_files(tmp_path: Path) -> None:
    axes = {"tags": np.array(TAGS), "image_ids": np.array(IDS)}
    np.savez(tmp_path / "a.npz", scores=SCORES.to_numpy(np.float32), **axes)
    written = []
    for name, more in (("plain", {}), ("known", {"known": np.ones((90, 3), np.bool_)})):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "t.npz", truth=LABELS.to_numpy(), **axes, **more)
        scoring, execution = Scoring(Settings(replicates=10)), Execution()
        score_files({"a": tmp_path / "a.npz"}, tmp_path / name / "run", truth=tmp_path / name / "t.npz", scoring=scoring,
              execution=execution)  # fmt: skip
        files = [path for path in sorted((tmp_path / name / "run").rglob("*")) if path.is_file()]
        written.append({path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in files})
    first, second = written
    assert first.keys() == second.keys()
    differ = {name for name in first if first[name] != second[name]}
    assert differ <= {"run/run.json", "run/index.html", "run/summary.md"}, "which hold the digest of the truth file"
    runs = [json.loads(files["run/run.json"]) for files in written]
    digests = [run["dataset"]["digest"] for run in runs]
    for name in ("run/index.html", "run/summary.md"):
        texts = [files[name].decode() for files in written]
        assert len(texts[0]) == len(texts[1])
    assert digests[0] != digests[1]
    assert runs[0]["recipe"].keys() == runs[1]["recipe"].keys()


def test_calibration_counts_known_cells() -> None:
    scores, labels, known = (frame.to_numpy() for frame in (SCORES, LABELS & KNOWN, KNOWN))
    bags = np.arange(90) % 4
    found = count_logits(scores, labels, bags, 4, known)
    assert (found.cells.sum(), found.positives.sum()) == (known.sum(), labels.sum())
    some = np.flatnonzero(known[:, 0])
    alone = count_logits(scores[some][:, :1], labels[some][:, :1], bags[some], 4)
    of_first = count_logits(scores[:, :1], labels[:, :1], bags, 4, known[:, :1])
    np.testing.assert_array_equal(of_first.cells, alone.cells)


def test_a_bisected_tag_keeps_its_known_cells(drawn_dataset: Path, tmp_path: Path) -> None:
    heldout = read_frozen(find_dataset(str(drawn_dataset)))
    some = [
        ["tag_1"] if number % 2 and "tag_1" not in tags else [] for number, tags in enumerate(heldout.images["tags"])
    ]
    tags = [(name, heldout.tags.category(place)) for place, name in enumerate(heldout.tags.names)]
    card = {"name": "drawn", "title": "Drawn", "licence": "CC0"}
    write_frozen(drawn_dataset, card=card, images=heldout.images.assign(absent=some), tags=tags)
    truth = CheckpointScores([], "tag_1", dataset=str(drawn_dataset), output=tmp_path / "out").truth
    assert truth.known is not None
    assert truth.known.counts().tolist() == [truth.values.sum() + sum(map(len, some))]
