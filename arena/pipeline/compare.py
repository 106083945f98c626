"""`arena compare`: compare entrants in one run folder, also if they were scored at different times."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.locks import lock_output
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
from arena.pipeline.paired import ComparisonOptions, JointEvaluation, evaluate_entrants


def compare_entrants(
    specs: Sequence[str],
    folder: Path | None = None,
    *,
    asked: ComparisonOptions = ComparisonOptions(),
    published: Sequence[str] = (),
    progress: Progress = Silent(),
) -> tuple[JointEvaluation, Path]:
    """Evaluate entrants together on the same images, and write a run folder; stored scores are read, not computed again.

    Args:
        specs: entrants in the form of `grammar.GRAMMAR`. A run stands for all its models. A published file is shown next to the
            others, but not evaluated.
        folder: the run folder; None creates one below `runs/`.
        published: more published files.

    Returns: the evaluation and its run folder.

    Raises:
        IncomparableError: the entrants have different images or labels, or no common tag.
        ArenaError: there is nothing to compare, or an input is missing or damaged.
    """
    found: list[Entrant] = []
    for spec in specs:
        found += find_entrants(spec, root=asked.root, baselines=asked.baselines)
    scored = give_unique_names([one for one in found if not isinstance(one, PublishedEntrant)])
    if not scored:
        raise ArenaError(f"{', '.join(specs)}: published files hold no scores; add a run, a model or a scores file")
    for one in scored:
        check_name(one.name)
    published_metrics = [require_metrics(one) for one in found if isinstance(one, PublishedEntrant)]
    published_metrics += find_metrics(published, baselines=asked.baselines)
    output = folder or Path("runs") / "-vs-".join(dict.fromkeys(map(short_name, specs)))
    for one in scored:
        if getattr(one, "folder", output / "none").resolve() == output.resolve():
            raise ArenaError(f"--output {output}: holds {one.source}, an input of this comparison; name another folder")
    with lock_output(output, "compare"):
        return evaluate_entrants(scored, output, asked, progress, published=published_metrics), output
