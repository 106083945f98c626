"""Verdicts of every kind, made by hand, and drawn by hypothesis."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from arena.gate.verdict import Case, JudgedModel, Measure, Outcome, TagLoss, Verdict

from ..results import HOSTILE

NEW = JudgedModel("joytag-new", "runs/new", "0.4", "ab" * 32)
OLD = JudgedModel("joytag", "runs/old", "per tag", "cd" * 32)


def measure(
    difference: float, *, half: float = 0.004, limit: float | None = -0.005, needed: int | None = None
) -> Measure:
    """Macro F1 that moved from 0.41."""
    low, high = difference - half, difference + half
    return Measure("macro_f1", 0.41 + difference, 0.41, difference, low, high, limit, images_needed=needed)


def loss(tag: str, support: int = 30) -> TagLoss:
    return TagLoss(tag, "general", support, Measure("f1", 0.42, 0.71, -0.29, -0.41, -0.17, limit=-0.1, p=0.001))


def case(outcome: Outcome, *, gate: str = "margins", name: str = "macro_f1", **more: object) -> Case:
    return Case(gate, name, name.replace("_", " "), outcome, f"what was seen of {name}", **more)  # type: ignore[arg-type]


PASSED = case(Outcome.PASS, measure=measure(0.001))
SKIPPED = case(Outcome.SKIPPED, gate="speed", name="images_per_second")
UNDECIDED = case(Outcome.INCONCLUSIVE, name="map", measure=measure(-0.004, half=0.006, needed=9_400))
FAILED = case(
    Outcome.FAIL, gate="tags", name="f1", measure=Measure("tags", 3, 0, 3, limit=0), tags=[loss("hat"), loss("1girl")],
    tags_in_all=7,
)  # fmt: skip


def verdict(cases: Sequence[Case], **more: object) -> Verdict:
    facts = {
        "labels": "All metrics are by recorded labels.",
        "dataset": "demo@0123abcd", "images": 1537, "tags": 59, "policy": "default@ab12", "signature": "data:d|v:1",
        "created": "2026-11-02T13:00:00+01:00",
    }  # fmt: skip
    return Verdict(NEW, OLD, cases, **(facts | more))  # type: ignore[arg-type]


def passing() -> Verdict:
    return verdict([PASSED, SKIPPED])


def failing() -> Verdict:
    speed = Measure("images_per_second", 80.0, 120.0, -40.0, limit=-12.0)
    slow = case(Outcome.FAIL, gate="speed", name="pace", measure=speed)
    causes = ["colour channels are swapped: red and blue agree when exchanged", "weights differ"]
    return verdict([PASSED, UNDECIDED, FAILED, slow], causes=causes, notes=["scored on another machine"])


def inconclusive(*, accept: bool = False) -> Verdict:
    return verdict([PASSED, UNDECIDED, SKIPPED], accept_inconclusive=accept)


def doubtful() -> Verdict:
    """A loss beyond the limit that is not shown, and a metric that the policy does not judge."""
    lost = Measure("macro_f1", 0.35, 0.41, -0.0624, -0.1167, -0.0227, limit=-0.05)
    reported = case(Outcome.REPORTED, gate="calibration", name="ece", measure=Measure("ece", 0.2, 0.1, 0.1))
    return verdict([PASSED, case(Outcome.NOT_SHOWN, gate="categories", name="character", measure=lost), reported])


def incomparable() -> Verdict:
    other = case(Outcome.INCOMPARABLE, gate="comparable", name="images")
    return verdict([replace(other, message="768 of 1,537 images are missing, first a.png; score all"), PASSED])


def unpaired() -> Verdict:
    return verdict(
        [UNDECIDED], paired=False, unpaired_cost="intervals are 3.1 times as wide as paired ones", images=None
    )


def hostile() -> Verdict:
    """Every name, title and message is one that formats stumble over."""
    commands = ("::error::x", "##[error]y", "]]>", "%0A::warning::z", "\ud800", "=1+1", "|--|", "</svg>", "\u202e")
    names = (*HOSTILE, *commands)
    cases = [
        Case("tags", name, name, outcome, f"{name} {name}", measure(-0.02), [loss(name)], 1)
        for name, outcome in zip(
            names, [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.SKIPPED] * 9, strict=False
        )
    ]
    sides = [JudgedModel(name, name, name, name) for name in (HOSTILE[0], "W" * 500)]
    return Verdict(*sides, cases, names[1], 5, 5, causes=names, policy=names[2], signature=names[4], notes=names)


def many(number: int = 500, characters: int = 20, tags_each: int = 2) -> Verdict:
    """So many cases that failed, each with some tags of long names."""
    tags = [loss("|" * characters + str(i)) for i in range(tags_each)]
    cases = [
        Case("critical_tags", f"tag_{i}", f"tag {i}", Outcome.FAIL, "|" * characters, measure(-0.02), tags, tags_each)
        for i in range(number)
    ]
    return verdict(cases)


ALL = {
    "pass": passing, "fail": failing, "inconclusive": inconclusive, "accepted": lambda: inconclusive(accept=True),
    "not_shown": doubtful, "incomparable": incomparable, "unpaired": unpaired, "hostile": hostile, "many": many,
}  # fmt: skip

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_count = st.none() | st.integers(0, 10**9)
_measures = st.builds(Measure, _text, *[_number] * 7, images_needed=_count)
_losses = st.builds(TagLoss, _text, _text, st.integers(0, 99), _measures)
_cases = st.builds(
    Case, _text, _text, _text, st.sampled_from(Outcome), _text, st.none() | _measures,
    st.lists(_losses, max_size=2).map(tuple), st.integers(0, 99),
)  # fmt: skip
_sides = st.builds(JudgedModel, _text, _text, _text, st.none() | _text)
_texts = st.lists(_text, max_size=2).map(tuple)

verdicts = st.builds(
    Verdict, _sides, _sides, st.lists(_cases, min_size=1, max_size=4).map(tuple), _text, _count, _count, st.booleans(), _text,
    _texts, _text, _text, _text, st.booleans(), _texts, _text,
)  # fmt: skip
"""Any verdict."""
