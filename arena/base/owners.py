"""The process that holds a lock or a lease: the facts that it writes into the file, and whether it is known to have ended."""

import json
import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from arena.base.provenance import now

_PROC = Path("/proc")
"""Folder in which Linux describes its processes."""


def facts_of_this_process(verb: str) -> dict[str, Any]:
    """Return the facts on this process that its locks and leases hold.

    Args:
        verb: what it does, such as `run`.
    """
    return {
        "verb": verb, "pid": os.getpid(), "host": socket.gethostname(), "since": now(),
        "space": _process_space(), "started": _start_of(os.getpid()),
    }  # fmt: skip


def read_facts(content: bytes | str) -> dict[str, Any]:
    """Return the facts in a lock or a lease; empty if they are not complete, because their process is writing them."""
    try:
        facts = json.loads(content)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def describe_owner(facts: Mapping[str, Any]) -> str:
    """Return the process of a lock or a lease in words, as far as it is known.

    >>> describe_owner({"verb": "run", "pid": 7, "host": "node1", "since": "2026-01-02T03:04:05Z"})
    'arena run (process 7 on node1, since 2026-01-02T03:04:05Z)'
    >>> describe_owner({})
    'another arena process'
    """
    try:
        return f"arena {facts['verb']} (process {facts['pid']} on {facts['host']}, since {facts['since']})"
    except KeyError:
        return "another arena process"


def has_ended(facts: Mapping[str, Any]) -> bool:
    """Return whether a process is known to have ended; false if it runs, is on another machine, or nothing is known."""
    pid, space = facts.get("pid"), facts.get("space")
    if not space or space != _process_space() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is of another user
        return False
    return _start_of(pid) not in ("", facts.get("started"))  # a zombie, or another process with the same number


@cache
def _process_space() -> str:
    """Return what names the numbers of processes: the boot of the machine and the namespace; empty where it is unknown."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.stat(_PROC / 'self/ns/pid').st_ino}"  # noqa: PTH116  # follows the link, which has no path
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Return the start time of a process in ticks since the boot, `ended` for a zombie; empty where it is unknown."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]
