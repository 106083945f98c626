"""Splitting the names of entrants into name, place and model."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.pipeline.grammar import Spec, parse


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with folders whose names contain special characters."""
    for name in ("old", "a:b", "x=1", "C", "@odd", "weights:v2"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("joytag", Spec("", "joytag", "")),
        ("old", Spec("", "old", "")),
        ("old/", Spec("", "old/", "")),
        ("old:joytag", Spec("", "old", "joytag")),
        ("old/:joytag", Spec("", "old/", "joytag")),
        ("a:b", Spec("", "a:b", "")),
        ("a:b:joytag", Spec("", "a:b", "joytag")),
        ("x=1", Spec("", "x=1", "")),
        ("./x=1", Spec("", "./x=1", "")),
        ("x=1:joytag", Spec("", "x=1", "joytag")),
        ("new=old", Spec("new", "old", "")),
        ("new=old:joytag", Spec("new", "old", "joytag")),
        ("new=x=1", Spec("new", "x=1", "")),
        ("new=x=1:joytag", Spec("new", "x=1", "joytag")),
        ("new=weights:v2", Spec("new", "weights:v2", "")),
        ("runs/a=b", Spec("", "runs/a=b", "")),
        ("none:joytag", Spec("", "none:joytag", "")),
        ("C:\\runs\\old", Spec("", "C:\\runs\\old", "")),
        ("C:/runs/old", Spec("", "C:/runs/old", "")),
        ("new=C:\\runs\\old", Spec("new", "C:\\runs\\old", "")),
        ("@baseline", Spec("", "@baseline", "")),
        ("@baseline:v1", Spec("", "@baseline", "v1")),
        ("was=@baseline:v1", Spec("was", "@baseline", "v1")),
        ("@odd", Spec("", "@odd", "")),
    ],
)
def test_each_part_is_found(typed: str, parts: Spec) -> None:
    assert parse(typed) == parts


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "names nothing; name RUN, RUN:MODEL, CARD"),
        ("  ", "names nothing"),
        ("=old", "no name before the =; write NAME=PATH"),
        ("new=", "no path after the =; write NAME=PATH"),
        ("old:", "no name after the colon; write old:NAME, or old alone"),
        ("@baseline:", "no name after the colon"),
        ("@baselin", "a name with @ at its start must be @baseline or @baseline:RELEASE"),
        ("new=@base", "a name with @ at its start must be @baseline"),
    ],
)
def test_an_empty_part_is_refused(typed: str, says: str) -> None:
    with pytest.raises(ArenaError, match=says):
        parse(typed)


@given(st.text(alphabet="ab:=/@.\\ ", max_size=12))
def test_nothing_typed_is_lost(typed: str) -> None:
    with suppress(ArenaError):
        name, place, model = parse(typed)
        assert (f"{name}=" if name else "") + place + (f":{model}" if model else "") == typed
