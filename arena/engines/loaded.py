"""A tagger as the engine of a run loads it: in this process, or described by the process that has loaded it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from arena import taggers
from arena.base import provenance
from arena.cards import ModelCard, Preprocess
from arena.taggers.base import Pixels, Tagger, tagger_notes
from arena.taggers.files.weights import fetch_files
from arena.taggers.predict import ImageSource, refuse_missing_scores
from arena.taggers.size import ModelSize, total_model_size
from arena.tags import TagRelations, TagSpace


@dataclass(frozen=True)
class Hardware:
    """Where a tagger runs, and what its tags are matched by.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `auto`, `fp32`, `fp16` or `bf16`.
    """

    device: str
    precision: str
    relations: TagRelations


class Loaded(NamedTuple):
    """A loaded tagger, its size, the notes on it for the user, and the name of its machine."""

    tagger: Tagger
    size: ModelSize
    notes: tuple[str, ...]
    machine: str


def load_tagger(card: ModelCard, hardware: Hardware, source: ImageSource, among: Sequence[Tagger]) -> Loaded:
    """Load a tagger that is to score some images.

    Args:
        among: taggers that are loaded already, see `taggers.load`.

    Raises:
        ScoresError: precomputed scores are missing for a readable image.
    """
    tagger = taggers.load(
        card, device=hardware.device, precision=hardware.precision, among=among, relations=hardware.relations
    )
    refuse_missing_scores(source, tagger)
    size = total_model_size(tagger, {each.name: fetch_files(each) for each in card.single})
    return Loaded(tagger, size, tagger_notes(tagger), provenance.device_name(tagger.device))


@dataclass
class RemoteTagger:
    """A tagger that another process has loaded and runs. Attributes as in `Tagger`."""

    card: ModelCard
    tags: TagSpace
    preprocess: Preprocess
    precision: str
    device: str

    @classmethod
    def of(cls, tagger: Tagger) -> "RemoteTagger":
        """Return the description of a loaded tagger; it can be sent to another process."""
        return cls(tagger.card, tagger.tags, tagger.preprocess, tagger.precision, tagger.device)

    def scores(self, batch: Pixels) -> NoReturn:
        """Raise AssertionError, because the other process computes the scores."""
        raise AssertionError("a remote tagger scores in its own process")
