"""Names in a policy: each one that matches nothing is refused or fails, so that no requirement is lost without a word."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.gate.judge import judge_paired
from arena.gate.names import KnownNames, refuse_unknown_names
from arena.gate.verdict import Case

from .joints import NEW, OLD, joint, outcomes, policy_of

SEEN = {
    "category:character": (0.0, -0.01, 0.01), "group:hats": (0.0, -0.01, 0.01), "rating:general": (0.0, -0.01, 0.01),
    "support:10–29": (0.0, -0.01, 0.01),
}  # fmt: skip


def judged(text: str, folder: Path) -> list[Case]:
    return judge_paired(joint(SEEN), policy_of(text, folder), candidate=NEW, baseline=OLD)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[categories.margins]\nchracter = 0.001",
            r"\[categories.margins\] chracter: .* category. Did you mean character",
        ),
        ("[categories.margins]\nraitng = false", "raitng: there is no such category. Did you mean rating"),
    ],
)
def test_a_category_that_nothing_matches_is_refused_with_the_nearest(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ArenaError, match=f"^gate.toml: .*{words}"):
        judged(text, tmp_path)


def test_a_critical_tag_that_nothing_matches_is_refused_with_the_nearest(tmp_path: Path) -> None:
    policy = policy_of('[critical]\ntags = ["soli"]', tmp_path)
    with pytest.raises(ArenaError, match=r"\[critical\] tags soli: there is no such tag. Did you mean solo"):
        refuse_unknown_names(policy, KnownNames(tags={"solo", "1girl"}))
    refuse_unknown_names(policy, KnownNames())


def test_a_tag_group_that_nothing_matches_is_refused_with_the_nearest(tmp_path: Path) -> None:
    policy = policy_of("[tag_groups.margins]\nhtas = 0.01", tmp_path)
    with pytest.raises(ArenaError, match=r"\[tag_groups.margins\] htas: there is no such tag group. Did you mean hats"):
        refuse_unknown_names(policy, KnownNames(groups={"hats"}))


@pytest.mark.parametrize(
    ("text", "gate", "name", "why"),
    [
        ("[slices]\nkinds = ['suport']", "slices", "suport", "there are no slices by suport. Did you mean support?;"),
        ("[slices.margins]\nraitng = 0.01", "slices", "raitng", "Did you mean rating?"),
        ("[slices.margins]\n'rating:genral' = 0.01", "slices", "rating:genral", "Did you mean rating:general?"),
        ("[slices]\nkinds = ['support']\n[slices.margins]\nrating = 0.01", "slices", "rating", "does not list rating"),
        ("[tag_groups.margins]\nhands = 0.01", "tag_groups", "hands", "no compared tag is in group hands"),
        (
            "[categories.margins]\ncopyright = 0.01",
            "categories",
            "copyright",
            "no compared tag is in category copyright",
        ),
    ],
)
def test_a_slice_that_is_missing_fails_unless_the_policy_says_otherwise(
    tmp_path: Path, text: str, gate: str, name: str, why: str
) -> None:
    case = next(case for case in judged(text, tmp_path) if (case.gate, case.name) == (gate, name))
    assert (case.outcome, why in case.message) == ("fail", True), case.message
    assert f'[{gate}] missing = "skip"' in case.message
    head, _, rest = text.partition("\n")
    head, rest = (head, rest) if head == f"[{gate}]" else (f"[{gate}]", text)
    found = judged(f"{head}\nmissing = 'skip'\n{rest}", tmp_path)
    assert outcomes(found, gate)[name] == "skipped"


def test_names_that_exist_and_margins_that_are_off_add_no_case(tmp_path: Path) -> None:
    text = (
        "[categories.margins]\nrating = false\ncharacter = 0.1\n[slices.margins]\nrating = 0.1\n'support:10–29' = 0.1"
    )
    assert outcomes(judged(text, tmp_path), "slices") == outcomes(judged("", tmp_path), "slices")
    assert outcomes(judged(text, tmp_path), "categories") == outcomes(judged("", tmp_path), "categories")
