import errno
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.base import leases as module
from arena.base.errors import ArenaError
from arena.base.leases import Leases
from arena.base.owners import facts_of_this_process, has_ended


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ended() -> Iterator[int]:
    """The number of a process that was killed and that its parent has not asked for yet."""
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    deadline = time.monotonic() + 5
    while not has_ended({**facts_of_this_process("x"), "pid": process.pid}) and time.monotonic() < deadline:
        time.sleep(0.01)
    yield process.pid
    process.wait()


def test_one_process_has_a_lease_and_another_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    path, first, second = tmp_path / "a.lease", Leases("run"), Leases("run")
    assert first.claim(path, key="k")
    assert json.loads(path.read_bytes())["key"] == "k"
    assert not second.claim(path)
    second.give_back(path)
    assert (first.holds(path), second.holds(path), path.exists()) == (True, False, True)
    first.give_back(path)
    assert second.claim(path)


def test_a_lease_that_is_not_renewed_is_taken_over_by_the_clock_of_the_one_that_waits(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.lease", Clock()
    first, second = Leases("run", term_s=60, clock=Clock()), Leases("run", term_s=60, clock=clock)
    assert first.claim(path)
    assert not second.claim(path), "the term starts when it is seen"
    clock.now += 59
    assert not second.claim(path)
    first.renew()
    clock.now += 59
    assert not second.claim(path), "it was renewed, whatever the times say"
    clock.now += 59
    assert not second.claim(path)
    clock.now += 1
    assert second.claim(path)
    assert json.loads(path.read_bytes())["token"] == second.token
    first.change(path, key="late")
    first.renew()
    first.give_back(path)
    assert (first.holds(path), json.loads(path.read_bytes())["token"]) == (False, second.token)
    assert [one.name for one in tmp_path.iterdir()] == ["a.lease"], "no lock is left"


def test_a_process_that_was_suspended_does_not_remove_what_may_be_taken_over(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.lease", Clock()
    first = Leases("run", term_s=60, clock=clock)
    first.claim(path)
    clock.now += 61
    first.give_back(path)
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b'{"pid": ', b"[]", b'{"pid": "x", "space": 3}'])
def test_an_unreadable_lease_has_the_same_term(tmp_path: Path, content: bytes) -> None:
    path, clock = tmp_path / "a.lease", Clock()
    path.write_bytes(content)  # killed between the creation and the first byte
    waiting = Leases("run", term_s=60, clock=clock)
    assert not waiting.claim(path)
    clock.now += 60
    assert waiting.claim(path)


def test_the_lease_of_a_process_that_has_ended_is_free_at_once(tmp_path: Path, ended: int) -> None:
    path, waiting = tmp_path / "a.lease", Leases("run")
    path.write_text(json.dumps({**facts_of_this_process("run"), "pid": ended, "token": "x"}))
    assert waiting.claim(path)


@pytest.mark.parametrize(
    ("change", "over"), [({}, False), ({"space": "another machine"}, False), ({"space": ""}, False), ({"started": "1"}, True)]
)  # fmt: skip
def test_only_what_is_known_has_ended(change: dict[str, Any], over: bool) -> None:
    """A number that another process has now has another start time."""
    assert has_ended({**facts_of_this_process("run"), **change}) == over


def test_a_thread_renews_and_the_end_gives_back(tmp_path: Path) -> None:
    path = tmp_path / "a.lease"
    with Leases("run", term_s=0.06) as held:
        held.claim(path)
        before, deadline = path.read_bytes(), time.monotonic() + 5
        while path.read_bytes() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert json.loads(path.read_bytes())["renewals"] > 0
    assert not path.exists()


def test_a_renewal_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, held = tmp_path / "a.lease", Leases("run")
    held.claim(path)
    with monkeypatch.context() as patched:
        patched.setattr(module, "read_facts", lambda content: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        held.renew()
    assert held.holds(path)
    held.renew()
    assert json.loads(path.read_bytes())["renewals"] == 2


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOTSUP, r"cannot create a file exclusively \(O_EXCL\)"), (errno.EACCES, "cannot be written")],
)
def test_a_folder_without_what_a_lease_needs_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refused(*given: object, **named: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ArenaError, match=words):
        Leases("run").claim(tmp_path / "a.lease")
