"""Citation of a run: `CITATION.cff` and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from arena.base.format import encodable, listed, one_line
from arena.report.exports.model_card import escape_latex
from arena.report.exports.signature import digest_of, signature_line
from arena.results.run_folder import Result

AUTHOR = "The arena of image taggers"
"""Author in a citation: the program, because a run names no person."""


def citation_cff(result: Result) -> str:
    """Return the `CITATION.cff`, version 1.2.0, that describes the run as a dataset."""
    import yaml

    created = result.recipe.created[:10]
    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these results, please cite them with their signature.",
        "type": "dataset",
        "title": _title(result),
        "authors": [{"name": AUTHOR}],
        "version": _version(result),
        "abstract": f"{result.summary['images']:,} images, {result.summary['compared_tags']:,} tags.",
        "keywords": ["image tagging", "multilabel", "benchmark"],
        "identifiers": [
            {
                "type": "other",
                "value": signature_line(result),
                "description": "signature: data, tags, thresholds and versions",
            }
        ],
    }
    if _is_date(created):
        content["date-released"] = created
    return encodable(str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True)))


def citation_bib(result: Result) -> str:
    """Return the BibTeX entry `@misc` of the run."""
    created = result.recipe.created[:10]
    line = signature_line(result)
    fields = {"title": f"{{{escape_latex(_title(result))}}}", "author": f"{{{AUTHOR}}}"}
    if _is_date(created):
        fields |= {"year": created[:4], "month": str(int(created[5:7]))}
    fields |= {"version": escape_latex(_version(result)), "note": escape_latex(line)}
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return encodable(f"@misc{{arena-{digest_of(line)},\n{body}}}\n")


def _title(result: Result) -> str:
    dataset = result.recipe.dataset.title or "truth given as a file"
    return encodable(one_line(f"{_models(result.models)} on {dataset}"))


def _models(models: Sequence[str]) -> str:
    return listed(models, keep=8)


def _version(result: Result) -> str:
    return result.recipe.arena_version or "unknown"


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
