"""What a command says if the package of an extra is missing, and what it can do without."""

import subprocess
import sys
import tomllib

import pytest

from arena.base.errors import ArenaError
from arena.base.extras import DISTRIBUTION, EXTRA_OF, extras_for
from arena.cards import find_model
from arena.taggers import load
from tests.conftest import REPOSITORY, arena_here

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE_OF = {"cv2": "opencv-python-headless", "pillow_heif": "pillow-heif", "pillow_jxl": "pillow-jxl-plugin"}


def test_every_optional_module_comes_with_its_extra() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    extras = PROJECT["optional-dependencies"]
    for module, extra in EXTRA_OF.items():
        assert any(line.startswith(PACKAGE_OF.get(module, module)) for line in extras[extra]), module
    always = {line.split(">")[0] for line in PROJECT["dependencies"]}
    assert not always & {*EXTRA_OF, *PACKAGE_OF.values(), "onnxruntime-gpu"}


@pytest.mark.parametrize(
    ("model", "module", "extra"),
    [("joytag-demo", "torch", "torch"), ("wd14-demo", "onnxruntime", "onnx"), ("wd14-demo-timm", "timm", "torch")],
)
def test_a_missing_package_is_one_line_with_the_command(
    model: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for name in [one for one in sys.modules if one.startswith(("arena.taggers.adapters.", "arena.taggers.torch_"))]:
        monkeypatch.delitem(sys.modules, name)
    line = rf'^{model}: {module} is not installed; run: pip install "tagger-arena\[{extra}\]"'
    with pytest.raises(ArenaError, match=line):
        load(find_model(model))


def test_a_broken_package_keeps_its_own_error() -> None:
    for error in (
        ImportError("libtorch.so: not found", name="torch"),
        ModuleNotFoundError("no arena.x", name="arena.x"),
    ):
        with pytest.raises(type(error)), extras_for("a"):
            raise error


def test_a_verb_that_meets_it_later_ends_with_the_same_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.pipeline import report

    def needs_torch(*given: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(report, "rewrite_reports", needs_torch)
    done = arena_here("report", "runs/demo")
    assert (done.returncode, done.stderr.strip()) == (
        2,
        'arena: torch is not installed; run: pip install "tagger-arena[torch]"',
    )


def test_verbs_without_networks_import_neither_torch_nor_onnxruntime() -> None:
    """Every module that these verbs import at their start."""
    code = (
        "import sys, arena.cli, arena.pipeline.score, arena.pipeline.report, arena.pipeline.compare, arena.pipeline.judge, "
        "arena.pipeline.check.check, arena.pipeline.publish, arena.pipeline.notebook, arena.taggers;"
        "print(sorted({'torch', 'timm', 'onnxruntime', 'cv2', 'imagehash', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
