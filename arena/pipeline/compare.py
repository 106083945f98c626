"""Several runs, models or scores side by side: one comparison of what was scored at different times."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.progress import Progress, Silent
from arena.cards import check_name
from arena.pipeline.entrants import RUN_FILE, Given, PublishedSide, find_side, short_name
from arena.pipeline.paired import Asked, Evaluated, Scored, evaluate_sides
from arena.results.run_folder import read_result

WHAT = "SIDE"
"""What messages call an argument."""


def compare(
    specs: Sequence[str],
    folder: Path | None = None,
    *,
    asked: Asked = Asked(),
    published: Sequence[str] = (),
    progress: Progress = Silent(),
) -> tuple[Evaluated, Path]:
    """Evaluate together what was scored apart, on the same images, and write a run folder; finished scores are only read.

    Args:
        specs: `RUN` (all its models), `RUN:MODEL`, a card, `NAME=PATH`, `@baseline`. Models of one name are told apart by their
            run's.
        folder: the run folder; None is below `runs/`.
        published: files of published figures to show beside them.

    Returns: what was found, and its folder.

    Raises:
        IncomparableError: other images, labels, or tags.
        ArenaError: nothing to compare, or something is missing or damaged.
    """
    sides = told_apart([side for spec in specs for side in _sides_of(spec, asked)])
    output = folder or Path("runs") / "-vs-".join(dict.fromkeys(map(short_name, specs)))
    for side in sides:
        if getattr(side, "folder", output / "none").resolve() == output.resolve():
            raise ArenaError(f"--output {output}: holds {side.source}, which is compared; name another folder")
    return evaluate_sides(sides, output, asked, progress, published=published), output


def _sides_of(spec: str, asked: Asked) -> list[Scored]:
    """A run without a model named stands for all its models."""
    named = [spec]
    if (Path(spec) / RUN_FILE).is_file():
        named = [f"{spec}:{model}" for model in read_result(Path(spec), ()).models]
    found = [find_side(one, what=WHAT, root=asked.root, baselines=asked.baselines) for one in named]
    return [_scored(side) for side in found]


def _scored(side: Given) -> Scored:
    if isinstance(side, PublishedSide):
        raise ArenaError(
            f"{side.source}: published figures have no scores; show them beside with --published {side.source}"
        )
    return side


def told_apart(sides: Sequence[Scored]) -> list[Scored]:
    """The same under names of their own: one that several have is followed by that of its run.

    Raises:
        ArenaError: two are the same side.
    """
    often = Counter(side.name for side in sides)
    named = [
        replace(side, name=f"{side.name}-{short_name(side.source.partition(':')[0])}") if often[side.name] > 1 else side
        for side in sides
    ]
    for name, number in Counter(side.name for side in named).items():
        check_name(name)
        if number > 1:
            raise ArenaError(f"{WHAT} {name}: is named twice; name each once, or NAME=FOLDER/scores/MODEL")
    return named
