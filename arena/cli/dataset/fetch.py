"""The verb `dataset fetch`: download posts and images of a site at a low rate."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import config_option, option
from arena.cli.verbs import split_names


@click.command("fetch")
@config_option
@click.argument("api", metavar="danbooru", type=click.Choice(["danbooru"]))
@option(
    "--before-id",
    type=click.IntRange(min=1),
    required=True,
    help="Take only posts with a lower id.",
    show_default=False,
)
@option("--after-id", type=click.IntRange(min=0), default=0, help="Take only posts with a higher id.")
@option("--count", type=click.IntRange(min=1), required=True, help="Number of posts.", show_default=False)
@option(
    "--output", "-o", type=click.Path(path_type=Path), required=True, help="Folder to fetch into.", show_default=False
)
@option("--ratings", default="g,s", help="Comma-separated ratings: g, s, q, e.")
@option("--types", default="jpg,jpeg,png,webp,gif,avif", help="Comma-separated file suffixes.")
@option(
    "--rate", type=click.FloatRange(0, 10, min_open=True), default=1.0, metavar="N",
    help="Requests per second, posts and files together; at most 10.",
)  # fmt: skip
@option("--base-url", default="https://danbooru.donmai.us", help="Host with this API.")
@option("--file-host", default="", help="Comma-separated hosts of files outside the domain.", show_default=False)
@option("--user-agent", help="Client name sent to the site.  [default: arena and its version]", show_default=False)
@click.option("--no-tag-filter", is_flag=True, help="Also take posts with tags that are unlawful in many places.")
def fetch(
    api: str, before_id: int, after_id: int, count: int, output: Path, no_tag_filter: bool, **settings: Any
) -> None:
    """Download posts and images older than a given post, at a low rate.

    Writes posts.jsonl, images/, fetch.toml and rejects.csv. After an interruption, the same command continues. The
    environment variables ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY name an account; an account is optional.

    Example: arena dataset fetch danbooru --before-id 6769098 --count 1000 -o danbooru-held-out
    """
    from arena.cli.terminal.console import Terminal
    from arena.dataset.fetch import danbooru as fetching
    from arena.dataset.fetch.address import Credentials, parse_base_url
    from arena.dataset.fetch.client import USER_AGENT, PoliteClient, RateLimit
    from arena.dataset.fetch.filter import NO_FILTER_WARNING, make_post_filter

    terminal = Terminal()
    wish = make_post_filter(
        split_names(settings["ratings"]), split_names(settings["types"]), tag_filter=not no_tag_filter
    )
    base = parse_base_url(settings["base_url"])
    query = fetching.PostQuery(host=str(base), before_id=before_id, after_id=after_id, count=count, wish=wish)
    if no_tag_filter:
        terminal.note(NO_FILTER_WARNING)
    with PoliteClient(
        base, pace=RateLimit(1 / settings["rate"]), user_agent=settings["user_agent"] or USER_AGENT, note=terminal.note,
        credentials=Credentials.from_environment(), file_hosts=tuple(split_names(settings["file_host"].lower())),
    ) as client:  # fmt: skip
        click.echo(fetching.fetch_posts(query, output, client=client, progress=terminal).told(output, query))
