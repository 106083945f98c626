"""Tags: what the columns of scores mean, and what one tag says about another."""

from arena.tags.relations import TagRelations
from arena.tags.space import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY, TagSpace, project

__all__ = ["CATEGORY_NAMES", "E621_CATEGORY_NAMES", "UNKNOWN_CATEGORY", "TagRelations", "TagSpace", "project"]
