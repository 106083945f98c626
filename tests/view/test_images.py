"""The grid and one image: filters give the images that a direct computation gives."""

import re
from dataclasses import replace

import numpy as np
import pytest

from arena.metrics.known import KnownCells
from arena.view.filters import Filter, list_images
from arena.view.viewed_run import ViewedRun

from .conftest import Client


def listed(client: Client, query: str) -> list[int]:
    """Rows of the images of all pages."""
    rows: list[int] = []
    address = f"/images?{query}"
    while address:
        text = client.get(address).text
        rows += [int(row) for row in re.findall(r"/picture/thumbnail/(\d+)", text)]
        after = re.search(r'rel="next" href="([^"]+)"', text)
        address = after[1].replace("&amp;", "&") if after else ""
    return rows


@pytest.fixture(scope="module")
def arrays(viewed: ViewedRun) -> dict[str, np.ndarray]:
    """Labels, and the decisions of both models; bool (images, tags)."""
    every = np.arange(60)
    decided = {one.name: one.decisions(every) for one in viewed.models}
    return {"labels": viewed.truth.values.toarray(), **decided}


@pytest.mark.parametrize("model", ["a", "b"])
@pytest.mark.parametrize("show", ["fp", "fn", "tp", "recorded", "predicted", "disagree", ""])
def test_a_tag_lists_its_images_by_score(
    client: Client, viewed: ViewedRun, arrays: dict[str, np.ndarray], show: str, model: str
) -> None:
    column = viewed.truth.tags.index["tag_3"]
    label, mine, other = (arrays[name][:, column] for name in ("labels", model, "b" if model == "a" else "a"))
    expected = {
        "fp": mine & ~label, "fn": ~mine & label, "tp": mine & label, "recorded": label, "predicted": mine,
        "disagree": mine != other, "": np.ones(60, bool),
    }[show]  # fmt: skip
    rows = listed(client, f"tag=tag_3&show={show}&model={model}")
    assert sorted(rows) == np.flatnonzero(expected).tolist()
    scores = viewed.model(model).column(column)[rows]
    assert (np.diff(scores) * (1 if show == "fn" else -1) >= 0).all()


@pytest.mark.parametrize("show", ["fp", "fn", "disagree"])
def test_without_a_tag_images_with_most_errors_come_first(
    client: Client, viewed: ViewedRun, arrays: dict[str, np.ndarray], show: str
) -> None:
    labels, first, second = arrays["labels"], arrays["a"], arrays["b"]
    number = {"fp": second & ~labels, "fn": labels & ~second, "disagree": first != second}[show].sum(1)
    rows = listed(client, f"show={show}&model=b")
    assert sorted(rows) == np.flatnonzero(number).tolist()
    assert (np.diff(number[rows]) <= 0).all()


def test_scores_ratings_and_slices_restrict_the_list(client: Client, viewed: ViewedRun) -> None:
    scores = viewed.models[0].column(viewed.truth.tags.index["tag_1"])
    assert (
        sorted(listed(client, "tag=tag_1&low=0.2&high=0,6"))
        == np.flatnonzero((scores >= np.float32(0.2)) & (scores <= np.float32(0.6))).tolist()
    )
    assert listed(client, "rating=explicit") == list(range(2, 60, 3))
    for key, part in viewed.slices.items():
        assert list_images(viewed, Filter(slice=key)).rows.tolist() == np.flatnonzero(part.member).tolist()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tag=tag_33", "no tag tag_33. Did you mean tag_3"),
        ("show=fpp", "no show fpp. Did you mean fp?"),
        ("model=c&tag=tag_1", "no model c. Known: a, b."),
        ("rating=safe", "no rating safe."),
        ("slice=x:y", "no slice x:y."),
        ("show=tp", "“true positives” needs a tag; name one"),
        ("low=0.5", "a range of scores needs a tag; name one"),
        ("tag=tag_1&low=2", "score 2: write a number from 0 to 1"),
        ("tag=tag_1&low=nan", "score nan: write a number from 0 to 1"),
        ("tag=%22%3E%3Cscript%3E", "&#34;&gt;&lt;script&gt;"),
    ],
)
def test_a_wrong_filter_is_one_line_on_the_page(client: Client, query: str, message: str) -> None:
    answer = client.get(f"/images?{query}")
    assert answer.status_code == 400
    assert message in answer.text
    assert "<script>" not in answer.text


def test_other_spellings_of_a_tag_find_it(client: Client) -> None:
    expected = listed(client, "tag=tag_1&show=recorded")
    assert expected == listed(client, "tag=tag%201&show=recorded") == listed(client, "tag=tag_one&show=recorded")


def test_one_image_shows_labels_and_scores_of_every_model(client: Client, viewed: ViewedRun) -> None:
    rows = listed(client, "tag=tag_2&show=fp&model=b")
    image = viewed.truth.image_ids[rows[1]]
    text = client.get(f"/image?tag=tag_2&show=fp&model=b&id={image}").text
    before, after = (viewed.truth.image_ids[rows[place]] for place in (0, 2))
    assert re.search(rf'rel="prev" href="/image\?[^"]*id={before}"', text)
    assert re.search(rf'rel="next" href="/image\?[^"]*id={after}"', text)
    assert f"2 of {len(rows)}" in text
    row = re.search(r'<tr class="chosen">(.*?)</tr>', text, re.DOTALL)
    assert row is not None
    score = viewed.model("b").row(rows[1])[viewed.truth.tags.index["tag_2"]]
    assert f"{score:.4f}" in row[1]
    assert "predicted, not recorded" in row[1]
    for one in viewed.tag_rows(rows[1]):
        if one.recorded:
            assert f"<bdi>{one.tag}</bdi>" in text


def test_an_image_outside_its_list_still_has_a_page(client: Client) -> None:
    text = client.get("/image?id=0001&rating=explicit").text
    assert "not in the list" in text
    assert 'rel="next"' not in text


def test_an_unknown_label_is_no_error(viewed: ViewedRun) -> None:
    column = viewed.truth.tags.index["tag_3"]
    false = list_images(viewed, Filter("tag_3", "fp", "a")).rows
    known = np.ones((60, len(viewed.truth.tags)), bool)
    known[false[0], column] = False
    cells = KnownCells.of_rows([known], *known.shape)
    run = replace(viewed, truth=replace(viewed.truth, known=cells))
    assert list_images(run, Filter("tag_3", "fp", "a")).rows.tolist() == false[1:].tolist()
    fewer = viewed.errors.false_positives["a"] - run.errors.false_positives["a"]
    assert np.flatnonzero(fewer).tolist() == [false[0]]
    assert [one.recorded for one in run.tag_rows(int(false[0])) if one.tag == "tag_3"] == [None]
    assert [one.recorded for one in viewed.tag_rows(int(false[0])) if one.tag == "tag_3"] == [False]
