"""The stages that several verbs share: score images, evaluate, write a run folder and its reports.

Each stage writes files and can be run again from the files before it.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from arena import taggers
from arena.base import provenance
from arena.base.errors import ScoresError
from arena.base.files import write_whole
from arena.base.progress import Progress
from arena.cards import ModelCard, roots
from arena.dataset.contamination import Contamination
from arena.dataset.frozen import HeldOut, Truth
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.pipeline.display_options import Showing, shelf_of, show_images
from arena.pipeline.thresholds import Own
from arena.results.recipe import Recipe, write_recipe
from arena.results.run_folder import Result, write_result
from arena.scores.store import Scores, ScoreStore, describe_throughput, read_facts, read_store
from arena.taggers.adapters.precomputed import refuse_own_scores
from arena.taggers.base import notes_of
from arena.taggers.files.weights import fetch
from arena.taggers.predict import ImageSource, Job, forget_mended, predict, refuse_missing
from arena.taggers.size import size_of_all
from arena.tags import TagRelations
from arena.tags.groups import read_tag_groups

DEMO_DATASET = "demo"
"""The held-out set that ships with the project."""

TAG_GROUPS_FILE = "tag_groups.toml"
"""Named groups of tags, beside a dataset or for all."""


@dataclass(frozen=True)
class Compute:
    """How the networks run.

    Attributes:
        batch_size: images a batch; None chooses by device.
    """

    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None


@dataclass(frozen=True)
class Scoring:
    """How scores become figures.

    Attributes:
        settings: what is computed; its tag groups come on top of those found beside the dataset.
        thresholds: model -> threshold that replaces all of its own.
        tag_groups: a file of named tag groups; None takes the dataset's own, else those that ship with the project.
        against: index files of training images; the figures come again without the images that are in them.
        pictures: where pictures of these indexes are, `INDEX=SOURCE` each; what is near is then compared.
        published: files that others published, `NAME=FILE` or `FILE` each; they stand beside the figures, and are in none.
    """

    settings: Settings = field(default_factory=Settings)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    tag_groups: Path | None = None
    against: Sequence[Path] = ()
    pictures: Sequence[str] = ()
    published: Sequence[str] = ()


def score_images(
    cards: Sequence[ModelCard],
    source: ImageSource,
    folder: Path,
    *,
    compute: Compute,
    progress: Progress,
    relations: TagRelations = TagRelations(),
) -> None:
    """Fill `folder/<model>/` with the scores of every model; a model is loaded only where some are missing.

    Args:
        relations: what is known of the images' tags; an ensemble matches its members' tags by their aliases.
    """
    jobs: list[Job] = []
    for card in cards:
        for one in card.single:
            fetch(one, progress)
        ways = {"device": compute.device, "precision": compute.precision}
        facts = taggers.identify(card, **ways, relations=relations)
        key = provenance.digest({**facts, "images": source.digest})
        store = ScoreStore(folder / card.name, key=key, shards=source.shards)
        refuse_own_scores(card, store.folder)
        forget_mended(source, store)
        if not store.missing():
            progress.note(f"{card.name}: all scores are there already")
            continue
        progress.note(f"{card.name}: loading")
        known = [job.tagger for job in jobs]
        tagger = taggers.load(card, **ways, among=known, relations=relations)
        refuse_missing(source, tagger)
        for line in notes_of(tagger):
            progress.note(f"{card.name}: {line}")
        size = size_of_all(tagger, {one.name: fetch(one) for one in card.single})
        told = {"preprocess": asdict(tagger.preprocess), "input": asdict(tagger.card.input)}
        ran = {"weights": facts["weights"], "tags": tagger.tags.digest, "precision": tagger.precision} | told
        if store.prepare(tagger.tags, {**ran, **size._asdict(), "device": tagger.device, "key": key}):
            progress.note(f"{card.name}: what was there is of other weights, images or settings; scoring again")
        jobs.append(Job(tagger, store, provenance.device_name(tagger.device)))
    if not jobs:
        return
    missing = {number for job in jobs for number in job.store.missing()}
    todo = sum(len(shard) for number, shard in enumerate(source.shards) if number in missing)
    total = len(source.image_ids)
    with progress.count("images", total, total - todo) as advance:
        predict(source, jobs, batch_size=compute.batch_size, advance=advance)


def scored_entry(card: ModelCard, folder: Path, own: Own) -> Entry:
    """A model with the scores that are kept of it, ready to be compared."""
    scores = read_store(folder)
    facts = {
        "title": card.title, "adapter": card.adapter, "hub": card.hub, "revision": card.revision,
        "licence": card.licence, "trained_until": card.trained_until, "verified": card.verified, "notes": card.notes or None,
        **read_facts(folder), **describe_throughput(scores.timed),
    }  # fmt: skip
    return Entry(card.name, card.title, scores, own.thresholds, own.source, facts)


def settings_of(scoring: Scoring, beside: Path, root: Path | None) -> Settings:
    """The settings with the tag groups that were asked for, or lie beside the dataset, or ship with the project."""
    given = [scoring.tag_groups] if scoring.tag_groups is not None else []
    known = [beside / TAG_GROUPS_FILE, *(place / "datasets" / TAG_GROUPS_FILE for place in roots(root))]
    paths = given or [path for path in known if path.exists()][:1]
    found = [group for path in paths for group in read_tag_groups(path)]
    return replace(scoring.settings, tag_groups=[*scoring.settings.tag_groups, *found])


def evaluate_run(
    truth: Truth, entries: Sequence[Entry], settings: Settings, progress: Progress, against: Contamination | None = None
) -> Result:  # fmt: skip
    """Evaluate, and report how far it is."""
    with progress.count("tags", amount_of_work(truth, settings), 0) as advance:
        return evaluate(truth, entries, settings, against=against, advance=advance)


def signed(result: Result, recipe: Recipe, folder: Path | None = None) -> Result:
    """The result with its recipe, and the line that pins what was compared.

    Args:
        folder: the run folder, from which the recipe then names its inputs.
    """
    summary, facts = result.summary, result.run["models"]
    models = [f"{name}@{facts[name].get('key', '')[:8]}>={one['threshold']}" for name, one in summary["models"].items()]
    signature = provenance.signature(
        dataset=recipe.dataset.label(8),
        images=summary["images"],
        tags=summary["compared_tags"],
        min_positives=summary["min_positives"],
        convention=summary["convention"],
        imply=summary["imply"],
        models=models,
        against=[f"{one['name']}@{one['digest'][:8]}" for one in recipe.against],
    )
    return replace(result, run={**write_recipe(recipe, result.run, folder), "signature": signature})


def write_run(
    folder: Path, result: Result, recipe: Recipe, heldout: HeldOut | None, showing: Showing, progress: Progress,
    published: Sequence[dict[str, Any]] = (),
) -> Result:  # fmt: skip
    """Sign the result, and write the run folder; what others published stands beside it.

    Returns: the result as it was written.
    """
    if published:
        result.summary["published"] = list(published)
    result = signed(result, recipe, folder)
    for name in ("run.json", "index.html"):  # of an earlier run
        (folder / name).unlink(missing_ok=True)
    show_images(result, folder, heldout, showing, progress)
    write_result(result, folder)  # first: reports that fail can be written again from it
    progress.note("writing the reports")
    write_reports(result, folder)
    return result


def write_reports(result: Result, folder: Path) -> None:
    """The page, the pictures and the text files of a run folder."""
    from arena.report import html, plots, text, view

    found = text.text_reports(result)
    found["index.html"] = html.render(view.page_view(result, shelf_of(result, folder)))
    for name in ("full-metrics", "plots"):  # they may hold models of an earlier run
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for name, content in found.items():
        write_whole(folder / name, content)
    plots.write_plots(result, folder / "plots")


def refuse_all_skipped(scores: Scores) -> None:
    """Refuse scores of no image.

    Raises:
        ScoresError: no image could be read; the first is named with the reason.
    """
    if not scores.image_ids:
        first, reason = next(iter(scores.skipped.items()))
        raise ScoresError(f"none of {len(scores.skipped)} images could be read; the first, {first}: {reason}")
