import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.files import remove_temporary, temporary_path
from arena.base.leases import Leases
from arena.base.locks import LEASE_S, live_workers, lock_output, worker_file

HOLDER = """
import sys
from pathlib import Path
from arena.base.locks import lock_output
with lock_output(Path(sys.argv[1]), "hash"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["runs/demo", "s.npz", "a" * 240, "caf\udce9"])
def test_a_second_writer_is_told_who_holds_the_output(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    with lock_output(output, "predict"):
        with pytest.raises(ArenaError) as refused, lock_output(output, "score"):
            pytest.fail("two hold one lock")
        assert f"arena predict (process {os.getpid()} on " in str(refused.value)
        assert ", since 20" in str(refused.value)
        assert "\n" not in str(refused.value)
        with lock_output(output.with_name("other"), "score"):
            pass
    with lock_output(output, "score"):
        pass
    assert list(tmp_path.iterdir()) == [], "no lock and no folder is left"


def test_another_name_of_the_same_folder_has_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with lock_output(tmp_path / "link", "run"), pytest.raises(ArenaError, match="arena run"):  # noqa: SIM117
        with lock_output(tmp_path / "x/../real", "run"):
            pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    output = tmp_path / "i.parquet"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, output], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ArenaError, match=f"arena hash \\(process {process.pid} on "), lock_output(output, "hash"):
        pass
    process.kill()
    process.communicate()
    assert [path.name for path in tmp_path.iterdir()] == [".arena-i.parquet.lock"]
    with lock_output(output, "hash"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["", "[", "{}", '{"verb": "run", "pid": 1, "host": "h", "since": "s"}'])
def test_an_old_lock_file_does_not_block(tmp_path: Path, left: str) -> None:
    (tmp_path / ".arena-o.lock").write_text(left)
    with lock_output(tmp_path / "o", "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_of_this_file_is_removed(tmp_path: Path) -> None:
    for name in ("s.npz", "other.npz"):
        temporary_path(tmp_path / name).write_text("half")
    with lock_output(tmp_path / "s.npz", "predict"):
        pass
    assert len(list(tmp_path.iterdir())) == 1, "another process may be writing the other file"
    remove_temporary(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError("1048576 requested and 4096 written"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.ENOENT, "No such file", "input.npz"), False),
        (OSError("cannot identify image file"), False),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), False),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), False),
    ],
)
def test_a_full_disk_is_said_of_the_output(tmp_path: Path, error: OSError, named: bool) -> None:
    with pytest.raises((ArenaError, OSError)) as raised, lock_output(tmp_path / "runs/a", "run"):
        raise error
    assert ("runs/a: cannot be written" in str(raised.value)) == named
    assert named or raised.value is error


def test_a_lock_is_waited_for_if_its_holder_does_the_same(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with lock_output(tmp_path / "o", "run", waiting=order.append):
            order.append("second")

    with lock_output(tmp_path / "o", "run"):
        thread = threading.Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 5
        while not order and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
        with pytest.raises(ArenaError, match="arena run"), lock_output(tmp_path / "o", "score", waiting=order.append):
            pass
    thread.join()
    assert order[0].startswith(f"arena run (process {os.getpid()} on ")
    assert order[1:] == ["first", "second"]


@pytest.mark.parametrize("name", ["demo", "a" * 240, "de[m]o.*"])
def test_processes_that_share_an_output_keep_other_verbs_from_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "demo2").mkdir()
    own, other = tmp_path / name, tmp_path / "demo2"
    with Leases("run") as leases:
        leases.claim(worker_file(own, leases.token))
        with pytest.raises(ArenaError, match=f"arena run \\(process {os.getpid()} on "), lock_output(own, "score"):
            pass
        with lock_output(other, "score"), lock_output(own, "run", waiting=lambda holder: None):
            assert [facts["token"] for facts in live_workers(own)] == [leases.token]
    with lock_output(own, "score"):
        pass


def test_a_worker_of_another_machine_counts_for_the_term(tmp_path: Path) -> None:
    path = worker_file(tmp_path / "o", "ab12")
    path.write_text('{"verb": "run", "pid": 1, "host": "elsewhere", "since": "s", "space": "x"}')
    with pytest.raises(ArenaError, match="arena run \\(process 1 on elsewhere"), lock_output(tmp_path / "o", "score"):
        pass
    os.utime(path, (time.time() - LEASE_S - 1,) * 2)
    with lock_output(tmp_path / "o", "score"):
        assert not path.exists()
