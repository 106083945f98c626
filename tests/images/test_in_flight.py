"""The pixels that threads hold at once stay within the budget, and the threads never wait for each other in a circle."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from arena.base.errors import UnreadableImageError
from arena.dataset.copies import signing
from arena.dataset.hashes.files import hash_file
from arena.images import decode, in_flight
from arena.images.decode import read_picture
from arena.images.in_flight import MAX_PIXELS_IN_FLIGHT, PixelBudget, hold_pixels, picture_in_flight
from arena.images.thumbnails import webp_thumbnail


class Recorded(PixelBudget):
    """A budget that records the largest use, and the pixels of each picture that was taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.taken: list[int] = []
        self.largest = 0

    def take(self, pixels: int) -> None:
        super().take(pixels)
        self.taken.append(pixels)
        self.largest = max(self.largest, self._used.value)

    @property
    def used(self) -> int:
        return int(self._used.value)


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A budget of 1,000 pixels, in which pictures of more than 100 count."""
    made = Recorded(1_000)
    monkeypatch.setattr(in_flight, "_budget", made)
    monkeypatch.setattr(in_flight, "UNCOUNTED_PIXELS", 100)
    yield made
    assert made.used == 0, "all is given back"


@pytest.mark.parametrize(("side", "together"), [(31, 1), (22, 2), (10, 8), (40, 1)])
def test_large_pictures_are_held_one_at_a_time_and_small_ones_all_at_once(
    budget: Recorded, side: int, together: int
) -> None:
    inside, most, lock, barrier = [0], [0], threading.Lock(), threading.Barrier(together)

    def work(number: int) -> None:
        with picture_in_flight(str(number)):
            hold_pixels(side * side)
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            barrier.wait(10)  # so many are inside at once, or it breaks
            with lock:
                inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert most[0] == together
    assert budget.largest <= max(1_000, side * side)
    assert budget.taken == ([side * side] * 16 if side > 10 else [])


def test_a_large_picture_is_not_overtaken(budget: Recorded) -> None:
    budget.take(400)
    waiting = threading.Thread(target=budget.take, args=(900,))
    waiting.start()
    while not budget._next.locked():
        time.sleep(0.001)
    later = threading.Thread(target=budget.take, args=(300,))
    later.start()
    later.join(0.05)
    assert budget.taken == [400], "300 more would fit, but 900 came first"
    budget.give_back(400)
    waiting.join(10)
    budget.give_back(900)
    later.join(10)
    assert budget.taken == [400, 900, 300]
    budget.give_back(300)


def test_a_picture_holds_its_size_until_the_work_on_it_ends(budget: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (20, 30)).save(path)
    with picture_in_flight("a"):
        read_picture(path)
        assert budget.used == 600
        hold_pixels(150)
        assert budget.used == 600, "a smaller picture in the same work counts as nothing"
        hold_pixels(700)
        assert budget.used == 700
    read_picture(path)
    assert budget.taken == [600, 700, 600]


@pytest.mark.parametrize("work", [lambda path: hash_file(path, ["phash"]), webp_thumbnail, signing._thumbnails])
def test_every_kind_of_work_counts_its_picture_once(
    budget: Recorded, tmp_path: Path, work: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((40, 30), 9).save(path)
    work(path)
    assert budget.taken == [1_200]


def test_what_does_not_decode_gives_its_pixels_back(budget: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((40, 30), 9).save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_picture(path)
    assert budget.taken[0] == 1_200


def test_a_reduced_jpeg_counts_by_its_reduced_size(budget: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (640, 640)).save(path)
    read_picture(path, least_side=80)
    assert budget.taken == [80 * 80]


def test_the_budget_holds_one_picture_of_the_largest_size() -> None:
    assert decode.MAX_PIXELS <= MAX_PIXELS_IN_FLIGHT < 2 * decode.MAX_PIXELS
