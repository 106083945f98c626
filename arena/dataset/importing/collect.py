"""Import a source into a dataset folder.

Threads read and decode every image once. The results are written in parts, so an import that was killed continues, and ends
with the same folder, bit for bit. The dataset does not depend on the order of the source.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import is_vacant, remove_temporary, write_whole
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.scratch import open_scratch, remove_scratch
from arena.cards import check_name
from arena.dataset.canonical import relation_findings
from arena.dataset.fetch.folder import fetched_scheme
from arena.dataset.files import link_tar
from arena.dataset.frozen import toml_text, write_tags
from arena.dataset.hashes.algorithms import DHASH, PHASH
from arena.dataset.importing.assemble import ImportTotals, assemble_parts, card_steps, iterate_rejects
from arena.dataset.importing.examine import ExaminedImage, ImageExaminer, check_record_text
from arena.dataset.importing.label_warnings import label_warnings
from arena.dataset.importing.parts import PART_FILES, SourceRows, part_path, split_rows, write_part
from arena.dataset.ratings import UNKNOWN_SCHEME, Scheme
from arena.dataset.records import Reject
from arena.dataset.rejects import write_rejects
from arena.dataset.sources import DatasetSource
from arena.dataset.sources.tree import escape_name
from arena.dataset.sources.webdataset import list_shards
from arena.dataset.tars import linked_name
from arena.images.decode import ImagePolicy
from arena.images.formats import decoder_versions
from arena.tags import UNKNOWN_CATEGORY, TagRelations
from arena.tags.exports import RELATION_FILES, write_relations

_PARTS_FOLDER = ".parts"
"""Folder of an unfinished import, inside the dataset folder."""

LABELS_READ = "labels_read"
"""Key of a dataset's card: where its labels were read from, and the form of the texts that hold them, one line each."""

_SETTINGS_VERSION = 3
"""Incremented if the meaning of a part's content changes, so that older parts are not reused."""


@dataclass(frozen=True)
class ImportSettings:
    """Settings of an import.

    Attributes:
        policy: which images are accepted, and how transparency is handled.
        relations: aliases, implications and blacklist of tags. They are applied to every image, and those that concern the
            dataset's tags are written into the dataset.
        categories: tag -> category, for tags whose category the source does not know.
        name: name of the dataset; empty for the name of its folder.
        title: title on the card; empty for none, so that a dataset made from this one does not inherit it.
        licence: licence of the images, for the card.
        limit: maximum number of rows of the source to read, from its start; None for all.
        workers: number of threads; None for one per core.
        in_place: images of tars stay there; the tars are linked into the dataset folder.
    """

    policy: ImagePolicy = field(default_factory=lambda: ImagePolicy(animated="drop"))
    relations: TagRelations = field(default_factory=TagRelations)
    categories: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    licence: str = "unknown"
    limit: int | None = None
    workers: int | None = None
    in_place: bool = False


class ImportResult(NamedTuple):
    """Totals of an import: rows read, images and tags of the dataset, rejected rows by reason, and warnings on the tags."""

    rows: int
    images: int
    tags: int
    rejected: Counter[str]
    warnings: tuple[str, ...] = ()


def import_source(
    source: DatasetSource, folder: Path, wanted: ImportSettings = ImportSettings(), progress: Progress = Silent()
) -> ImportResult:
    """Import a source into a dataset folder, or continue an import that was stopped.

    Raises:
        ArenaError: the folder holds something else or lies inside the source, the source has no row, no image is accepted, or
            no image has a tag.
    """
    name = wanted.name or folder.resolve().name
    check_name(name)
    tars = _linked_tars(source) if wanted.in_place else {}
    parts = split_rows(map(check_record_text, islice(source.records(), wanted.limit)))
    if (first := next(parts, None)) is None:
        raise ArenaError(f"{source.path}: has no row ({source.found}); an import needs at least one image")
    with lock_output(folder, "dataset import"):
        scratch = _prepare_folder(source, folder)
        examiner = ImageExaminer(folder, scratch, wanted.policy, wanted.relations, tars)
        done = _examine_all(chain([first], parts), examiner, wanted, progress, source.rows)
        assembled = assemble_parts(done.parts, scratch / "images.parquet")
        write_rejects(folder / "rejects.csv", iterate_rejects(done.parts, assembled))
        _refuse_empty(source, folder, done.rows, assembled)
        for path, linked in tars.items():
            if linked in assembled.files:
                link_tar(path, folder / linked)
        card = _make_card(source, wanted, name, done.rows, assembled)
        _finish(folder, scratch, card, wanted, assembled)
    warnings = label_warnings(assembled.images, assembled.single, assembled.positives)
    return ImportResult(done.rows, assembled.images, len(assembled.positives), assembled.rejected, warnings)


def _linked_tars(source: DatasetSource) -> dict[Path, str]:
    """Return each tar of a source, and its path in the dataset folder.

    Raises:
        ArenaError: the source has no tars.
    """
    if source.kind != "webdataset":
        raise ArenaError(
            f"--in-place: {source.path} is read as {source.kind}; only images of webdataset tars stay in place"
        )
    base = source.path if source.path.is_dir() else source.path.parent
    return {shard: linked_name(shard.relative_to(base).as_posix()) for shard in list_shards(source.path)}


def _prepare_folder(source: DatasetSource, folder: Path) -> Path:
    """Create the dataset folder if necessary, and return its folder of unfinished parts.

    Raises:
        ArenaError: the folder lies inside the source, or holds anything other than an unfinished import.
    """
    inside = source.path.is_dir() and folder.resolve().is_relative_to(source.path.resolve())
    if inside:
        raise ArenaError(f"--output {folder}: lies inside the source {source.path}; name a folder outside it")
    scratch = folder / _PARTS_FOLDER
    if folder.is_dir():
        remove_temporary(folder)
    if not scratch.is_dir() and not is_vacant(folder):
        what = "a finished dataset" if (folder / "dataset.toml").exists() else "something else"
        raise ArenaError(f"--output {folder}: already holds {what}; name another folder, or remove it")
    open_scratch(scratch, PART_FILES)
    return scratch


class _Done(NamedTuple):
    """Files of the parts, and the number of rows in them."""

    parts: list[Path]
    rows: int


def _examine_all(
    parts: Iterable[SourceRows],
    examiner: ImageExaminer,
    wanted: ImportSettings,
    progress: Progress,
    expected: int | None,
) -> _Done:
    """Examine the rows of every part that does not exist yet, and return all parts."""
    settings = _settings(wanted)
    workers = wanted.workers or os.cpu_count() or 1
    total = expected if wanted.limit is None else min(wanted.limit, expected or wanted.limit)
    paths, count = [], 0
    pool = ThreadPoolExecutor(workers, "import")
    try:
        with progress.count("import", total, 0) as advance:
            for number, rows in enumerate(parts):
                path = part_path(examiner.scratch, number, rows, settings)
                if not path.exists():
                    write_part(path, _counted(pool.map(examiner.examine, rows), advance))
                else:
                    advance(len(rows))
                paths.append(path)
                count += len(rows)
    finally:
        pool.shutdown(cancel_futures=True)  # after an interruption, do not decode the rest of a part
    return _Done(paths, count)


def _counted(
    results: Iterable[ExaminedImage | Reject], advance: Callable[[int], None]
) -> Iterator[ExaminedImage | Reject]:
    """Yield the results, and report each to the progress display."""
    for result in results:
        yield result
        advance(1)


def _settings(wanted: ImportSettings) -> str:
    """Return the settings that the content of a part depends on, as JSON."""
    relations = wanted.relations
    implied = {name: sorted(names) for name, names in relations.implications.items()}
    text = json.dumps([dict(relations.aliases), implied, sorted(relations.blacklist)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(
        [_SETTINGS_VERSION, asdict(wanted.policy), digest, PHASH, DHASH, decoder_versions(), wanted.in_place]
    )


def _refuse_empty(source: DatasetSource, folder: Path, rows: int, assembled: ImportTotals) -> None:
    """Raise if the import has no image or no tag.

    Raises:
        ArenaError: every row was rejected, or no image has a tag.
    """
    if not assembled.images:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in assembled.rejected.most_common(4))
        raise ArenaError(f"{source.path}: all {rows:,} rows were rejected ({counts}); see {folder / 'rejects.csv'}")
    if not assembled.positives.total():
        raise ArenaError(
            f"{source.path}: none of {assembled.images:,} images has a tag ({source.found}); a dataset needs tags"
        )


def _make_card(
    source: DatasetSource, wanted: ImportSettings, name: str, rows: int, assembled: ImportTotals
) -> dict[str, Any]:
    """Return the dataset card: how the dataset was made, without paths or other facts of this machine."""
    return {
        "name": name,
        **({"title": wanted.title} if wanted.title else {}),
        "licence": wanted.licence,
        "source": escape_name(source.path.name),
        "source_kind": source.kind,
        LABELS_READ: [escape_name(line) for line in (source.found, *source.forms.recognised())],
        **asdict(wanted.policy),
        "phash": PHASH,
        "dhash": DHASH,
        "hashed": "the decoded image",
        "pixel_sha256": "SHA-256 of width, height (4 bytes each, big-endian), RGB bytes on white, alpha bytes if transparent",
        **({"limit": wanted.limit} if wanted.limit else {}),
        **_rating_scheme(source, assembled),
        "untagged": assembled.untagged,
        "images": assembled.images,
        "digest": assembled.digest,
        "steps": card_steps(rows, source.kind, assembled.rejected),
        **relation_findings(wanted.relations),
    }


def _rating_scheme(source: DatasetSource, assembled: ImportTotals) -> dict[str, Any]:
    """Return the card's rating scheme and its evidence; empty if no image has a rating."""
    if assembled.scheme is None:
        return {}
    scheme = assembled.scheme
    if source.kind == "posts" and scheme.name == UNKNOWN_SCHEME and (recorded := fetched_scheme(source.path.parent)):
        scheme = Scheme(recorded, "recorded in the fetch.toml of these posts")
    return {"rating_scheme": scheme.name, "rating_scheme_why": scheme.why}


def _finish(
    folder: Path, scratch: Path, card: Mapping[str, Any], wanted: ImportSettings, assembled: ImportTotals
) -> None:
    """Move every file from the scratch folder to the dataset; the card is last, because it makes the folder a dataset."""
    categories = {**wanted.categories, **assembled.categories}
    tags = [(tag, categories.get(tag, UNKNOWN_CATEGORY)) for tag in assembled.positives]
    write_relations(scratch, wanted.relations.about(assembled.positives.keys() | wanted.relations.blacklist.keys()))
    write_tags(scratch / "tags.csv", tags, assembled.positives)
    write_whole(scratch / "dataset.toml", toml_text(card))
    _remove_strays(folder, assembled.files)
    for name in (*RELATION_FILES, "images.parquet", "tags.csv", "dataset.toml"):
        if (scratch / name).exists():
            (scratch / name).replace(folder / name)
    remove_scratch(scratch)
    remove_temporary(folder)


def _remove_strays(folder: Path, files: frozenset[str]) -> None:
    """Remove image files that no kept row names: of duplicate identifiers, and of rows that changed before a restart."""
    for place, _, names in os.walk(folder / "images", topdown=False):
        below = Path(place).relative_to(folder).as_posix()
        for name in names:
            if f"{below}/{name}" not in files:
                Path(place, name).unlink()
        if below != "images" and not any(Path(place).iterdir()):
            Path(place).rmdir()
