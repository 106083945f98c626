"""All forms of a run: what each file is called and holds, and writing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.base.format import encodable, one_line
from arena.report.exports.citation import citation_bib, citation_cff
from arena.report.exports.facts import facts_of
from arena.report.exports.hugging_face import eval_results_yaml, model_index_yaml
from arena.report.exports.model_card import model_card_latex, model_card_markdown
from arena.report.exports.signature import plain_name, signature_line
from arena.report.exports.tables import SCHEMA_FILE, per_tag_csv, per_tag_parquet, results_json, schema_text
from arena.report.text import detailed_metrics, full_metrics
from arena.results.run_folder import Result

POST_IDS = "validation_post_ids.txt"
"""The images that were scored, an identifier a line, as JoyTag publishes them."""


class Written(NamedTuple):
    """Files of a folder of forms."""

    files: Sequence[str]
    changed: Sequence[str]
    """Those of them that were not there, or held something else."""


def run_forms(result: Result, image_ids: Sequence[str] | None = None) -> dict[str, bytes]:
    """The forms of a run as a whole, by file name.

    Args:
        image_ids: the images that were scored; None where they are unknown or not to be named.
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


def model_forms(result: Result, model: str) -> dict[str, bytes]:
    """The forms of one model, by path below its own folder; one that has nothing to tell is left out."""
    facts = facts_of(result, model)
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


def all_forms(
    result: Result, models: Sequence[str] = (), image_ids: Sequence[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Every form of a run by path: those of the run at the top, those of a model in a folder of its name.

    Args:
        models: only these; none takes all.
    """
    yield from run_forms(result, image_ids).items()
    for model in models or result.models:
        for name, content in model_forms(result, model).items():
            yield f"{model}/{name}", content


def write_forms(files: Mapping[str, bytes], folder: Path) -> Written:
    """Write files into a folder, each whole or not at all; one that is there and the same is not touched.

    Raises:
        ArenaError: the folder cannot be written to.
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
    return Written(list(files), changed)
