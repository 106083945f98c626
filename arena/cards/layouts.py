"""Folders of a model without a card: recognised by their files, and read with the values of a bundled card.

The weights may have any name if they are the only ones in the folder. People keep them under the name of the model, with a tag
list of the same name: `wd-v1-4-moat-tagger-v2.onnx` and `wd-v1-4-moat-tagger-v2.csv`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.cards.model import CARD_FILE, TORCH_SUFFIXES, ModelCard, TagFile

TAG_LIST = "selected_tags.csv"
"""SmilingWolf's name of a tag list."""

USUAL_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("model.onnx",),
    "torch": ("model.safetensors", "model.pt", "pytorch_model.bin"),
}
"""Kind of weights -> their usual names, by priority: those of the hub's libraries and of JoyTag's trainer."""

_SUFFIXES: Mapping[str, tuple[str, ...]] = {"onnx": (".onnx",), "torch": (".safetensors",)}
"""Kind of weights -> suffixes of weights with another name. `.pt` and `.bin` are not here: they may be an optimiser's state."""


class FolderLayout(NamedTuple):
    """A set of files, and the bundled card whose values they get.

    Attributes:
        weights: kind of the weights: `onnx` or `torch`.
        files: names of the other files.
        card: name of the bundled card.
        adapter: adapter that reads the files; empty: the card's.
        axes: order of axes of all graphs of the family, `nhwc` or `nchw`; empty: both occur.
    """

    weights: str
    files: tuple[str, ...]
    card: str
    adapter: str = ""
    axes: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Usual names of all files, weights first."""
        return (USUAL_WEIGHTS[self.weights][0], *self.files)


FOLDER_LAYOUTS = (
    FolderLayout("torch", ("config.json", "top_tags.txt"), "joytag"),
    FolderLayout("onnx", (TAG_LIST, "preprocess.json"), "animetimm-caformer_b36"),
    FolderLayout("torch", ("config.json", TAG_LIST, "preprocess.json"), "animetimm-caformer_b36-timm"),
    FolderLayout("onnx", (TAG_LIST,), "wd14", axes="nhwc"),
    FolderLayout("onnx", ("top_tags.txt",), "joytag", adapter="onnx"),
    FolderLayout("torch", ("config.json", "preprocessor_config.json"), "pixai-v1.0"),
    FolderLayout("torch", ("config.json", TAG_LIST), "wd-vit-v3-timm"),
)
"""Known layouts, by priority."""


def axes_of_family(card: ModelCard) -> str:
    """Return the order of axes of all graphs of a card's family, `nhwc` or `nchw`.

    It is empty if both occur, or if the folder has a card of its own.
    """
    return next(
        (layout.axes for layout in FOLDER_LAYOUTS if layout.card == card.family and layout.weights == "onnx"), ""
    )


def is_weights(path: Path) -> bool:
    """Return whether a path is a file of weights, by its suffix."""
    return path.suffix.lower() in (".onnx", *TORCH_SUFFIXES) and path.is_file()


def card_of_folder(name: str, path: Path, cards: Mapping[str, ModelCard]) -> ModelCard:
    """Return the card of a folder without a card, or of one file of weights in such a folder.

    Raises:
        ArenaError: the files are in no known layout, or several files may be the weights.
    """
    folder = path.parent if path.is_file() else path
    for layout in FOLDER_LAYOUTS:
        found = [files for weights in _weights(path, layout.weights) if (files := _files(folder, weights, layout))]
        if len(found) > 1:
            names = [files[0] for files in found]
            raise ArenaError(
                f"model {name}: {folder} has several weights ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''}); "
                f"name one of them: {name}={folder / names[0]}"
            )
        if found:
            return _read_as(name, folder, found[0], layout, cards[layout.card])
    raise ArenaError(f"model {name}: {folder} has no known layout; {_nearest_layout(path)}")


def _weights(path: Path, kind: str) -> list[str]:
    """Return the names of files that may be the weights of a kind: the file itself, the usual name, or else all by suffix."""
    if path.is_file():
        return [path.name] if (path.suffix.lower() == ".onnx") == (kind == "onnx") else []
    if usual := [usual for usual in USUAL_WEIGHTS[kind] if (path / usual).exists()]:
        return usual[:1]
    return sorted(one.name for one in path.iterdir() if one.suffix.lower() in _SUFFIXES[kind])


def _files(folder: Path, weights: str, layout: FolderLayout) -> tuple[str, ...]:
    """Return the files of a layout, weights first; empty if one is missing. The tag list of `X.onnx` may be `X.csv`."""
    own_list = Path(weights).with_suffix(".csv").name
    named = layout.weights == "onnx" and (folder / own_list).exists()
    others = tuple(own_list if named and file == TAG_LIST else file for file in layout.files)
    return (weights, *others) if all((folder / file).exists() for file in others) else ()


def _read_as(name: str, folder: Path, files: tuple[str, ...], layout: FolderLayout, template: ModelCard) -> ModelCard:
    """Return the card of a folder's files, with the values of a bundled card (`template`)."""
    tags, thresholds = template.tags, template.thresholds
    own_list = next((file for file in files[1:] if file.endswith(".csv") and file != TAG_LIST), "")
    if own_list:
        tags = TagFile(own_list, "selected_tags")
        thresholds = replace(thresholds, file=own_list) if thresholds.file == TAG_LIST else thresholds
    card = replace(
        template, name=name, title=name, folder=folder.resolve(), hub=None, revision=None, sha256={}, licence="unknown",
        trained_until="unknown", verified=False, fingerprint=None, tag_count=0, family=template.name, files=files,
        notes=f"local folder, read as {template.name}", tags=tags, thresholds=thresholds,
    )  # fmt: skip
    return replace(card, adapter=layout.adapter, output="auto") if layout.adapter else card


def _nearest_layout(path: Path) -> str:
    """Return the end of an error: the files of the most similar layout, those that are missing, and the fix."""
    folder = path.parent if path.is_file() else path

    def missing(layout: FolderLayout) -> list[str]:
        others = [file for file in layout.files if not (folder / file).exists()]
        return others if _weights(path, layout.weights) else [layout.names[0], *others]

    def difference(layout: FolderLayout) -> tuple[int, int]:
        without_weights = layout.names[0] in (lacks := missing(layout))
        return len(lacks) + without_weights, len(layout.files)  # weights count twice: they say most about a folder

    layout = min(FOLDER_LAYOUTS, key=difference)
    return (
        f"the most similar is that of {layout.card} ({', '.join(layout.names)}); missing: {', '.join(missing(layout))}. "
        f"Add the files, or describe the folder in a {CARD_FILE} (docs/adding/tagger.md)"
    )
