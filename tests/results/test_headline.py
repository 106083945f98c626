"""The headline value is the one without bias, and an older run keeps its plain values."""

from arena.results.headline import as_published, headline, notes_on_values

OWN = {
    "macro_f1": 0.31,
    "macro_f1_corrected": 0.32,
    "micro_f1": 0.5,
    "micro_f1_corrected": 0.5,
    "map": 0.34,
    "map_corrected": 0.32,
}


def test_a_mean_over_tags_is_shown_without_bias_and_its_plain_value_beside_it() -> None:
    assert [headline(OWN, key) for key in ("macro_f1", "micro_f1", "map")] == [0.32, 0.5, 0.32]
    assert [as_published(OWN, key) for key in ("macro_f1", "micro_f1", "map")] == [0.31, None, 0.34]


def test_an_undefined_value_stays_undefined() -> None:
    assert headline({"map": None, "map_corrected": None}, "map") is None


def test_an_older_run_has_plain_values_only() -> None:
    older = {"macro_f1": 0.31, "map": 0.34}
    assert [headline(older, key) for key in older] == [0.31, 0.34]
    assert [as_published(older, key) for key in older] == [None, None]
    assert notes_on_values({"models": {"a": {"regimes": {"own": older}}}}) == []
    assert len(notes_on_values({"models": {"a": {"regimes": {"own": OWN}}}})) == 1
