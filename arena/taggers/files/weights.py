"""Find or download a tagger's files, check their digests, and read state dicts."""

import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from arena.base.errors import WeightsError
from arena.base.files import digest_known, write_whole
from arena.base.progress import Progress, Silent
from arena.cards import TORCH_SUFFIXES, HubSource, ModelCard
from arena.taggers.files.graph_data import missing_external_data, with_external_data

if TYPE_CHECKING:
    from torch import Tensor

RECORD_FILE = "arena.sha256"
"""File with the digests of pulled files in the same folder, in the format of `sha256sum -c`."""


def find_files(card: ModelCard) -> dict[str, Path] | None:
    """Return the files of a card by name if all are on this machine, in its folder or in the hub's cache; else None.

    External data files of a graph are included, also if the card does not list them.

    Raises:
        WeightsError: a graph names a file outside its folder.
    """
    found = _found(card)
    return found if all(name in found for name in card.files) else None


def _found(card: ModelCard) -> dict[str, Path]:
    """Return those of a card's files that are on this machine.

    All files of one repository must be in the same folder, else none of them counts: two folders may hold two releases.
    """
    paths: dict[str, Path] = {}
    for source in dict.fromkeys(map(card.source, card.files)):
        names = [file for file in card.files if card.source(file) == source]
        for files in ({name: card.folder / name for name in names}, _cached(source, names)):
            complete = len(files) == len(names) and all(path.exists() for path in files.values())
            if complete and not missing_external_data(files):
                paths |= with_external_data(files)
                break
    return _in_order(card, paths)


def _in_order(card: ModelCard, paths: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files in the card's order, weights first; then the external data files of graphs."""
    return {name: paths[name] for name in card.files if name in paths} | dict(paths)


def _cached(source: HubSource | None, names: Sequence[str]) -> dict[str, Path]:
    """Return those of the files that are in the hub's cache."""
    if source is None:
        return {}
    from huggingface_hub import try_to_load_from_cache

    cached = {name: try_to_load_from_cache(source.hub, name, revision=source.revision) for name in names}
    return {name: Path(path) for name, path in cached.items() if isinstance(path, str)}


def fetch_files(card: ModelCard, progress: Progress = Silent()) -> dict[str, Path]:
    """Return the files of a card by name; missing ones are downloaded from the hub at the card's revision.

    Raises:
        WeightsError: a file is missing and cannot be downloaded, or its digest is not the card's or the recorded one.
    """
    files = find_files(card)
    if files is None:
        files = _pull(card, progress)
        _refuse_others(card, files)
        record_digests(card, files)
    else:
        _refuse_others(card, files)
    return files


def folder_of(files: Mapping[str, Path]) -> Path:
    """Return the folder that file names are relative to, from the first file, the weights.

    >>> folder_of({"onnx/model.onnx": Path("/a/onnx/model.onnx")}).as_posix()
    '/a'
    """
    name, path = next(iter(files.items()))
    return path.parents[len(Path(name).parts) - 1]


def read_recorded_digests(folder: Path) -> dict[str, str]:
    """Return the digests by name that were recorded when files were pulled into a folder; empty if there are none."""
    try:
        lines = (folder / RECORD_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, separator, name in (line.partition("  ") for line in lines) if separator}


def record_digests(card: ModelCard, files: Mapping[str, Path]) -> None:
    """Write the digests of pulled files into their folder; digests that another card recorded there are kept.

    The hub's cache has one folder for each commit of a repository; each folder gets its own record.

    Raises:
        ArenaError: a folder is not writable.
    """
    for folder, names in _by_folder(files).items():
        digests = read_recorded_digests(folder) | {name: digest_known(files[name]) for name in names}
        write_whole(folder / RECORD_FILE, "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))


def _by_folder(files: Mapping[str, Path]) -> dict[Path, list[str]]:
    """Return the names of files by the folder that they are relative to."""
    folders: dict[Path, list[str]] = {}
    for name, path in files.items():
        folders.setdefault(folder_of({name: path}), []).append(name)
    return folders


def _refuse_others(card: ModelCard, files: Mapping[str, Path]) -> None:
    """Raise if a file's digest is not the one recorded when it was pulled, or not the card's."""
    recorded = {
        name: digest
        for folder, names in _by_folder(files).items()
        for name, digest in read_recorded_digests(folder).items()
        if name in names
    }
    pulled = ("when it was pulled it was", recorded, "delete the file and pull it again")
    of_card = (
        f"the card of {card.name} says",
        card.sha256,
        "correct its revision or its sha256, or pull the file again",
    )
    for source, digests, fix in (pulled, of_card):
        for name in sorted(digests.keys() & files.keys()):
            digest, expected = digest_known(files[name]), digests[name]
            if digest != expected:
                raise WeightsError(f"{files[name]}: SHA-256 is {digest[:12]}..., {source} {expected[:12]}...; {fix}")


def _pull(card: ModelCard, progress: Progress) -> dict[str, Path]:
    in_folder = {file: card.folder / file for file in card.files if (card.folder / file).exists()}
    lacks_data = missing_external_data(in_folder)
    if card.hub is None:
        missing = ", ".join(file for file in card.files if file not in in_folder)
        raise WeightsError(
            f"model {card.name}: no {missing} in {card.folder}; put the files there" if missing else lacks_data
        )
    present = _found(card)
    rest = tuple(file for file in card.files if file not in present)
    try:
        return _in_order(card, present | _pull_with_data(replace(card, files=rest), progress))
    except WeightsError as error:
        raise WeightsError(f"{error}. {lacks_data}" if lacks_data else str(error)) from None


def _pull_with_data(card: ModelCard, progress: Progress) -> dict[str, Path]:
    """Download a card's files from the hub, then the external data files of its graphs, at the same commit."""
    from arena.taggers.files.hub import pull_files

    pulled = pull_files(card, progress)
    paths = {name: file.path for name, file in pulled.items()}
    for name in pulled:
        source = card.source(name)
        assert source is not None
        external = tuple(file for file in with_external_data({name: paths[name]}) if file not in paths)
        part = replace(card, hub=source.hub, revision=pulled[name].commit, elsewhere={}, files=external)
        paths |= {file: one.path for file, one in pull_files(part, progress).items()}
    return paths


def torch_weights(card: ModelCard, files: Mapping[str, Path]) -> Path:
    """Return the file of a torch network's weights: the first of the card's files with one of `TORCH_SUFFIXES`.

    Raises:
        WeightsError: the card names no such file.
    """
    name = next((name for name in card.files if Path(name).suffix.lower() in TORCH_SUFFIXES), None)
    if name is None:
        raise WeightsError(
            f"model {card.name}: files in its card has no torch weights ({', '.join(TORCH_SUFFIXES)}); add them"
        )
    return files[name]


CONTAINERS = ("model", "state_dict", "model_state_dict", "module")
"""Keys under which training code saves a state dict, next to optimiser state and counters; the first present one is read."""

WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that DataParallel, torch.compile and wrapper classes add to every key of a state dict."""


def read_state(path: Path) -> "dict[str, Tensor]":
    """Return the tensors by name of a safetensors file, or of a pickle, which is loaded with `weights_only`.

    A pickle must be a state dict, or contain one under a key of `CONTAINERS`. Its other content, such as optimiser state, is
    mapped but never read. Prefixes in `WRAPPER_PREFIXES` that all names share are removed.

    Raises:
        WeightsError: the file is truncated, has another format, or contains no state dict.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return _unwrapped(load_file(path))
        return _unwrapped(_state_of(_read_pickle(path), path))
    except WeightsError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: weights not readable ({reason}); the file may be truncated, download it again"
        ) from None
    except Exception as error:  # torch.load raises UnpicklingError for objects that weights_only refuses
        raise WeightsError(f"{path}: refused ({type(error).__name__}); it must hold tensors only") from None


def _read_pickle(path: Path) -> object:
    """Return the content of a file saved by torch; files from before torch 1.6 are not zip archives and cannot be mapped."""
    import torch

    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _state_of(content: object, path: Path) -> "dict[str, Tensor]":
    """Return a checkpoint if it is a state dict, else the state dict in it."""
    if isinstance(content, Mapping):
        for state in (content, *(content[key] for key in CONTAINERS if key in content)):
            if _is_state(state):
                return dict(state)
    found = f"a dict with {', '.join(map(repr, content))}" if isinstance(content, Mapping) else type(content).__name__
    raise WeightsError(
        f"{path}: holds no state dict, but {found[:200]}; save the state dict alone, or under the key {CONTAINERS[0]!r}"
    )


def _is_state(content: object) -> bool:
    from torch import Tensor

    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _unwrapped(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Return the state dict without the wrapper prefixes that all names share, outermost first."""
    while state and (
        prefix := next((one for one in WRAPPER_PREFIXES if all(key.startswith(one) for key in state)), "")
    ):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def load_state(network: object, state: "dict[str, Tensor]", path: Path, *, fits: str = "its config.json") -> None:
    """Load a state dict into a torch network.

    A network on the meta device gets copies of the tensors, in their own dtype. They are copied because a file's tensors are
    mapped: without a copy, overwriting the file during a run would change the scores. A prefix of any wrapper is removed if
    the names then are exactly those of the network.

    Args:
        fits: what defines the network, for the error.

    Raises:
        WeightsError: a tensor is missing, unexpected, or has another shape.
    """
    from torch import nn

    assert isinstance(network, nn.Module)
    state = _without_unknown_prefix(state, network.state_dict().keys())
    try:
        if next(network.parameters()).is_meta:
            network.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
        else:
            network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise WeightsError(f"{path}: does not fit {fits}: {_first_of(lines[0])}") from None


def _without_unknown_prefix(state: "dict[str, Tensor]", wanted: Collection[str]) -> "dict[str, Tensor]":
    """Return the state dict without the prefix that makes its names differ from the wanted ones; else unchanged.

    >>> list(_without_unknown_prefix({"net.a.weight": 1, "net.b": 2}, ["a.weight", "b"]))
    ['a.weight', 'b']
    """
    first = next(iter(state), "")
    for prefix in (first.removesuffix(name) for name in wanted if first.endswith(f".{name}")):
        inner = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if len(inner) == len(state) and inner.keys() == {*wanted}:
            return inner
    return state


def _first_of(reason: str) -> str:
    """Return a reason that may list many tensors, cut after the first.

    >>> _first_of('Missing key(s) in state_dict: "a.bias", "b.bias", "c.bias".')
    'Missing key(s) in state_dict: "a.bias", ...'
    """
    first, comma, _ = reason.partition('", ')
    return f'{first}", ...' if comma else reason
