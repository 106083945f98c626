"""Adapters in somebody else's package: installed beside the arena, run through its verbs, and told apart when broken."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from arena import cli, taggers
from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard, Preprocess, find_model, read_model_card
from arena.images.decode import decode
from arena.pipeline import run as pipeline
from arena.results.run_folder import read_result
from arena.scores.npz import read_scores
from arena.taggers.conformance import CHECKS, check
from arena.taggers.plugins import PluginTagger
from arena.taggers.preprocess import square

from ..conftest import DATA, REPOSITORY, draw

Install = Callable[..., ModelCard]

EXAMPLE = DATA / "mean-colour"
SOURCE = (EXAMPLE / "mean_colour.py").read_text()


def install(site: Path, source: str = SOURCE, *, package: str = "mean-colour") -> Path:
    """What an installer leaves behind: the module, and the metadata that the example's pyproject.toml tells."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = site / f"{package.replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / "mean_colour.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {project['version']}\n")
    points = project["entry-points"]["arena.taggers"]
    (info / "entry_points.txt").write_text(
        "\n".join(["[arena.taggers]", *(f"{name} = {value}" for name, value in points.items())])
    )
    return site


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs the example for one test, with a part of it replaced."""

    def put(old: str = "", new: str = "") -> ModelCard:
        assert old in SOURCE
        monkeypatch.syspath_prepend(install(tmp_path / "site", SOURCE.replace(old, new)))
        sys.modules.pop("mean_colour", None)
        return find_model("mean-colour", EXAMPLE)

    yield put
    sys.modules.pop("mean_colour", None)


def test_the_example_scores_pictures_through_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        draw(number).save(tmp_path / "pictures" / f"{number}.png")
    path = os.pathsep.join([str(install(tmp_path / "site")), str(REPOSITORY)])
    command = [sys.executable, "-c", "from arena.cli import main; main()"]
    words = [
        "predict",
        "-m",
        "mean-colour",
        "--root",
        EXAMPLE,
        "--images",
        tmp_path / "pictures",
        "-o",
        tmp_path / "s.npz",
    ]
    subprocess.run([*command, *map(str, words)], check=True, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path)
    scores = read_scores(tmp_path / "s.npz")
    assert scores.tags.names == ("red", "green", "blue")
    pixels = square(decode(tmp_path / "pictures/1.png"), Preprocess(16))
    np.testing.assert_allclose(scores.values.read()[1], pixels.mean(axis=(0, 1)) / 255, atol=1e-6)


@pytest.mark.usefixtures("no_page")
def test_a_plugin_is_compared_with_other_models(
    installed: Install, joytag_folder: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    installed()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tags.txt").write_text("tag_0 tag_1 tag_2")
    (mine / "card.toml").write_text((EXAMPLE / "models/mean-colour.toml").read_text())
    folder = pipeline.run_benchmark([f"a={joytag_folder}", f"b={mine}"], str(drawn_dataset), tmp_path / "run")
    assert read_result(folder).run["models"]["b"]["adapter"] == "mean-colour"


def test_the_snippets_of_the_documentation_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (REPOSITORY / "docs/adding/tagger.md").read_text(encoding="utf-8")
    section = text[text.index("To add an adapter of your own") :]
    blocks = {kind: re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("python", "toml")}
    source, (project, card) = blocks["python"][0], blocks["toml"][:2]
    assert source.strip() in SOURCE
    assert project.strip() in (EXAMPLE / "pyproject.toml").read_text()
    (tmp_path / "models/mean-colour").mkdir(parents=True)
    (tmp_path / "models/mean-colour.toml").write_text(card)
    (tmp_path / "models/mean-colour/tags.txt").write_text("red green blue")
    monkeypatch.syspath_prepend(install(tmp_path / "site", source))
    sys.modules.pop("mean_colour", None)
    assert all(outcome.passed for outcome in check(find_model("mean-colour", tmp_path)))
    sys.modules.pop("mean_colour", None)


def test_the_example_passes_every_check(installed: Install) -> None:
    outcomes = list(check(installed()))
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) == 1 + len(CHECKS)


def test_the_identity_holds_the_package_and_its_version(installed: Install) -> None:
    assert taggers.identify(installed())["adapter_version"] == "mean-colour 1.0"


def test_an_adapter_that_nobody_offers_is_refused() -> None:
    with pytest.raises(
        ArenaError,
        match=r"adapter = 'mean-colour'; allowed: joytag, .*needs an installed package with the entry point mean-colour",
    ):
        read_model_card(EXAMPLE / "models/mean-colour.toml")


def test_a_name_that_two_packages_offer_is_refused(
    installed: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed()
    monkeypatch.syspath_prepend(install(tmp_path / "other", package="average-colour"))
    with pytest.raises(ArenaError, match=r"offered by .*average-colour 1\.0.* uninstall all but one"):
        find_model("mean-colour", EXAMPLE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import numpy as np", "import numpy_of_old as np", r"cannot be imported \(ModuleNotFoundError: .*line 3\)"),
        ("def load", "def laod", r"cannot be imported \(AttributeError"),
        (
            "import numpy as np",
            "import sys; sys.exit(3)",
            r"cannot be imported \(SystemExit: 3, mean_colour.py line 3\)",
        ),
        ("import numpy as np", "raise BaseException", r"cannot be imported \(BaseException, mean_colour.py line 3\)"),
        (
            "    return MeanColour(card, files)",
            "    raise SystemExit",
            r"load failed \(SystemExit, mean_colour.py line",
        ),
        (
            "def load(card, files, *, device, precision):\n    return MeanColour(card, files)",
            "load = 3",
            "is not a function",
        ),
        (
            "import numpy as np",
            "import sys; sys.exit(3)",
            r"cannot be imported \(SystemExit: 3, .*line 3\); fix",
        ),
        ("import numpy as np", "raise BaseException('out')", r"cannot be imported \(BaseException: out"),
        ("return MeanColour(card, files)", "raise SystemExit", r"load failed \(SystemExit"),
        ('files["tags.txt"]', 'files["tag.txt"]', r"load failed \(KeyError: 'tag.txt', mean_colour.py line 11\)"),
        ("return MeanColour(card, files)", "return None", "NoneType has no tags"),
        ("self.card, self.preprocess = card, card.preprocess", "pass", "MeanColour has no preprocess"),
        ('self.device = "fp32", "cpu"', 'self.device = "fp32", 0', "device is of type int; it must be str"),
        ("def scores", "def score", r"has no method scores\(batch\)"),
        ("card.preprocess\n", "type(card.preprocess)()\n", "preprocess.size = 0"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_its_package(
    installed: Install, old: str, new: str, message: str
) -> None:
    card = installed(old, new)
    with pytest.raises(ArenaError, match=message) as caught:
        taggers.load(card)
    assert "adapter mean-colour of mean-colour 1.0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_tags_of_a_plugin_have_the_canonical_spelling_when_it_is_opened(installed: Install) -> None:
    listed = 'TagSpace(tuple(files["tags.txt"].read_text().split()))'
    assert taggers.load(installed(listed, 'TagSpace(("long hair", "hat"))')).tags.names == ("long_hair", "hat")
    card = installed(listed, 'TagSpace(("long hair", "hat", "long_hair"))')
    with pytest.raises(
        ArenaError, match=r"mean-colour .*tags 'long hair' and 'long_hair' are one tag, long_hair; keep one of them"
    ):
        taggers.load(card)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(1, 2)", "(1,)", r"scores of shape \(2, 16, 3\), expected \(2, 3\)"),
        (".astype(np.float32)", "", "array of float64; they must be a numpy array of float32"),
        (" / 255", "", "does this model need a sigmoid"),
        ("(batch.mean", "(batch.maen", r"scores failed \(AttributeError: .*mean_colour.py line 15\)"),
        ("return (batch.mean", "exit(1); (batch.mean", r"scores failed \(SystemExit: 1"),
    ],
)
def test_what_a_plugin_gives_is_checked(installed: Install, old: str, new: str, message: str) -> None:
    tagger = taggers.load(installed(old, new))
    assert isinstance(tagger, PluginTagger)
    with pytest.raises(ScoresError, match=message) as caught:
        tagger.scores(np.full((2, 16, 16, 3), 200, np.uint8))
    assert "adapter mean-colour of mean-colour 1.0" in str(caught.value)


KEPT = """self.kept = getattr(self, "kept", np.zeros((9, 3), np.float32))
        self.kept[:len(batch)] = batch.mean(axis=(1, 2)) / 255
        return self.kept[:len(batch)]"""
GOOD = "return (batch.mean(axis=(1, 2)) / 255).astype(np.float32)"


@pytest.mark.parametrize(
    ("new", "fails"),
    [
        ("return (batch.mean(axis=(1, 2)) / 255)", {"type", "empty batch"}),
        ("return (batch.mean(axis=(1, 2)) / 255).astype(np.float32).tolist()", {"shape"}),
        ("return (batch.mean(axis=(1, 2)) / 50 - 1).astype(np.float32)", {"range"}),
        ("return (batch.mean(axis=(0, 1, 2)) / 255 + np.zeros((len(batch), 1))).astype(np.float32)", {"batch size"}),
        ("return np.sort(batch.mean(axis=(1, 2)) / 255, axis=0).astype(np.float32)", {"batch size", "image order"}),
        ("return np.random.rand(len(batch), 3).astype(np.float32)", {"repeatable"}),
        ("return np.full((len(batch), 3), 0.5, np.float32)", {"distinct scores", "wrong channels"}),
        ("batch //= 2\n        return (batch.mean(axis=(1, 2)) / 255).astype(np.float32)", {"input unchanged"}),
        (KEPT, {"separate arrays"}),
        ("return (batch.mean(axis=(1, 2)) / np.iinfo(batch.dtype).max).astype(np.float32)", set()),
        ("return (batch.mean(axis=(1, 2)) / (255 if batch.dtype == np.uint8 else 999)).astype(np.float32)", {"float pixels"}),
        ("return (batch.mean(axis=(1, 2)) / 255).astype(np.float32) if len(batch) else np.zeros((1, 3))", {"empty batch"}),
    ],
)  # fmt: skip
def test_every_check_catches_the_fault_it_is_there_for(installed: Install, new: str, fails: set[str]) -> None:
    failed = {outcome.name for outcome in check(installed(GOOD, new)) if not outcome.passed}
    assert failed >= fails
    assert bool(failed) == bool(fails)


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        ('"fp32", "cpu"', '"int4", "cpu"', "device and precision"),
        ('"fp32", "cpu"', '"fp32", "cuda:0"', "device and precision"),
        ('files["tags.txt"].read_text().split()', "map(str, np.random.permutation(40))", "tags"),
        ("def load(", "def laod(", "loads"),
    ],
)
def test_checks_of_what_a_tagger_tells_of_itself(installed: Install, old: str, new: str, fails: str) -> None:
    card = installed(old, new)
    assert fails in [outcome.name for outcome in check(card, device="cpu") if not outcome.passed]


def test_the_verb_prints_a_line_a_check_and_its_exit_code_tells(
    installed: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    installed()
    cli.main(["check-adapter", "mean-colour", "--root", str(EXAMPLE)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["pass"] * (1 + len(CHECKS))
    installed("/ 255", "/ 9")
    with pytest.raises(SystemExit) as stop:
        cli.main(["check-adapter", "mean-colour", "--root", str(EXAMPLE)])
    told = capsys.readouterr()
    assert stop.value.code == 1
    assert "FAIL  range" in told.out
    assert f"of {1 + len(CHECKS)} checks failed" in told.err
