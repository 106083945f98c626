from collections.abc import Callable
from pathlib import Path

import pytest

from arena.scores.store import ScoreStore
from arena.taggers import predict
from arena.taggers.predict import ImageSource, ScoringJob

from ..conftest import draw
from ..taggers.test_predict import MeanColour

MakeJob = Callable[[MeanColour], ScoringJob]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSource:
    """Ten images in shards of 4, 4 and 2."""
    monkeypatch.setattr(predict, "SHARD_IMAGES", 4)
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        draw(number).save(path)
    return ImageSource(tuple(path.stem for path in paths), tuple(paths), ("",) * 10, verified=False)


@pytest.fixture
def make_job(source: ImageSource, tmp_path: Path) -> MakeJob:
    """Make the job of a tagger, with a prepared store below `scores`."""

    def make(tagger: MeanColour) -> ScoringJob:
        store = ScoreStore(tmp_path / "scores" / tagger.card.name, key="k", shards=source.shards)
        store.prepare(tagger.tags, {})
        return ScoringJob(tagger, store)

    return make
