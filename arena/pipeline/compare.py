"""Entrants that were scored at different times, compared in one run folder."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.names import check_name
from arena.base.progress import Progress, Silent
from arena.pipeline.entrants import (
    Entrant,
    PublishedEntrant,
    find_entrants,
    find_metrics,
    give_unique_names,
    require_metrics,
    short_name,
)
from arena.pipeline.paired import Asked, Evaluated, evaluate_entrants


def compare(
    specs: Sequence[str],
    folder: Path | None = None,
    *,
    asked: Asked = Asked(),
    published: Sequence[str] = (),
    progress: Progress = Silent(),
) -> tuple[Evaluated, Path]:
    """Evaluate entrants together on the same images, and write a run folder; finished scores are only read.

    Args:
        specs: as `grammar.GRAMMAR` says; a run stands for all its models. A published file is shown beside the others.
        folder: the run folder; None is below `runs/`.
        published: further published files.

    Returns: what was found, and its folder.

    Raises:
        IncomparableError: other images, labels, or tags.
        ArenaError: nothing to compare, or something is missing or damaged.
    """
    found: list[Entrant] = []
    for spec in specs:
        found += find_entrants(spec, root=asked.root, baselines=asked.baselines)
    scored = give_unique_names([one for one in found if not isinstance(one, PublishedEntrant)])
    if not scored:
        raise ArenaError(f"{', '.join(specs)}: published files hold no scores; name a run, a model or scores besides")
    for one in scored:
        check_name(one.name)
    beside = [require_metrics(one) for one in found if isinstance(one, PublishedEntrant)]
    beside += find_metrics(published, baselines=asked.baselines)
    output = folder or Path("runs") / "-vs-".join(dict.fromkeys(map(short_name, specs)))
    for one in scored:
        if getattr(one, "folder", output / "none").resolve() == output.resolve():
            raise ArenaError(f"--output {output}: holds {one.source}, which is compared; name another folder")
    return evaluate_entrants(scored, output, asked, progress, published=beside), output
