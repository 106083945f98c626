"""Folders of unfinished work next to an output: made with a mark, continued by the same command, removed when it is done."""

import re
from contextlib import suppress
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import (
    MARK,
    MARK_TEXT,
    is_temporary,
    is_vacant,
    remove_path,
    remove_temporary,
    remove_temporary_of,
    temporary_path,
    write_error,
)


def open_scratch(folder: Path, own: re.Pattern[str] | None = None) -> None:
    """Create a folder of unfinished work with the mark in it, or continue an earlier one.

    Folder and mark appear together, so that a folder without the mark is always of another program or version.

    Args:
        own: full pattern of the names of our files; a folder with such a file is ours even without the mark, because earlier
            versions made none.

    Raises:
        ArenaError: the folder exists and is not ours, or cannot be written.
    """
    remove_temporary_of(folder)
    if _is_ours(folder, own):
        remove_temporary(folder, recursive=True)
        return
    if folder.exists() or folder.is_symlink():
        raise ArenaError(f"{folder}: exists but was not made by arena; move or remove it, or name another output")
    temporary = temporary_path(folder)
    try:
        temporary.mkdir(parents=True)
        (temporary / MARK).write_text(MARK_TEXT, encoding="utf-8")
        temporary.rename(folder)
    except OSError as error:
        raise write_error(folder, error) from None


def remove_scratch(folder: Path, own: re.Pattern[str] | None = None) -> None:
    """Remove a folder of finished work, if it is ours.

    Args:
        own: full pattern of the names of our files; other files, and then the folder, stay. None: all files are ours.
    """
    remove_temporary_of(folder)
    if not _is_ours(folder, own):
        return
    for path in sorted(folder.rglob("*"), reverse=True):  # the content of a folder before the folder
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # it holds files of another program
                path.rmdir()
        elif path != folder / MARK and (own is None or own.fullmatch(path.name) or is_temporary(path.name)):
            path.unlink()
    if is_vacant(folder):
        temporary = temporary_path(folder)  # an interruption leaves no folder without the mark under this name
        folder.rename(temporary)
        remove_path(temporary)


def _is_ours(folder: Path, own: re.Pattern[str] | None) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / MARK).is_file() or (
        own is not None and any(own.fullmatch(path.name) for path in folder.rglob("*"))
    )
