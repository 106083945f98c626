"""Shared parts of the verbs: groups that suggest the nearest verb, and readers of their arguments."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from arena.base.errors import ArenaError, nearest


class Verbs(click.Group):
    """A group that prints its help without arguments, suggests the nearest verb, and lists its verbs by purpose.

    Args:
        sections: title of a help section -> names of its verbs, in order. Verbs in no section come last.
    """

    def __init__(self, *arguments: Any, sections: Mapping[str, Sequence[str]] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.sections = dict(sections or {})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed = {name for names in self.sections.values() for name in names}
        rest = [name for name in self.list_commands(ctx) if name not in listed]
        for title, names in (*self.sections.items(), ("Verbs", rest)):
            rows = [(name, self.commands[name].get_short_help_str(limit=1_000)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"there is no verb {args[0]!r}. {nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


def unique(pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return the pairs of a repeated option as a mapping; refuse a name that occurs twice."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ArenaError(f"{max(names, key=names.count)} is named twice; every model needs its own name")
    return dict(pairs)


def split_names(text: str) -> list[str]:
    """Split a comma-separated list; empty names are dropped."""
    return [name.strip() for name in text.split(",") if name.strip()]


def command_line() -> str:
    """Return the command line quoted for a shell, with local paths shortened, because runs record and pages show it.

    The environment variables that set options of the verb stand before it.
    """
    import shlex

    from arena.base.local_paths import shorten_word, shorten_words

    ctx = click.get_current_context(silent=True)
    variables = [] if ctx is None else sorted(filter(None, (_variable_of(ctx, one) for one in ctx.command.params)))
    settings = [f"{name}={shlex.quote(shorten_word(os.environ[name]))}" for name in variables]
    return " ".join([*settings, shorten_words(["arena", *sys.argv[1:]])])


def _variable_of(ctx: click.Context, parameter: click.Parameter) -> str:
    """Return the environment variable that an option took its value from; empty if it took none."""
    source = ctx.get_parameter_source(str(parameter.name))
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []
    set_by = [name for name in names if os.environ.get(name)]
    return set_by[0] if set_by and source is click.core.ParameterSource.ENVIRONMENT else ""
