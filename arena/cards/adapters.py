"""Available adapters: the project's own, and entry points of installed packages.

Only the name and version of a package are read. Its code is imported when a model needs it.
"""

from importlib.metadata import EntryPoint, entry_points

from arena.base.errors import ArenaError

ADAPTERS = ("joytag", "onnx", "timm", "pixai", "jtp", "ram", "precomputed", "ensemble")
"""The project's own adapters; a plugin cannot take one of these names."""

PLUGIN_GROUP = "arena.taggers"
"""Entry-point group in which a package declares its adapters: `NAME = "module:load"`."""


def refuse_unknown_adapter(name: str, where: str) -> None:
    """Refuse an adapter that neither the project nor an installed package has.

    Args:
        where: path of the card, for the error.

    Raises:
        ArenaError: no package has the adapter, or several packages have it.
    """
    if name in ADAPTERS or find_plugin(name) is not None:
        return
    offered = sorted({point.name for point in entry_points(group=PLUGIN_GROUP)} - set(ADAPTERS))
    raise ArenaError(
        f"{where}: adapter = {name!r}; allowed: {', '.join([*ADAPTERS, *offered])}. Another adapter needs an installed "
        f"package with the entry point {name} in {PLUGIN_GROUP}"
    )


def find_plugin(name: str) -> EntryPoint | None:
    """Return the entry point of an adapter in another package, not yet imported; None if none is installed.

    Raises:
        ArenaError: two packages have an adapter of this name.
    """
    found = list(entry_points(group=PLUGIN_GROUP, name=name))
    if len(found) > 1:
        raise ArenaError(f"adapter {name}: offered by {' and by '.join(map(package_of, found))}; uninstall all but one")
    return found[0] if found else None


def package_of(point: EntryPoint) -> str:
    """Return the name and version of the package with an adapter: `mean-colour 1.0`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module
