import os
import signal
import time
import traceback

import click
import pytest

from arena import cli
from arena.base.errors import ArenaError, ExitCode
from arena.cli.endings import STOPPED, command_of, ending_of, stop_signals
from tests.conftest import arena_here


def raised(error: BaseException, arguments: str = "run", received: tuple[int, ...] = ()) -> tuple[int, str, bool]:
    """Exit code and line of an exception, and whether its traceback is printed."""
    try:
        raise error
    except BaseException as caught:
        ending = ending_of(caught, received, command_of(cli.arena, arguments.split()))
    return int(ending.code), ending.message, ending.error is not None


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_every_signal_to_stop_ends_as_ctrl_c(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.pipeline import report

    number = getattr(signal, name)
    usual = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    before = signal.signal(number, usual)  # nohup and shells ignore some of them
    monkeypatch.setattr(report, "rewrite_reports", lambda *all: os.kill(os.getpid(), number))
    try:
        done = arena_here("report", "runs/demo")
        assert (done.returncode, done.stderr.strip()) == (code, f"arena: {STOPPED}")
        assert signal.getsignal(number) is usual
    finally:
        signal.signal(number, before)


def test_what_fails_because_of_a_signal_is_not_a_bug() -> None:
    assert raised(RuntimeError("a worker ended"), received=(signal.SIGTERM,)) == (143, STOPPED, False)


def test_a_signal_that_comes_in_a_finalizer_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    def finalize_and_wait() -> None:
        kept = Finalized()
        del kept
        time.sleep(5)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with stop_signals() as received, pytest.raises(KeyboardInterrupt):
            finalize_and_wait()
        assert received == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "", "no traceback of an exception that Python ignored"


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with stop_signals() as received:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not received
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 3.1 GiB for an array"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError("libc10.so: failed to map segment from shared object"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_too_little_memory_is_one_line_with_what_to_reduce(error: BaseException) -> None:
    code, line, is_bug = raised(error)
    assert (code, is_bug, "\n" in line) == (2, False, False)
    assert line.startswith("not enough memory")
    assert "--batch-size, fewer images (--limit)" in line
    assert (str(error).splitlines() or [""])[0].rstrip(".") in line
    assert "--batch-size" not in raised(error, "dataset import")[1]
    assert "--workers" in raised(error, "dataset import")[1]


def test_other_exceptions() -> None:
    missing = ImportError("No module named 'torch'", name="torch")
    assert raised(missing)[0] == 2
    assert raised(missing)[1].startswith("torch: cannot be loaded (No module named 'torch')")
    assert raised(ImportError("cannot import name", name="arena.base"))[::2] == (70, True)
    assert raised(ArenaError("a line")) == (2, "a line", False)
    assert raised(OSError(28, "No space left on device", "o/run.json"))[:2] == (
        2,
        "o/run.json: No space left on device",
    )
    assert raised(KeyboardInterrupt()) == (130, STOPPED, False)
    assert raised(ZeroDivisionError())[::2] == (70, True)
    code, line, is_bug = raised(SystemExit(3))
    assert (code, is_bug) == (70, True)
    assert "a library ended the process by sys.exit(3), test_endings.py line" in line


def test_the_end_of_a_damaged_file_is_not_an_interrupt() -> None:
    try:
        raise click.Abort from EOFError("Compressed file ended")
    except click.Abort as error:
        ending = ending_of(error, (), cli.arena)
    assert ending.code == ExitCode.BUG
    assert ending.error is not None
    assert "EOFError" in "".join(traceback.format_exception_only(ending.error))


@pytest.mark.parametrize(("mebibytes", "code"), [(512, 2), (1023, 2), (1024, 0)])
def test_too_small_an_address_space_is_refused(mebibytes: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    from arena.pipeline import report

    monkeypatch.setattr(report, "rewrite_reports", lambda *all: None)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (mebibytes << 20, resource.RLIM_INFINITY))
    done = arena_here("report", "runs/demo")
    assert (done.returncode, f"limited to {mebibytes:,} MiB" in done.stderr) == (code, code == 2)
    assert arena_here("report", "--help").returncode == 0


def test_a_command_is_found_below_its_group() -> None:
    assert command_of(cli.arena, ["dataset", "import", "x", "-o", "run"]).name == "import"
    assert command_of(cli.arena, ["--version"]).name == "arena"
