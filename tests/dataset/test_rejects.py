"""Rejects in a table that is safe to open anywhere."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from arena.dataset.records import Reject
from arena.dataset.rejects import read_rejects, write_rejects


@given(st.lists(st.builds(Reject, *[st.text() | st.sampled_from(["=1", "+1", "-1", "@a", "a\nb"])] * 4), max_size=4))
def test_rejects_are_one_line_each_and_no_formula(found: list[Reject]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rejects.csv"
        write_rejects(path, found)
        rows = read_rejects(path)
        assert len(rows) == len(found)
        for row in rows:
            for cell in row:
                assert cell.isprintable()
                assert not cell.startswith(("=", "+", "-", "@"))
        text = path.read_bytes()
        assert len(text.splitlines()) == len(found) + 1
        write_rejects(path, rows)
        assert path.read_bytes() == text, "what was made safe is not made safe again"
