"""Pictures by what is in them: marks, labels, sizes, and the same bytes each time."""

import re
import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from arena.base.errors import ArenaError
from arena.base.format import estimate
from arena.metrics.registry import HEADLINES
from arena.report import plots
from arena.report.plots import drawings, process, write_plots
from arena.report.plots.canvas import DPI, PLOT_WIDTH, clip_to_width, drawable_name, text_width, theme_of
from arena.report.plots.scatter import tags_of_pair
from arena.report.plots.slices import MOST_SLICES_DRAWN, drawn_slices
from arena.report.static_pictures import best_pair, plots_of
from arena.report.styles import DARK, LIGHT, THEMES
from arena.report.view import headline_view
from arena.results.headline import headline
from arena.results.run_folder import Result

from .results import HOSTILE, result_of

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("leaderboard", "sweep", "scatter", "slices")


@pytest.fixture(scope="module")
def pair() -> Result:
    return result_of(["first", "second"])


def svg_of(result: Result, name: str) -> ElementTree.Element:
    """One picture in the light theme, parsed."""
    with theme_of(LIGHT):
        canvas: Any = FigureCanvasSVG(drawings(result, headline_view(result))[name](LIGHT))
        canvas.print_svg(out := BytesIO())
    return ElementTree.fromstring(out.getvalue())


def figure_of(result: Result, name: str) -> Figure:
    with theme_of(LIGHT):
        return drawings(result, headline_view(result))[name](LIGHT)


def texts(svg: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in svg.iter(f"{SVG}text")]


def dots(figure: Figure, panel: int) -> list[tuple[float, float]]:
    """Where the markers of a panel are, whiskers left out."""
    lines = [line for line in figure.axes[panel].lines if line.get_marker() not in ("None", "|", None)]
    return [(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)]


def whiskers(figure: Figure, panel: int) -> list[list[float]]:
    return [xs for xs in _bars(figure, panel) if len(xs) == 2]


def plain_ticks(figure: Figure, panel: int) -> list[float]:
    """Where the ticks of plain means are."""
    return [xs[0] for xs in _bars(figure, panel) if len(xs) == 1]


def _bars(figure: Figure, panel: int) -> list[list[float]]:
    return [list(line.get_xdata()) for line in figure.axes[panel].lines if line.get_marker() == "|"]


@pytest.fixture(scope="module")
def written(pair: Result, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the pair's pictures by name."""
    return {path.name: path.read_bytes() for path in write_plots(pair, tmp_path_factory.mktemp("run") / "plots")}


def test_every_picture_is_written_for_light_and_dark_and_the_same_each_time(
    pair: Result, written: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.report.plots.THEMES", [DARK])
    some = [one for one in plots_of(headline_view(pair)) if one.name in ("sweep", "scatter")]
    monkeypatch.setattr("arena.report.plots.plots_of", lambda payload: some)
    readers_own = {"font.size": 22, "lines.linewidth": 9, "axes.facecolor": "red", "svg.fonttype": "path"}
    with matplotlib.rc_context(readers_own):
        again = {path.name: path.read_bytes() for path in write_plots(pair, tmp_path)}
    assert set(written) == {
        f"{name}{suffix}.{kind}" for name in NAMES for suffix in ("", "-dark") for kind in ("svg", "png")
    }
    assert {name: written[name] for name in again} == again
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{one.name}-dark.{kind}" for one in some for kind in ("svg", "png")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_stands_on_its_own_ground_and_keeps_its_size_when_the_theme_changes(
    written: dict[str, bytes], name: str
) -> None:
    sizes = set()
    for theme in THEMES:
        image = Image.open(BytesIO(written[f"{name}{theme.suffix}.png"])).convert("RGBA")
        assert to_hex(np.array(image.getpixel((0, 0))) / 255, keep_alpha=True) == f"{theme.surface}ff"
        assert f"fill: {theme.surface}".encode() in written[f"{name}{theme.suffix}.svg"]
        sizes.add(image.size)
    ((across, _),) = sizes
    assert across == int(PLOT_WIDTH * DPI)
    if name != "scatter":
        dark = written[f"{name}-dark.svg"].decode()
        assert all(colour in dark for colour in (DARK.models[0], DARK.models[1], DARK.ink))
        assert LIGHT.models[0] not in dark


@pytest.mark.parametrize("name", NAMES)
def test_an_svg_says_what_it_shows_and_asks_for_nothing(pair: Result, written: dict[str, bytes], name: str) -> None:
    text = written[f"{name}.svg"].decode()
    title = ElementTree.fromstring(text).find(f"{SVG}title")
    assert title is not None
    assert title.text == next(one.alt for one in plots_of(headline_view(pair)) if one.name == name)
    links = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', text)
    assert [link for link in map("".join, links) if not link.startswith(("#", "data:image/png;"))] == []
    assert "Matplotlib v" not in text
    assert "<dc:date>" not in text


def test_the_leaderboard_has_every_figure_its_interval_and_a_star_where_it_is_decided(pair: Result) -> None:
    figure = figure_of(pair, "leaderboard")
    models = pair.summary["models"]
    for panel, key in enumerate(HEADLINES):
        own = {name: model["regimes"]["own"] for name, model in models.items()}
        values = sorted(headline(one, key) for one in own.values())
        assert sorted(x for x, _ in dots(figure, panel)) == pytest.approx(values)
        plain = sorted(one[key] for one in own.values() if key != "micro_f1")
        assert sorted(plain_ticks(figure, panel)) == pytest.approx(plain), "as published, where the value is corrected"
        ends = sorted([one[f"{key}_low"], one[f"{key}_high"]] for one in own.values())
        assert np.array(sorted(whiskers(figure, panel))) == pytest.approx(np.array(ends))
    shown = texts(svg_of(pair, "leaderboard"))
    assert [text for text in shown if text.endswith(" ★")] == [
        f"{headline_text(models['second']['regimes']['own'], key)} ★" for key in HEADLINES
    ]
    assert {"first", "second", "macro F1", "micro F1", "mAP"} <= set(shown)


def headline_text(own: dict[str, Any], key: str) -> str:
    return estimate(headline(own, key), own[f"{key}_low"], own[f"{key}_high"]).value


def test_what_cannot_be_told_apart_is_tied() -> None:
    """Three models, of which the second has the first's scores: stars are the page's."""
    tied = result_of(["a", "b", "c"])
    for key in HEADLINES:
        tied.summary["ranks"][key]["b"]["tied_with_best"] = True
    differences = tied.tables["differences"]
    differences.loc[(differences["first"] == "b") & (differences["second"] == "c"), "higher"] = "undetermined"
    stars = [text for text in texts(svg_of(tied, "leaderboard")) if text.endswith(" ★")]
    own = {name: model["regimes"]["own"] for name, model in tied.summary["models"].items()}
    assert sorted(stars) == sorted(f"{headline_text(own[name], key)} ★" for name in ("b", "c") for key in HEADLINES)
    assert "or not significantly below it" in " ".join(texts(svg_of(tied, "leaderboard")))


def test_cost_stands_beside_only_where_it_is_known(pair: Result) -> None:
    assert not {"images/s", "parameters", "weights"} & set(texts(svg_of(pair, "leaderboard")))
    timed = result_of(["first", "second"])
    timed.run["models"]["first"] |= {"images_per_second": 123.4, "timed_on": "a machine"}
    timed.summary["models"]["second"]["parameters"] = 91_500_000
    shown = texts(svg_of(timed, "leaderboard"))
    assert {"images/s", "123", "parameters", "91.5 M", "–"} <= set(shown)
    assert "weights" not in shown


def test_the_sweep_has_a_curve_a_model_and_marks_where_each_runs(pair: Result) -> None:
    figure = figure_of(pair, "sweep")
    for panel, key in enumerate(("macro_f1", "micro_f1")):
        own = {name: model["regimes"]["own"][key] for name, model in pair.summary["models"].items()}
        assert np.array(dots(figure, panel)) == pytest.approx(np.array([(0.35, own["first"]), (0.35, own["second"])]))
        curves = [line for line in figure.axes[panel].lines if len(line.get_xdata()) == 101]
        rows = pair.sweep[pair.sweep["model"] == "second"].set_index("threshold")[key]
        at = list(np.float32(curves[1].get_xdata())).index(np.float32(0.5))
        assert curves[1].get_ydata()[at] == rows[np.float32(0.5)]
        assert len({line.get_linestyle() for line in curves}) == 2, "not by colour alone"
    own = pair.summary["models"]["second"]["regimes"]["own"]
    assert dots(figure, 2)[1] == pytest.approx((own["micro_recall"], own["micro_precision"]))


def test_a_model_with_thresholds_of_its_tags_is_marked_where_it_can_be(pair: Result) -> None:
    many = result_of(["first", "second"])
    many.summary["models"]["first"]["threshold"] = "0.35, character 0.85"
    figure = figure_of(many, "sweep")
    assert [len(dots(figure, panel)) for panel in range(3)] == [1, 1, 2]
    assert "can be off the curve" in " ".join(texts(svg_of(many, "sweep")))


def test_the_scatter_has_a_dot_a_tag_in_the_colour_of_the_higher_model(pair: Result) -> None:
    figure = figure_of(pair, "scatter")
    for panel, key in enumerate(("f1", "ap")):
        rows = tags_of_pair(pair, best_pair(headline_view(pair)), key)
        told = pair.tables["tag_differences"].set_index("tag")[f"{key}_higher"]
        drawn = {
            to_hex(one.get_facecolor()[0]): one.get_offsets()
            for one in figure.axes[panel].collections
            if len(one.get_offsets())
        }
        expected = {"first": LIGHT.models[0], "second": LIGHT.models[1], "undetermined": LIGHT.muted}
        assert sum(map(len, drawn.values())) == len(rows) == 6
        for who, colour in expected.items():
            seen = sorted(map(tuple, np.asarray(drawn.get(colour, np.empty((0, 2))))))
            these = rows[told.reindex(rows.index).to_numpy() == who]
            assert seen == sorted(zip(these["first"], these["second"], strict=True))
        assert (told == "second").any(), "something is decided"


def test_of_many_models_the_two_with_the_highest_map_are_held_against_each_other() -> None:
    result = result_of(["a", "b", "c", "d"], replicates=0)
    assert best_pair(headline_view(result)) == ("c", "d")
    shown = texts(svg_of(result, "scatter"))
    assert {"F1 of c", "F1 of d", "AP of c", "AP of d", "not tested"} <= set(shown)


def test_many_dots_are_one_picture_in_the_svg(pair: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(svg_of(pair, "scatter").iter(f"{SVG}image"))
    monkeypatch.setattr("arena.report.plots.scatter.MANY_DOTS", 3)
    assert list(svg_of(pair, "scatter").iter(f"{SVG}image"))


def test_slices_are_panels_a_kind_with_a_dot_a_model(pair: Result) -> None:
    payload, figure = headline_view(pair), figure_of(pair, "slices")
    kinds = drawn_slices(payload)
    assert len(figure.axes) == 2 * len(kinds)
    for number, kind in enumerate(kinds):
        for column, key in enumerate(("macro_f1", "map")):
            cells = [cell for one in kind.rows for cell in one["figures"][key]["models"]]
            seen = dots(figure, 2 * number + column)
            assert [x for x, _ in seen] == [value for value, _, _ in cells]
            assert whiskers(figure, 2 * number + column) == [[low, high] for _, low, high in cells]
    shown = texts(svg_of(pair, "slices"))
    assert {"Category", "Tag groups", "First <tags>", "2 tags"} <= set(shown)


def test_of_many_slices_the_largest_are_drawn_and_the_rest_counted(pair: Result) -> None:
    payload = headline_view(pair)
    group = next(one for one in payload["slices"] if one["slice"] == "group")
    payload["slices"] = [{**group, "title": f"group {i}", "tags": i} for i in range(MOST_SLICES_DRAWN + 3)]
    (kind,) = drawn_slices(payload)
    assert [one["tags"] for one in kind.rows] == list(range(3, MOST_SLICES_DRAWN + 3))
    assert kind.of == MOST_SLICES_DRAWN + 3


@pytest.mark.parametrize("picture", NAMES)
def test_hostile_names_are_text_and_change_neither_size_nor_structure(
    hostile: tuple[Result, Result], picture: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg, usual = (svg_of(result, picture) for result in hostile)
    assert (svg.get("width"), svg.get("height")) == (usual.get("width"), usual.get("height"))
    assert Counter(one.tag for one in svg.iter()) == Counter(one.tag for one in usual.iter())
    shown = hostile[0].models if picture != "scatter" else best_pair(headline_view(hostile[0]))
    for name in shown:
        start = drawable_name(name)[:5].strip()
        assert any(start in text for text in texts(svg)), name


@pytest.fixture(scope="module")
def hostile() -> tuple[Result, Result]:
    """The same scores under hostile names and under plain ones; the tags are hostile as well."""
    plain = [f"plain {i}" for i in range(len(HOSTILE))]
    first, second = (result_of(names, replicates=0, images=60, tags=HOSTILE[:6]) for names in (HOSTILE, plain))
    return first, second


@pytest.mark.parametrize(("models", "replicates"), [(1, 40), (10, 0)])
def test_every_number_of_models_is_drawn(models: int, replicates: int) -> None:
    result = result_of([f"model number {i}" for i in range(models)], replicates=replicates, images=80)
    wanted = [picture.name for picture in plots_of(headline_view(result))]
    assert set(wanted) == set(NAMES) - ({"scatter"} if models == 1 else set())
    shown = {name: texts(svg_of(result, name)) for name in wanted}
    assert all(len(one) > models for one in shown.values())
    told = " ".join(shown["leaderboard"])
    assert ("Point estimates" in told) == (not replicates)
    assert bool(whiskers(figure_of(result, "leaderboard"), 0)) == bool(replicates)


def test_a_single_tag_is_drawn_and_nothing_compared_is_not(tmp_path: Path) -> None:
    single = result_of(["a", "b"], tags=["only"])
    assert all(texts(svg_of(single, name)) for name in NAMES)
    nothing = result_of(["a", "b"], images=8)
    assert nothing.summary["compared_tags"] == 0
    assert write_plots(nothing, tmp_path / "none") == []


def test_a_process_of_its_own_writes_the_same_plots(
    pair: Result, written: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGE", 0)
    monkeypatch.setattr(plots, "write_plots", None)  # this process draws nothing
    with process.PlotWriter(pair) as writer:
        writer.begin(pair, tmp_path, headline_view(pair))
        assert {path.name: path.read_bytes() for path in writer.finish()} == written


def test_an_error_of_the_process_is_an_error_of_the_run(
    pair: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGE", 0)
    (tmp_path / "leaderboard.svg").mkdir()
    with process.PlotWriter(pair) as writer:
        writer.begin(pair, tmp_path, headline_view(pair))
        with pytest.raises(ArenaError, match=r"leaderboard\.svg: cannot be written"):
            writer.finish()


def test_without_a_process_the_plots_are_written_here(
    pair: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGE", 0)
    monkeypatch.setattr("sys.executable", "/no/such/python")
    monkeypatch.setattr(plots, "write_plots", lambda result, folder, payload: [folder / "drawn here"])
    with process.PlotWriter(pair) as writer:
        writer.begin(pair, tmp_path, headline_view(pair))
        assert writer.finish() == [tmp_path / "drawn here"]


def test_a_process_that_is_not_needed_ends(pair: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LARGE", 0)
    with pytest.raises(KeyError), process.PlotWriter(pair) as writer:
        raise KeyError
    assert writer._process is not None
    assert writer._process.poll() is not None


def test_undefined_figures_leave_a_dash(pair: Result) -> None:
    silent = result_of(["a", "b"], thresholds=1.0, replicates=0)
    for name, model in silent.summary["models"].items():
        model["regimes"]["own"]["map"] = None if name == "a" else 0.5
    assert "–" in texts(svg_of(silent, "leaderboard"))


@settings(max_examples=20)
@given(st.text(max_size=80))
def test_what_is_drawn_fits_and_is_xml(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = clip_to_width(name, 100)
        assert text_width(shown) <= 100
        assert text_width(clip_to_width(name * 20, 100)) <= 100
    assert ElementTree.fromstring(f"<x>{shown.replace('&', '&amp;').replace('<', '&lt;')}</x>").text
    assert "\n" not in shown
