"""`arena score`: from scores that exist to a run folder; no model is loaded."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from arena.base.files import digest_file, make_folder
from arena.base.progress import Progress, Silent
from arena.cards import check_name
from arena.dataset.contamination import hold_against
from arena.evaluate import Entry
from arena.pipeline.display_options import Showing
from arena.pipeline.entrants import find_metrics
from arena.pipeline.stages import DEMO_DATASET, Scoring, evaluate_run, settings_of, write_run
from arena.pipeline.thresholds import describe_own, own_thresholds, thresholds_of_cards
from arena.pipeline.truth import read_scores_of, read_truth
from arena.results.published.column import columns_of
from arena.scores.store import describe_throughput, read_facts


def score_files(
    files: Mapping[str, Path],
    output: Path,
    *,
    truth: Path | None = None,
    dataset: str | None = None,
    scoring: Scoring = Scoring(),
    showing: Showing = Showing(),
    root: Path | None = None,
    command: str = "",
    progress: Progress = Silent(),
) -> Path:
    """From scores of anywhere to a run folder; no model is loaded.

    Args:
        files: name -> `.npz` of scores, or the scores folder of an earlier run.
        truth: `.npz` with `truth`, `tags`, `image_ids`; or else `dataset`, a name or a frozen folder.

    Raises:
        ArenaError: an index of training images is given, but no dataset that has hashes.
    """
    for name in files:
        check_name(name)
    thresholds = own_thresholds(thresholds_of_cards(files, root), scoring.thresholds)
    beside = columns_of(find_metrics(scoring.published))
    make_folder(output)
    progress.note("reading the truth")
    given = read_truth(dataset or DEMO_DATASET if truth is None else truth, root)
    against = hold_against(given.heldout, scoring.against, progress, pictures=scoring.pictures, root=root)
    entries = []
    for name, path in files.items():
        progress.note(f"{name}: reading {path}")
        own, scores = thresholds[name], read_scores_of(path)
        facts = {"scores": path.name} if path.is_file() else read_facts(path) | describe_throughput(scores.timed)
        facts = {**facts, "thresholds": describe_own(own)}
        entries.append(Entry(name, name, scores, own.thresholds, own.source, facts))
    with ThreadPoolExecutor() as background:  # digests take seconds, and nothing waits for them until the end
        digests = {name: background.submit(digest_file, path) for name, path in files.items() if path.is_file()}
        of_truth = None if truth is None else background.submit(digest_file, truth)
        settings = settings_of(scoring, given.folder, root)
        result = evaluate_run(given.truth, entries, settings, given.facts, command, progress, against)
        for name, digest in digests.items():
            result.run["models"][name]["key"] = digest.result()
        if of_truth is not None:
            result.run["dataset"]["digest"] = of_truth.result()
    write_run(output, result, given.heldout, showing, progress, beside)
    return output
