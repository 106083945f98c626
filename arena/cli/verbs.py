"""What the verbs share: groups that suggest the nearest verb, and how their arguments are read."""

import sys
from typing import Any

import click

from arena.base.errors import ArenaError, nearest


class Verbs(click.Group):
    """A group that suggests the nearest verb for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"no verb is called {args[0]!r}. {nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


def unique(pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Pairs of a repeated option as a mapping; a name given twice is a mistake."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ArenaError(f"{max(names, key=names.count)} is named twice; every model needs a name of its own")
    return dict(pairs)


def split_names(text: str) -> list[str]:
    """`a, b` as a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def command_line() -> str:
    """What was typed, as it can be typed again."""
    import shlex

    return shlex.join(["arena", *sys.argv[1:]])
