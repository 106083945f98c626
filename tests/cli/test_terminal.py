"""What is printed on a terminal, and what in a pipe."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from arena.cli.terminal import console, summary
from tests.conftest import arena_here

LONG = "a-model-with-a-name-that-is-longer-than-many-a-terminal-is-wide-" * 2


class TerminalFile(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> TerminalFile:
    """Make the results' console a terminal of this width."""
    out = TerminalFile()
    monkeypatch.setattr(
        console, "results_console", lambda: Console(file=out, width=width, highlight=False, force_terminal=True)
    )
    return out


def test_a_pipe_gets_neither_wrapped_nor_padded_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console.show_table(["name", "what"], [["a", "x " * 200], [LONG, "y"]])
    console.show_groups({"g": ["a", "b"], "long": [LONG] * 9}, [])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert len(lines) == 4
    assert lines[2].startswith(LONG)


@pytest.mark.parametrize("width", [80, 200])
def test_a_listing_breaks_no_name(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    out = on_terminal(monkeypatch, width)
    console.show_table(["name", "what"], [[LONG, "first"], ["b", LONG]])
    assert out.getvalue().count(LONG) == 2
    assert len(out.getvalue().splitlines()) == 3


def test_every_model_is_listed_under_its_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    from arena.cards import model_cards

    lines = arena_here("ls", "models").stdout.splitlines()
    assert {line.split()[0] for line in lines if line and not line.startswith(" ")} >= set(model_cards())


def test_a_path_is_a_link_on_a_terminal_and_plain_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "a b" / "index.html"
    console.show_path(page)
    assert capsys.readouterr().out == f"{page}\n"
    out = on_terminal(monkeypatch, 80)
    console.show_path(page)
    assert page.as_uri() in out.getvalue()
    assert str(page) in out.getvalue().replace("\n", "")


def test_ranks_name_who_shares_them() -> None:
    ranks = {"map": {name: {"rank": rank} for name, rank in (("a", 1), ("b", 3), ("c", 1), ("d", 4))}}
    assert summary._ranks(ranks)[1] == "mAP: 1 a, c; 3 b; 4 d"
