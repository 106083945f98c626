from types import SimpleNamespace
from typing import Any, cast

import pytest

from arena.gate.limits import judge_speed
from arena.gate.policy import read_policy
from arena.gate.verdict import Outcome
from arena.pipeline.check import speed
from arena.pipeline.stages import Compute

CARDS: Any = (object(), object())


def outcome(
    share: float, monkeypatch: pytest.MonkeyPatch, *, now: float = 0.0, stored: bool = False, cards: Any = CARDS
) -> tuple[Outcome, bool]:
    """Outcome of the speed case for a recorded share and one that is timed now, and whether anything was timed."""
    timed: list[float] = []
    facts: dict[str, Any] = {"images_per_second": 100.0, "timed_on": "one", "device": "cpu"}
    models = {"new": facts | {"images_per_second": 100 * share}, "old": facts}
    joint = SimpleNamespace(
        candidate=SimpleNamespace(name="new"), baseline=SimpleNamespace(name="old"),
        result=SimpleNamespace(run={"models": models}),
    )  # fmt: skip

    def time_in_turn(*arguments: object) -> speed.Rates:
        timed.append(now)
        return speed.Rates(50 * now, 50.0)

    monkeypatch.setattr(speed, "time_in_turn", time_in_turn)
    (case,) = speed.retime_if_slow(
        [judge_speed(0.7, models["new"], models["old"])], cast(Any, joint), read_policy(None), cards, Compute(),
        stored=stored,
    )  # fmt: skip
    return case.outcome, bool(timed)


def test_stored_scores_near_the_limit_give_one_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {outcome(0.66, monkeypatch, now=now, stored=True) for now in (0.57, 0.65, 0.74)}
    assert found == {(Outcome.INCONCLUSIVE, False)}
    assert outcome(0.7, monkeypatch, stored=True) == (Outcome.PASS, False)


@pytest.mark.parametrize(
    ("recorded", "now", "expected"),
    [
        (0.75, 0.1, (Outcome.PASS, False)),
        (0.66, 0.9, (Outcome.PASS, True)),
        (0.66, 0.6, (Outcome.INCONCLUSIVE, True)),
        (0.3, 0.69, (Outcome.INCONCLUSIVE, True)),
        (0.3, 0.5, (Outcome.FAIL, True)),
    ],
)
def test_models_that_are_slow_by_their_record_are_timed_again(
    recorded: float, now: float, expected: tuple[Outcome, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(recorded, monkeypatch, now=now) == expected


def test_without_the_models_a_record_alone_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(0.3, monkeypatch, stored=True, cards=(None, object())) == (Outcome.SKIPPED, False)
    assert outcome(0.3, monkeypatch, now=0.3, stored=True) == (Outcome.FAIL, True)
