"""Files: digests, folders that can be written to, and JSON that is written whole or not at all."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_known(path: Path) -> str:
    """As `digest_file`, but a file of the same size and time of change is not read twice: for weights of gigabytes."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    return digest_file(path)


def digest_files(files: Mapping[str, Path]) -> str:
    """One SHA-256 over the names and digests of several files, in order of name."""
    lines = (f"{name} {digest_known(path)}\n" for name, path in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def git_digest(path: Path) -> str:
    """SHA-1 of a file as git names its content: of `blob`, its size and its bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Create a folder that can be written to.

    Raises:
        ArenaError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".arena-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArenaError(f"{folder}: cannot be written ({error.strerror}); name another with --output") from None


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8, whole or not at all; NaN becomes null."""
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(_null_for_nan(content), ensure_ascii=False, indent=2, allow_nan=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def _null_for_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _null_for_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_null_for_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
