"""Names in Markdown are text: read by a parser, and by the rules that GitHub adds."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from arena.base.format import APART, escape_markdown, one_line
from arena.report.markdown import bullets, code, folded, picture, table
from arena.report.static_pictures import Plot

from .results import HOSTILE

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
FOLLOWED = re.compile(r"(?i)https?://|ftp://|www\.|@\w|#\d|gh-\d|:[\w+-]+:")
"""What GitHub makes a link or a picture of in plain text."""


def leaves(markdown: str) -> list[Token]:
    """Every token, text by its parts."""
    found = PARSER.parse(markdown)
    return [leaf for token in found for leaf in ((token.children or []) if token.type == "inline" else [token])]


def shown(markdown: str) -> str:
    """The text of a document as a reader sees it."""
    return "".join(leaf.content for leaf in leaves(markdown) if leaf.type in ("text", "text_special", "code_inline"))


def plain(name: str) -> str:
    """A name as it should be seen: on one line, without marks of direction, spaces run together."""
    line = re.sub("[\u202a-\u202e\u2066-\u2069]", "", one_line(name)).encode("utf-8", "replace").decode()
    return re.sub(" +", " ", re.sub("[\ud800-\udfff]", "\ufffd", line)).strip()


def check_text(markdown: str, name: str, allowed: set[str]) -> None:
    """The document shows the name as it is, holds no HTML but our comments, and nothing that GitHub would follow."""
    found = leaves(markdown)
    assert {leaf.type for leaf in found} <= allowed | {"text", "text_special", "html_inline"}
    assert {leaf.content for leaf in found if leaf.type == "html_inline"} <= {APART}
    assert FOLLOWED.search(re.sub(r"\\(.)", r"\1", markdown)) is None
    assert shown(markdown) == plain(name)


names = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("<>[]()!|`*_~#@&;:/.-+=1aw \\\n\t\"'$^{}"), max_size=40),
    st.lists(st.sampled_from(["www.", "http://", "@a", "#1", "GH-1", ":x:", "<b>", "&lt;", "- ", "1. ", "    "])).map(
        "".join
    ),
).filter(lambda text: max(text, default=" ") < "\ud800" or max(text) > "\udfff")


@pytest.mark.parametrize("name", HOSTILE)
def test_known_hostile_names_are_text_everywhere(name: str) -> None:
    check_everywhere(name)


@settings(max_examples=40)
@given(names)
@example("a:b:c")
@example("--- ")
@example("===")
@example("12) x")
def test_any_name_is_text_everywhere(name: str) -> None:
    check_everywhere(name)


def check_everywhere(name: str) -> None:
    escaped = escape_markdown(name)
    paragraph, heading = {"paragraph_open", "paragraph_close"}, {"heading_open", "heading_close"}
    item = {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"} | paragraph
    check_text(escaped, name, paragraph)
    check_text(f"# {escaped}", name, heading)
    check_text(bullets([name]), name, item)
    rows = PARSER.parse(table([["head", name], [name, "x"]]))
    cells = [token.children or [] for token in rows if token.type == "inline"]
    assert len(cells) == 4
    assert ["".join(leaf.content for leaf in cell if leaf.type != "html_inline") for cell in cells] == [
        "head", plain(name), plain(name), "x",
    ]  # fmt: skip


def test_a_lone_surrogate_can_be_written() -> None:
    for text in (
        escape_markdown("\udc80x"),
        code("\udc80x"),
        folded("\udc80x", ""),
        picture(Plot("n", "", "\udc80x")),
    ):
        assert "\ufffdx" in text.encode().decode()


@given(names)
def test_code_is_code_whatever_is_in_it(name: str) -> None:
    found = [leaf for leaf in leaves(f"- x: {code(name)}") if leaf.type in ("code_inline", "html_inline", "link_open")]
    assert [leaf.type for leaf in found] == ["code_inline"]
    assert found[0].content.strip() == one_line(name).strip()


@given(names)
def test_a_picture_and_a_folded_part_keep_names_out_of_their_markup(name: str) -> None:
    block = picture(Plot("sweep", "Sweep", name))
    (token,) = PARSER.parse(block)
    assert token.type == "html_block"
    assert re.findall(r"<(/?\w+)", token.content) == ["picture", "source", "img", "/picture"]
    parts = PARSER.parse(folded(name, "*x*"))
    assert [part.type for part in parts] == ["html_block", "paragraph_open", "inline", "paragraph_close", "html_block"]
    assert re.findall(r"<(/?\w+)", parts[0].content) == ["details", "summary", "/summary"]


def test_figures_and_plain_words_stay_as_they_are() -> None:
    for text in ("0.4", "+0.0100", "joytag", "12 tags", "a - b = c"):
        assert escape_markdown(text) == text
    assert escape_markdown("a|b<script>\n`x`") == "a\\|b\\<script\\> \\`x\\`"


def test_a_picture_has_a_source_for_the_dark() -> None:
    assert picture(Plot("sweep", "Sweep", 'say "a"')).splitlines() == [
        "<picture>",
        '  <source media="(prefers-color-scheme: dark)" srcset="plots/sweep-dark.svg">',
        '  <img alt="say &quot;a&quot;" src="plots/sweep.svg">',
        "</picture>",
    ]
