"""Every table of a policy, in the order of the cases and of the default policy."""

from typing import Any

from arena.gate.by_tag import CRITICAL, TAG_REGRESSIONS
from arena.gate.calibration import CALIBRATION
from arena.gate.limits import COVERAGE, SIZE, SPEED
from arena.gate.options import CANARY_OPTIONS, SAMPLE, UNPAIRED_OPTIONS, VERDICT_OPTIONS
from arena.gate.parts import CATEGORY_MARGINS, MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS
from arena.gate.requirement import Requirement

REQUIREMENTS: tuple[Requirement[Any], ...] = (
    SAMPLE,
    MARGINS,
    CATEGORY_MARGINS,
    SLICE_MARGINS,
    TAG_GROUP_MARGINS,
    CRITICAL,
    TAG_REGRESSIONS,
    CALIBRATION,
    COVERAGE,
    SPEED,
    SIZE,
    CANARY_OPTIONS,
    UNPAIRED_OPTIONS,
    VERDICT_OPTIONS,
)
