"""What a policy file may say, and what is said of one that says it wrong."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.gate.by_tag import CRITICAL
from arena.gate.calibration import CALIBRATION
from arena.gate.keys import DecisionRule, default_keys
from arena.gate.limits import COVERAGE
from arena.gate.parts import MARGINS, SLICE_MARGINS
from arena.gate.policy import default_policy, read_policy
from arena.gate.requirement import RequiredData
from arena.gate.requirements import REQUIREMENTS
from arena.metrics.registry import HEADLINES

from .joints import policy_of


def test_the_default_policy_holds_every_key_and_changes_nothing(tmp_path: Path) -> None:
    text = default_policy()
    assert tomllib.loads(text) == {one.table: default_keys(one.settings) for one in REQUIREMENTS}
    assert policy_of(text, tmp_path) == read_policy()
    assert policy_of(text, tmp_path).digest == read_policy().digest
    assert max(map(len, text.splitlines())) <= 130


def test_a_requirement_says_what_its_readers_need() -> None:
    tables = [one.table for one in REQUIREMENTS]
    assert len(set(tables)) == len(tables)
    for one in REQUIREMENTS:
        assert one.about, "the default policy explains every table"
        settings = read_policy().of(one)
        if one.needs is RequiredData.RUN and one is not CALIBRATION:  # off by default
            assert one.names(settings), "what published files lack is told by name"
        off = {name: None for name, value in default_keys(one.settings).items() if isinstance(value, float)}
        if one.needs is RequiredData.RUN:
            assert not one.names(replace(settings, **off)), "what is turned off is not told"


def test_every_headline_metric_has_a_margin() -> None:
    assert set(read_policy().of(MARGINS).asked) == set(HEADLINES)


def test_a_file_changes_only_what_it_says(tmp_path: Path) -> None:
    found = policy_of("[margins]\nmap = 0.02\nmicro_f1 = false\n[slices]\nkinds = ['support']\n", tmp_path)
    margins, slices = found.of(MARGINS), found.of(SLICE_MARGINS)
    assert (margins.map, margins.micro_f1, margins.macro_f1) == (0.02, None, 0.01)
    assert (slices.kinds, slices.min_images) == (("support",), 100)
    assert found.name == "gate.toml"
    assert found.digest != read_policy().digest


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    assert policy_of("", tmp_path) == read_policy()
    assert policy_of("", tmp_path).digest == read_policy().digest


def test_critical_tags_take_what_they_do_not_say_from_the_table(tmp_path: Path) -> None:
    text = '[critical]\nmargin = 0.04\ntags = ["solo", { tag = "1girl", margin = 0, figure = "ap", rule = "regression" }]\n'
    solo, girl = policy_of(text, tmp_path).of(CRITICAL).each
    assert (solo.tag, solo.margin, solo.figure, solo.rule) == ("solo", 0.04, "f1", "auto")
    assert (girl.tag, girl.margin, girl.figure, girl.rule) == ("1girl", 0, "ap", DecisionRule.REGRESSION)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[margin]\nmap = 0.1", r"no table \[margin\]. Did you mean margins"),
        ("[margins]\nmacrof1 = 0.1", r"\[margins\] has no key 'macrof1'. Did you mean macro_f1"),
        ("[margins]\nmap = -0.1", r"\[margins\] map = -0.1; it must be a number from 0 to below 1, or false"),
        ("[margins]\nmacro_f1 = 1.0", r"macro_f1 = 1.0; it must be a number from 0 to below 1, or false"),
        ("[slices]\nmargin = 1", "margin = 1; it must be a number from 0 to below 1"),
        ("[tags]\nmargin = 1", "margin = 1; it must be a number from 0 to below 1$"),
        ("[unpaired]\npoints = 1.0", "points = 1.0; it must be a number from 0 to below 1"),
        ("[calibration]\nece = 1", "ece = 1; it must be a number from 0 to below 1"),
        ("[canary]\nepsilon = 1", "epsilon = 1; it must be a number from 0 to below 1$"),
        ("[critical]\ntags = [{ tag = 'a', margin = 1 }]", "the margin of 'a' is a number from 0 to below 1$"),
        ("[margins]\nmap = nan", "map = nan; it must be a number"),
        ("[margins]\nmap = true", "map = True; it must be a number"),
        ("[margins]\nmap = '0.1'", "map = '0.1'; it must be a number"),
        ("[margins]\nregime = 'owm'", "regime = 'owm'; it must be one of own, .*Did you mean own"),
        ("margins = 3", "margins = 3; it must be a table"),
        ("[categories]\nfigure = 'f1'", "figure = 'f1'; it must be one of auto, macro_f1, micro_f1, map"),
        ("[categories]\nrule = 'strict'", "it must be one of non-inferiority, measured, regression"),
        ("[categories.margins]\ncharacter = 2", "a table in which character is a number from 0 to below 1"),
        ("[slices]\nkinds = 'rating'", r'kinds = .rating.; it must be "all", or a list'),
        ("[slices]\nmin_images = 1.5", "must be a whole number"),
        ("[tags]\nq = false", "q = False; it must be a number from 0 to 1$"),
        ("[tags]\nfigures = ['f1', 'f1']", "a list of f1, ap, each once"),
        ("[critical]\ntags = ['a', 'a']", "'a' is in it twice"),
        ("[critical]\ntags = [{ margin = 0.1 }]", "is neither"),
        ("[critical]\ntags = [{ tag = 'a', mragin = 0.1 }]", "'mragin' is none of them"),
        ("[critical]\ntags = [{ tag = 'a', margin = false }]", "the margin of 'a' is a number from 0 to below 1$"),
        ("[critical]\ntags = ['']", "one name is empty"),
        ("[verdict]\naccept_inconclusive = 1", "must be true or false"),
        ("[speed]\nmin_share = inf", "must be a number of 0 or more"),
        ("[coverage]\naliases = 3", "the name of a file, or false"),
        ("[coverage]\naliases = 'none.csv'", "none.csv: no such file"),
        ("[margins", "not valid TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ArenaError, match=said) as raised:
        policy_of(text, tmp_path)
    assert "gate.toml" in str(raised.value) or "none.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="arena check --show-policy"):
        read_policy(tmp_path / "none.toml")


def test_aliases_stand_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "renamed.csv").write_text('old,new\nhat,headwear\n"a,b",c\n')
    found = policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path)
    assert found.of(COVERAGE).renamed == {"hat": "headwear", "a,b": "c"}
    (tmp_path / "renamed.csv").write_text('antecedent_name,consequent_name\nhat,headwear\n"a,b",c\n')
    assert policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path) == found
    (tmp_path / "renamed.csv").write_text("old,new\nhat,cap\n")
    assert policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path).digest != found.digest
