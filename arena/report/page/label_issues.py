"""Labels that every model contradicts, the most striking ones: what a person who mends labels looks at first."""

from collections.abc import Mapping, Sequence
from typing import Any

from arena.report.columns import rounded
from arena.results.run_folder import Result

SUSPECTS_SHOWN = 24
"""Suspected labels of each kind on a page; `labels.csv` has more."""

SUSPECTS_OF_A_TAG = 3
"""Of one tag and kind, so that a tag whose labels are poor does not fill the list."""

SUSPECTS_UNFOLDED = 8
"""Of each kind that are in sight at first."""

KINDS = ("missing", "wrong")
"""An image that should have the tag, and one that should not."""


def suspects(result: Result) -> list[dict[str, Any]]:
    """The strongest suspicions of each kind: `kind`, `tag`, `image` and each model's score, null where a run has none.

    Of an image only the strongest of a kind is shown: tags that imply each other are suspected together.
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
    """The same with the tag's place on the page, `place`, and the image's number among those of the page, `number`."""
    numbers = {image: number for number, image in enumerate(images)}
    return [{**row, "place": places[row["tag"]], "number": numbers[row["image"]]} for row in rows]


def by_kind(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The suspects of a payload for its page: each kind, how many there are of it, and the rows, some of them folded away.

    A row has of each model its score and threshold, both as they are shown.
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
