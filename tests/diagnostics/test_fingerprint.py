"""Fingerprints: the same for other arithmetic, another for other preprocessing."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import cli
from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file
from arena.cards import Fingerprint, find_dataset, find_model, read_fingerprint
from arena.dataset.frozen import read_frozen
from arena.diagnostics.fingerprint import SUMS_PER_IMAGE, FingerprintDifference, score_canary, sketch
from arena.diagnostics.fingerprint import compare_fingerprints as compare_at

from ..conftest import REPOSITORY


def told(spec: str) -> Fingerprint:
    return score_canary(find_model(spec), device="cpu").fingerprint


def compare(*, expected: Fingerprint, seen: Fingerprint) -> FingerprintDifference:
    return compare_at(expected=expected, seen=seen, where="--expect")


@pytest.fixture(scope="module")
def onnx() -> Fingerprint:
    return told("wd14-demo")


def changed(folder: Path, old: str, new: str) -> str:
    """The timm twin with another card."""
    shutil.copytree(REPOSITORY / "models/wd14-demo-timm", folder)
    text = (REPOSITORY / "models/wd14-demo-timm.toml").read_text()
    assert old in text
    (folder / "card.toml").write_text(text.replace(old, new))
    return f"changed={folder}"


def test_two_ports_of_one_model_agree(onnx: Fingerprint) -> None:
    agreement = compare(expected=onnx, seen=told("wd14-demo-timm"))
    assert agreement.equal
    assert agreement.largest <= 0.002


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('channels = "bgr"', 'channels = "rgb"'),
        ('resize = "bicubic"', 'resize = "nearest"'),
        ('resize = "bicubic"', 'resize = "lanczos"'),
        ("mean = [0.5, 0.5, 0.5]", "mean = [0.4, 0.4, 0.4]"),
        ("pad_colour = [255, 255, 255]", "pad_colour = [0, 0, 0]"),
    ],
)
def test_another_preprocessing_does_not(onnx: Fingerprint, tmp_path: Path, old: str, new: str) -> None:
    agreement = compare(expected=onnx, seen=told(changed(tmp_path / "twin", old, new)))
    assert not agreement.equal, agreement


def test_a_shifted_tag_list_does_not(onnx: Fingerprint, tmp_path: Path) -> None:
    spec = changed(tmp_path / "twin", "mean =", "mean =")
    path = tmp_path / "twin/selected_tags.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[1:], rows[0]]) + "\n")
    agreement = compare(expected=onnx, seen=told(spec))
    assert not agreement.equal


def test_half_precision_agrees_within_its_own_tolerance() -> None:
    card = find_model("joytag-demo")
    full, half = (score_canary(card, device="cpu", precision=name).fingerprint for name in ("fp32", "bf16"))
    agreement = compare(expected=full, seen=half)
    assert 0 < agreement.largest <= agreement.tolerance
    assert half.precision == "bf16"


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.integers(0, 9))
def test_noise_moves_no_sum_by_more_than_itself(row: list[float], seed: int) -> None:
    scores = np.array([row], np.float32)
    noise = np.random.default_rng(seed).uniform(-1e-6, 1e-6, scores.shape).astype(np.float32)
    names = [f"tag_{i}" for i in range(len(row))]
    one, other = (
        Fingerprint("0f3a5c", "fp32", "01234567", sketch(values, names)) for values in (scores, scores + noise)
    )
    assert len(one.sums) == SUMS_PER_IMAGE
    assert read_fingerprint(str(one), "card") == one
    assert compare(expected=one, seen=other).largest <= 1 / 1024 + len(row) * 2e-6


def test_other_tags_and_other_images_are_incomparable(onnx: Fingerprint) -> None:
    with pytest.raises(IncomparableError, match="the models differ"):
        compare(expected=onnx, seen=told("joytag-demo"))
    with pytest.raises(IncomparableError, match="install the same release"):
        compare(expected=onnx._replace(canary="000000"), seen=onnx)


@pytest.mark.parametrize("sketch_of", ["!!!", "AAA=", "AAAA.AAAA", "", "AAA", "é"])
def test_a_malformed_sketch_is_told_with_its_place(sketch_of: str) -> None:
    with pytest.raises(ArenaError, match=r"^--expect = .*fingerprint"):
        read_fingerprint(f"0f3a5c.fp32.01234567.{sketch_of}", "--expect")


@pytest.mark.parametrize("text", ["abc", "a.b.c.AAAA", "0f3a5g.fp32.01234567.AAAA", "0f3a5c.fp32.0123456.AAAA"])
def test_a_malformed_fingerprint_is_told_with_its_place(text: str) -> None:
    with pytest.raises(ArenaError, match=r"^--expect = .*not a fingerprint; copy the line of arena verify"):
        read_fingerprint(text, "--expect")


def test_the_canary_images_are_five_and_as_frozen() -> None:
    canary = read_frozen(find_dataset("canary"))
    assert canary.image_ids == ("grey", "mosaic", "tall", "transparent", "wide")
    sizes = {path.stem: path.stat().st_size for path in canary.paths}
    assert sum(sizes.values()) < 300_000
    for path, digest in zip(canary.paths, canary.images["sha256"], strict=True):
        assert digest_file(path) == digest


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main(["verify", *arguments, "--device", "cpu"])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_verify_from_the_command_line(onnx: Fingerprint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("wd14-demo", "--expect", str(onnx), capsys=capsys)
    assert (code, f"fingerprint {onnx}" in out, "the fingerprint matches that of --expect: " in out) == (0, True, True)
    assert "verified = false" not in out
    other = changed(tmp_path / "twin", "verified = true", "verified = false")
    code, out, _ = run(other, capsys=capsys)
    assert code == 0
    assert '"model.safetensors" = "' in out.split("verified = true")[1]
    assert "fingerprint =" not in out, "its card has one"
    shifted = str(onnx._replace(sums=(onnx.sums[0] + 100, *onnx.sums[1:])))
    code, out, _ = run("wd14-demo", "--json", "--expect", shifted, capsys=capsys)
    facts = json.loads(out)
    assert (code, facts["equal"], facts["fingerprint"]) == (1, False, str(onnx))
    assert len(facts["images"]) == 5
    code, out, _ = run("joytag-demo", "--expect", str(onnx), capsys=capsys)
    assert (code, "fingerprint " in out) == (4, True), "what was scored is shown though it cannot be compared"
    assert run("wd14-demo", "--expect", "nonsense", capsys=capsys)[0] == 2


@pytest.mark.parametrize("name", ["joytag-demo", "wd14-demo", "wd14-demo-timm"])
def test_a_demo_model_is_what_its_card_expects(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(name, capsys=capsys)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith(
        "the fingerprint matches that of its card: sums of scores differ by at most 0.00"
    )


def test_a_model_that_is_not_what_its_card_expects_fails_in_one_line(
    onnx: Fingerprint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(changed(tmp_path / "twin", 'channels = "bgr"', 'channels = "rgb"'), capsys=capsys)
    assert (code, "fingerprint " in out) == (1, True)
    told = re.fullmatch(
        r"arena: changed: the fingerprint differs from that of its card: sums of scores differ by at most (\S+) "
        r"\(0.01 is allowed\)\n",
        err,
    )
    assert told
    assert float(told[1]) > 0.01
    code, _, err = run(
        "wd14-demo", "--expect", str(onnx._replace(sums=(onnx.sums[0] + 20, *onnx.sums[1:]))), capsys=capsys
    )
    assert (code, "by at most 0.0195 " in err) == (1, True), "the option comes before the card"


@pytest.mark.parametrize(
    ("old", "new"), [("229715.", "000000."), (".f9e04075.", ".a020549c.")], ids=["other images", "other tags"]
)
def test_a_card_of_other_images_or_tags_is_incomparable(
    tmp_path: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(changed(tmp_path / "twin", old, new), capsys=capsys)
    assert (code, "fingerprint 229715." in out) == (4, True)
    assert err.startswith("arena: the card of changed: fingerprint: made ")
    assert len(err.splitlines()) == 1


def test_a_tag_cannot_command_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(REPOSITORY / "models/wd14-demo", tmp_path / "copy")
    path = tmp_path / "copy/selected_tags.csv"
    path.write_text(path.read_text().replace(",dessert,", ',"\x1b]0;mine\x07<script>",'))
    code, out, _ = run(f"copy={tmp_path / 'copy'}", capsys=capsys)
    assert (code, "<script>" in out) == (0, True)
    assert out.replace("\n", "").isprintable()


def test_a_card_without_a_fingerprint_is_told_what_to_write(
    onnx: Fingerprint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REPOSITORY / "models/wd14-demo", tmp_path / "copy")
    code, out, _ = run(f"copy={tmp_path / 'copy'}", capsys=capsys)
    assert (code, "that of its card" in out) == (0, False), "a folder without a card has the fingerprint of no other"
    assert f'  fingerprint = "{onnx}"' in out.splitlines()


def test_a_fingerprint_needs_probabilities(tmp_path: Path) -> None:
    spec = changed(tmp_path / "twin", 'output = "logits"', 'output = "probabilities"')
    with pytest.raises(ArenaError, match="does this model need a sigmoid"):
        score_canary(find_model(spec), device="cpu")
