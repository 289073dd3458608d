"""The figure of a study: titles in words, theory beside data, bars of what is sampled, ratios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from isoloss.linear import Reference, Study, study
from isoloss.plots import Figure, PlotError, plot

X = [1.0, 10.0, 100.0]


def made(near: float = 1.02, error: float = 0.0, wide: float = 3.0) -> Study:
    """Two panels: 'close' has a line within a few percent of 'base', 'apart' one far from it."""
    rows = []
    for panel, factor in (("close", near), ("apart", wide)):
        for series, times in (("base", 1.0), ("other", factor)):
            rows += [(x, times / x, error / x, series, panel) for x in X]
    table = pl.DataFrame(rows, schema=["x", "y", "y_se", "s", "p"], orient="row")
    return Study("made", "How? So.", table, "x", "y", "s", "p", ("size", "risk"), ("It falls.",))


def with_ratio(value: Study) -> Study:
    """The study compared with 'base'."""
    ratio = pl.col("y") * pl.col("x")
    return replace(value, table=value.table.with_columns(ratio=ratio), against="base")


def axes_of(figure: Figure) -> list[Axes]:
    """Axes that hold data, as they were added."""
    return [each for each in figure.figure.axes if each.axison]


def texts(figure: Figure) -> str:
    found = [each.get_text() for axes in figure.figure.axes for each in axes.texts]
    legends = [each.get_legend() for each in figure.figure.axes]
    words = [text.get_text() for each in legends if each for text in each.get_texts()]
    return "\n".join([*found, *words])


def test_the_title_is_the_question_and_the_rest_stands_below() -> None:
    figure = plot(made())
    suptitle = figure.figure.get_suptitle()
    assert suptitle == "How?"
    assert figure.caption == "So. It falls."
    assert [each.get_title(loc="left") for each in axes_of(figure)] == ["close", "apart"]


def test_a_study_without_a_question_mark_has_its_name() -> None:
    figure = plot(replace(made(), question="No question."))
    assert figure.figure.get_suptitle() == "made"
    assert figure.caption.startswith("No question.")


def test_sampled_points_have_bars_of_two_standard_errors_inside_the_axes() -> None:
    figure = plot(made(error=0.1))
    for axes in axes_of(figure):
        bars = [each for each in axes.collections if isinstance(each, LineCollection)]
        assert len(bars) == 2
        ends = bars[0].get_segments()[0][:, 1]
        np.testing.assert_allclose(ends, [0.8, 1.2])
        low, high = axes.get_ylim()
        assert low < ends[0] < ends[1] < high
    assert "Bars: 2 standard errors" in figure.caption
    assert not [each for axes in axes_of(plot(made())) for each in axes.collections]


def test_bars_of_two_series_do_not_hide_one_another() -> None:
    lines = axes_of(plot(made(error=0.1)))[0].get_lines()
    curves = [line.get_xdata() for line in lines if line.get_marker() in ("o", "s")]
    assert not np.allclose(curves[0], curves[1], rtol=1e-3)
    np.testing.assert_allclose(curves[0], X, rtol=0.05)


def test_curves_within_a_few_percent_have_their_ratio_below() -> None:
    figure = plot(with_ratio(made()))
    upper, lower, *_ = axes_of(figure)
    assert lower.get_ylabel() == "ratio"
    assert next(list(line.get_ydata()) for line in lower.get_lines()) == pytest.approx([1.02] * 3)
    low, high = lower.get_ylim()
    assert 0.98 < low < 1 < 1.02 < high < 1.05
    assert upper.get_position().y0 > lower.get_position().y1
    assert "Lower panels: ratio to base." in figure.caption


def test_curves_far_apart_have_none() -> None:
    assert len(axes_of(plot(with_ratio(made(near=2.0))))) == 2


def test_theory_is_drawn_where_it_belongs_and_named_once() -> None:
    theory = (
        Reference("$1/N$", (2.0, 50.0), (0.2, 0.008), "close"),
        Reference("floor", (), (0.03,), "close"),
        Reference("floor", (), (0.06,), "close"),
        Reference("size", (7.0,), (), "apart"),
    )
    figure = plot(replace(made(), theory=theory))
    close, apart = axes_of(figure)
    assert len(close.get_lines()) == 2 + 3
    assert len(apart.get_lines()) == 2 + 1
    slope = close.get_lines()[2]
    x, y = np.array(slope.get_xdata()), np.array(slope.get_ydata())
    np.testing.assert_allclose(np.diff(np.log(y)) / np.diff(np.log(x)), -1, atol=1e-9)
    assert slope.get_linewidth() < close.get_lines()[0].get_linewidth()
    assert {*apart.get_lines()[2].get_xdata()} == {7.0}
    words = texts(figure).splitlines()
    assert [words.count(each) for each in ("$1/N$", "floor", "size", "theory")] == [1, 1, 1, 1]


def test_theory_does_not_move_the_axes() -> None:
    plain = axes_of(plot(made()))[0]
    far = Reference("far", (1e-6, 1e9), (1e-9, 1e12), "close")
    drawn = axes_of(plot(replace(made(), theory=(far,))))[0]
    assert drawn.get_xlim() == plain.get_xlim()
    assert drawn.get_ylim() == plain.get_ylim()


def test_a_panel_that_would_be_flat_has_an_axis_of_its_own() -> None:
    value = made()
    small = value.table.with_columns(
        y=pl.when(pl.col("p") == "apart").then(1 + pl.col("x") / 1000).otherwise("y")
    )
    close, apart = axes_of(plot(replace(value, table=small)))
    assert apart.get_ylim()[0] > 0.9
    assert close.get_ylim()[0] < 0.02


def test_a_point_at_zero_has_no_place_on_a_logarithmic_axis() -> None:
    value = made()
    extra = value.table.head(1).with_columns(x=pl.lit(0).cast(value.table.schema["x"]))
    drawn = axes_of(plot(replace(value, table=pl.concat([extra, value.table]))))
    assert [len(axes.get_lines()) for axes in drawn] == [
        len(axes.get_lines()) for axes in axes_of(plot(value))
    ]
    assert all(axes.get_xlim()[0] > 0 for axes in drawn)


def test_nothing_that_can_be_drawn_is_one_sentence() -> None:
    value = made()
    with pytest.raises(PlotError, match=r"^the study 'made' has no risk above 0 to draw$"):
        plot(replace(value, table=value.table.with_columns(y=-pl.col("y"))))


def test_a_study_has_a_panel_for_each_case_and_a_line_for_each_series() -> None:
    figure = plot(study("batch", dim=20, steps=100, batch=[1, 4, 16, 64]))
    axes = axes_of(figure)
    titles = [each.get_title(loc="left") for each in axes]
    assert titles == ["additive", "shared factor", "factor by element"]
    assert [len(each.get_lines()) for each in axes] == [5 + 1] * 3
    parts = {"data", "labels", "parameter", "activations", "output gradients", "theory", "$1/B$"}
    assert parts <= set(texts(figure).splitlines())


def test_an_eigenvalue_of_zero_ends_its_line() -> None:
    found = study("spectrum", dim=40, samples=500, precision=["int16"], eps=0.05)
    figure = plot(found)
    index, _ = found.at("measured eigenvalues", "real int, nearest")
    assert len(index) < 40
    assert axes_of(figure)[0].get_ylim()[0] > 1e-9
