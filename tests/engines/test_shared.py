import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from arena.base.errors import ScoresError
from arena.base.leases import Leases
from arena.engines.shared import SharedWork, lease_file, remove_leases
from arena.taggers.predict import ImageSource, predict_scores

from ..base.test_leases import Clock
from ..taggers.test_predict import MeanColour
from .conftest import MakeJob


def test_each_shard_is_scored_by_one_of_several(source: ImageSource, make_job: MakeJob, tmp_path: Path) -> None:
    taggers, counted = [MeanColour("m"), MeanColour("m"), MeanColour("m")], [0, 0, 0]

    def work(place: int) -> None:
        def advance(images: int) -> None:
            counted[place] += images

        leases = Leases("run")
        SharedWork(
            source, [make_job(taggers[place])], tmp_path / "scores", leases, advance, pause=lambda s: time.sleep(0.01)
        ).score(3)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sum(tagger.batches) for tagger in taggers) == 10
    assert set(counted) <= {10, *range(0, 10, 2)}, "who starts late counts what was missing then"
    together = make_job(MeanColour("m")).store.read()
    alone = make_job(MeanColour("alone"))
    predict_scores(source, [alone], batch_size=3)
    assert together.values.read().tobytes() == alone.store.read().values.read().tobytes()
    assert [path.name for path in (tmp_path / "scores").iterdir() if path.name.startswith(".")] == []


def test_what_another_process_does_is_waited_for_and_counted(
    source: ImageSource, make_job: MakeJob, tmp_path: Path
) -> None:
    other, theirs = Leases("run"), make_job(MeanColour("m"))
    tagger, counted, notes = MeanColour("m"), list[int](), list[str]()
    assert other.claim(lease_file(tmp_path / "scores", 1))

    def they_finish(seconds: float) -> None:
        values = MeanColour("m").scores(np.zeros((4, 16, 16, 3), np.uint8))
        theirs.store.write(1, values, {})
        other.give_back(lease_file(tmp_path / "scores", 1))

    work = SharedWork(
        source, [make_job(tagger)], tmp_path / "scores", Leases("run"), counted.append, notes.append, they_finish
    )
    work.score(4)
    assert (sum(tagger.batches), sum(counted)) == (6, 10)
    assert notes == ["waiting for 1 shard that other processes score; one that has ended is replaced"]


@pytest.mark.parametrize("recorded", [False, True])
def test_the_shard_of_a_killed_process_is_scored_again_unless_it_is_recorded(
    source: ImageSource, make_job: MakeJob, tmp_path: Path, recorded: bool
) -> None:
    killed, clock = Leases("run"), Clock()
    (tmp_path / "scores").mkdir()
    killed.claim(lease_file(tmp_path / "scores", 1))
    if recorded:
        predict_scores(source, [make_job(MeanColour("m"))], batch_size=4)
        make_job(MeanColour("m")).store.forget(0)
        make_job(MeanColour("m")).store.forget(2)

    def pause(seconds: float) -> None:
        clock.now += 31

    tagger = MeanColour("m")
    work = SharedWork(source, [make_job(tagger)], tmp_path / "scores", Leases("run", clock=clock), pause=pause)
    work.score(4)
    assert sum(tagger.batches) == (6 if recorded else 10)
    assert work.jobs[0].store.missing() == []
    remove_leases(tmp_path / "scores")
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["m"]


def test_damaged_shards_are_scored_again_and_models_share_a_lease(
    source: ImageSource, make_job: MakeJob, tmp_path: Path
) -> None:
    predict_scores(source, [make_job(MeanColour("m"))], batch_size=4)
    (tmp_path / "scores/m/00002.npy").write_bytes(b"damaged")
    again, new, counted = MeanColour("m"), MeanColour("n"), list[int]()
    work = SharedWork(source, [make_job(again), make_job(new)], tmp_path / "scores", Leases("run"), counted.append)
    work.score(4)
    assert (sum(again.batches), sum(new.batches), sum(counted)) == (2, 10, 10)


def test_a_store_that_another_command_replaced_is_one_line(
    source: ImageSource, make_job: MakeJob, tmp_path: Path
) -> None:
    other, job = Leases("run"), make_job(MeanColour("m"))
    other.claim(lease_file(tmp_path / "scores", 1))
    work = SharedWork(
        source, [job], tmp_path / "scores", Leases("run"), pause=lambda seconds: shutil.rmtree(job.store.folder)
    )
    with pytest.raises(ScoresError, match="another command may have written to it"):
        work.score(4)
