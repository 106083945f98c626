"""The verb `publish`: write a site of runs, export a run, or verify published metrics."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError, FailedError
from arena.cli.options import NamedFile, config_option, option, root_option

_MAX_DIFFERENCES = 10
"""Largest number of differences that `--verify` lists; the rest are counted."""


@click.command("publish")
@config_option
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@option("--to", "to", type=click.Path(path_type=Path), help="Folder of the site.", show_default=False)
@option(
    "--url", show_default=False,
    help="Public address of the site, for canonical links and the sitemap. Kept for later calls; `none` removes it.",
)  # fmt: skip
@option(
    "--push", metavar="hf:ORG/SPACE", show_default=False,
    help="Push the site of --to to a static Space on Hugging Face, which is created if it does not exist.",
)  # fmt: skip
@option("--no-images", is_flag=True, show_default=False, help="Leave out the thumbnails of the runs.")
@option(
    "--forms", type=click.Path(path_type=Path), show_default=False,
    help="Folder for the exports of one run: texts, tables, hub metadata, citation.",
)  # fmt: skip
@option("--model", "-m", multiple=True, help="With --forms: export only this model. Repeatable.", show_default=False)
@option("--verify", is_flag=True, show_default=False, help="Recompute one run from its scores and compare all files.")
@option(
    "--dataset",
    "-d",
    show_default=False,
    help="With --verify: dataset with the ground truth, if its name differs from the run's.",
)
@option(
    "--scores", type=NamedFile(), multiple=True, metavar="NAME=FILE", show_default=False,
    help="With --verify: scores that are not in the run folder. Repeatable.",
)  # fmt: skip
@option(
    "--tag-groups", type=click.Path(path_type=Path), help="With --verify: tag groups of the run.", show_default=False
)
@root_option
def publish(
    runs: tuple[Path, ...], to: Path | None, forms: Path | None, verify: bool, **settings: Any
) -> None:  # fmt: skip
    """Publish runs as a site of static pages, export one run in every common format, or verify published metrics.

    --to writes an index of runs, a leaderboard over time, a page of every tagger, a page that shows any tag, the runs' own
    pages and files, and a feed. The site works on any host and from disk. Runs that are already in the site stay. Without a
    run, only the other pages are written again.

    --forms writes full-metrics.txt, CSV, Parquet, JSON, model-index, model card, citation and signature.

    --push uploads the files of the site that changed in one commit. Log in before: hf auth login, or HF_TOKEN.

    --verify recomputes every metric from the stored scores and compares every file; with --forms, the exports too. Exits with
    1 if a file differs, with 4 if the dataset is not the run's.

    The same input always gives the same bytes.

    Example: arena publish runs/demo --to site --url https://example.org/arena --push hf:me/arena
    """
    if settings["push"] is not None and to is None:
        raise ArenaError("arena publish --push: name the site with --to SITE")
    if to is None and forms is None and not verify:
        raise ArenaError("arena publish: give --to SITE, --forms FOLDER or --verify")
    if verify:
        where = {name: settings[name] for name in ("dataset", "scores", "tag_groups", "root")}
        _verify(_only(runs, "--verify"), forms, **where)
    elif forms is not None:
        _forms(_only(runs, "--forms"), forms, settings["model"])
    if to is not None:
        _site(runs, to, settings["url"], images=not settings["no_images"], push=settings["push"])


def _only(runs: tuple[Path, ...], wanted: str) -> Path:
    if len(runs) != 1:
        raise ArenaError(f"arena publish {wanted}: name one run, not {len(runs)}")
    return runs[0]


def _verify(run: Path, forms: Path | None, *, scores: tuple[tuple[str, Path], ...], **where: Any) -> None:
    from arena.base.format import plural
    from arena.cli.terminal.console import Terminal
    from arena.cli.verbs import unique
    from arena.pipeline.verify import verify_run

    found = verify_run(run, forms=forms, scores=unique(scores), **where, progress=Terminal())
    for line in found.differences[:_MAX_DIFFERENCES]:
        click.echo(f"DIFFERS  {line}")
    if len(found.differences) > _MAX_DIFFERENCES:
        click.echo(f"and {len(found.differences) - _MAX_DIFFERENCES:,} more")
    for line in found.left_out:
        click.echo(f"not compared: {line}")
    if found.differences:
        raise FailedError(f"{run}: {plural(len(found.differences), 'difference', 'differences')} from its scores")
    click.echo(f"{run}: equal; {plural(len(found.compared), 'file', 'files')} compared")


def _forms(run: Path, to: Path, models: tuple[str, ...]) -> None:
    from arena.pipeline.publish import publish_exports

    done = publish_exports(run, to, models)
    click.echo(f"{to}: {len(done.files):,} files, {len(done.changed):,} written")


def _site(runs: tuple[Path, ...], to: Path, url: str | None, *, images: bool, push: str | None) -> None:
    from arena.base.format import plural
    from arena.cli.terminal.console import Terminal, show_path
    from arena.report.site.publish import publish_site as publish_runs

    terminal = Terminal()
    if push is not None:
        from arena.pipeline.push import push_site, space_of

        space_of(push)  # a mistyped target is refused before anything is written
    done = publish_runs(runs, to, url=url, images=images, progress=terminal)
    for line in done.told:
        terminal.note(f"not in the indexes: {line}")
    removed = f", {done.removed:,} removed" if done.removed else ""
    holds = ", ".join(
        (plural(done.runs, "run", "runs"), plural(done.models, "tagger", "taggers"), plural(done.tags, "tag", "tags"))
    )
    click.echo(f"{holds}: {plural(done.written, 'file', 'files')} written, {done.unchanged:,} unchanged{removed}")
    if push is not None:
        pushed = push_site(done.folder, push, terminal)
        new = " (new)" if pushed.created else ""
        click.echo(
            f"{pushed.url}{new}: {plural(pushed.added, 'file', 'files')} uploaded, {pushed.unchanged:,} unchanged, "
            f"{pushed.deleted:,} deleted"
        )
    show_path(done.folder / "index.html")
