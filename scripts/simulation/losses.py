"""Retrained taggers with a known true loss: none, or a loss of fixed size on some tags."""

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

_MOST_GAIN = 4.0
"""Largest gain of separation that is searched."""


@dataclass(frozen=True)
class Setting:
    """Tags of a simulation, the baseline, and the categories and groups of the tags.

    Attributes:
        prevalence: float64 (tags,), ascending; spread like that of JoyTag's tags with enough positives.
        baseline: the baseline tagger.
        critical: columns of the critical tags, among the fifth with the most positives.
    """

    prevalence: Floats
    baseline: Tagger
    critical: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Names of the tags, in order of their support."""
        return [f"t{place:04d}" for place in range(len(self.prevalence))]

    @property
    def categories(self) -> list[str]:
        """Categories of the tags, assigned in turn, so that each category has tags of every support."""
        return [CATEGORIES[place % len(CATEGORIES)] for place in range(len(self.prevalence))]

    def group(self, number: int) -> list[int]:
        """Return the columns of a group, spread over all supports."""
        step = len(self.prevalence) // GROUP_TAGS
        return [place * step + number for place in range(GROUP_TAGS)]

    @property
    def groups(self) -> list[TagGroup]:
        """All groups."""
        members = {f"group_{number}": self.group(number) for number in range(GROUPS)}
        return [TagGroup(name, name, "", tuple(self.names[c] for c in columns)) for name, columns in members.items()]


def setting(tags: int, images: int, min_positives: int) -> Setting:
    """Return the setting of all experiments, with tags whose expected support is at least `min_positives`."""
    supports = np.sort(world.joytag_supports())
    supports = supports[supports * images >= min_positives * world.JOYTAG_IMAGES]
    chosen = supports[np.linspace(0, len(supports) - 1, tags).round().astype(int)] / world.JOYTAG_IMAGES
    places = np.linspace(0.8, 0.95, CRITICAL) * tags
    baseline = world.make_tagger(chosen, np.random.default_rng(7), quality=QUALITY)
    return Setting(chosen, baseline, tuple(int(place) for place in places))


def true_f1(prevalence: Floats, tagger: Tagger) -> Floats:
    """Return the true F1 of each tag at the threshold that both taggers use."""
    return world.true_at(np.full(len(prevalence), THRESHOLD), prevalence, tagger).f1


def true_figures(prevalence: Floats, tagger: Tagger) -> dict[str, float]:
    """Return the headline metrics on infinitely many images."""
    true = world.true_at(np.full(len(prevalence), THRESHOLD), prevalence, tagger)
    return {
        "macro_f1": float(true.f1.mean()),
        "micro_f1": true.micro_f1,
        "map": float(world.true_average_precision(prevalence, tagger).mean()),
    }


def worse(
    setup: Setting, columns: Sequence[int], loss: float, figure: Callable[[Floats, Tagger], Floats] = true_f1
) -> Tagger:
    """Return a retrained tagger whose true metric is lower by `loss` on each of these tags, and unchanged on all others.

    A negative loss is a gain; a tag whose metric cannot rise so far rises as far as it can.
    The separation of each tag that has this effect is found by bisection.
    """
    prevalence, first = setup.prevalence[list(columns)], setup.baseline
    shift, before = first.shift[list(columns)], first.separation[list(columns)]
    target = figure(prevalence, Tagger(before, shift)) - loss
    low, high = np.full(len(before), 1e-3), before + (_MOST_GAIN if loss < 0 else 0.0)
    for _ in range(30):
        middle = (low + high) / 2
        enough = figure(prevalence, Tagger(middle, shift)) <= target
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    separation = first.separation.copy()
    separation[list(columns)] = low
    return Tagger(separation, first.shift)
