"""Readers of the tag lists that taggers publish."""

from pathlib import Path

from arena.errors import WeightsError, refuse_twice
from arena.tags import CATEGORY_NAMES, TagSpace, read_csv


def read_top_tags(path: Path) -> TagSpace:
    """JoyTag's `top_tags.txt`: a name a line, blank lines passed over, no categories."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise WeightsError(f"{path}: no UTF-8 text; fetch the file again") from None
    names = tuple(line.strip() for line in lines if line.strip())
    refuse_twice(path, "tag", names)
    return TagSpace(names)


def read_selected_tags(path: Path) -> TagSpace:
    """SmilingWolf's `selected_tags.csv`: columns `tag_id,name,category,count`; a tag may be called `nan` or `null`.

    A category number that Danbooru does not have is kept as `category_N`.
    """
    rows = read_csv(path, ("name", "category", "count"))
    refuse_twice(path, "tag", [row["name"] for row in rows])
    try:
        return TagSpace(
            names=tuple(row["name"] for row in rows),
            categories=tuple(CATEGORY_NAMES.get(int(row["category"]), f"category_{row['category']}") for row in rows),
            counts=tuple(int(float(row["count"])) for row in rows),
        )
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: category and count must be numbers in every row ({error})") from None
