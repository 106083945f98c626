"""Load ground truth and scores by name: from a dataset, an `.npz` file, or the scores folder of a run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.files import digest_known
from arena.base.progress import Progress
from arena.cards import find_dataset
from arena.dataset.frozen import WEIGHT, HeldOut, Truth, read_frozen
from arena.dataset.readers import truth_from_rows
from arena.results.recipe import DatasetUsed, RecipeInput, Sample
from arena.scores.files import read_score_file
from arena.scores.npz import read_npz, to_strings
from arena.scores.store import Scores, read_store, read_store_facts
from arena.scores.throughput import describe_throughput

KNOWN = "known"
"""Array of a truth file: which cells are known."""


class LoadedTruth(NamedTuple):
    """The ground truth of a run, and its origin.

    Attributes:
        dataset: the dataset's entry in the recipe.
        folder: the folder in which a file of tag groups may be.
        heldout: the dataset; None for a truth file or a truth in memory.
        renamed: old name -> new name of tags that count as one tag.
        source: the dataset folder or the truth file; None for a truth in memory.
    """

    truth: Truth
    dataset: DatasetUsed
    folder: Path
    heldout: HeldOut | None = None
    source: RecipeInput | None = None
    renamed: Mapping[str, str] = {}

    def with_renamed(self, renamed: Mapping[str, str]) -> "LoadedTruth":
        """A copy whose relations match a tag under its old name and its new name."""
        return self._replace(truth=with_aliases(self.truth, renamed), renamed=renamed)

    def sampled(self, sample: Sample) -> "LoadedTruth":
        """A sample of the dataset; the whole dataset if the sample is not smaller; a truth without dataset as it is."""
        if self.heldout is None:
            return self
        part = self.heldout.sample(*sample)
        taken = Sample() if part is self.heldout else sample
        dataset = replace(self.dataset, digest=part.digest, images=len(part), sample=taken)
        return self._replace(truth=part.truth, dataset=dataset, heldout=part)


def read_truth(given: str | Path, root: Path | None = None) -> LoadedTruth:
    """Read the truth from an `.npz` file with `truth`, `tags`, `image_ids`, or from a dataset by name or folder.

    The file may hold `weight`, float (n_images,), see `Truth.weights`, and `known`, bool (n_images, n_tags): the values of
    other cells are ignored.

    The digest of a file is left empty, because it takes seconds; `with_digest` adds it.

    Raises:
        ArenaError: there is no such file or dataset, or it is damaged.
    """
    path = Path(given)
    if (isinstance(given, Path) and not path.is_dir()) or path.suffix == ".npz":
        arrays = read_npz(path, ("truth", "tags", "image_ids"), large="truth", optional=(WEIGHT, KNOWN))
        names, image_ids = (to_strings(path, name, arrays[name]) for name in ("tags", "image_ids"))
        tiles = (tile for _, tile in arrays["truth"].tiles())
        shape, optional = arrays["truth"].shape, (arrays.get(WEIGHT), arrays.get(KNOWN))
        truth = truth_from_rows(path, shape, tiles, names, image_ids, *optional)
        dataset = DatasetUsed(path.stem, path.name, images=len(image_ids))
        return LoadedTruth(truth, dataset, path.parent, source=RecipeInput("truth", str(path.absolute())))
    return truth_of_dataset(read_frozen(find_dataset(str(given), root)))


def truth_of_dataset(heldout: HeldOut) -> LoadedTruth:
    """The truth of a whole frozen dataset."""
    card = heldout.card
    private = card.facts.get("private") is True
    dataset = DatasetUsed(card.name, card.title, heldout.digest, len(heldout), card.licence, private)
    source = RecipeInput("dataset", str(card.folder), digest=heldout.digest)
    return LoadedTruth(heldout.truth, dataset, card.folder, heldout, source)


def with_digest(given: LoadedTruth) -> LoadedTruth:
    """Add the digest of a truth file; any other truth is returned as it is."""
    if given.source is None or given.source.kind != "truth":
        return given
    digest = digest_known(Path(given.source.path))
    return given._replace(dataset=replace(given.dataset, digest=digest), source=given.source._replace(digest=digest))


def with_aliases(truth: Truth, renamed: Mapping[str, str]) -> Truth:
    """A copy of a truth whose relations match a tag under its old name and its new name.

    The name that the truth lacks becomes an alias of the other; if the truth has both or neither, the old name does.

    >>> from arena.tags import TagSpace
    >>> import numpy as np
    >>> truth = Truth.of(["a"], TagSpace(("hat",)), np.array([[True]]))
    >>> dict(with_aliases(truth, {"hat": "headwear"}).relations.aliases)
    {'headwear': 'hat'}
    """
    known = truth.tags.index
    aliases = dict(truth.relations.aliases)
    for old, new in renamed.items():
        kept = old if old in known and new not in known else new
        other = old if kept == new else new
        aliases[other] = aliases.get(kept, kept)
    return replace(truth, relations=replace(truth.relations, aliases=aliases))


def read_scores_of(path: Path, key: str | None = None) -> Scores:
    """Read scores from an `.npz` or `.parquet` file or from the scores folder of a run.

    Args:
        key: the key that a scores folder must have; None accepts any. A file is identified by its digest, not by a key.
    """
    return read_store(path, key=key) if path.is_dir() else read_score_file(path)


def note_respelling(progress: Progress, note: str) -> None:
    """Print the note that tag names were changed to the canonical spelling, unless it is empty."""
    if note:
        progress.note(note)


def describe_scores(path: Path, scores: Scores) -> dict[str, Any]:
    """The facts that `run.json` stores of scores that were read: the file's name or the facts in the folder, and throughput."""
    known = {"scores": path.name} if path.is_file() else read_store_facts(path)
    return known | describe_throughput(scores.timed)
