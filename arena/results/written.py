"""The files of a run folder: whether they are finished, and whether they are still those that the run wrote.

`run.json` is written last, after the reports. It holds the SHA-256 of every other file in `files` and its own digest, so that a
later change of a figure is noticed. Until then its content is in `unfinished.json`. A killed process leaves that file, and
`arena report` writes the reports and `run.json` again from it. A run of an earlier version has no digests; its files are not
checked.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.files import digest_bytes, digest_file, to_json, write_whole
from arena.base.provenance import DIGEST, is_sealed, seal
from arena.base.reading import read_json
from arena.base.schema import TEXT, Schema, table_of

RUN_FILE = "run.json"
"""File of the provenance; it is written last, so a folder with it is a finished run."""

UNFINISHED = "unfinished.json"
"""File that holds the provenance of a run until its reports are written."""

FILES = "files"
"""Key of `run.json`: path below the run folder -> SHA-256 of the file."""

SCORE_AGAIN = "this is a damaged run; score it again"
"""What to do about a damaged run, for the end of a message."""

_OBJECT = Schema(table_of(known={FILES: table_of(others=TEXT)}))


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds a run, finished or not."""
    return any((folder / name).is_file() for name in (RUN_FILE, UNFINISHED))


def load_run_file(folder: Path, *, unfinished: bool = False) -> dict[str, Any]:
    """Return the content of `run.json`; `refuse_changed_run` compares it with its own digest.

    Args:
        unfinished: whether a run whose reports are not finished is accepted too.

    Raises:
        ArenaError: there is no run, an unfinished one, or its file is damaged.
    """
    name = next(name for name in (RUN_FILE, UNFINISHED) if (folder / name).exists() or name == UNFINISHED)
    if not (folder / name).exists():
        raise ArenaError(f"{folder}: no finished run in it (no {RUN_FILE}); make one with arena run or arena score")
    if name == UNFINISHED and not unfinished:
        raise ArenaError(f"{folder}: unfinished, its reports were not written to the end; run: arena report {folder}")
    run: dict[str, Any] = read_json(folder / name, _OBJECT, fix=SCORE_AGAIN)
    return run


def refuse_changed_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Refuse a `run.json` that differs from its own digest; that of an earlier version has none.

    Raises:
        ArenaError: the content was changed.
    """
    if (DIGEST in run or FILES in run) and not is_sealed(run):
        raise ArenaError(
            f"{folder / RUN_FILE}: it differs from its own digest, so it was changed after the run; {SCORE_AGAIN}"
        )


def read_written(folder: Path, name: str, run: Mapping[str, Any], *, fix: str = SCORE_AGAIN) -> bytes:
    """Return the bytes of a file of a run folder.

    Args:
        name: path below the folder, with slashes.
        run: the content of `run.json`.
        fix: what a user can do, for the end of the message.

    Raises:
        ArenaError: the file cannot be read, or has another digest than in `run.json`.
    """
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ArenaError(f"{folder / name}: cannot be read ({error.strerror}); {fix}") from None
    _compare(folder, name, run, digest_bytes(content), fix)
    return content


def refuse_changed_file(folder: Path, name: str, run: Mapping[str, Any], *, fix: str = SCORE_AGAIN) -> None:
    """Refuse a file of a run folder that has another digest than in `run.json`; arguments as for `read_written`.

    Raises:
        ArenaError: the file cannot be read, or was changed.
    """
    if name in run.get(FILES, {}):
        try:
            found = digest_file(folder / name)
        except OSError as error:
            raise ArenaError(f"{folder / name}: cannot be read ({error.strerror}); {fix}") from None
        _compare(folder, name, run, found, fix)


def _compare(folder: Path, name: str, run: Mapping[str, Any], found: str, fix: str) -> None:
    wanted = run.get(FILES, {}).get(name, found)
    if found != wanted:
        raise ArenaError(
            f"{folder / name}: it was changed after the run: its SHA-256 is {found[:12]}, {RUN_FILE} has {wanted[:12]}; {fix}"
        )


def begin_reports(folder: Path, run: Mapping[str, Any]) -> None:
    """Mark a run as unfinished until `finish_reports`; `run` is its content of `run.json` if the folder has none yet."""
    if (folder / RUN_FILE).exists():
        try:
            (folder / RUN_FILE).replace(folder / UNFINISHED)
        except OSError as error:
            raise ArenaError(f"{folder}: cannot be written ({error.strerror}); change its permissions") from None
    elif not (folder / UNFINISHED).exists():
        _write(folder / UNFINISHED, run)


def finish_reports(folder: Path, reports: Mapping[str, str]) -> None:
    """Write `run.json` with the digests of the reports, which are path below the folder -> SHA-256."""
    run = json.loads((folder / UNFINISHED).read_text(encoding="utf-8-sig"))
    if FILES in run:
        _write(folder / UNFINISHED, {**run, FILES: {**run[FILES], **reports}})
    (folder / UNFINISHED).replace(folder / RUN_FILE)


def write_run_file(folder: Path, run: Mapping[str, Any]) -> None:
    """Write `run.json` of a run without reports."""
    (folder / UNFINISHED).unlink(missing_ok=True)
    _write(folder / RUN_FILE, run)


def run_file_text(run: Mapping[str, Any]) -> str:
    """Return the content of `run.json` with its own digest."""
    plain = json.loads(to_json(run))  # the digest is over what a reader reads: NaN is null, a tuple is a list
    return to_json(seal(plain))


def _write(path: Path, run: Mapping[str, Any]) -> None:
    write_whole(path, run_file_text(run), durable=True)
