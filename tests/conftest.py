"""Small real things: images, networks of every layout, a frozen dataset."""

import contextlib
import gc
import hashlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Hashable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image, ImageDraw

from arena import cli
from arena.dataset import frozen as dataset
from arena.dataset.hashes import algorithms
from arena.images.decode import decode

from .browser import chromium, opened, tabs

__all__ = ["chromium", "opened", "tabs"]

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""A worker runs on every core; threads of torch and BLAS within each of them would only wait for one another."""


def _no_fsync(descriptor: int) -> None:
    pass


os.fsync = _no_fsync
"""No file of a test must survive a loss of power. A call waits for the disk for 2 to 12 ms, and a run has three; processes that
tests start make real calls."""

for _size in ("COLUMNS", "LINES"):  # readline, which pytest loads, sets them for every process that is started
    os.environ.pop(_size, None)
    os.unsetenv(_size)

settings.register_profile("arena", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=500)  # pytest --hypothesis-profile=thorough
settings.load_profile("arena")

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "golden"
REPOSITORY = Path(__file__).parent.parent


_WRITTEN: dict[Hashable, dict[Path, bytes]] = {}


def write_once(folder: Path, key: Hashable, build: Callable[[Path], object]) -> Path:
    """Write a folder that depends on its name and the key alone: built the first time, its files written again after that."""
    files = _WRITTEN.get((folder.name, key))
    if files is None:
        build(folder)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        _WRITTEN[folder.name, key] = {path.relative_to(folder): path.read_bytes() for path in paths}
        return folder
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def forget_digests(run: Path) -> None:
    """Make a run folder one of a version that stored no digests, whose files a test can edit."""
    for path in (run / "run.json", *run.glob("scores/*/*.json")):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({key: content[key] for key in content if key not in ("digest", "files", "values")}))


def arena_here(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the command `arena` in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(one) for one in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture
def joytag_folder(tmp_path: Path) -> Path:
    """A network with the layout of the released JoyTag (LayerNorm in its stem), 64 pixels, 37 tags."""
    folder = tmp_path / "joytag-tiny"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "top_tags.txt"):
        shutil.copy(GOLDEN / "joytag-ln-sine" / name, folder / name)
    return folder


class Wd(NamedTuple):
    """What a folder in SmilingWolf's layout holds."""

    folder: Path
    tags: list[str]


def write_selected_tags(folder: Path, names: list[str], categories: list[int] | None = None) -> None:
    rows = [
        {"tag_id": i, "name": name, "category": categories[i] if categories else 0, "count": 100 - i}
        for i, name in enumerate(names)
    ]
    pd.DataFrame(rows).to_csv(folder / "selected_tags.csv", index=False)


def write_onnx(path: Path, tags: int, *, size: int = 64, batch: int | None = None, seed: int = 0) -> None:
    """Mean colour -> linear -> sigmoid: NHWC, BGR, 0 to 255, as SmilingWolf's graphs take them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights = {"w": rng.normal(0, 0.02, (3, tags)).astype(np.float32), "b": rng.normal(-2, 1, tags).astype(np.float32)}
    nodes = [
        helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["nchw"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["output"]),
    ]
    first = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch or "n", size, size, 3])
    last = helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch or "n", tags])
    initial = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [first], [last], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


@pytest.fixture
def onnx_folder(tmp_path: Path) -> Wd:
    """A graph in SmilingWolf's layout; every second tag is JoyTag's, one is spelt by an alias."""
    folder = tmp_path / "wd-tiny"
    folder.mkdir()
    tags = ["rating_safe", *(f"tag_{i}" for i in range(0, 37, 2)), "tag_one", "nan"]
    write_selected_tags(folder, tags, [9] + [0] * 19 + [4, 0])
    write_onnx(folder / "model.onnx", len(tags))
    return Wd(folder, tags)


@pytest.fixture
def timm_folder(tmp_path: Path) -> Wd:
    """A random timm network in SmilingWolf's safetensors layout."""
    tags = [f"tag_{i}" for i in range(12)]
    return Wd(write_once(tmp_path / "timm-tiny", "timm", lambda folder: write_timm(folder, tags)), tags)


def write_timm(folder: Path, tags: list[str]) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    network = timm.create_model("lcnet_035", num_classes=len(tags)).train()
    for _ in range(20):  # lets the batch norms see data, without which the output hardly depends on the input
        network(torch.randn(16, 3, 64, 64) + torch.randn(16, 3, 1, 1))
    torch.nn.init.normal_(network.get_classifier().weight, std=5.0)
    save_file(network.state_dict(), folder / "model.safetensors")
    config = {"architecture": "lcnet_035", "num_classes": len(tags), "pretrained_cfg": {"input_size": [3, 64, 64]}}
    (folder / "config.json").write_text(json.dumps(config))
    write_selected_tags(folder, tags)


def write_jtp(folder: Path, tags: list[str], *, seed: int = 0) -> Path:
    """A random ViT in JTP PILOT2's layout: 144 wide, 2 heads, 2 blocks, 4 x 4 patches of 8 pixels; columns out of order."""
    import timm
    import torch
    from safetensors.torch import save_file

    from arena.taggers.adapters.jtp import ARCHITECTURE, GatedHead

    folder.mkdir()
    torch.manual_seed(seed)
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 144, "depth": 2, "num_heads": 2, "mlp_ratio": 200 / 144}
    network = timm.create_model(ARCHITECTURE, num_classes=0, **sizes)
    network.head = GatedHead(144, len(tags))
    torch.nn.init.normal_(network.head.linear.weight, std=0.5)
    save_file(network.state_dict(), folder / "model.safetensors")
    columns = dict(sorted((name, column) for column, name in enumerate(tags)))
    (folder / "tags.json").write_text(json.dumps(columns))
    (folder / "card.toml").write_text(
        'name = "jtp-tiny"\nadapter = "jtp"\nfiles = ["model.safetensors", "tags.json"]\noutput = "probabilities"\n'
        '[preprocess]\nsize = 32\npad = "after"\n[input]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n'
    )
    return folder


@pytest.fixture
def jtp_folder(tmp_path: Path) -> Path:
    return write_jtp(tmp_path / "jtp-tiny", [f"tag_{i}" for i in range(12)])


PIXAI_CONFIG = {
    "num_classes": 9, "img_size": 48, "patch_size": 8, "in_chans": 3, "embed_dim": 32, "depth": 3, "num_heads": 2,
    "mlp_ratio": 2.5, "window_size": 4, "global_att_blocks": [0, 2], "pretrain_img_size": 32, "rel_pos_blocks": [],
    "retain_cls_token": False, "use_rope": True, "use_interp_rope": True, "ln_pre": True, "bias_patch_embed": False,
    "init_values": None, "model_type": "cls_vitdet", "tags": [f"tag_{i}" for i in range(8)] + ["rating:g"],
    "tags_split": [["general", 5], ["style", 3], ["rating", 1]],
    "category_best_threshold": {"general": 0.17, "style": 0.15, "rating": 0.41},
}  # fmt: skip
"""Of a small network like PixAI's: a grid of 6 x 6 patches, windows of 4 x 4 that do not divide it."""


def write_pixai(folder: Path, **changes: object) -> Path:
    """A random ViTDet in the layout of PixAI's tagger v1.0."""
    import torch
    from safetensors.torch import save_file

    from arena.taggers.adapters.pixai.vitdet import VitDet, VitDetConfig

    folder.mkdir()
    config = PIXAI_CONFIG | changes
    torch.manual_seed(0)
    network = VitDet(VitDetConfig.of(config))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text("{}")
    return folder


@pytest.fixture
def pixai_folder(tmp_path: Path) -> Path:
    return write_pixai(tmp_path / "pixai-tiny")


def write_ram(folder: Path, tags: list[str], *, descriptions: int = 3) -> Path:
    """A random RAM++ with the names of the published checkpoint, its optimiser and tensors that are never run beside it."""
    import re

    import timm
    import torch

    from arena.taggers.adapters.ram import ENCODER, RamPlus, RamSizes

    folder.mkdir()
    torch.manual_seed(0)
    sizes = {"img_size": 32, "patch_size": 4, "embed_dim": 16, "window_size": 4, "depths": (2, 2), "num_heads": (2, 4)}
    encoder = timm.create_model(ENCODER, num_classes=0, **sizes)
    network = RamPlus(encoder, RamSizes(32, 12, 16, 24, 2, len(tags), descriptions))
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.0 if name == "label_embed" else 0.3)
    state = network.state_dict()
    del state["reweight_scale"]
    step = re.compile(r"(layers\.)(\d+)(\.downsample)")
    state = {step.sub(lambda m: f"{m[1]}{int(m[2]) - 1}{m[3]}", name): tensor for name, tensor in state.items()}
    state |= {
        "logit_scale": torch.zeros(()),
        "tagging_head.embeddings.word_embeddings.weight": torch.zeros(5, 16),
        "tagging_head.encoder.layer.1.attention.self.query.weight": torch.zeros(16, 16),
        "visual_encoder.layers.0.blocks.1.attn_mask": torch.zeros(4, 16, 16),
        "visual_encoder.layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.long),
    }
    torch.save({"model": state, "optimizer": {"state": {}, "lr": 1e-5}, "epoch": 3}, folder / "ram.pth")
    (folder / "tags.txt").write_text("\n".join(tags))
    (folder / "thresholds.txt").write_text("\n".join(str(0.5 + column / 100) for column in range(len(tags))) + "\n")
    (folder / "card.toml").write_text(
        'name = "ram-tiny"\nadapter = "ram"\nfiles = ["ram.pth", "tags.txt", "thresholds.txt"]\noutput = "logits"\n'
        '[preprocess]\nsize = 32\npad = "none"\n[tags]\nfile = "tags.txt"\nformat = "top_tags"\n'
        '[thresholds]\ndefault = 0.68\nfile = "thresholds.txt"\nformat = "threshold_list"\n'
    )
    return folder


@pytest.fixture
def ram_folder(tmp_path: Path) -> Path:
    return write_ram(tmp_path / "ram-tiny", ["3D CG rendering", "baby shoe", *(f"tag_{i}" for i in range(5))])


def draw(seed: int, size: tuple[int, int] = (90, 70)) -> Image.Image:
    """A picture that differs from every other seed's."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(0, 255, 3)))
    canvas = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, w, h = (int(v) for v in rng.integers(0, 60, 4))
        canvas.ellipse((x, y, x + w + 3, y + h + 3), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return image


def write_dataset(folder: Path, images: int = 40, tags: int = 12, seed: int = 0, prefix: str = "tag") -> Path:
    """A frozen dataset of drawn images with random tags `tag_0` ..., or of another prefix."""
    made_of = ("dataset", images, tags, seed, prefix)
    return write_once(folder, made_of, lambda to: _draw_dataset(to, images, tags, seed, prefix))


def _draw_dataset(folder: Path, images: int, tags: int, seed: int, prefix: str) -> None:
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for i in range(images):
        path = folder / "images" / f"{i:04d}.png"
        draw(seed * 1000 + i).save(path)
        rgb = decode(path)
        rows.append(
            {
                "image_id": f"{i:04d}", "path": f"images/{i:04d}.png",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "width": rgb.shape[1], "height": rgb.shape[0],
                "phash": f"{algorithms.phash(rgb):016x}", "dhash": f"{algorithms.dhash(rgb):016x}",
                "tags": [f"{prefix}_{t}" for t in range(tags) if rng.random() < 0.4], "rating": "g", "group": str(i),
            }
        )  # fmt: skip
    (folder / "tag_aliases.csv").write_text("antecedent_name,consequent_name,status\ntag_one,tag_1,active\n")
    dataset.write_frozen(
        folder,
        card={"name": folder.name, "title": "Drawn", "licence": "CC0-1.0"},
        images=pd.DataFrame(rows),
        tags=[(f"{prefix}_{t}", "general") for t in range(tags)],
    )


@pytest.fixture
def drawn_dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "drawn")


def _no_plots(*given: object) -> list[Path]:
    return []


def _leave_out_plots(patch: pytest.MonkeyPatch) -> None:
    """Draw nothing, in this process or in one of its own."""
    patch.setattr("arena.report.plots.write_plots", _no_plots)
    patch.setattr("arena.report.plots.process.LARGE", float("inf"))


def _empty_page(page: object) -> str:
    return "a page\n"


@pytest.fixture
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output in the width of 80 columns, as the variable `COLUMNS` sets it."""
    monkeypatch.setenv("COLUMNS", "80")


@contextlib.contextmanager
def without_plots() -> Iterator[None]:
    """Make runs without pictures inside the block. A fixture leaves the block before it hands out its value.

    A fixture of a session that yields inside the block takes the pictures from every test that comes after it.
    """
    with pytest.MonkeyPatch.context() as patch:
        _leave_out_plots(patch)
        yield


@pytest.fixture
def no_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without pictures, which take a second each; a test that names `with_plots` has them after all."""
    if "with_plots" not in request.fixturenames:
        _leave_out_plots(monkeypatch)


@pytest.fixture
def with_plots() -> None:
    """Runs with pictures."""


@pytest.fixture
def no_page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, no_plots: None) -> None:
    """Runs with an empty page and without pictures; a test that names `with_page` has the page after all."""
    if "with_page" not in request.fixturenames:
        monkeypatch.setattr("arena.pipeline.display_options.shown_images", lambda result: [])
        monkeypatch.setattr("arena.report.view.page_view", lambda *given, **named: {})
        monkeypatch.setattr("arena.report.html.render_comparison", _empty_page)


@pytest.fixture
def with_page() -> None:
    """Runs with the page."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: modules live to the end, so the collector need not visit them again either.

    The tests leave few cycles; to look for them less often saves 2 % of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none; torch is asked only if something does."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
