"""Label issues on the page: labels that are likely missing, the strongest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from arena.report.columns import rounded_number
from arena.results.run_folder import Result

_LABEL_ISSUES_PER_KIND = 24
"""Most label issues on a page; `labels.csv` has more."""

SHOWN_LABEL_ISSUES_PER_TAG = 3
"""Most label issues of one tag, so that a tag with many missing labels does not fill the list."""

_LABEL_ISSUES_UNFOLDED = 8
"""Label issues that are shown unfolded."""


def label_issues(result: Result) -> list[dict[str, Any]]:
    """Return the strongest label issues: `tag`, `image` and each model's score, None if not recorded.

    Each image appears once, with its strongest issue, because tags that imply each other are suspected together. Labels that
    an older run suspects to be wrong are left out.
    """
    table = result.tables["labels"]
    table = table[table["kind"] == "missing"].drop_duplicates("image_id")
    few = table[table.groupby("tag", sort=False).cumcount() < SHOWN_LABEL_ISSUES_PER_TAG].head(_LABEL_ISSUES_PER_KIND)
    columns = [f"score_{model}" for model in result.models]
    return [
        {"tag": row["tag"], "image": row["image_id"], "scores": [rounded_number(row.get(column)) for column in columns]}
        for row in few.to_dict("records")
    ]


def number_label_issues(
    rows: Sequence[Mapping[str, Any]], places: Mapping[str, int], images: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows with `place`, the tag's index on the page, and `number`, the image's index on the page."""
    numbers = {image: number for number, image in enumerate(images)}
    return [{**row, "place": places[row["tag"]], "number": numbers[row["image"]]} for row in rows]


def shown_suspects(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the label issues of a payload: `total`, the unfolded `rows`, and the folded rows, `more`; None without any.

    `scores` of a row holds a pair (score, threshold) for each model.
    """
    rows = [_shown(row, payload["models"], payload["tags"]) for row in payload["suspects"]]
    if not rows:
        return None
    return {
        "total": payload["labels"]["missing"],
        "rows": rows[:_LABEL_ISSUES_UNFOLDED],
        "more": rows[_LABEL_ISSUES_UNFOLDED:],
    }


def _shown(row: Mapping[str, Any], models: Sequence[Mapping[str, Any]], tags: Mapping[str, Any]) -> dict[str, Any]:
    thresholds = [tags["models"][model["name"]]["threshold"][row["place"]] for model in models]
    return {**row, "scores": list(zip(row["scores"], thresholds, strict=True))}


def opened_suspects(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the label issues for the script that opens their images: `image`, `tag`, `scores` as in `shown_suspects`."""
    rows = (_shown(row, payload["models"], payload["tags"]) for row in payload["suspects"])
    return [{"image": row["number"], "tag": row["place"], "scores": row["scores"]} for row in rows]
