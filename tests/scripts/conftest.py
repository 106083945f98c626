"""Scripts run in this process: imports are paid once, and a failure has its traceback."""

import contextlib
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import pytest

from arena.diagnostics.bench.worker import measure_cost
from tests.conftest import REPOSITORY, arena_here

T = TypeVar("T")

SCRIPTS = REPOSITORY / "scripts"
sys.path.insert(0, str(SCRIPTS))


def peak_here(*arguments: object) -> float:
    """Run the command in this process, whose peak memory says nothing about it."""
    done = arena_here(*arguments)
    assert done.returncode == 0, done.stderr
    return 1.0


def call_here(work: Callable[..., T], *arguments: object) -> T:
    return work(*arguments)


HERE: dict[str, Any] = {
    "arena_command": arena_here,
    "arena_peak_gib": peak_here,
    "bench_in_process": lambda request, progress: measure_cost(request),
    "in_own_process": call_here,
    "on_all_cores": lambda work, jobs, processes=None: map(work, jobs),
}
"""What a script starts processes with, and what it is replaced by here."""


def scripts_used_by(module: ModuleType) -> list[ModuleType]:
    """The other scripts that a script takes functions from."""
    owners = {getattr(value, "__module__", "") for value in vars(module).values()}
    return [
        sys.modules[name] for name in owners if name.startswith(("bench_", "simulate_")) and name != module.__name__
    ]


@pytest.fixture
def script_here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[str], ModuleType]:
    """Import a script as a module that starts no process and opens pages in the browser of all tests."""

    def load(name: str) -> ModuleType:
        module = importlib.import_module(name)
        for script in (module, *scripts_used_by(module)):
            for seam, replacement in HERE.items():
                if hasattr(script, seam):
                    monkeypatch.setattr(script, seam, replacement)
        if hasattr(module, "chromium"):
            browser = request.getfixturevalue("chromium")
            monkeypatch.setattr(module, "chromium", lambda: contextlib.nullcontext(browser))
        return module

    return load
