"""What a policy file may say, and what is said of one that says it wrong."""

import tomllib
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.gate.keys import KEYS, Rule
from arena.gate.policy import DEFAULT, read_policy

from .joints import policy_of


def test_the_defaults_hold_every_key() -> None:
    written = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    assert {table: set(keys) for table, keys in written.items()} == {table: set(keys) for table, keys in KEYS.items()}


def test_a_file_changes_only_what_it_says(tmp_path: Path) -> None:
    found = policy_of("[margins]\nmap = 0.02\nmicro_f1 = false\n[slices]\nkinds = ['support']\n", tmp_path)
    assert (found.margins.map, found.margins.micro_f1, found.margins.macro_f1) == (0.02, None, 0.01)
    assert (found.slices.kinds, found.slices.min_images) == (("support",), 100)
    assert found.name == "gate.toml"
    assert found.digest != read_policy().digest


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    assert policy_of("", tmp_path) == read_policy()
    assert policy_of("", tmp_path).digest == read_policy().digest


def test_critical_tags_take_what_they_do_not_say_from_the_table(tmp_path: Path) -> None:
    text = '[critical]\nmargin = 0.04\ntags = ["solo", { tag = "1girl", margin = 0, figure = "ap", rule = "regression" }]\n'
    solo, girl = policy_of(text, tmp_path).critical
    assert (solo.tag, solo.margin, solo.figure, solo.rule) == ("solo", 0.04, "f1", Rule.NON_INFERIORITY)
    assert (girl.tag, girl.margin, girl.figure, girl.rule) == ("1girl", 0, "ap", Rule.REGRESSION)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[margin]\nmap = 0.1", r"no table \[margin\]. Did you mean margins"),
        ("[margins]\nmacrof1 = 0.1", r"\[margins\] has no key 'macrof1'. Did you mean macro_f1"),
        ("[margins]\nmap = -0.1", r"\[margins\] map = -0.1; it must be a number from 0 to 1, or false"),
        ("[margins]\nmap = nan", "map = nan; it must be a number"),
        ("[margins]\nmap = true", "map = True; it must be a number"),
        ("[margins]\nmap = '0.1'", "map = '0.1'; it must be a number"),
        ("[margins]\nregime = 'owm'", "regime = 'owm'; it must be one of own, .*Did you mean own"),
        ("margins = 3", "margins = 3; it must be a table"),
        ("[categories]\nfigure = 'f1'", "figure = 'f1'; it must be one of macro_f1, micro_f1, map"),
        ("[categories]\nrule = 'strict'", "it must be one of non-inferiority, regression"),
        ("[categories.margins]\ncharacter = 2", "a table in which character is a number from 0 to 1"),
        ("[slices]\nkinds = 'rating'", r'kinds = .rating.; it must be "all", or a list'),
        ("[slices]\nmin_images = 1.5", "must be a whole number"),
        ("[tags]\nq = false", "q = False; it must be a number from 0 to 1$"),
        ("[tags]\nfigures = ['f1', 'f1']", "a list of f1, ap, each once"),
        ("[critical]\ntags = ['a', 'a']", "'a' stands in it twice"),
        ("[critical]\ntags = [{ margin = 0.1 }]", "is neither"),
        ("[critical]\ntags = [{ tag = 'a', mragin = 0.1 }]", "'mragin' is none of them"),
        ("[critical]\ntags = [{ tag = 'a', margin = false }]", "the margin of 'a' is a number from 0 to 1$"),
        ("[critical]\ntags = ['']", "one name is empty"),
        ("[verdict]\naccept_inconclusive = 1", "must be true or false"),
        ("[speed]\nmin_share = inf", "must be a number of 0 or more"),
        ("[coverage]\naliases = 3", "the name of a file, or false"),
        ("[coverage]\naliases = 'none.csv'", "none.csv: no such file"),
        ("[margins", "no readable TOML"),
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
    assert found.coverage.aliases == {"hat": "headwear", "a,b": "c"}
    (tmp_path / "renamed.csv").write_text('antecedent_name,consequent_name\nhat,headwear\n"a,b",c\n')
    assert policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path) == found
    (tmp_path / "renamed.csv").write_text("old,new\nhat,cap\n")
    assert policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path).digest != found.digest
