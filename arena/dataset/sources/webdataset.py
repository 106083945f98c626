"""Reader of webdataset shards: tar files in which the members of one image share a key.

For example, `000123.jpg` has its tags in `000123.json`, `000123.txt`, `000123.caption` or `000123.cls`. The key is the
member's path up to the first dot of the file name, and is the identifier of the image. Shards are read as a stream, one member
at a time.
"""

import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from arena.base.text_files import decode_text
from arena.dataset.records import Record, Reject, RowRefusedError, SourceItems
from arena.dataset.sources.columns import read_tag_name_list
from arena.dataset.sources.facts import row_facts
from arena.dataset.sources.folder import TEXT_SUFFIXES, first_text, parse_object, sidecar_labels
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import MAX_TAG_CHARACTERS, TAG_KEYS, Labels, parse_checked, parse_tags
from arena.dataset.sources.tree import escape_name
from arena.dataset.tars import iterate_members, stray_header
from arena.images.formats import HEAD_BYTES, IMAGE_SUFFIXES, is_image_head
from arena.images.places import MAX_FILE_BYTES, TarMember

_SIDECAR_SUFFIXES = (".json", ".cls", *TEXT_SUFFIXES)


_TOO_LONG = "its header says {:,} bytes, more than the archive has; nothing after it can be read"


class _Member(NamedTuple):
    """A file of a shard, or a reject in its place."""

    key: str
    suffix: str
    content: bytes
    reject: Reject | None = None
    place: TarMember | None = None


def read(path: Path, hints: Hints) -> SourceItems:
    """Yield every image of a tar file, or of all tar files below a folder in sorted order."""
    names = read_tag_name_list(hints.tag_names)
    for shard in list_shards(path):
        for key, members in groupby(_members(shard), key=lambda member: member.key):
            yield from _image(shard.name, key, list(members), hints, names)


def list_shards(path: Path) -> list[Path]:
    """Return the tar files of a source."""
    return [path] if path.is_file() else sorted(path.rglob("*.tar"))


def _members(shard: Path) -> Iterator[_Member]:
    """Yield the images and tag files of a shard in order, and a reject for a link, a device or a path out of the archive."""
    where, size_bytes = shard.name, shard.stat().st_size
    try:
        with tarfile.open(shard, "r|") as tar:
            for info in iterate_members(tar):
                if info.isdir():
                    continue
                where = f"{shard.name}:{escape_name(info.name)}"
                if info.offset_data + info.size > size_bytes:  # skipping it would read to an end that never comes
                    yield _Member("", "", b"", Reject(where, "", "unreadable row", _TOO_LONG.format(info.size)))
                    return
                key, suffix = _split(info.name)
                if reason := _fault(info, suffix):
                    yield _Member(key, "", b"", Reject(where, key, *reason))
                elif (content := _content(tar, info, suffix)) is not None:
                    place = None if info.issparse() else TarMember(shard, info.offset_data, info.size)
                    yield _Member(key, suffix, content, place=place)
            if stray := stray_header(shard, tar.offset):
                yield _Member(
                    "", "", b"", Reject(shard.name, "", "unreadable row", f"{stray}; nothing after it can be read")
                )
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        detail = f"{str(error)[:100]}; nothing after it can be read"
        yield _Member("", "", b"", Reject(where, "", "unreadable row", detail))


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, suffix: str) -> bytes | None:
    """Return the content of an image or tag file; None for any other file.

    A file with one unknown suffix, or none, is an image if its content is. A file with two suffixes, such as `.seg.png`, is
    not: it belongs to another image.
    """
    file = tar.extractfile(info)
    head = file.read(HEAD_BYTES) if file is not None else b""
    known = suffix in IMAGE_SUFFIXES or suffix in _SIDECAR_SUFFIXES
    if not known and not (suffix.count(".") <= 1 and is_image_head(head)):
        return None
    return head + file.read() if file is not None else head


def _split(name: str) -> tuple[str, str]:
    """Return key and suffix; those of `a/b.seg.png` are `a/b` and `.seg.png`, which is not the suffix of an image."""
    folder, slash, last = name.rpartition("/")
    stem, dot, rest = last.partition(".")
    return escape_name(f"{folder}{slash}{stem}"), f"{dot}{rest}".lower()


def _fault(info: tarfile.TarInfo, suffix: str) -> tuple[str, str] | None:
    if PurePosixPath(info.name).is_absolute() or ".." in PurePosixPath(info.name).parts:
        return "outside the folder", "a path that leads out of the archive"
    if not info.isreg():
        return "outside the folder", "a link or a device instead of a file"
    if suffix in _SIDECAR_SUFFIXES and info.size > MAX_TAG_CHARACTERS:
        return "tags too long", f"{info.size:,} bytes"
    if info.size > MAX_FILE_BYTES:
        return "file too large", f"{info.size:,} bytes"
    return None


def _image(shard: str, key: str, members: list[_Member], hints: Hints, names: tuple[str, ...]) -> SourceItems:
    """Yield the record of the members that share a key, and their rejects."""
    rejects = [member.reject for member in members if member.reject]
    yield from rejects
    places = {member.suffix: member.place for member in members}
    files = {member.suffix: member.content for member in members if not member.reject}
    images = sorted(files.keys() - {*_SIDECAR_SUFFIXES}, key=lambda suffix: suffix not in IMAGE_SUFFIXES)
    where = f"{shard}:{key}"
    if not images:
        if files and not rejects:
            yield Reject(where, key, "missing", f"{', '.join(sorted(files))} without an image")
        return
    try:
        table = parse_object(_text(files[".json"], where), where) if ".json" in files else None
        labels = _labels(files, table, where, hints, names)
        facts = row_facts(table or {}) | parse_checked(table or {}, hints.forms)
        yield Record(
            key, files[images[0]], labels.tags, labels.rating, facts, labels.categories, where, places[images[0]]
        )
    except RowRefusedError as error:
        if not rejects:
            yield Reject(where, key, error.reason, error.detail)


def _labels(files: dict[str, bytes], table: object, where: str, hints: Hints, names: tuple[str, ...]) -> Labels:
    """Return the labels from the text files and `.json`; those of `.cls` only if neither has any."""
    text = first_text(_text(files[suffix], where) for suffix in TEXT_SUFFIXES if suffix in files)
    described = table if isinstance(table, dict) else None
    tagged = text is not None or (described is not None and any(described.get(key) is not None for key in TAG_KEYS))
    if ".cls" not in files or tagged:
        return sidecar_labels(text, described, hints.forms)
    number = _text(files[".cls"], where).strip()
    return parse_tags([int(number) if names and number.isdecimal() else number], names=names)


def _text(content: bytes, where: str) -> str:
    try:
        return decode_text(content)
    except UnicodeDecodeError as error:
        raise RowRefusedError("not text", f"{where}: byte {error.start} is not UTF-8") from None
