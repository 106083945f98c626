"""`summary.md` as a reader of a README gets it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from arena.base.format import APART, estimate, figure
from arena.metrics.registry import HEADLINES
from arena.report.summary import MOST_SLICES_LISTED, summary_markdown
from arena.results.run_folder import Result

from .results import HOSTILE, result_of

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OUR_HTML = re.compile(
    r"</?details>|</?picture>|<summary>[^<>]*</summary>|\s"
    r'|<source media="[^"<>]*" srcset="[^"<>]*">|<img alt="[^"<>]*" src="[^"<>]*">'
)


@pytest.fixture(scope="module")
def pair() -> Result:
    return result_of(["first", "second"])


def headings(text: str) -> list[str]:
    tokens = PARSER.parse(text)
    return [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]


def test_the_parts_come_in_the_order_of_a_readers_questions(pair: Result) -> None:
    text = summary_markdown(pair)
    assert headings(text) == ["first vs second", "Thresholds", "Tag against tag", "Slices", "How it was measured"]
    assert text.splitlines()[2].startswith(
        "**By recorded labels: At their own thresholds second has the higher macro F1, micro F1 and mAP. "
    )
    unfolded = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len(unfolded) < 3000, "short enough to paste"
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>") == 5
    assert "\n\n\n" not in text


def test_the_table_has_the_results_figures_the_best_first(pair: Result) -> None:
    html = PARSER.render(summary_markdown(pair))
    first = html.split("<table>")[1]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in first.split("<tr>")[2:4]]
    assert [row[0] for row in rows] == ["second", "first"]
    for row in rows:
        own = pair.summary["models"][row[0]]["regimes"]["own"]
        for cell, key in zip(row[1:4], ("map", "macro_f1", "micro_f1"), strict=True):
            assert cell.startswith(str(estimate(*(own[f"{key}_{end}"] for end in ("corrected", "low", "high")))))
            assert cell.endswith(" ★") == (row[0] == "second")
        assert row[4:] == [f"{figure(own['macro_f1'])} / {figure(own['map'])}", "0.35"]


def test_it_shows_every_picture_in_both_themes_and_tells_it_in_words(pair: Result) -> None:
    text = summary_markdown(pair)
    names = ("leaderboard", "sweep", "scatter", "slices")
    assert re.findall(r'(?:src|srcset)="([^"]*)"', text) == [
        f"plots/{name}{suffix}.svg" for name in names for suffix in ("-dark", "")
    ]
    assert len(re.findall(r'alt="[^"]+"', text)) == len(names)


def test_it_says_how_it_was_measured(pair: Result) -> None:
    html = PARSER.render(summary_markdown(pair))
    for told in (
        "Dataset: d, Drawn; digest <code>0123abcd</code>", "Images: 120; tags: 6 compared of 6",
        "Signature: <code>data:d@0123abcd|v:1</code>", "Command: <code>arena run `x`</code>",
        "Created: 2 November 2026, 12:00 UTC with arena 1",
    ):  # fmt: skip
        assert told in html


@pytest.mark.parametrize(("models", "replicates"), [(1, 40), (2, 0), (3, 40), (10, 0)])
def test_every_kind_of_run_has_a_summary(models: int, replicates: int) -> None:
    text = summary_markdown(result_of([f"m{i}" for i in range(models)], replicates=replicates, images=80))
    assert ("Tag against tag" in text) == (models > 1)
    assert ("Point estimates" in text) == (not replicates)
    assert ("±" in text or "95 %" in text) == bool(replicates)
    tables = [token for token in PARSER.parse(text) if token.type == "table_open"]
    expected = 3 if not replicates else 4 if models == 1 else 5
    assert len(tables) == expected, "without resamples only the own thresholds are known; one model has no differences"


def test_nothing_compared_has_a_summary_without_pictures() -> None:
    text = summary_markdown(result_of(["a", "b"], images=8))
    assert "<img" not in text
    assert headings(text)[-1] == "How it was measured"


def test_many_slices_are_cut_and_counted(pair: Result) -> None:
    many = result_of(["a"], tags=[f"t{i}" for i in range(8)], images=80)
    rows = many.tables["slices"]
    group = rows[rows["slice"] == "group"]
    more = [group.assign(value=f"g{i}", title=f"g{i}") for i in range(MOST_SLICES_LISTED + 5)]
    many = replace(many, tables={**many.tables, "slices": pd.concat([rows, *more], ignore_index=True)})
    text = summary_markdown(many)
    cut = len(re.findall(r"^\| Tag groups: g", text, flags=re.MULTILINE))
    assert cut < MOST_SLICES_LISTED
    assert re.search(r"\d+ more in `slices.parquet`", text)


class Marks(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_add_no_element_and_no_link(name: str) -> None:
    hostile, usual = (
        result_of([one, "other"], replicates=0, images=60, tags=[one, *(f"tag_{i}" for i in range(5))])
        for one in (name, "name")
    )
    for result, one in ((hostile, name), (usual, "name")):
        result.run["dataset"] |= {"name": one, "title": one}
        result.run["command"] = f"arena run -m {one}"
    pages = []
    for text in map(summary_markdown, (hostile, usual)):
        text.encode()
        html = [bit for token in PARSER.parse(text) for bit in html_of(token)]
        assert [bit for bit in html if OUR_HTML.sub("", bit.replace(APART, ""))] == []
        marks = Marks()
        marks.feed(PARSER.render(text))
        pages.append(marks.seen)
    assert pages[0] == pages[1]


def html_of(token: object) -> list[str]:
    """What the parser took for HTML in a token."""
    parts = [token, *(getattr(token, "children", None) or [])]
    return [part.content for part in parts if part.type in ("html_block", "html_inline")]  # type: ignore[attr-defined]


def test_headlines_have_a_column_each(pair: Result) -> None:
    header = next(line for line in summary_markdown(pair).splitlines() if line.startswith("| tagger"))
    assert [title for title in HEADLINES.values() if f" {title} " not in header] == []
