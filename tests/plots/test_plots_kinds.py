"""What each kind of figure shows: its words, its points, and what it says where it cannot be
drawn.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from isoloss.fits import Comparison, Fit, Profile, fit, gap_table, load
from isoloss.formats import Format
from isoloss.laws import preset, presets
from isoloss.plans import Budget, plan
from isoloss.plots import Figure, PlotError, plot
from isoloss.runs import Run, Runs


def words(figure: Figure) -> set[str]:
    """Every text in the figure, captions on one line."""
    found = (t.get_text().replace("\n", " ") for t in figure.figure.findobj(Text))
    return {text for text in found if text}


def panels(figure: Figure) -> list[Axes]:
    """The axes that show data."""
    return [axes for axes in figure.figure.axes if axes.axison and axes.get_label() != "<colorbar>"]


def points(axes: Axes, marker: str) -> list[tuple[float, float]]:
    """The points that were drawn with a marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [(float(x), float(y)) for line in lines for x, y in np.asarray(line.get_xydata())]


# ---- runs
def test_loss_of_runs(runs: Runs) -> None:
    figure = plot(runs)
    assert figure.kind == "loss"
    assert {"tokens", "loss (nats per token)", "Loss of simulated"} <= words(figure)
    assert {"bf16", "w3", "w4@quest", "w4@quest a8@quest"} <= words(figure)
    assert {"30M", "240M", "2B", "10B"} <= words(figure)
    assert (
        "64 runs; not drawn: 1 diverged, 1 unfinished (reasons in runs.excluded)." in figure.caption
    )
    assert figure.caption in words(figure)


def test_every_usable_run_is_drawn_where_it_was(runs: Runs) -> None:
    (axes,) = panels(plot(runs))
    drawn = {
        p
        for line in axes.lines
        if line.get_linestyle() == "None"
        for p in map(tuple, line.get_xydata())
    }  # type: ignore[union-attr]
    usable = runs.usable
    assert drawn == set(zip(usable["tokens"].tolist(), usable["loss"].tolist(), strict=True))


def test_runs_of_one_precision_are_told_apart_by_size(plain_runs: Runs) -> None:
    figure = plot(plain_runs)
    assert {"30M", "60M", "120M", "240M"} <= words(figure)
    assert "Precision bf16." in figure.caption


def test_many_sizes_get_a_colour_scale() -> None:
    figure = plot(
        Runs(
            [
                Run(n, 20 * n, "bf16", 3.0 - 0.01 * i)
                for i, n in enumerate(np.geomspace(1e7, 1e9, 12))
            ]
        )
    )
    assert {"params", "10M", "100M", "1B", "Loss of the runs"} <= words(figure)


def test_a_method_that_all_share_is_said_once(runs: Runs) -> None:
    figure = plot(runs.where(precision=["bf16", "w4@quest", "w4@quest a8@quest"]))
    assert "All rounding is @quest." in figure.caption
    assert {"w4", "w4 a8"} <= words(figure)
    assert "w4@quest" not in words(figure)


def test_too_many_precisions_are_shown_by_their_bits() -> None:
    names = [f"w{w} a{a}" for w in range(3, 9) for a in (4, 6, 8, 12)]
    figure = plot(Runs([Run(1e8, d, p, 3.0) for p in names for d in (1e9, 2e9, 4e9)]))
    assert {"3 bits", "4 bits", "5 bits", "6 bits", "7 bits", "8 bits"} <= words(figure)
    assert "24 precisions, shown by the fewest bits of any part." in figure.caption


def test_excess_risk_is_named(runs: Runs) -> None:
    figure = plot(Runs([Run(1e3, d, "fp", 1 / d, metric="excess_risk") for d in (1e3, 1e4, 1e5)]))
    assert {"excess risk", "1e−05", "0.001"} <= words(figure)


@pytest.mark.parametrize("kind", ["gap", "loss", "plan", "laws", "frontier", "tokens", "gaps"])
def test_no_axis_of_excess_risk_says_nats(kind: str) -> None:
    law = replace(preset("kumar2024"), metric="excess_risk")
    if kind in ("gap", "loss"):
        figure = plot(law, kind=kind)
    elif kind == "gaps":
        cells = [(n, d, p) for n in (1e3, 1e4) for d in (1e4, 1e5) for p in ("fp", "w4")]
        loss = {"fp": 0.1, "w4": 0.2}
        runs = [Run(n, d, p, loss[p] / d**0.1, metric="excess_risk") for n, d, p in cells]
        figure = plot(gap_table(Runs(runs)))
    else:
        spelled = ["w6 a6 kv6", "bf16", "bf16 -> w4"]
        figure = plot(plan(law, Budget(train=1e18), "linear-bits", precision=spelled), kind=kind)
    shown = words(figure)
    assert not any("nats" in text for text in shown)
    assert any("excess risk" in text for text in shown)


def test_design_counts_runs_and_marks_cells_without_a_reference(runs: Runs) -> None:
    figure = plot(runs, kind="design")
    assert {"params", "tokens", "4", "a run at the reference precision is there"} <= words(figure)
    assert "only rounded runs" not in words(figure)
    assert "16 cells" in figure.caption
    some = runs.where(precision=["w3"]) + runs.where(precision=["bf16"], params=3e7)
    assert "only rounded runs" in words(plot(some, kind="design"))


@pytest.mark.parametrize("kind", ["loss", "design"])
def test_no_usable_run_is_one_sentence(runs: Runs, kind: str) -> None:
    with pytest.raises(
        PlotError,
        match=r"^none of the 2 runs is usable, so there is nothing to draw; see runs\.excluded$",
    ):
        plot(runs.excluded, kind=kind)


# ---- fits
def test_fit_shows_predictions_residuals_and_constants(fitted: Fit) -> None:
    figure = plot(fitted)
    assert {
        "observed loss",
        "predicted loss",
        "tokens per param",
        "predicted − observed (% of loss)",
    } <= words(figure)
    assert {"kumar2024 fitted to simulated", "held out (largest)", "alpha", "gamma_w"} <= words(
        figure
    )
    assert "C_T" not in words(figure)  # not in the data, so not estimated
    assert "48 runs fitted, 16 held out, 2 excluded" in figure.caption
    assert "90% intervals from 20 bootstrap replicates" in figure.caption
    assert "Warnings: " in figure.caption


def test_fit_rings_exactly_the_held_out_runs(fitted: Fit) -> None:
    observed = panels(plot(fitted))[0]
    ring = [line for line in observed.lines if line.get_markersize() == 5.6]
    held = fitted.points.held_out
    places = np.c_[fitted.points.observed[held], fitted.points.predicted[held]]
    assert [np.allclose(line.get_xydata(), places) for line in ring] == [True]


def test_fit_writes_each_constant_with_its_interval(fitted: Fit) -> None:
    low, high = fitted.interval("alpha")
    assert f"{fitted.values['alpha']:.3g} ({low:.3g} to {high:.3g})" in words(plot(fitted))


def test_fit_marks_a_constant_at_its_bound(base_fit: Fit) -> None:
    assert "constants" in words(plot(base_fit))
    edge = base_fit.law.constants[1].upper
    figure = plot(replace(base_fit, law=base_fit.law.at(alpha=edge)))
    assert "constants (red square: at a bound or not held)" in words(figure)
    labels = {t.get_text(): t.get_color() for t in panels(figure)[2].get_yticklabels()}
    assert labels["alpha"] != labels["beta"] == labels["E"]


def test_a_constant_that_the_runs_do_not_hold_has_no_bar_as_if_it_were_sure() -> None:
    sizes, lengths = np.meshgrid([1e8, 4e8], np.geomspace(1e9, 5e10, 10))
    columns = {"params": sizes.ravel(), "tokens": lengths.ravel(), "precision": ["bf16"] * 20}
    columns["loss"] = 1.8 + 400 / columns["params"] ** 0.34 + 900 / columns["tokens"] ** 0.3
    found = fit("chinchilla", Runs.from_frame(pl.DataFrame(columns)), draws=5, starts=6)
    assert "alpha" in found.identified.not_held(0.9)
    figure = plot(found)
    assert f"{found.values['alpha']:.3g} (not held)" in words(figure)
    dotted = [line for ax in panels(figure) for line in ax.lines if line.get_linestyle() == ":"]
    assert len(dotted) == len(found.identified.not_held(0.9))


def test_fit_without_replicates_has_no_intervals(base_fit: Fit) -> None:
    bare = replace(base_fit, draws=base_fit.draws[:0])
    assert "no bootstrap replicates, so no intervals" in plot(bare).caption
    assert "Bands" not in plot(bare, kind="curves").caption


@pytest.mark.parametrize("kind", ["fit", "curves"])
def test_a_fit_that_was_saved_draws_as_before(fitted: Fit, tmp_path: Path, kind: str) -> None:
    again = load(fitted.save(tmp_path / "fit.json"))
    assert plot(again, kind=kind)._repr_svg_() == plot(fitted, kind=kind)._repr_svg_()


def test_curves_have_a_panel_a_size_and_a_band_a_precision(fitted: Fit) -> None:
    figure = plot(fitted, kind="curves")
    assert [a.get_title(loc="left") for a in panels(figure)] == [
        "30M params",
        "60M params",
        "120M params",
        "240M params",
    ]
    assert [len(a.collections) for a in panels(figure)] == [4, 4, 4, 4]
    assert {"bf16", "w3", "w4@quest", "held out", "loss"} <= words(figure)
    assert "Bands: 90% interval of a new run." in figure.caption


def test_a_curve_is_the_law(fitted: Fit) -> None:
    line = panels(plot(fitted, kind="curves"))[0].lines[0]
    tokens, loss = np.asarray(line.get_xydata()).T
    np.testing.assert_allclose(loss, fitted.law(3e7, tokens, "bf16"))


def test_curves_of_one_precision_share_a_panel(base_fit: Fit) -> None:
    figure = plot(base_fit, kind="curves")
    (axes,) = panels(figure)
    assert len(axes.collections) == 4
    assert {"30M", "240M"} <= words(figure)


def test_curves_of_a_base_per_source(runs: Runs) -> None:
    other = runs.with_columns(source="other")
    both = fit("kumar2024", runs + other, per="source", draws=5, starts=2)
    assert "Base of simulated" in plot(both, kind="curves").caption
    with pytest.raises(PlotError, match="a base for each of simulated, other once it was saved"):
        plot(replace(both, sample=None), kind="curves")


# ---- comparisons
def test_ranking_shows_errors_and_weights(comparison: Comparison) -> None:
    figure = plot(comparison)
    assert {
        "root mean square error (% of loss)",
        "weight in the average",
        "held-out error",
        "fitted error",
    } <= words(figure)
    assert {"chinchilla", "kumar2024", *(f"{w:.2f}" for w in comparison.weights.values())} <= words(
        figure
    )
    assert "Not defined on these runs: sun2025." in figure.caption
    assert "held out in turn: largest, longest" in figure.caption


def test_ranking_draws_the_held_out_errors(comparison: Comparison) -> None:
    errors = points(panels(plot(comparison))[0], "o")
    assert errors == [(100 * e.held_out_rmse, k) for k, e in enumerate(comparison.entries)]


def test_levels_write_the_mean_residual_of_each_law(comparison: Comparison) -> None:
    figure = plot(comparison, kind="levels")
    p = next(e for e in comparison.entries if e.fit.law.name == "chinchilla").fit.points
    mean = 100 * p.residual[np.array(p.precision) == "bf16"].mean()
    digits = (
        2
        if max(
            abs(float(t.replace("−", "-")))
            for t in words(figure)
            if t[:1] in "+−" and t[1:2].isdigit()
        )
        < 10
        else 1
    )
    assert {
        f"{mean:+.{digits}f}".replace("-", "−"),
        "bf16 (16)",
        "w3 (16)",
        "mean residual (%)",
    } <= words(figure)


# ---- laws
def test_factors_of_kumar_are_those_of_the_paper() -> None:
    figure = plot("kumar2024")
    (axes,) = panels(figure)
    assert {
        "bits",
        "effective / nominal params",
        "w",
        "a",
        "kv",
        "w a kv together",
        "not defined",
    } <= words(figure)
    assert (
        "Not defined: a at 1-3 bits; kv at 1-2 bits; w a kv together at 1-3 bits." in figure.caption
    )
    at_four = {marker: dict(points(axes, marker))[4.0] for marker in "s^vo"}
    expected = {"s": 0.696358, "^": 0.331414, "v": 0.827565, "o": 0.190988}
    assert at_four == {marker: pytest.approx(value, abs=1e-6) for marker, value in expected.items()}


def test_undefined_bits_are_crosses() -> None:
    (axes,) = panels(plot("kumar2024"))
    assert sorted({x for x, _ in points(axes, "x")}) == [1.0, 2.0, 3.0]
    assert len(points(axes, "x")) == 3 + 2 + 3


def test_gap_of_a_law_is_its_own() -> None:
    figure = plot("kumar2024", kind="gap")
    law = preset("kumar2024")
    assert {
        "loss gap (nats)",
        "w after training",
        "kumar2024: gap at 80M params, 6B tokens",
    } <= words(figure)
    served = dict(points(panels(figure)[0], "D"))
    assert served[4.0] == pytest.approx(law.gap(8e7, 6e9, "fp -> w4"))


def test_tables_of_a_law_have_a_row_a_level() -> None:
    figure = plot("quest2025")
    law = preset("quest2025")
    labels = [t.get_text() for t in panels(figure)[0].get_yticklabels()]
    assert len(labels) == 16
    assert "w4+had a4+had 2:4" in labels
    assert f"{law.values['eff[w4+had@quest a4+had@quest]']:.3g}" in words(figure)


def test_a_law_of_exponent_and_mantissa_has_a_row_a_float() -> None:
    figure = plot("sun2025")
    assert figure.kind == "gap"
    labels = [t.get_text() for t in panels(figure)[0].get_yticklabels()]
    assert labels == ["w:e4m3", "w:e5m2", "w:e2m3", "w:e3m2", "w:e2m1"]


def test_a_law_of_groups_is_drawn_at_128() -> None:
    assert {"w4/128", "a4/128", "w4/128 a4/128"} <= words(plot("chen2025"))


def test_a_law_that_says_nothing_of_precision_shows_its_loss() -> None:
    figure = plot("hoffmann2022")
    assert figure.kind == "loss"
    assert {"57M", "16B", "tokens", "loss (nats per token)"} <= words(figure)
    with pytest.raises(
        PlotError, match=r"^law 'hoffmann2022' says nothing of precision; kind 'loss' draws it$"
    ):
        plot("hoffmann2022", kind="gap")
    with pytest.raises(
        PlotError, match=r"^law 'hoffmann2022' has no factor on params or tokens; kind 'gap'"
    ):
        plot("hoffmann2022", kind="factors")


def test_a_law_without_values_says_which_are_missing() -> None:
    with pytest.raises(
        PlotError, match=r"^law 'chinchilla' has no value for A, alpha, B, beta, E, needed at"
    ):
        plot("chinchilla")
    with pytest.raises(
        PlotError, match=r"^law 'panferov2025' has no value for .*F, C, so what rounding costs"
    ):
        plot("panferov2025", kind="factors")


def test_every_preset_is_drawn_or_refused_in_a_sentence() -> None:
    for law in presets():
        missing = [k.name for k in law.constants if k.value is None]
        said = ""
        try:
            said = plot(law).kind
        except PlotError as error:
            said = str(error)
        assert said in ("factors", "gap", "loss") or (missing and " has no value for " in said), (
            law.name
        )


# ---- profiles
def test_profile_shows_the_rise_and_the_interval(alpha_profile: Profile) -> None:
    figure = plot(alpha_profile)
    assert {"Profile of alpha", "alpha", "rise of the objective", "90%"} <= words(figure)
    assert f"90% interval {alpha_profile.low:.4g} to {alpha_profile.high:.4g}" in figure.caption
    rise = np.array([y for _, y in points(panels(figure)[0], "o")])
    assert rise.min() == 0
    assert len(rise) == len(alpha_profile.values)


def test_grids_show_every_number_and_the_error_by_magnitude() -> None:
    figure = plot("e2m1 int4 nvfp4")
    numbers, errors = panels(figure)
    rows = [collection.get_segments() for collection in numbers.collections]
    assert [len(row) for row in rows] == [15, 16, 15]
    assert sorted({float(x) for (x, _), _ in rows[0]}) == pytest.approx(
        Format.parse("e2m1").grid / 6
    )
    assert [text.get_text() for text in numbers.get_yticklabels()] == ["e2m1", "int4", "nvfp4"]
    float_line, int_line, _ = (np.asarray(line.get_ydata()) for line in errors.get_lines()[:3])
    assert float_line[-1] == pytest.approx(float_line[-60], rel=0.01)  # level in the normal range
    assert int_line[-1] < 0.75 * int_line[-60]  # falling


def test_grids_take_formats_lists_and_names() -> None:
    known = Format.parse("int3")
    assert (
        plot(known).kind == plot([known, Format.parse("e2m1")]).kind == plot("int3").kind == "grids"
    )
    assert plot("binary")._repr_svg_()


def test_a_word_among_formats_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"^unknown format 'e2m'; did you mean 'e2m3' or 'e2m1'"):
        plot("int4 e2m")


@pytest.mark.parametrize("name", ["fp", "vec(0.1)", "int24", "int4 fp32"])
def test_formats_without_a_grid_are_refused(name: str) -> None:
    with pytest.raises(
        PlotError, match="has no grid that can be drawn; int4, e4m3 or mxfp4 have one"
    ):
        plot(name)


def test_gaps_have_a_panel_a_stage_and_a_line_a_size_and_precision() -> None:
    rows = []
    for n, ratio, seed in itertools.product((1e4, 4e4), (10, 40, 160), (0, 1)):
        noise = 0.01 * np.sin(7 * seed + ratio + n)
        for precision, gap in (
            ("fp", 0.0),
            ("w3", 0.02),
            ("w8", -0.01),
            ("fp -> w4", 0.001 * ratio**0.5),
        ):
            same = {"params": n, "tokens": n * ratio, "seed": seed, "precision": precision}
            rows.append(same | {"loss": 3 - np.log10(ratio) / 4 + gap * (1 + noise)})
    figure = plot(gap_table(Runs.from_frame(pl.DataFrame(rows))))
    training, after = panels(figure)
    assert (training.get_title(loc="left"), after.get_title(loc="left")) == (
        "in training",
        "after training",
    )
    assert len(training.containers) == 2  # w3 at two sizes; w8 costs nothing
    assert [list(c.lines[0].get_xdata()) for c in after.containers] == [[10, 40, 160]] * 2
    assert "larger marks are larger models (10k, 40k params)" in figure.caption
