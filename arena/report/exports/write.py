"""Name and content of all export files of a run, and writing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.base.format import encodable, one_line
from arena.report.exports.citation import citation_bib, citation_cff
from arena.report.exports.facts import model_results
from arena.report.exports.hugging_face import eval_results_yaml, model_index_yaml
from arena.report.exports.model_card import model_card_latex, model_card_markdown
from arena.report.exports.signature import plain_name, signature_line
from arena.report.exports.tables import SCHEMA_FILE, per_tag_csv, per_tag_parquet, results_json, schema_text
from arena.report.text import detailed_metrics, full_metrics
from arena.results.run_folder import Result

POST_IDS = "validation_post_ids.txt"
"""File with the identifiers of the scored images, one a line, as JoyTag publishes them."""


class WrittenExports(NamedTuple):
    """Result of writing exports to a folder."""

    files: Sequence[str]
    changed: Sequence[str]
    """Files that are new or have new content."""


def run_exports(result: Result, image_ids: Sequence[str] | None = None) -> dict[str, bytes]:
    """Return the exports of the whole run by file name.

    Args:
        image_ids: the scored images; None if they are unknown or must not be named.
    """
    texts = {
        "detailed_metrics.txt": detailed_metrics(result),
        "CITATION.cff": citation_cff(result),
        "citation.bib": citation_bib(result),
        "signature.txt": signature_line(result) + "\n",
        SCHEMA_FILE: schema_text(),
    }
    if image_ids is not None:
        texts[POST_IDS] = "".join(f"{encodable(one_line(one))}\n" for one in image_ids)
    return {name: text.encode() for name, text in texts.items()}


def model_exports(result: Result, model: str) -> dict[str, bytes]:
    """Return the exports of one model by path in its folder; empty files are left out."""
    facts = model_results(result, model)
    texts = {
        "full-metrics.txt": full_metrics(result, model),
        "per_tag.csv": per_tag_csv(facts),
        "results.json": results_json(facts),
        SCHEMA_FILE: schema_text(),
        "model-index.yaml": model_index_yaml(facts),
        f".eval_results/{plain_name(facts.dataset)}.yaml": eval_results_yaml(facts),
        "model-card.md": model_card_markdown(facts),
        "model-card.tex": model_card_latex(facts),
    }
    return {name: text.encode() for name, text in texts.items() if text} | {"per_tag.parquet": per_tag_parquet(facts)}


def all_exports(
    result: Result, models: Sequence[str] = (), image_ids: Sequence[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of all exports of a run; those of a model are in a folder of its name.

    Args:
        models: models to export; empty selects all.
        image_ids: as for `run_exports`.
    """
    yield from run_exports(result, image_ids).items()
    for model in models or result.models:
        for name, content in model_exports(result, model).items():
            yield f"{model}/{name}", content


def write_exports(files: Mapping[str, bytes], folder: Path) -> WrittenExports:
    """Write files to a folder, each atomically; a file with the same content is not touched.

    Raises:
        ArenaError: a folder cannot be created.
    """
    changed = []
    for name, content in files.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == content:
            continue
        changed.append(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArenaError(
                f"{path}: cannot be written ({error.strerror}); name another folder with --forms"
            ) from None
        write_whole(path, content)
    return WrittenExports(list(files), changed)
