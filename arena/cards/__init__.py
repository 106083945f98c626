"""Cards: TOML files that describe a tagger or a dataset, read and validated.

Cards are in the folders `models/` and `datasets/` of a root. The roots are the folder of `--root`, then the checkout or else
the installed package. The error for a wrong card names the field, its value, and the allowed values.
"""

from arena.base.names import check_name
from arena.cards.adapters import ADAPTERS, PLUGIN_GROUP, find_plugin, package_of
from arena.cards.dataset import DatasetCard, read_dataset_card
from arena.cards.find import (
    dataset_cards,
    find_dataset,
    find_model,
    find_models,
    model_cards,
    model_groups,
    model_patterns,
    roots,
)
from arena.cards.fingerprint import Fingerprint, read_fingerprint
from arena.cards.layouts import FOLDER_LAYOUTS, FolderLayout, axes_of_family
from arena.cards.model import (
    CARD_FILE,
    TIMM_CONFIG,
    TORCH_SUFFIXES,
    ModelCard,
    TagFile,
    Thresholds,
    read_model_card,
)
from arena.cards.pixels import FILTERS, InputSpec, Preprocess
from arena.cards.source import COMMIT, HubSource

__all__ = [
    "ADAPTERS",
    "CARD_FILE",
    "COMMIT",
    "FILTERS",
    "FOLDER_LAYOUTS",
    "PLUGIN_GROUP",
    "TIMM_CONFIG",
    "TORCH_SUFFIXES",
    "DatasetCard",
    "Fingerprint",
    "FolderLayout",
    "HubSource",
    "InputSpec",
    "ModelCard",
    "Preprocess",
    "TagFile",
    "Thresholds",
    "axes_of_family",
    "check_name",
    "dataset_cards",
    "find_dataset",
    "find_model",
    "find_models",
    "find_plugin",
    "model_cards",
    "model_groups",
    "model_patterns",
    "package_of",
    "read_dataset_card",
    "read_fingerprint",
    "read_model_card",
    "roots",
]  # fmt: skip
