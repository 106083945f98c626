"""`publish`: runs as a site of static pages."""

from pathlib import Path

import click

from arena.cli.options import config_option, option


@click.command("publish")
@config_option
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@option("--to", "to", required=True, type=click.Path(path_type=Path), help="Folder of the site.", show_default=False)
@option(
    "--url", help="Where it will stand: for canonical addresses, sitemap; kept; none forgets it.", show_default=False
)
@option("--no-images", is_flag=True, show_default=False, help="Leave out the thumbnails of the runs.")
def publish(runs: tuple[Path, ...], to: Path, url: str | None, no_images: bool) -> None:
    """Publish runs as a site of static pages, for any host or from disk.

    An index of runs, a leaderboard over time, a page a tagger and a page a tag, the runs' own pages and files, a feed. The same
    runs give the same bytes, and runs that are there already stay; without any run the other pages are made anew. Stopped at
    any point, the same command continues.

    Example: arena publish runs/demo --to site --url https://example.org/arena
    """
    from arena.report.figures import plural
    from arena.report.site.publish import publish as publish_runs
    from arena.terminal import Terminal

    terminal = Terminal()
    done = publish_runs(runs, to, url=url, images=not no_images, progress=terminal)
    for line in done.told:
        terminal.note(f"not in the indexes: {line}")
    click.echo(f"{done.folder / 'index.html'}")
    removed = f", {done.removed:,} removed" if done.removed else ""
    holds = ", ".join(
        (plural(done.runs, "run", "runs"), plural(done.models, "tagger", "taggers"), plural(done.tags, "tag", "tags"))
    )
    click.echo(f"{holds}: {plural(done.written, 'file', 'files')} written, {done.unchanged:,} unchanged{removed}")
