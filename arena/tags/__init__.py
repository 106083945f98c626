"""Tags: the names of score columns (`TagSpace`), and aliases and implications between tags (`TagRelations`)."""

from arena.tags.relations import TagRelations
from arena.tags.space import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY, TagSpace, project

__all__ = ["CATEGORY_NAMES", "E621_CATEGORY_NAMES", "UNKNOWN_CATEGORY", "TagRelations", "TagSpace", "project"]
