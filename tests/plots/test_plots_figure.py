"""A figure as a value: files by suffix, the same bytes, one-sentence refusals, nothing of
matplotlib's own state.
"""

import dataclasses
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plots import FIGURES, Figure, PlotError, draws, kinds, plot
from isoloss.runs import Runs


@pytest.fixture(scope="module")
def figure() -> Figure:
    return plot("kumar2024")


@pytest.mark.parametrize(
    ("name", "opening"),
    [("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("A.SVG", b"<?xml")],
)
def test_the_suffix_says_the_file_type(
    figure: Figure, tmp_path: Path, name: str, opening: bytes
) -> None:
    path = figure.save(tmp_path / name)
    assert path.read_bytes().startswith(opening)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_drawn_again_it_has_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    one, two = (plot("kumar2024", tmp_path / f"{k}{suffix}") for k in "ab")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert one._repr_svg_() == one._repr_svg_() == two._repr_svg_()


def test_other_processes_give_the_same_bytes(figure: Figure) -> None:
    code = "import isoloss.plots as p; print(p.plot('kumar2024')._repr_svg_())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == figure._repr_svg_() + "\n"


def test_other_laws_give_other_bytes(figure: Figure) -> None:
    assert plot(preset("kumar2024").at(gamma_w=2.0))._repr_svg_() != figure._repr_svg_()


def test_no_date_and_no_version_is_in_a_file(figure: Figure) -> None:
    svg = figure._repr_svg_()
    assert "<dc:date>" not in svg
    assert matplotlib.__version__ not in svg


def test_an_existing_file_is_kept(figure: Figure, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("mine")
    for save in (lambda: figure.save(path), lambda: plot("kumar2024", path)):
        with pytest.raises(
            PlotError,
            match=r"a\.svg' exists; give another name or force=True \(--force\) to replace it",
        ):
            save()
    assert path.read_text() == "mine"
    plot("kumar2024", path, force=True)
    assert path.read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.svg.gz"])
def test_an_unknown_suffix_is_refused(figure: Figure, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        PlotError,
        match=rf"^cannot write '.*{name}': accepted endings are \.svg, \.png, \.pdf$",
    ):
        figure.save(tmp_path / name)


def test_a_suffix_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="accepted endings"):
        plot("no such law", tmp_path / "a.gif")


def test_a_missing_folder_is_one_sentence(figure: Figure, tmp_path: Path) -> None:
    with pytest.raises(
        PlotError, match=r"^cannot write '.*a\.svg': there is no folder '.*nowhere'$"
    ):
        figure.save(tmp_path / "nowhere" / "a.svg")


@pytest.mark.parametrize("thing", [3, None, {"a": 1}, np.zeros(3)])
def test_what_cannot_be_plotted_is_named(thing: object) -> None:
    kind = type(thing).__name__
    with pytest.raises(
        PlotError,
        match=(
            rf"^cannot plot a {kind}; plot takes Arena, Comparison, Fit, Format, GapTable, Law, "
            r"Payoffs, Plan, Profile, Runs, Score, Study, or"
        ),
    ):
        plot(thing)  # type: ignore[arg-type]


def test_an_unknown_kind_lists_those_there_are(runs: Runs) -> None:
    found = ", ".join(kinds()["Runs"])
    assert found.startswith("loss, design")
    with pytest.raises(PlotError, match=f"^cannot plot kind 'pie' of a Runs; kinds are {found}$"):
        plot(runs, kind="pie")
    with pytest.raises(
        PlotError, match=r"^cannot plot kind 'loss_' of a Law; kinds are law, factors, gap, loss$"
    ):
        plot("kumar2024", kind="loss_")


def test_every_kind_is_in_the_docstring() -> None:
    assert plot.__doc__ is not None
    for name, found in kinds().items():
        assert name in plot.__doc__
        assert [kind for kind in found if f'"{kind}"' not in plot.__doc__] == []


@dataclasses.dataclass(frozen=True)
class Gauge:
    """A value of somebody else's."""

    reading: float


def test_a_figure_of_a_type_of_ones_own() -> None:
    with pytest.raises(PlotError, match=r"^cannot plot a Gauge; "):
        plot(Gauge(0.5))  # type: ignore[arg-type]

    @draws(Gauge, "dial", "where the hand is", first=True)
    def dial_figure(gauge: Gauge) -> Figure:
        canvas = matplotlib.figure.Figure()
        canvas.add_subplot().plot([0, gauge.reading])
        return Figure(canvas, "dial", "a hand")

    try:
        assert plot(Gauge(0.5)).kind == "dial"  # type: ignore[arg-type]
        assert kinds()["Gauge"] == {"dial": "where the hand is"}
        with pytest.raises(PlotError, match="the figure 'Gauge dial' is already registered by"):
            draws(Gauge, "dial", "another")(lambda gauge: dial_figure(gauge))
    finally:
        FIGURES.remove("Gauge dial")


def test_a_figure_is_frozen_and_says_what_it_is(figure: Figure) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        figure.kind = "other"  # type: ignore[misc]
    assert repr(figure).startswith("Figure(kind='factors', 4.6 x ")
    assert isinstance(figure.figure, matplotlib.figure.Figure)


def test_settings_of_the_user_neither_matter_nor_change(figure: Figure) -> None:
    with matplotlib.rc_context(
        {"lines.linewidth": 9.0, "font.size": 30.0, "axes.facecolor": "pink"}
    ):
        before = dict(matplotlib.rcParams)
        again = plot("kumar2024")
        assert again._repr_svg_() == figure._repr_svg_()
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_loaded_and_matplotlib_only_here() -> None:
    code = (
        "import sys, isoloss, isoloss.fits, isoloss.laws, isoloss.runs; print('matplotlib' in "
        "sys.modules);"
        "isoloss.plots.plot('kumar2024')._repr_svg_();"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "False"]
