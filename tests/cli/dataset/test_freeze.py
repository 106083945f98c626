"""The verbs that freeze, check and tell a dataset, as a user meets them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from arena import cli
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from tests.cli.test_cli import arena
from tests.conftest import write_dataset


@pytest.mark.parametrize("verb", ["freeze", "verify", "describe", "card"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    result = CliRunner().invoke(cli.arena, ["dataset", verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: arena dataset {verb}" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_set_is_frozen_verified_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "drawn")
    output = tmp_path / "new/frozen"
    command = ("dataset", "freeze", folder, "-o", output, "--name", "mine", "--title", "Mine", "--sample", 20)
    options = ("--representative", 3, "--min-images", 2, "--seed", 5)
    code, out, _ = arena(*command, *options, capsys=capsys)
    assert code == 0
    assert out.startswith(f"{output}: 20 images, digest ")
    assert "nothing is changed" not in out
    code, out, _ = arena(*command, *options, capsys=capsys)
    assert (code, "nothing is changed" in out) == (0, True)
    code, _, err = arena(*command, capsys=capsys)
    assert (code, "it holds another dataset" in err, err.count("\n")) == (2, True, 1)
    code, out, _ = arena("dataset", "verify", output, "--decode", capsys=capsys)
    assert code == 0
    assert out.endswith(": as frozen\n")
    code, out, _ = arena("dataset", "describe", output, "--json", capsys=capsys)
    told = json.loads(out)
    assert (code, told["name"], told["title"], told["images"]) == (0, "mine", "Mine", 20)
    assert told["facts"]["selected_seed"] == 5
    code, out, _ = arena("dataset", "describe", output, capsys=capsys)
    assert code == 0
    assert out.startswith("mine: Mine\n20 images in 20 groups, 12 tags\n")
    assert max(map(len, out.splitlines())) <= 80


def test_faults_are_lines_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "drawn")
    (folder / "images/0002.png").write_bytes(b"short")
    (folder / "images/0005.png").unlink()
    code, out, err = arena("dataset", "verify", folder, capsys=capsys)
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["images/0002.png", "images/0005.png"]
    assert err.splitlines()[-1].endswith(
        "drawn: 2 faults in a dataset of 40 images; restore the files, or freeze the dataset again"
    )


def test_a_page_with_pairs_is_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, before = write_dataset(tmp_path / "drawn"), write_dataset(tmp_path / "before", images=41)
    rows = [{"left": "0000", "right": "0040", "class": "near", "source": "", "found_by": "phash", "phash_bits": 2}]
    rows += [{**rows[0], "left": "0001", "right": "0003", "class": "candidate", "source": "training"}]
    pd.DataFrame(rows).to_parquet(folder / "duplicates.parquet")
    page = tmp_path / "pages/card.html"
    pictures = ("--pictures", before, "--pictures", f"training={before}")
    code, out, _ = arena("dataset", "card", folder, "-o", page, *pictures, "--blur", "g", capsys=capsys)
    assert (code, out) == (0, f"{page}\n")
    html = page.read_text()
    assert html.count('<img src="data:image/webp;base64,') == 24 + 4, "a sample of the images, and two pairs"
    assert html.count(' veiled"') == 2
    assert [path.name for path in page.parent.iterdir()] == ["card.html"]
    code, _, err = arena("dataset", "card", folder, "-o", page, "--blur", "x", capsys=capsys)
    assert (code, "--blur x: no such rating" in err) == (2, True)
    assert page.read_text() == html


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--trained-until", "joytag-demo"), "names no post, no day"),
        (("--trained-until", "joytga"), "Did you mean joytag"),
        (("--since", "yesterday"), "'yesterday' is not a day such as 2024-05-31"),
        (("--after-id", 5), "no column post_id"),
        (("--name", "../x"), "a name is made of"),
        (("--sample", 0), "0 is not in the range"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], message: str
) -> None:
    folder = write_dataset(tmp_path / "drawn", images=3)
    code, _, err = arena("dataset", "freeze", folder, "-o", tmp_path / "out", "--name", "x", *options, capsys=capsys)
    assert (code, message in err, err.count("\n")) == (2, True, 1), err
    assert not (tmp_path / "out").exists()


def test_a_cut_off_holds_for_every_model_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "drawn", images=4)
    path = folder / "images.parquet"
    pd.read_parquet(path).assign(post_id=[1, 5_944_504, 5_944_505, 6_000_000]).to_parquet(path)
    command = (
        "dataset",
        "freeze",
        folder,
        "-o",
        tmp_path / "out",
        "--name",
        "unseen",
        "--trained-until",
        "wd14,joytag",
    )
    assert arena(*command, capsys=capsys)[0] == 0
    card = find_dataset(str(tmp_path / "out"))
    assert read_frozen(card).image_ids == ("0002", "0003")
    assert card.facts["selected_trained_until"] == "joytag: Danbooru2021; wd14: Danbooru post 5,944,504"
