"""Which adapters there are: the project's own, and those that installed packages offer as entry points.

A package is asked for its name and version only; nothing of it is imported before a model needs it.
"""

from importlib.metadata import EntryPoint, entry_points

from arena.base.errors import ArenaError

ADAPTERS = ("joytag", "onnx", "timm", "pixai", "jtp", "ram", "precomputed", "ensemble")
"""The project's own adapters; a plugin cannot take one of these names."""

PLUGIN_GROUP = "arena.taggers"
"""The group of entry points in which a package names its adapters: `NAME = "module:load"`."""


def check_adapter(name: str, where: str) -> None:
    """Refuse an adapter that neither the project nor an installed package has.

    Args:
        where: which card says so.

    Raises:
        ArenaError: there is none, or several packages offer it.
    """
    if name in ADAPTERS or find_plugin(name) is not None:
        return
    offered = sorted({point.name for point in entry_points(group=PLUGIN_GROUP)} - set(ADAPTERS))
    raise ArenaError(
        f"{where}: adapter = {name!r}; allowed: {', '.join([*ADAPTERS, *offered])}. Another one comes with a package "
        f"that has the entry point {name} in {PLUGIN_GROUP}; is it installed?"
    )


def find_plugin(name: str) -> EntryPoint | None:
    """The entry point of an adapter in somebody else's package, not yet imported; None where none is installed.

    Raises:
        ArenaError: two packages offer the name.
    """
    found = list(entry_points(group=PLUGIN_GROUP, name=name))
    if len(found) > 1:
        raise ArenaError(f"adapter {name}: offered by {' and by '.join(map(package_of, found))}; uninstall all but one")
    return found[0] if found else None


def package_of(point: EntryPoint) -> str:
    """The package that offers an adapter, with its version: `mean-colour 1.0`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module
