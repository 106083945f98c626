"""Files from the hub: at one commit, resumed where a download was cut, checked against what the hub announced.

The hub's own client finds the addresses, asks, follows and streams, and its cache is where the files end up. Only the
unfinished file is kept here, for the client throws it away when it is stopped (huggingface_hub 2.4). Hence plain HTTP, which
can go on in the middle (to the last 10 MB, the client's step), and not Xet.
"""

import io
import os
import re
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from filelock import FileLock

from arena.base.errors import WeightsError
from arena.base.files import digest_known, git_digest
from arena.base.progress import Progress, Silent
from arena.cards import COMMIT, ModelCard, Source

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

CONNECT_SECONDS = 10
"""How long the hub's host may take to answer before it counts as out of reach."""

WAITS_SECONDS = (1.0, 3.0, 9.0)
"""Pauses before a file is tried again; they start anew whenever some of it came."""

_HEX = {40: "git's SHA-1", 64: "SHA-256"}
"""What an ETag is, by its length: the hub announces git's name of a small file, and the SHA-256 of a large one."""


class PulledFile(NamedTuple):
    """A file in the hub's cache, and the commit that it is of."""

    path: Path
    commit: str


def pull_files(card: ModelCard, progress: Progress = Silent()) -> dict[str, PulledFile]:
    """All files of a card from the hub, those of one repository at one commit: its revision, or what `main` is now.

    Raises:
        WeightsError: the hub does not have them, does not give them, or gives others than it announced.
    """
    pulled: dict[str, PulledFile] = {}
    commits: dict[Source, str] = {}  # or else a push between two files would mix two releases
    for name in card.files:
        source = card.source(name)
        assert source is not None
        of_source = tuple(file for file in card.files if card.source(file) == source)
        part = replace(card, hub=source.hub, revision=source.revision, files=of_source)
        pulled[name] = _pull_patiently(part, name, commits.get(source, source.revision), progress)
        commits[source] = pulled[name].commit
    return pulled


def commit_of(path: Path) -> str | None:
    """The commit of a file in the hub's cache, or None for a file elsewhere.

    >>> commit_of(Path("hub/models--a--b/snapshots/0f3a/sub/model.onnx")), commit_of(Path("models/a/model.onnx"))
    ('0f3a', None)
    """
    parts = path.parts
    if "snapshots" not in parts[:-2]:
        return None
    return parts[len(parts) - 1 - parts[::-1].index("snapshots") + 1]


def _pull_patiently(card: ModelCard, name: str, revision: str | None, progress: Progress) -> PulledFile:
    """One file, tried again while the hub or the way there fails, and as long as some of it comes each time."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        disable_progress_bars()
    waits = iter(WAITS_SECONDS)
    arrived = _Arrived()
    while True:
        before = arrived.bytes
        try:
            _refuse_unreachable_hub()
            return _pull(card, name, revision, arrived, progress)
        except _failures() as error:
            reason = explain(error)
            waits = iter(WAITS_SECONDS) if arrived.bytes > before else waits
            wait = next(waits, None) if _may_pass(error) else None
            if wait is None:
                raise WeightsError(_refusal(card, name, error, reason)) from None
            progress.note(f"{card.name}: {name}: {reason}; again in {wait:.0f} s")
            time.sleep(wait)


class _Arrived:
    """How many bytes of a file came, over all tries."""

    bytes = 0


def _pull(card: ModelCard, name: str, revision: str | None, arrived: _Arrived, progress: Progress) -> PulledFile:
    """One file into the hub's cache: its bytes first, under the name that the client expects, then the client's link."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_ETAG_TIMEOUT
    from huggingface_hub.file_download import repo_folder_name

    assert card.hub is not None
    if COMMIT.fullmatch(revision or ""):
        there = try_to_load_from_cache(card.hub, name, revision=revision)
        if isinstance(there, str):
            return PulledFile(Path(there), str(revision))
    told = get_hf_file_metadata(hf_hub_url(card.hub, name, revision=revision), timeout=HF_HUB_ETAG_TIMEOUT)
    if not told.etag or not re.fullmatch(r"[\w.-]+", told.etag) or not COMMIT.fullmatch(told.commit_hash or ""):
        raise OSError(f"{urlsplit(told.location).netloc} is no hub: it tells no commit or no digest")
    _refuse_other(card, name, told)
    folder = Path(HF_HUB_CACHE).expanduser().resolve() / repo_folder_name(repo_id=card.hub, repo_type="model")
    blob = folder / "blobs" / told.etag
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.parent / ".locks" / folder.name / f"{told.etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # the client's own lock: two downloads never append to one file
        if not blob.exists():
            url = hf_hub_url(card.hub, name, revision=told.commit_hash)
            _stream(url, blob, told.size, f"{card.name}: {name}", arrived, progress)
    path = Path(hf_hub_download(card.hub, name, revision=revision))
    return PulledFile(path, commit_of(path) or str(told.commit_hash))


def _refuse_other(card: ModelCard, name: str, told: "HfFileMetadata") -> None:
    """Refuse a large file by the digest that the hub announces, before a byte of it is fetched."""
    expected = card.sha256.get(name)
    if expected and told.etag and len(told.etag) == 64 and told.etag != expected:
        raise WeightsError(
            f"{name}: SHA-256 is {told.etag[:12]}... on the hub, at {card.hub} commit {str(told.commit_hash)[:12]}; the card "
            f"of {card.name} says {expected[:12]}...; mend its revision or its sha256"
        )


def _stream(url: str, blob: Path, size: int | None, what: str, arrived: _Arrived, progress: Progress) -> None:
    """Bytes of an address into a file, after those that an earlier try left, whole and checked or not at all."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    partial = blob.with_name(f"{blob.name}.incomplete")
    there = partial.stat().st_size if partial.exists() else 0
    if size is not None and there > size:
        partial.unlink()
        there = 0
    _refuse_full_disk(partial, (size or 0) - there)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    with progress.count(what, size, there, unit="bytes") as advance, _Counted(partial, arrived, advance) as file:
        http_get(url, file, resume_size=there, headers=headers, expected_size=size)
    _refuse_altered(partial, blob.name, what)
    partial.replace(blob)


class _Counted(io.BufferedWriter):
    """A file that is appended to, and tells how many bytes came; what was written is kept when the writing is cut."""

    def __init__(self, path: Path, arrived: _Arrived, advance: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path, "a"))
        self._arrived = arrived
        self._advance = advance

    def write(self, chunk: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Append a piece."""
        self._arrived.bytes += len(chunk)
        self._advance(len(chunk))
        return super().write(chunk)

    def truncate(self, size: int | None = None) -> int:
        """Drop what was there: the server gives the file from its start only."""
        self.flush()
        had = os.fstat(self.fileno()).st_size
        left = super().truncate(size)
        self._advance(left - had)
        return left


def _refuse_full_disk(partial: Path, needed: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if needed > free:
        raise WeightsError(
            f"{partial.parent}: {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free; make room, or name another "
            "place for the hub's cache by HF_HOME"
        )


def _refuse_altered(path: Path, etag: str, what: str) -> None:
    """Refuse, and forget, bytes that are not those that the hub announced."""
    if len(etag) not in _HEX or not re.fullmatch("[0-9a-f]+", etag):
        return  # a mirror's own tag, which tells nothing of the bytes
    seen = digest_known(path) if len(etag) == 64 else git_digest(path)
    if seen != etag:
        path.unlink()
        raise WeightsError(
            f"{what}: {_HEX[len(etag)]} is {seen[:12]}..., the hub announced {etag[:12]}...; what came was altered on the "
            "way, and is thrown away. Pull again"
        )


def _failures() -> tuple[type[Exception], ...]:
    from httpx2 import HTTPError
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    return OSError, HTTPError, HfHubHTTPError, EntryNotFoundError, HFValidationError


def _status(error: BaseException) -> int | None:
    """The answer's status, where the hub answered."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _may_pass(error: Exception) -> bool:
    """Whether the same question may be answered better a little later."""
    import httpx2

    status = _status(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500
    if isinstance(error, httpx2.HTTPError):
        return True
    return isinstance(error, OSError) and "Consistency check failed" in str(error)


def explain(error: BaseException) -> str:
    """What went wrong on the way, in some words."""
    import httpx2

    status = _status(error)
    if status is not None:
        return f"the hub answered {status}"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx2.ConnectError):
        return "no connection"
    if isinstance(error, httpx2.TransportError):
        return "the connection was cut"
    reason = getattr(error, "strerror", None) or next(iter(str(error).strip().splitlines()), type(error).__name__)
    return str(reason).rstrip(". ")


def _refusal(card: ModelCard, name: str, error: Exception, reason: str) -> str:
    """One line: what cannot be had, why, and what to do."""
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
        return f"model {card.name}: {card.hub} is gated: ask for access at {page}, then hf auth login, or set HF_TOKEN"
    by_hand = f"Download {', '.join(card.files)} from {page}/tree/{at} and put them into {card.folder}"
    if isinstance(error, RepositoryNotFoundError) or _status(error) in (401, 403):
        return (
            f"model {card.name}: the hub has no {card.hub}, or it is private ({reason}): see the card's hub; for a private "
            f"one, log in with hf auth login, or set HF_TOKEN. {by_hand}"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"model {card.name}: {card.hub} has no revision {at}: mend the card's revision. {by_hand}"
    if isinstance(error, EntryNotFoundError):
        return f"model {card.name}: {card.hub} has no {name} at {at}: mend the card's files. {by_hand}"
    return f"model {card.name}: not on this machine, and the hub did not give {name} ({reason}). {by_hand}"


def _refuse_unreachable_hub() -> None:
    """Fail at once where the hub's host does not answer; its client would try for half a minute.

    Behind a proxy the host need not answer directly, and nothing is checked.
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
