"""The only place where the stages meet: cards, held-out images, taggers, scores, numbers, reports.

Each stage writes files and can be run again from the files before it.
"""

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from arena import taggers
from arena.base import provenance
from arena.base.errors import ArenaError, ScoresError
from arena.base.files import digest_file, make_folder
from arena.base.progress import Progress, Silent
from arena.base.version import __version__
from arena.cards import ModelCard, check_name, find_dataset, find_model, find_models, roots
from arena.dataset.contamination import Contamination, hold_against
from arena.dataset.frozen import HeldOut, Truth, read_frozen
from arena.dataset.readers import list_images
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.evaluate.settings import describe_settings
from arena.pipeline.display_options import Showing, shelf_of, show_images
from arena.pipeline.thresholds import Own, describe_own, own_thresholds, thresholds_of_cards, with_files
from arena.pipeline.truth import read_scores_of, read_truth
from arena.results.published.column import read_columns
from arena.results.run_folder import Result, read_result, write_result
from arena.scores.npz import read_scores, write_scores
from arena.scores.pace import describe_pace
from arena.scores.store import Scores, ScoreStore, read_facts, read_store
from arena.taggers.adapters.precomputed import refuse_own_scores
from arena.taggers.base import notes_of
from arena.taggers.files.weights import fetch
from arena.taggers.predict import ImageSource, Job, forget_mended, predict, refuse_missing
from arena.taggers.size import size_of_all
from arena.tags import TagRelations
from arena.tags.groups import read_tag_groups

DEMO_MODELS = ("joytag-demo", "wd14-demo")
"""What `arena run` compares when nothing is named."""

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


def run(
    models: Sequence[str],
    dataset: str,
    output: Path | None = None,
    *,
    limit: int | None = None,
    seed: int = 0,
    compute: Compute = Compute(),
    scoring: Scoring = Scoring(),
    showing: Showing = Showing(),
    root: Path | None = None,
    command: str = "",
    progress: Progress = Silent(),
) -> Path:
    """All stages: score the dataset with every model, count, write the run folder and its reports.

    Args:
        models: names of cards, or NAME=PATH.
        output: the run folder; None is `runs/` and a name made of the models and the dataset.
        limit: at most so many images, a random part told by `seed`.

    Returns: the run folder.
    """
    cards, beside = find_models(models, root), read_columns(scoring.published)
    thresholds = own_thresholds({card.name: card.thresholds for card in cards}, scoring.thresholds)
    heldout = read_frozen(find_dataset(dataset, root)).sample(limit, seed)
    against = hold_against(heldout, scoring.against, progress, pictures=scoring.pictures, root=root)
    folder = output or Path("runs") / run_name(models, heldout.card.name, limit, seed)
    make_folder(folder)
    thresholds = {card.name: with_files(card, thresholds[card.name], progress) for card in cards}
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    relations = heldout.truth.relations
    score_images(cards, source, folder / "scores", compute=compute, progress=progress, relations=relations)
    entries = [scored_entry(card, folder / "scores" / card.name, thresholds[card.name]) for card in cards]
    _refuse_all_skipped(entries[0].scores)
    facts = {
        "name": heldout.card.name, "title": heldout.card.title, "digest": heldout.digest, "images": len(heldout),
        "licence": heldout.card.licence, "sample": f"{limit} of seed {seed}" if limit else "all",
    }  # fmt: skip
    settings = settings_of(scoring, heldout.card.folder, root)
    result = evaluate_run(heldout.truth, entries, settings, facts, command, progress, against)
    write_run(folder, result, heldout, showing, progress, beside)
    return folder


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
    beside = read_columns(scoring.published)
    make_folder(output)
    progress.note("reading the truth")
    given = read_truth(dataset or DEMO_DATASET if truth is None else truth, root)
    against = hold_against(given.heldout, scoring.against, progress, pictures=scoring.pictures, root=root)
    entries = []
    for name, path in files.items():
        progress.note(f"{name}: reading {path}")
        own, scores = thresholds[name], read_scores_of(path)
        facts = {"scores": path.name} if path.is_file() else read_facts(path) | describe_pace(scores.timed)
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


def predict_folder(
    model: str,
    images: Path,
    output: Path,
    *,
    limit: int | None = None,
    compute: Compute = Compute(),
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Scores:
    """Score every image below a folder with one model, and write one `.npz`; continues where it was stopped.

    A file is known again by its name, size and time of change. Unreadable images are skipped and told.
    """
    if output.is_dir() or not output.name:
        raise ArenaError(f"--output {output}: a folder; name a file, such as scores.npz")
    card = find_model(model, root)
    if card.caution:
        progress.note(card.caution)
    listed = dict(list(list_images(images).items())[:limit])
    stats = [path.stat() for path in listed.values()]
    digests = tuple(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
    source = ImageSource(tuple(listed), tuple(listed.values()), digests, verified=False)
    make_folder(output.parent)
    parts = output.with_name(output.name + ".parts")
    score_images([card], source, parts, compute=compute, progress=progress)
    scores = read_store(parts / card.name)
    _refuse_all_skipped(scores)
    write_scores(output, scores)
    shutil.rmtree(parts)
    return read_scores(output)  # what was read of the parts lies in the file now


def render(folder: Path, showing: Showing = Showing()) -> None:
    """Write every report of a run again, from its folder alone."""
    result = read_result(folder)
    result.run["shows"] = asdict(showing.again(result.run))
    write_reports(result, folder)


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


def run_name(models: Sequence[str], dataset: str, limit: int | None, seed: int) -> str:
    """The folder of a run that names none: `demo`, or `joytag-vs-wd14-on-dan`, with `-200-seed-3` for a sample.

    >>> run_name(["joytag", "new=./latest"], "dan", 200, 3)
    'joytag-vs-new-on-dan-200-seed-3'
    """
    names = [spec.partition("=")[0] for spec in models]
    plain = (tuple(models), dataset) == (DEMO_MODELS, DEMO_DATASET)
    base = "demo" if plain else f"{'-vs-'.join(names)}-on-{dataset}"
    return base + (f"-{limit}-seed-{seed}" if limit else "")


def write_reports(result: Result, folder: Path) -> None:
    """The page, the pictures and the text files of a run folder."""
    from arena.report import html, plots, texts, view

    found = texts.text_reports(result)
    found["index.html"] = html.render(view.page_view(result, shelf_of(result, folder)))
    for name in ("full-metrics", "plots"):  # they may hold models of an earlier run
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for name, content in found.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    plots.write_plots(result, folder / "plots")


def evaluate_run(
    truth: Truth,
    entries: Sequence[Entry],
    settings: Settings,
    dataset: dict[str, Any],
    command: str,
    progress: Progress,
    against: Contamination | None,
) -> Result:
    """Count, and say how it came about."""
    run = {
        "created": provenance.now(),
        "arena_version": __version__,
        "command": command,
        "dataset": dataset,
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "settings": describe_settings(settings),
        **({} if against is None else {"against": list(against.indexes)}),
    }
    with progress.count("tags", amount_of_work(truth, settings), 0) as advance:
        return evaluate(truth, entries, settings, against=against, run=run, advance=advance)


def write_run(
    folder: Path, result: Result, heldout: HeldOut | None, showing: Showing, progress: Progress,
    published: Sequence[dict[str, Any]] = (),
) -> None:  # fmt: skip
    """Sign the result, and write the run folder; what others published stands beside it."""
    if published:
        result.summary["published"] = list(published)
    summary, dataset, facts = result.summary, result.run["dataset"], result.run["models"]
    result.run["signature"] = provenance.signature(
        dataset=f"{dataset['name']}@{dataset['digest'][:8]}",
        images=summary["images"],
        tags=summary["compared_tags"],
        min_positives=summary["min_positives"],
        convention=summary["convention"],
        imply=summary["imply"],
        models=[f"{name}@{facts[name]['key'][:8]}>={one['threshold']}" for name, one in summary["models"].items()],
        against=[f"{one['name']}@{one['digest'][:8]}" for one in result.run.get("against", [])],
    )
    for name in ("run.json", "index.html"):  # of an earlier run
        (folder / name).unlink(missing_ok=True)
    show_images(result, folder, heldout, showing, progress)
    write_result(result, folder)  # first: reports that fail can be written again from it
    progress.note("writing the reports")
    write_reports(result, folder)


def settings_of(scoring: Scoring, beside: Path, root: Path | None) -> Settings:
    """The settings with the tag groups that were asked for, or lie beside the dataset, or ship with the project."""
    given = [scoring.tag_groups] if scoring.tag_groups is not None else []
    known = [beside / TAG_GROUPS_FILE, *(place / "datasets" / TAG_GROUPS_FILE for place in roots(root))]
    paths = given or [path for path in known if path.exists()][:1]
    found = [group for path in paths for group in read_tag_groups(path)]
    return replace(scoring.settings, tag_groups=[*scoring.settings.tag_groups, *found])


def scored_entry(card: ModelCard, folder: Path, own: Own) -> Entry:
    """A model with the scores that are kept of it, ready to be compared."""
    scores = read_store(folder)
    facts = {
        "title": card.title, "adapter": card.adapter, "hub": card.hub, "revision": card.revision,
        "licence": card.licence, "trained_until": card.trained_until, "verified": card.verified, "notes": card.notes or None,
        **read_facts(folder), **describe_pace(scores.timed), "thresholds": describe_own(own),
    }  # fmt: skip
    return Entry(card.name, card.title, scores, own.thresholds, own.source, facts)


def _refuse_all_skipped(scores: Scores) -> None:
    if not scores.image_ids:
        first, reason = next(iter(scores.skipped.items()))
        raise ScoresError(f"none of {len(scores.skipped)} images could be read; the first, {first}: {reason}")
