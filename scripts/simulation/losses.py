"""Retrainings of a tagger whose true loss is known: none, or one of a given size on some tags."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.tags.groups import TagGroup
from simulation import world
from simulation.world import Floats, Tagger

THRESHOLD = 0.4
CATEGORIES = ("character", "copyright", "general")
GROUP_TAGS = 12
GROUPS = 4
CRITICAL = 4
QUALITY = 3.9


@dataclass(frozen=True)
class Setting:
    """Tags of a world, the baseline, and which tags belong together.

    Attributes:
        prevalence: float64 (tags,), as JoyTag's tags with enough positives have it.
        critical: columns of the critical tags, of the fifth with the most positives.
    """

    prevalence: Floats
    baseline: Tagger
    critical: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Of the tags, in the order of their support."""
        return [f"t{place:04d}" for place in range(len(self.prevalence))]

    @property
    def categories(self) -> list[str]:
        """Of the tags, in turn, so that each has tags of every support."""
        return [CATEGORIES[place % len(CATEGORIES)] for place in range(len(self.prevalence))]

    def group(self, number: int) -> list[int]:
        """The columns of a named group, spread over all supports."""
        step = len(self.prevalence) // GROUP_TAGS
        return [place * step + number for place in range(GROUP_TAGS)]

    @property
    def groups(self) -> list[TagGroup]:
        """All named groups."""
        members = {f"group_{number}": self.group(number) for number in range(GROUPS)}
        return [TagGroup(name, name, "", tuple(self.names[c] for c in columns)) for name, columns in members.items()]


def setting(tags: int, images: int, min_positives: int) -> Setting:
    """The world in which every experiment takes place: tags that are expected to have so many positives or more."""
    supports = np.sort(world.joytag_supports())
    supports = supports[supports * images >= min_positives * world.JOYTAG_IMAGES]
    chosen = supports[np.linspace(0, len(supports) - 1, tags).round().astype(int)] / world.JOYTAG_IMAGES
    places = np.linspace(0.8, 0.95, CRITICAL) * tags
    baseline = world.make_tagger(chosen, np.random.default_rng(7), quality=QUALITY)
    return Setting(chosen, baseline, tuple(int(place) for place in places))


def true_f1(prevalence: Floats, tagger: Tagger) -> Floats:
    """Of each tag at the threshold that both sides use."""
    return world.true_at(np.full(len(prevalence), THRESHOLD), prevalence, tagger).f1


def true_figures(prevalence: Floats, tagger: Tagger) -> dict[str, float]:
    """The headline figures on infinitely many images."""
    true = world.true_at(np.full(len(prevalence), THRESHOLD), prevalence, tagger)
    return {
        "macro_f1": float(true.f1.mean()),
        "micro_f1": true.micro_f1,
        "map": float(world.true_average_precision(prevalence, tagger).mean()),
    }


def worse(
    given: Setting, columns: Sequence[int], loss: float, figure: Callable[[Floats, Tagger], Floats] = true_f1
) -> Tagger:
    """A retraining in which each of these tags truly loses this much of its figure, and no other anything.

    Its separation of each is halved towards the one that does so.
    """
    prevalence, first = given.prevalence[list(columns)], given.baseline
    shift, before = first.shift[list(columns)], first.separation[list(columns)]
    wanted = figure(prevalence, Tagger(before, shift)) - loss
    low, high = np.full(len(before), 1e-3), before.copy()
    for _ in range(30):
        middle = (low + high) / 2
        enough = figure(prevalence, Tagger(middle, shift)) <= wanted
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    separation = first.separation.copy()
    separation[list(columns)] = low
    return Tagger(separation, first.shift)
