"""Push a site to a static Space on Hugging Face, in one commit of the files that changed."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import digest_file, git_digest
from arena.base.format import plural
from arena.base.progress import Progress, Silent
from arena.report.site.folder import MARKER
from arena.taggers.files.hub import failure_reason, hub_failures, hub_status, refuse_unreachable_hub

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.hf_api import RepoFile

_TARGET = re.compile(r"hf:([\w.-]+/[\w.-]+)", re.ASCII)

_FOLDERS = ("runs/", "models/", "tags/")
"""Folders of a site; a file of the Space in one of them that the site does not have is deleted."""

_README = "README.md"

_README_TEXT = """---
title: arena
sdk: static
app_file: index.html
---

Comparisons of image taggers, made by arena. Open `index.html`.
"""
"""README of a Space that has none; its front matter tells the hub to serve the files."""


class PushedSite(NamedTuple):
    """A Space after a push; `created` if it did not exist, and the numbers of files."""

    url: str
    created: bool
    added: int
    deleted: int
    unchanged: int


def space_of(target: str) -> str:
    """Return the name of a Space, `ORG/SPACE`, from `hf:ORG/SPACE`.

    Raises:
        ArenaError: the target has another form.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ArenaError(f"--push {target}: not a static Space; write hf:ORG/SPACE, such as hf:me/arena")
    return match[1]


def push_site(folder: Path, target: str, progress: Progress = Silent()) -> PushedSite:
    """Push a site to a static Space, which is created if it does not exist.

    All changes are one commit, so that nobody sees a half-pushed site. Files of the Space outside the folders of a site stay,
    and so does its README.

    Args:
        folder: a folder that `publish_site` wrote.
        target: `hf:ORG/SPACE`.

    Raises:
        ArenaError: the folder is no site, the target is no static Space, or the hub refuses or does not answer.
    """
    from huggingface_hub import HfApi, constants

    space = space_of(target)
    if not (folder / MARKER).is_file():
        raise ArenaError(f"--push: {folder} is not a site of arena; name one with --to")
    files = dict(_files_of(folder))
    api = HfApi(endpoint=constants.ENDPOINT)
    try:
        refuse_unreachable_hub()
        created = _open_space(api, space)
        remote = _remote_files(api, space)
        add, delete = _operations(files, remote)
        progress.note(f"{target}: {plural(len(add), 'file', 'files')} to upload, {len(delete)} to delete")
        if add or delete:
            message = f"Site of {plural(_run_count(files), 'run', 'runs')}"
            with warnings.catch_warnings():  # it warns that a Space rarely holds tables
                warnings.filterwarnings("ignore", "It seems that you are about to commit a data file", UserWarning)
                api.create_commit(space, [*delete, *add], commit_message=message, repo_type="space")
    except hub_failures() as error:
        raise ArenaError(_failure(target, error)) from None
    unchanged = len(files) + (_README not in files) - len(add)
    return PushedSite(f"{constants.ENDPOINT}/spaces/{space}", created, len(add), len(delete), unchanged)


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a site by path; hidden files and links stay at home."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), path


def _run_count(files: Mapping[str, Path]) -> int:
    return sum(re.fullmatch(r"runs/[^/]+/index\.html", name) is not None for name in files)


def _open_space(api: "HfApi", space: str) -> bool:
    """Create the Space if it does not exist; return whether it was created.

    Raises:
        ArenaError: it exists, but does not serve static files.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        sdk = api.space_info(space).sdk
    except RepositoryNotFoundError:
        api.create_repo(space, repo_type="space", space_sdk="static")
        return True
    if sdk not in (None, "static"):
        raise ArenaError(f"--push hf:{space}: a Space with {sdk}, not a static one; name another Space")
    return False


def _remote_files(api: "HfApi", space: str) -> dict[str, "RepoFile"]:
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(space, repo_type="space", recursive=True)
    return {one.path: one for one in tree if isinstance(one, RepoFile)}


def _operations(
    files: Mapping[str, Path], remote: Mapping[str, "RepoFile"]
) -> tuple[Sequence["CommitOperationAdd"], Sequence["CommitOperationDelete"]]:
    """Return what is to be uploaded and what is to be deleted."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    add = [
        CommitOperationAdd(name, str(path))
        for name, path in files.items()
        if name not in remote or not _is_equal(path, remote[name])
    ]
    if _README not in files and _README not in remote:
        add.append(CommitOperationAdd(_README, _README_TEXT.encode()))
    gone = [name for name in remote if name.startswith(_FOLDERS) and name not in files]
    return add, [CommitOperationDelete(name) for name in gone]


def _is_equal(path: Path, remote: "RepoFile") -> bool:
    if remote.size != path.stat().st_size:
        return False
    return digest_file(path) == remote.lfs.sha256 if remote.lfs else git_digest(path) == remote.blob_id


def _failure(target: str, error: Exception) -> str:
    """Return the error line of a failed push: the Space, the reason, and the fix."""
    from huggingface_hub.errors import LocalTokenNotFoundError

    if isinstance(error, LocalTokenNotFoundError) or hub_status(error) in (401, 403):
        return (
            f"--push {target}: the hub refuses ({failure_reason(error)}); run hf auth login, or set HF_TOKEN to a token that "
            "may write to the Space"
        )
    return (
        f"--push {target}: {failure_reason(error)}; nothing was changed; try again later, or upload the folder by hand"
    )
