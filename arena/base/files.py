"""Digests of files: what a file is, whatever it is called."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path


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
