"""Download files from the hub: at one commit, resumed after an interruption, checked against the announced digests.

The hub's client makes the requests, and the files end up in its cache. Only the partial file is kept here, because the client
deletes it when it is stopped (huggingface_hub 2.4). Therefore plain HTTP is used instead of Xet: it can resume a file, except
for the last 10 MB, the client's chunk size.
"""

import io
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from filelock import BaseFileLock, FileLock, Timeout

from arena.base.errors import WeightsError
from arena.base.files import digest_known, git_digest, is_write_failure, write_error
from arena.base.progress import Progress, Silent
from arena.cards import COMMIT, HubSource, ModelCard

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

CONNECT_SECONDS = 10
"""Seconds after which a hub's host that does not answer counts as unreachable."""

WAITS_SECONDS = (1.0, 3.0, 9.0)
"""Seconds before each retry of a file; the sequence restarts whenever more of the file has arrived than ever before."""

MAX_TRIES = 500
"""Largest number of tries of one file; a file of 5 GB whose connection is lost after each 10 MB needs as many."""

MAX_UNANNOUNCED_BYTES = 64 << 20
"""Largest size of a file whose size the hub does not announce; it announces that of every large file."""

_HEX = {40: "git's SHA-1", 64: "SHA-256"}
"""Length of an ETag -> its kind: the hub announces git's SHA-1 of a small file, and the SHA-256 of a large one."""


class PulledFile(NamedTuple):
    """A file in the hub's cache, and its commit."""

    path: Path
    commit: str


def pull_files(card: ModelCard, progress: Progress = Silent()) -> dict[str, PulledFile]:
    """Download all files of a card from the hub; those of one repository at one commit: its revision, or the current `main`.

    Raises:
        WeightsError: the hub does not have a file, does not send it, or sends other bytes than it announced.
    """
    pulled: dict[str, PulledFile] = {}
    commits: dict[HubSource, str] = {}  # without it, a push between two downloads would mix two releases
    for name in card.files:
        source = card.source(name)
        assert source is not None
        of_source = tuple(file for file in card.files if card.source(file) == source)
        part = replace(card, hub=source.hub, revision=source.revision, files=of_source)
        pulled[name] = _pull_patiently(part, name, commits.get(source, source.revision), progress)
        commits[source] = pulled[name].commit
    return pulled


def commit_of(path: Path) -> str | None:
    """Return the commit of a file in the hub's cache; None for a file elsewhere.

    >>> commit_of(Path("hub/models--a--b/snapshots/0f3a/sub/model.onnx")), commit_of(Path("models/a/model.onnx"))
    ('0f3a', None)
    """
    parts = path.parts
    if "snapshots" not in parts[:-2]:
        return None
    return parts[len(parts) - 1 - parts[::-1].index("snapshots") + 1]


def _pull_patiently(card: ModelCard, name: str, revision: str | None, progress: Progress) -> PulledFile:
    """Download one file; retry after errors of the hub or the connection while more of it arrives, up to `MAX_TRIES` times."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        disable_progress_bars()
    waits = iter(WAITS_SECONDS)
    arrived = _Arrived()
    for tried in count(1):
        before = arrived.bytes
        try:
            refuse_unreachable_hub()
            return _pull(card, name, revision, arrived, progress)
        except hub_failures() as error:
            reason = failure_reason(error)
            waits = iter(WAITS_SECONDS) if arrived.bytes > before else waits
            wait = next(waits, None) if _is_temporary(error) and tried < MAX_TRIES else None
            if wait is None:
                raise WeightsError(_failure_message(card, name, error, reason)) from None
            progress.note(f"{card.name}: {name}: {reason}; next try in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError("every try returns or raises")


class _Arrived:
    """Largest number of bytes of a file that were on the disk at any time."""

    bytes = 0


def _pull(card: ModelCard, name: str, revision: str | None, arrived: _Arrived, progress: Progress) -> PulledFile:
    """Download one file into the hub's cache: first the blob under the client's name for it, then the client's link to it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_ETAG_TIMEOUT
    from huggingface_hub.file_download import repo_folder_name

    assert card.hub is not None
    if COMMIT.fullmatch(revision or ""):
        cached = try_to_load_from_cache(card.hub, name, revision=revision)
        if isinstance(cached, str):
            return PulledFile(Path(cached), str(revision))
    metadata = get_hf_file_metadata(hf_hub_url(card.hub, name, revision=revision), timeout=HF_HUB_ETAG_TIMEOUT)
    if (
        not metadata.etag
        or not re.fullmatch(r"[\w.-]+", metadata.etag)
        or not COMMIT.fullmatch(metadata.commit_hash or "")
    ):
        raise OSError(f"{urlsplit(metadata.location).netloc} is not a hub: it announces no commit or no digest")
    _refuse_wrong_digest(card, name, metadata)
    folder = Path(HF_HUB_CACHE).expanduser().resolve() / repo_folder_name(repo_id=card.hub, repo_type="model")
    blob = folder / "blobs" / metadata.etag
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.parent / ".locks" / folder.name / f"{metadata.etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _held(FileLock(lock), f"{card.name}: {name}", progress):
        if not blob.exists():
            url = hf_hub_url(card.hub, name, revision=metadata.commit_hash)
            _stream(url, blob, metadata.size, f"{card.name}: {name}", arrived, progress)
    path = Path(hf_hub_download(card.hub, name, revision=revision))
    return PulledFile(path, commit_of(path) or str(metadata.commit_hash))


@contextmanager
def _held(lock: BaseFileLock, what: str, progress: Progress) -> Iterator[None]:
    """Hold the client's own lock of a blob, because two downloads must not append to one file."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"{what}: another process is downloading it; waiting for it to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refuse_wrong_digest(card: ModelCard, name: str, metadata: "HfFileMetadata") -> None:
    """Raise if the hub announces another SHA-256 of a large file than the card, before the download starts."""
    expected = card.sha256.get(name)
    if expected and metadata.etag and len(metadata.etag) == 64 and metadata.etag != expected:
        raise WeightsError(
            f"{name}: SHA-256 is {metadata.etag[:12]}... on the hub, at {card.hub} commit {str(metadata.commit_hash)[:12]}; "
            f"the card of {card.name} says {expected[:12]}...; correct its revision or its sha256"
        )


def _stream(url: str, blob: Path, size: int | None, what: str, arrived: _Arrived, progress: Progress) -> None:
    """Download a blob, resuming the partial file of an earlier try; the blob appears only if complete and checked.

    Args:
        size: announced bytes, if known.
        what: name of the download, for progress and errors.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    partial = blob.with_name(f"{blob.name}.incomplete")
    present = partial.stat().st_size if partial.exists() else 0
    if size is not None and present > size:
        partial.unlink()
        present = 0
    _refuse_full_disk(partial, (size or 0) - present)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    most = MAX_UNANNOUNCED_BYTES if size is None else size
    try:
        with (
            progress.count(what, size, present, unit="bytes") as advance,
            _Counted(partial, arrived, advance, most=most) as file,
        ):
            http_get(url, file, resume_size=present, headers=headers, expected_size=size)
    except _LongerBodyError:
        partial.unlink()
        said = f"the hub announced {size:,}" if size is not None else "the hub announced no size"
        raise WeightsError(
            f"{what}: the body is longer than {most:,} bytes, but {said}; it is deleted; the hub or a proxy is faulty, pull "
            "from another network or set HF_ENDPOINT"
        ) from None
    except OSError as error:
        if not is_write_failure(error):
            raise
        raise write_error(partial, error) from None
    _refuse_altered(partial, blob.name, what)
    partial.replace(blob)


class _LongerBodyError(Exception):
    """The hub sends more bytes than it announced."""


class _Counted(io.BufferedWriter):
    """A file opened for appending that counts the received bytes; an interruption keeps what was written.

    Args:
        most: a chunk beyond this size is not written.
    """

    def __init__(self, path: Path, arrived: _Arrived, advance: Callable[[int], None], *, most: int) -> None:
        super().__init__(io.FileIO(path, "a"))
        self._arrived = arrived
        self._advance = advance
        self._most = most
        self._size = path.stat().st_size

    def write(self, chunk: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Append a chunk and count it.

        Raises:
            _LongerBodyError: the file would be larger than announced.
        """
        if self._size + len(chunk) > self._most:
            raise _LongerBodyError
        self._size += len(chunk)
        self._arrived.bytes = max(self._arrived.bytes, self._size)
        self._advance(len(chunk))
        return super().write(chunk)

    def truncate(self, size: int | None = None) -> int:
        """Truncate the file and correct the progress; the client does so if the server cannot resume."""
        self.flush()
        before = os.fstat(self.fileno()).st_size
        after = super().truncate(size)
        self._size = after
        self._advance(after - before)
        return after


def _refuse_full_disk(partial: Path, needed: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if needed > free:
        raise WeightsError(
            f"{partial.parent}: {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free; free some space, or set "
            "HF_HOME to another folder for the hub's cache"
        )


def _refuse_altered(path: Path, etag: str, what: str) -> None:
    """Delete a file and raise if its digest is not the announced one."""
    if len(etag) not in _HEX or not re.fullmatch("[0-9a-f]+", etag):
        return  # a mirror's own ETag, which is not a digest
    digest = digest_known(path) if len(etag) == 64 else git_digest(path)
    if digest != etag:
        path.unlink()
        raise WeightsError(
            f"{what}: {_HEX[len(etag)]} is {digest[:12]}..., the hub announced {etag[:12]}...; the download was altered on the "
            "way and is deleted; pull again"
        )


def hub_failures() -> tuple[type[Exception], ...]:
    """Return what the hub's client raises if a request fails."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    return OSError, HTTPError, HfHubHTTPError, EntryNotFoundError, HFValidationError


def hub_status(error: BaseException) -> int | None:
    """Return the HTTP status of the hub's answer; None if there was no answer."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _is_temporary(error: Exception) -> bool:
    """Return whether a retry of the same request may succeed."""
    import httpx2

    status = hub_status(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500
    if isinstance(error, httpx2.HTTPError):
        return True
    return isinstance(error, OSError) and "Consistency check failed" in str(error)


def failure_reason(error: BaseException) -> str:
    """Return the reason of a failed request in a few words."""
    import httpx2

    status = hub_status(error)
    if status is not None:
        return f"the hub answered {status}"
    if isinstance(error, httpx2.TimeoutException):
        return "the hub did not answer in time"
    if isinstance(error, httpx2.ConnectError):
        return "no connection"
    if isinstance(error, httpx2.TransportError):
        return "the connection was lost"
    reason = getattr(error, "strerror", None) or next(iter(str(error).strip().splitlines()), type(error).__name__)
    return str(reason).rstrip(". ")


def _failure_message(card: ModelCard, name: str, error: Exception, reason: str) -> str:
    """Return the error line of a failed download: the file, the reason, and the fix."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{constants.ENDPOINT}/{card.hub}"
    at = card.revision or "main"
    if isinstance(error, GatedRepoError):
        return (
            f"model {card.name}: {card.hub} is gated; request access at {page}, then run hf auth login, or set HF_TOKEN"
        )
    by_hand = f"Or download {', '.join(card.files)} from {page}/tree/{at} into {card.folder}"
    if isinstance(error, RepositoryNotFoundError) or hub_status(error) in (401, 403):
        return (
            f"model {card.name}: the hub has no {card.hub}, or it is private ({reason}); check the card's hub; if it is "
            f"private, run hf auth login, or set HF_TOKEN. {by_hand}"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"model {card.name}: {card.hub} has no revision {at}; correct the card's revision. {by_hand}"
    if isinstance(error, EntryNotFoundError):
        return f"model {card.name}: {card.hub} has no {name} at {at}; correct the card's files. {by_hand}"
    return f"model {card.name}: not on this machine, and the download of {name} failed ({reason}); try again later. {by_hand}"


def refuse_unreachable_hub() -> None:
    """Raise OSError at once if the hub's host does not answer; its client would try for half a minute.

    With a proxy nothing is checked, because the host may not be reachable directly.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or getproxies():
        return
    address = urlsplit(constants.ENDPOINT)
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise OSError(f"{address.netloc}: {error.strerror or error}") from None
