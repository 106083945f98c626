"""Run taggers over files as `arena run` does: decode once for all of them, and store the scores of each on disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from arena.scores.store import ScoreStore
from arena.taggers.base import Tagger
from arena.taggers.predict import ImageSource, ScoringJob, predict_scores


class Prepared(NamedTuple):
    """Arguments of `predict_scores`; the folder of the stores is deleted at the end of the context."""

    source: ImageSource
    jobs: list[ScoringJob]

    def predict(self, batch_size: int) -> None:
        """Score every file with every tagger."""
        predict_scores(self.source, self.jobs, batch_size=batch_size)


@contextmanager
def prepared(paths: Sequence[Path], taggers: Sequence[Tagger]) -> Iterator[Prepared]:
    """Prepare empty score stores of some taggers for some files."""
    names = tuple(f"{place:06d}" for place in range(len(paths)))
    source = ImageSource(names, tuple(paths), ("",) * len(paths), verified=False)
    with TemporaryDirectory() as folder:
        jobs = []
        for place, tagger in enumerate(taggers):
            store = ScoreStore(Path(folder) / str(place), key="k", shards=source.shards)
            store.prepare(tagger.tags, {})
            jobs.append(ScoringJob(tagger, store))
        yield Prepared(source, jobs)
