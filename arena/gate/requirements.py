"""Every table of a policy, in the order of the cases and of the default policy."""

from typing import Any

from arena.gate.by_tag import CRITICAL, TAGS
from arena.gate.calibration import CALIBRATION
from arena.gate.limits import COVERAGE, SIZE, SPEED
from arena.gate.options import CANARY, SAMPLE, UNPAIRED, VERDICT
from arena.gate.parts import CATEGORIES, MARGINS, SLICES, TAG_GROUPS
from arena.gate.requirement import Requirement

REQUIREMENTS: tuple[Requirement[Any], ...] = (
    SAMPLE,
    MARGINS,
    CATEGORIES,
    SLICES,
    TAG_GROUPS,
    CRITICAL,
    TAGS,
    CALIBRATION,
    COVERAGE,
    SPEED,
    SIZE,
    CANARY,
    UNPAIRED,
    VERDICT,
)
