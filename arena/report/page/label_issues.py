"""Label issues on the page: labels that every model contradicts, the strongest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from arena.report.columns import rounded
from arena.results.run_folder import Result

SUSPECTS_SHOWN = 24
"""Most label issues of each kind on a page; `labels.csv` has more."""

SUSPECTS_OF_A_TAG = 3
"""Most label issues of one tag and kind, so that a tag with many bad labels does not fill the list."""

SUSPECTS_UNFOLDED = 8
"""Label issues of each kind that are shown unfolded."""

KINDS = ("missing", "wrong")
"""`missing`: the image should have the tag; `wrong`: it should not."""


def suspects(result: Result) -> list[dict[str, Any]]:
    """Return the strongest label issues of each kind: `kind`, `tag`, `image` and each model's score, None if not recorded.

    Each image appears once per kind, with its strongest issue, because tags that imply each other are suspected together.
    """
    table = result.tables["labels"].drop_duplicates(["kind", "image_id"])
    few = table[table.groupby(["kind", "tag"], sort=False).cumcount() < SUSPECTS_OF_A_TAG]
    columns = [f"score_{model}" for model in result.models]
    return [
        {
            "kind": kind, "tag": row["tag"], "image": row["image_id"],
            "scores": [rounded(row.get(column)) for column in columns],
        }
        for kind in KINDS
        for row in few[few["kind"] == kind].head(SUSPECTS_SHOWN).to_dict("records")
    ]  # fmt: skip


def numbered(
    rows: Sequence[Mapping[str, Any]], places: Mapping[str, int], images: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows with `place`, the tag's index on the page, and `number`, the image's index on the page."""
    numbers = {image: number for number, image in enumerate(images)}
    return [{**row, "place": places[row["tag"]], "number": numbers[row["image"]]} for row in rows]


def by_kind(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the label issues of a payload by kind: `kind`, `total`, the unfolded `rows`, and the folded rows, `more`.

    `scores` of a row holds a pair (score, threshold) for each model.
    """
    tags, found = payload["tags"], []
    for kind in KINDS:
        rows = [_shown(row, payload["models"], tags) for row in payload["suspects"] if row["kind"] == kind]
        if rows:
            total = payload["labels"][kind]
            found.append(
                {"kind": kind, "total": total, "rows": rows[:SUSPECTS_UNFOLDED], "more": rows[SUSPECTS_UNFOLDED:]}
            )
    return found


def _shown(row: Mapping[str, Any], models: Sequence[Mapping[str, Any]], tags: Mapping[str, Any]) -> dict[str, Any]:
    thresholds = [tags["models"][model["name"]]["threshold"][row["place"]] for model in models]
    return {**row, "scores": list(zip(row["scores"], thresholds, strict=True))}
