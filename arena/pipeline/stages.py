"""The stages that several verbs share: score images, evaluate scores, write a run folder and its reports.

Each stage writes files, and can be run again from the files of the stage before it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from arena import taggers
from arena.base import provenance
from arena.base.cores import divided_cores
from arena.base.errors import ScoresError
from arena.base.files import digest_file, write_whole
from arena.base.leases import Leases
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard, roots
from arena.dataset.contamination import Contamination
from arena.dataset.frozen import HeldOut, Truth
from arena.engines.devices import Placement, place_workers
from arena.engines.engine import Engine
from arena.engines.loaded import Hardware, Loaded, load_tagger
from arena.engines.ray import RayCluster, ray_cluster
from arena.engines.workers import WorkerTask
from arena.evaluate import Entry, Settings, amount_of_work, evaluate
from arena.evaluate.matching import refuse_no_implications
from arena.evaluate.slices import refuse_unknown_slices
from arena.pipeline.display_options import THUMBNAIL_TABLE, DisplayOptions, prepare_thumbnails, thumbnails_of
from arena.pipeline.judgements import GivenJudgements
from arena.pipeline.thresholds import ModelThresholds
from arena.results.recipe import JUDGEMENTS, Recipe, write_recipe
from arena.results.run_folder import Result, write_tables
from arena.results.written import FILES, RUN_FILE, UNFINISHED, begin_reports, finish_reports
from arena.scores.cut import Selection
from arena.scores.high_scores import stored_cut
from arena.scores.store import Scores, ScoreStore, read_store_facts
from arena.scores.throughput import describe_throughput
from arena.taggers.adapters.precomputed import refuse_own_scores
from arena.taggers.files.weights import fetch_files
from arena.taggers.predict import ImageSource, ScoringJob, recheck_skipped_images, scores_key
from arena.tags import TagRelations, TagSpace
from arena.tags.groups import read_tag_groups

if TYPE_CHECKING:
    from arena.report.plots.process import PlotWriter

DEMO_DATASET = "demo"
"""The held-out dataset that ships with the project."""

TAG_GROUPS_FILE = "tag_groups.toml"
"""File of named tag groups: in a dataset's folder, or in `datasets/` for all datasets."""


@dataclass(frozen=True)
class Compute:
    """How the networks run.

    Attributes:
        device: as in `place_workers`.
        batch_size: images per batch; None chooses by device.
        workers: number of processes per device.
        engine: `local`, or `ray`: the networks run on a Ray cluster.
        address: address of the cluster, as `ray.init` takes it.
        cluster: the connection to the cluster; None without one.
        leases: the leases of this process if other commands share the scoring; None if no other command writes the scores.
        selection: which scores are stored; None stores all.
        recheck: try skipped images again, and score a shard again if one has become readable; not while others use the shards.
    """

    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    workers: int = 1
    engine: Literal["local", "ray"] = "local"
    address: str = "auto"
    cluster: RayCluster | None = None
    leases: Leases | None = None
    recheck: bool = True
    selection: Selection | None = None


@dataclass(frozen=True)
class Execution:
    """How a command is executed.

    Attributes:
        compute: how the networks run.
        root: folder with further cards; None is the usual places.
        command: the command line, for the recipe.
        progress: receives the progress.
        overwrite: replace a run of another recipe in the output folder.
        scores_only: score, and leave the evaluation to another process of the same run.
    """

    compute: Compute = Compute()
    root: Path | None = None
    command: str = ""
    overwrite: bool = False
    progress: Progress = field(default_factory=Silent)
    scores_only: bool = False


@dataclass(frozen=True)
class Scoring:
    """How scores become metrics.

    Attributes:
        settings: settings of the evaluation; its tag groups are added to those found with the dataset.
        thresholds: model -> threshold that replaces all of its own.
        tag_groups: a file of named tag groups; None takes the dataset's own, else those that ship with the project.
        against: index files of training images; the metrics are also computed without the images found in them.
        pictures: folders with the pictures of these indexes, `INDEX=SOURCE` each; near duplicates are then compared by pixels.
        published: published files, `NAME=FILE` or `FILE` each; their metrics are shown next to the results.
        judgements: files of answers of people; the metrics are also estimated by judged truth.
    """

    settings: Settings = field(default_factory=Settings)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    tag_groups: Path | None = None
    against: Sequence[Path] = ()
    pictures: Sequence[str] = ()
    published: Sequence[str] = ()
    judgements: Sequence[Path] = ()


def score_images(
    cards: Sequence[ModelCard],
    source: ImageSource,
    folder: Path,
    *,
    compute: Compute,
    progress: Progress,
    relations: TagRelations = TagRelations(),
    review: Callable[[Mapping[str, TagSpace]], None] = lambda tags: None,
) -> dict[str, ScoreStore]:
    """Write the scores of every model to `folder/<model>/`; a model is loaded only if some of its scores are missing.

    Args:
        relations: aliases and implications of tags; an ensemble matches the tags of its members by the aliases.
        review: called with the name and tags of every model before the first image; it raises if they cannot be compared.

    Returns: the finished store of every model, by name.
    """
    placement = _place(compute)
    stores: dict[str, ScoreStore] = {}
    pending: list[_Pending] = []
    tags: dict[str, TagSpace] = {}
    with divided_cores(len(placement.workers)):
        for card in cards:
            facts = identify_model(card, compute, relations, progress)
            store = stores[card.name] = _open_store(card, source, folder, facts, compute)
            if not store.missing():
                scores = store.read()
                for line in ("all scores exist already", *scores.notes):
                    progress.note(f"{card.name}: {line}")
                tags[card.name] = scores.tags
                continue
            for line in store.damaged():
                progress.note(f"{card.name}: scoring again: {line}")
            progress.note(f"{card.name}: loading")
            hardware = Hardware(placement.workers[0], compute.precision, relations)
            if compute.cluster is None:
                loaded = load_tagger(card, hardware, source, [one.loaded.tagger for one in pending])
            else:
                loaded = compute.cluster.load(card, hardware, source)
            for line in loaded.notes:
                progress.note(f"{card.name}: {line}")
            tags[card.name] = loaded.tagger.tags
            pending.append(_Pending(card, loaded, store, str(facts["weights"]), compute.selection))
        review(tags)
        jobs = [_prepared_job(one, progress) for one in pending]
        if jobs:
            task = WorkerTask(
                [one.card for one in pending], [one.store.key for one in pending], source, folder, placement.workers[0],
                compute.precision, compute.batch_size, relations, len(placement.workers),
            )  # fmt: skip
            engine = Engine(task, placement.workers[1:], compute.leases, compute.cluster)
            _score_missing(engine, jobs, progress)
    return stores


def _score_missing(engine: Engine, jobs: Sequence[ScoringJob], progress: Progress) -> None:
    """Score what is missing in the jobs' stores, and report the progress."""
    source = engine.task.source
    missing = {number for job in jobs for number in job.store.missing()}
    todo = sum(len(shard) for number, shard in enumerate(source.shards) if number in missing)
    total = len(source.image_ids)
    with progress.count("images", total, total - todo) as advance:
        engine.score(jobs, progress, advance)


def identify_model(card: ModelCard, compute: Compute, relations: TagRelations, progress: Progress) -> dict[str, Any]:
    """Return what identifies the scores of a model, but for the images; missing files of the model are downloaded first."""
    for one in card.single:
        fetch_files(one, progress)
    remote = compute.cluster is not None
    return taggers.identify(
        card, device=_place(compute).device, precision=compute.precision, relations=relations, remote=remote
    )


def _place(compute: Compute) -> Placement:
    """Return the devices of this process and of its workers; the actors of a cluster have devices of one kind."""
    if compute.cluster is not None:
        return Placement(compute.cluster.device, (compute.cluster.device,))
    return place_workers(compute.device, compute.workers)


@contextmanager
def with_cluster(execution: Execution) -> Iterator[Execution]:
    """Connect to the cluster of a command for the block, if it is to run on one."""
    compute = execution.compute
    if compute.engine == "local":
        yield execution
        return
    with ray_cluster(compute.address, compute.device, compute.workers, execution.progress) as cluster:
        yield replace(execution, compute=replace(compute, cluster=cluster))


def _open_store(
    card: ModelCard, source: ImageSource, folder: Path, facts: Mapping[str, Any], compute: Compute
) -> ScoreStore:
    """Return the store of a model's scores, after a check of its folder and of earlier skipped images.

    Args:
        facts: what identifies the tagger, from `taggers.identify`.
    """
    store = ScoreStore(folder / card.name, key=scores_key(facts, source, compute.selection), shards=source.shards)
    refuse_own_scores(card, store.folder)
    if compute.recheck:
        recheck_skipped_images(source, store)
    return store


class _Pending(NamedTuple):
    """A loaded tagger with missing scores."""

    card: ModelCard
    loaded: Loaded
    store: ScoreStore
    weights: str
    """Digest of the weights."""
    selection: Selection | None


def _prepared_job(one: _Pending, progress: Progress) -> ScoringJob:
    """Return the job of a tagger, and prepare its store for shards."""
    card, (tagger, size, _, machine), store = one.card, one.loaded, one.store
    pixels = {"preprocess": asdict(tagger.preprocess), "input": asdict(tagger.card.input)}
    record = {"weights": one.weights, "tags": tagger.tags.digest, "precision": tagger.precision} | pixels
    record |= stored_cut(one.selection)
    if store.prepare(tagger.tags, {**record, **size._asdict(), "device": tagger.device, "key": store.key}):
        progress.note(
            f"{card.name}: the stored scores are damaged, or of other weights, images or settings; scoring again"
        )
    return ScoringJob(tagger, store, machine)


def scored_entry(card: ModelCard, store: ScoreStore, own: ModelThresholds) -> Entry:
    """A model with its stored scores, ready for evaluation.

    Raises:
        ScoresError: the scores are damaged, or another command has replaced them by those of another model.
    """
    scores = store.read()
    facts = {
        "title": card.title, "adapter": card.adapter, "hub": card.hub, "revision": card.revision,
        "licence": card.licence, "trained_until": card.trained_until, "verified": card.known_verified,
        "notes": card.notes or None, "family": card.family or None,
        **read_store_facts(store.folder, key=store.key), **describe_throughput(scores.timed),
    }  # fmt: skip
    return Entry(card.name, card.title, scores, own.thresholds, own.source, facts)


def refuse_unfit_settings(truth: Truth, settings: Settings) -> None:
    """Refuse settings that do not fit the truth, before the first image is scored.

    Raises:
        ArenaError: a slice is by an unknown column, or implications are needed and the truth has none.
    """
    refuse_unknown_slices(truth, settings)
    if settings.imply:
        refuse_no_implications(truth)


def settings_of(scoring: Scoring, dataset_folder: Path, root: Path | None) -> Settings:
    """The settings with the tag groups of the option, else of the dataset, else of the project.

    Args:
        dataset_folder: the folder of the dataset or of the truth file.
    """
    option = [scoring.tag_groups] if scoring.tag_groups is not None else []
    defaults = [dataset_folder / TAG_GROUPS_FILE, *(place / "datasets" / TAG_GROUPS_FILE for place in roots(root))]
    paths = option or [path for path in defaults if path.exists()][:1]
    groups = [group for path in paths for group in read_tag_groups(path)]
    return replace(scoring.settings, tag_groups=[*scoring.settings.tag_groups, *groups])


def evaluate_run(
    truth: Truth, entries: Sequence[Entry], settings: Settings, progress: Progress, against: Contamination | None = None,
    given: GivenJudgements | None = None,
) -> Result:  # fmt: skip
    """Evaluate the entries, and report the progress."""
    judgements = None if given is None else given.judgements
    with progress.count("tags", amount_of_work(truth, settings), 0) as advance:
        return evaluate(truth, entries, settings, against=against, judgements=judgements, advance=advance)


def sign_result(result: Result, recipe: Recipe, folder: Path | None = None) -> Result:
    """The result with its recipe and its signature, one line that identifies the comparison and its figures.

    Args:
        folder: the run folder; paths of inputs in the recipe are then relative to it.
    """
    summary, facts = result.summary, result.run["models"]
    models = [f"{name}@{facts[name].get('key', '')[:8]}>={one['threshold']}" for name, one in summary["models"].items()]
    signature = provenance.ComparisonSignature(
        dataset=recipe.dataset.label(8),
        images=summary["images"],
        tags=summary["compared_tags"],
        min_positives=summary["min_positives"],
        convention=summary["convention"],
        imply=summary["imply"],
        models=models,
        against=[f"{one['name']}@{one['digest'][:8]}" for one in recipe.against],
        judgements=[one.digest[:8] for one in recipe.inputs if one.kind == JUDGEMENTS],
        result=provenance.digest(result.run[FILES]) if FILES in result.run else "",
    )
    return replace(result, run={**write_recipe(recipe, result.run, folder), "signature": signature.text})


def write_run(
    folder: Path, result: Result, recipe: Recipe, heldout: HeldOut | None, showing: DisplayOptions, progress: Progress,
    published: Sequence[dict[str, Any]] = (),
) -> Result:  # fmt: skip
    """Sign the result and write the run folder.

    Args:
        recipe: how the result was made.
        heldout: the images for thumbnails; None makes no thumbnails.
        published: entries of `summary.json` for published metrics.

    Returns: the result as it was written.
    """
    if published:
        result.summary["published"] = list(published)
    for name in (RUN_FILE, UNFINISHED, "index.html"):  # left by an earlier run
        (folder / name).unlink(missing_ok=True)
    from arena.report.plots.process import PlotWriter

    with PlotWriter(result) as plots:
        prepare_thumbnails(result, folder, heldout, showing, progress)
        result = sign_result(write_tables(result, folder), recipe, folder)
        progress.note("writing the reports")
        _write_reports(result, folder, plots)
    return result


def write_reports(result: Result, folder: Path) -> None:
    """Write the page, the plots and the text files of a run folder, then `run.json`.

    Until then the run is unfinished. If the reports fail, they can be written again from the other files.
    """
    from arena.report.plots.process import PlotWriter

    with PlotWriter(result) as plots:
        _write_reports(result, folder, plots)


def _write_reports(result: Result, folder: Path, plots: "PlotWriter") -> None:
    begin_reports(folder, result.run)
    written = _reports(result, folder, plots)
    if (folder / THUMBNAIL_TABLE).exists() and THUMBNAIL_TABLE not in result.run.get(FILES, {}):
        written.append(folder / THUMBNAIL_TABLE)  # it holds the digests of the thumbnails
    finish_reports(folder, {path.relative_to(folder).as_posix(): digest_file(path) for path in written})


def _reports(result: Result, folder: Path, plots: "PlotWriter") -> list[Path]:
    """Write the page, the plots and the text files of a run folder, and return their paths."""
    from arena.report import html, text, view

    headline = view.headline_view(result)
    for name in ("full-metrics", "plots"):
        (folder / name).mkdir(exist_ok=True)
        _remove_earlier_reports(folder / name)
    plots.begin(result, folder / "plots", headline)
    files = text.text_reports(result, headline)
    page = view.page_view(result, thumbnails_of(result, folder), headline_payload=headline)
    files["index.html"] = html.render_comparison(page)
    for name, content in files.items():
        write_whole(folder / name, content)
    return [*(folder / name for name in files), *plots.finish()]


_OWN_PLOT = re.compile(r"[a-z]+(-dark)?\.(svg|png)")


def _remove_earlier_reports(folder: Path) -> None:
    """Remove reports and plots of an earlier run, which may name other models; files of other programs stay."""
    for path in folder.iterdir():
        if path.is_file() and (_OWN_PLOT.fullmatch(path.name) or _is_full_metrics(path)):
            path.unlink()


def _is_full_metrics(path: Path) -> bool:
    """Return whether a file has the format of `full-metrics`; the file of a model without a known tag is empty."""
    with path.open("rb") as file:
        return path.suffix == ".txt" and file.read(5) in (b"", b"Tag: ")


def refuse_all_skipped(scores: Scores) -> None:
    """Refuse scores if no image could be read.

    Raises:
        ScoresError: no image could be read; the message names the first with the reason.
    """
    if not scores.image_ids:
        first, reason = next(iter(scores.skipped.items()))
        raise ScoresError(f"none of {len(scores.skipped)} images could be read; the first, {first}: {reason}")
