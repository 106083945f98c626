from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.base.errors import ScoresError
from arena.cards import ModelCard, Preprocess
from arena.images.decode import decode, decode_on
from arena.scores.store import ScoreStore, read_store
from arena.taggers import predict as module
from arena.taggers.base import TimedScores
from arena.taggers.predict import ImageSource, ScoringJob, predict_scores
from arena.taggers.preprocess import square
from arena.tags import TagSpace

from ..conftest import draw


class MeanColour:
    """A tagger whose scores are the mean colour: what it saw can be checked by hand."""

    tags = TagSpace(("red", "green", "blue"))
    precision, device = "fp32", "cpu"

    def __init__(self, name: str, size: int = 16, factor: float = 1.0) -> None:
        self.card = ModelCard(name, name, "onnx", Path(), ("x",))
        self.preprocess = Preprocess(size)
        self.factor = factor
        self.batches: list[int] = []

    def scores(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return (batch.mean(axis=(1, 2)) / 255 * self.factor).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSource:
    monkeypatch.setattr(module, "SHARD_IMAGES", 4)
    paths = [tmp_path / f"{i}.png" for i in range(10)]
    for i, path in enumerate(paths):
        draw(i).save(path)
    return ImageSource(tuple(p.stem for p in paths), tuple(paths), ("",) * 10, verified=False)


def job(source: ImageSource, folder: Path, tagger: MeanColour) -> ScoringJob:
    store = ScoreStore(folder / tagger.card.name, key="k", shards=source.shards)
    store.prepare(tagger.tags, {})
    return ScoringJob(tagger, store)


def test_every_image_is_scored_in_order(source: ImageSource, tmp_path: Path) -> None:
    done: list[int] = []
    predict_scores(source, [job(source, tmp_path, MeanColour("m"))], batch_size=3, advance=done.append)
    scores = read_store(tmp_path / "m")
    assert scores.image_ids == source.image_ids
    assert sum(done) == 10
    for row, path in zip(scores.values.read(), source.paths, strict=True):
        expected = square(decode(path), Preprocess(16)).mean(axis=(0, 1)) / 255
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_models_that_want_the_same_pixels_share_one_decode_and_one_square(
    source: ImageSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"decode": 0, "square": 0}

    def counting(name, function):
        def wrapped(*arguments):
            calls[name] += 1
            return function(*arguments)

        return wrapped

    monkeypatch.setattr(module, "decode_on", counting("decode", decode_on))
    monkeypatch.setattr(module, "square", counting("square", square))
    taggers = [MeanColour("a"), MeanColour("b"), MeanColour("other", size=8)]
    taggers[2].preprocess = Preprocess(8, alpha=(0, 0, 0))
    predict_scores(source, [job(source, tmp_path, tagger) for tagger in taggers])
    assert calls == {"decode": 10, "square": 20}


def test_a_tagger_sees_what_its_card_says_behind_transparency(source: ImageSource, tmp_path: Path) -> None:
    for path in source.paths:
        Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(path)
    taggers = [MeanColour("white"), MeanColour("black")]
    taggers[0].preprocess = Preprocess(16, pad="none")
    taggers[1].preprocess = Preprocess(16, pad="none", alpha=(0, 0, 0))
    predict_scores(source, [job(source, tmp_path, tagger) for tagger in taggers])
    white, black = (read_store(tmp_path / tagger.card.name).values.read() for tagger in taggers)
    assert (white == 1).all()
    assert (black == 0).all()


class Started(MeanColour):
    """A tagger that starts a batch at once and computes it when its scores are read, as a device does."""

    def __init__(self, name: str, device: str) -> None:
        super().__init__(name)
        self.device = device
        self.order: list[str] = []

    def begin(self, batch: np.ndarray) -> Callable[[], TimedScores]:
        self.order.append("begin")

        def wait() -> TimedScores:
            self.order.append("read")
            return TimedScores(self.scores(batch), 0.5)

        return wait


@pytest.mark.parametrize(
    ("device", "order"), [("cpu", "begin read begin read begin read"), ("cuda:0", "begin begin read begin read read")]
)
def test_on_cuda_the_next_batch_is_started_before_this_one_is_read(
    source: ImageSource, tmp_path: Path, device: str, order: str
) -> None:
    """Ten images are shards of 4, 4 and 2: one batch each."""
    plain, started = MeanColour("plain"), Started("started", device)
    finished: list[int] = []
    jobs = [job(source, tmp_path, tagger) for tagger in (plain, started)]
    predict_scores(source, jobs, batch_size=4, finished=finished.append)
    assert started.order == order.split()
    assert finished == [0, 1, 2]
    for number in range(3):
        shards = [(tmp_path / name / f"{number:05d}.npy").read_bytes() for name in ("plain", "started")]
        assert shards[0] == shards[1]
    assert read_store(tmp_path / "started").seconds == 0.5 * 3


def test_only_missing_shards_are_computed(source: ImageSource, tmp_path: Path) -> None:
    first = job(source, tmp_path, MeanColour("m"))
    predict_scores(source, [first])
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "m").glob("*.npy")}
    (tmp_path / "m" / "00001.json").unlink()
    again, fresh = MeanColour("m"), MeanColour("n")
    predict_scores(source, [job(source, tmp_path, again), job(source, tmp_path, fresh)], batch_size=4)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "m").glob("*.npy")}
    assert (sum(again.batches), sum(fresh.batches)) == (4, 10)
    assert {name for name in before if before[name] != after[name]} == {"00001.npy"}


def test_unreadable_images_are_skipped_and_told(source: ImageSource, tmp_path: Path) -> None:
    source.paths[2].write_bytes(source.paths[2].read_bytes()[:100])
    source.paths[9].unlink()
    predict_scores(source, [job(source, tmp_path, MeanColour("m"))], batch_size=3)
    scores = read_store(tmp_path / "m")
    assert list(scores.skipped) == ["2", "9"]
    assert "truncated" in scores.skipped["2"]
    assert scores.image_ids == tuple("01345678")


def test_a_frozen_file_with_other_bytes_is_skipped(source: ImageSource, tmp_path: Path) -> None:
    frozen = ImageSource(source.image_ids, source.paths, ("0" * 64,) * 10, verified=True)
    predict_scores(frozen, [job(frozen, tmp_path, MeanColour("m"))])
    assert set(read_store(tmp_path / "m").skipped.values()) == {
        "the file changed after the dataset was frozen (SHA-256 differs)"
    }


def test_an_output_that_is_no_probability_stops_the_run_and_keeps_what_is_done(
    source: ImageSource, tmp_path: Path
) -> None:
    tagger = MeanColour("m")
    bad = job(source, tmp_path, tagger)
    original = tagger.scores
    tagger.scores = lambda batch: original(batch) * (9 if len(tagger.batches) > 1 else 1)  # type: ignore[method-assign]
    with pytest.raises(ScoresError, match="m: scores outside"):
        predict_scores(source, [bad], batch_size=4)
    assert bad.store.missing() == [1, 2]


def test_the_source_digest_follows_names_files_and_order(source: ImageSource) -> None:
    swapped = ImageSource(source.image_ids[::-1], source.paths[::-1], source.digests, verified=False)
    other = ImageSource(source.image_ids, source.paths, ("1", *source.digests[1:]), verified=False)
    assert len({source.digest, swapped.digest, other.digest}) == 3
