"""Truth and scores that somebody names: a dataset, an `.npz` file, or the scores folder of a run."""

from pathlib import Path
from typing import Any, NamedTuple

from arena.cards import find_dataset
from arena.dataset.frozen import HeldOut, Truth, read_frozen
from arena.dataset.readers import truth_from_rows
from arena.scores.npz import as_texts, read_npz, read_scores
from arena.scores.store import Scores, read_store


class GivenTruth(NamedTuple):
    """A truth and where it comes from."""

    truth: Truth
    facts: dict[str, Any]
    folder: Path
    """Where its tag groups may lie."""
    heldout: HeldOut | None = None
    """The dataset that it is of, if it is of one."""


def read_truth(given: str | Path, root: Path | None = None) -> GivenTruth:
    """Truth from an `.npz` file with `truth`, `tags`, `image_ids`, or from a dataset by name or folder.

    Raises:
        ArenaError: neither, or damaged.
    """
    path = Path(given)
    if (isinstance(given, Path) and not path.is_dir()) or path.suffix == ".npz":
        arrays = read_npz(path, ("truth", "tags", "image_ids"), large="truth")
        names, image_ids = (as_texts(path, name, arrays[name]) for name in ("tags", "image_ids"))
        truth = truth_from_rows(
            path, arrays["truth"].shape, (tile for _, tile in arrays["truth"].tiles()), names, image_ids
        )
        return GivenTruth(truth, {"name": path.stem, "title": path.name}, path.parent)
    heldout = read_frozen(find_dataset(str(given), root))
    facts = {"name": heldout.card.name, "title": heldout.card.title, "digest": heldout.digest}
    return GivenTruth(heldout.truth, facts, heldout.card.folder, heldout)


def read_scores_of(path: Path) -> Scores:
    """Scores from an `.npz` file, or from the scores folder of a run."""
    return read_store(path) if path.is_dir() else read_scores(path)
