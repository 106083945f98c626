#!/usr/bin/env python3
"""Run the cells of docs/notebook.ipynb and store what they show, so that the notebook can be read where nothing runs.

Usage: python scripts/write_notebook.py [FILE]
"""

import argparse
import ast
import json
import sys
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "notebook.ipynb"


def run_cells(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with the value of the last line of every code cell as its output.

    >>> cell = {"cell_type": "code", "source": ["a = 1\\n", "a + 1"]}
    >>> run_cells({"cells": [cell]})["cells"][0]["outputs"][0]["data"]
    {'text/plain': ['2']}
    """
    names: dict[str, Any] = {}
    count, cells = 0, []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        count += 1
        value = _run("".join(cell["source"]), names)
        cells.append({**cell, "execution_count": count, "outputs": [] if value is None else [_output(value, count)]})
    return {**notebook, "cells": cells}


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell and return the value of its last line; None if that is a statement."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def _output(value: Any, count: int) -> dict[str, Any]:
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_") and (text := value._repr_html_()):
        data["text/html"] = text.splitlines(keepends=True)
    return {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=NOTEBOOK)
    path: Path = parser.parse_args(arguments).file
    notebook = run_cells(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
