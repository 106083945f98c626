"""The published formats, byte by byte."""

import re

import numpy as np
import pytest

from arena.base.format import figure
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.ranking import average_precision, sort_column
from arena.report.summary import summary_markdown
from arena.report.text import detailed_metrics, full_metrics
from arena.report.view import page_view
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

from ..conftest import DATA

PUBLISHED = DATA / "joytag" / "full-metrics.txt"
BLOCK = re.compile(r"Tag: (.*) \((\d+)\) \(cnt: (\d+)\)\n.*\n.*\n.*\nTP: (\d+), TN: (\d+), FP: (\d+), FN: (\d+)\n\n")


def published_result(every: int) -> tuple[Result, str]:
    """A result with the counts of every n-th published tag, and the text that must come out."""
    blocks = [match for match in BLOCK.finditer(PUBLISHED.read_text()) if int(match[2]) % every == 0]
    by_index = sorted(blocks, key=lambda match: int(match[2]))
    images = sum(int(by_index[0][i]) for i in (4, 5, 6, 7))
    scores = np.zeros((images, len(blocks)), np.float32)
    truth = np.zeros((images, len(blocks)), bool)
    for column, match in enumerate(by_index):
        tp, fp, fn = (int(match[i]) for i in (4, 6, 7))
        scores[: tp + fp, column] = 0.4
        truth[:tp, column] = truth[tp + fp : tp + fp + fn, column] = True
    ids = tuple(map(str, range(images)))
    tags = tuple(match[1] for match in by_index)
    space = TagSpace(tags, None, tuple(int(match[3]) for match in by_index))
    joytag = Entry("joytag", "JoyTag", Scores.of(ids, space, scores), Thresholds(0.4), "option")
    settings = Settings(min_positives=0, convention="joytag", replicates=0)
    result = evaluate(Truth.of(ids, TagSpace(tags), truth), [joytag], settings)
    renumbered = {match[2]: str(place) for place, match in enumerate(by_index)}
    expected = "".join(match[0].replace(f" ({match[2]}) (cnt", f" ({renumbered[match[2]]}) (cnt") for match in blocks)
    return result, expected


def test_full_metrics_is_joytags_file_byte_for_byte() -> None:
    result, expected = published_result(every=13)
    assert full_metrics(result, "joytag") == expected


@pytest.fixture(scope="module")
def small() -> Result:
    rng = np.random.default_rng(0)
    ids = tuple(map(str, range(50)))
    tags = ("b", "a", "line\nbreak", "thin")
    truth = Truth.of(ids, TagSpace(tags), rng.random((50, 4)) < [0.5, 0.5, 0.5, 0.02])
    entries = [
        Entry(n, n, Scores.of(ids, TagSpace(tags), rng.random((50, 4), np.float32)), Thresholds(t), "card")
        for n, t in (("first", 0.5), ("second", 1.0))
    ]
    return evaluate(truth, entries, Settings(replicates=50), run={"dataset": {"name": "d|e"}, "signature": "s"})


def test_full_metrics_keeps_the_place_in_the_models_list_and_lists_thin_tags() -> None:
    ids = tuple(map(str, range(20)))
    truth = Truth.of(ids, TagSpace(("thin", "common")), np.arange(20)[:, None] < [1, 12])
    scores = Scores.of(ids, TagSpace(("unknown", "thin", "common")), np.full((20, 3), 0.5, np.float32))
    text = full_metrics(
        evaluate(truth, [Entry("m", "m", scores, Thresholds(0.5), "card")], Settings(replicates=0)), "m"
    )
    assert [line for line in text.splitlines() if line.startswith("Tag")] == [
        "Tag: common (2) (cnt: 12)",
        "Tag: thin (1) (cnt: 1)",
    ]


def test_the_page_shows_the_even_sweep_and_one_row_a_tag() -> None:
    ids = tuple(map(str, range(30)))
    truth = Truth.of(
        ids, TagSpace(("dog",)), np.arange(30)[:, None] < 12, relations=TagRelations.of(aliases=[("pup", "dog")])
    )
    values = np.stack([np.linspace(1, 0, 30), np.linspace(0, 1, 30)], axis=1).astype(np.float32)
    scores = Scores.of(ids, TagSpace(("pup", "dog")), values)
    view = page_view(evaluate(truth, [Entry("m", "m", scores, Thresholds(0.3537), "card")], Settings(replicates=0)))
    assert len(view["sweep"]["thresholds"]) == 101
    assert view["tags"]["name"] == ["dog"]
    exact = average_precision(sort_column(values[:, 1].copy(), np.arange(30) < 12))
    assert view["tags"]["models"]["m"]["ap"] == [pytest.approx(exact)], "the compared spelling"


def test_detailed_metrics_has_a_block_a_common_tag(small: Result) -> None:
    text = detailed_metrics(small)
    lines = text.split("\n\n")[0].splitlines()
    assert lines[0] == "a"
    assert re.fullmatch(
        r"first               : Precision \d\.\d{4}, Recall \d\.\d{4}, F1 \d\.\d{4}, AP \d\.\d{4}", lines[1]
    )
    assert lines[2].startswith("second              : Precision 0.0000, Recall 0.0000, F1 0.0000, AP 0.")
    assert text.count("\n\n") == 3
    assert "line break\n" in text
    assert "thin" not in text


def test_the_published_detailed_format_is_ours() -> None:
    line = f"{'JoyTag':<20}: Precision {0.5476:.4f}, Recall {0.5788:.4f}, F1 {0.5628:.4f}, AP {0.5383:.4f}"
    assert line == "JoyTag              : Precision 0.5476, Recall 0.5788, F1 0.5628, AP 0.5383"


def test_summary_says_over_how_many_tags_each_mean_ran(small: Result) -> None:
    text = summary_markdown(small)
    assert "2 taggers scored on the same 50 images" in text
    assert "compared on the 3 tags that both know" in text
    assert "second: mean precision over 0 of 3 tags" in text
    assert "Dataset: d\\|e," in text
    assert re.search(r"\| second \| 1 \(card\) \| 0.0000 \\\[0.0000, [^|]*\| – \|", text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.99996, ">0.9999"),
        (1.0, "1.0000"),
        (0.00004, "<0.0001"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_rounding_never_shows_what_is_not(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_the_pages_figures_are_the_results(small: Result) -> None:
    view = page_view(small)
    own = small.summary["models"]["first"]["regimes"]["own"]
    assert view["models"][0]["macro"]["f1"] == pytest.approx(own["macro_f1_corrected"], abs=1e-6)
    assert view["models"][1]["macro"]["precision"] is None
    assert len(view["sweep"]["thresholds"]) == 101
    place = view["tags"]["name"].index("a")
    rows = small.tags_of("second").set_index("tag")
    assert view["tags"]["models"]["second"]["fn"][place] == rows["fn"]["a"]
    assert view["tags"]["models"]["second"]["precision"][place] is None
    assert view["tags"]["support"] == sorted(view["tags"]["support"], reverse=True)
