"""The fits that isoloss ships: constants, evidence, doors, and gaps that they never saw."""

import math

import numpy as np
import polars as pl
import pytest
from tests.fits.test_fits_target import table

import isoloss as il
from isoloss.fits import SHIPPED, FitError, fit, leave_out, predict, shipped_fit
from isoloss.fits.doubt import LeftOut, points
from isoloss.formats import custom_format, row_error
from isoloss.laws import LAWS, holes_of, is_gap_law, law_from_json, preset, presets
from isoloss.laws.saving import law_to_json

#: Perplexities on WikiText2 of the README of llama.cpp (see data/transcribed): model, format, its
#: perplexity, that of f16. No fit of isoloss has seen them.
LLAMA_CPP = [
    (6.74e9, 1e12, "q4_0", 6.1565, 5.9066),
    (6.74e9, 1e12, "q4_1", 6.0912, 5.9066),
    (6.74e9, 1e12, "q5_0", 5.9862, 5.9066),
    (1.3e10, 1e12, "q4_0", 5.3860, 5.2543),
    (1.3e10, 1e12, "q5_1", 5.2706, 5.2543),
    (6.9e10, 2e12, "q4_0", 3.5550, 3.4313),
    (6.9e10, 2e12, "q4_1", 3.5125, 3.4313),
    (6.9e10, 2e12, "q5_0", 3.4744, 3.4313),
]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_constants_of_a_law_are_those_of_its_fit(name: str) -> None:
    found, law = shipped_fit(name), preset(name)
    assert found is not None
    assert found.left_out is not None
    assert found.law.formula == law.formula
    assert law.values == pytest.approx(found.values, rel=1e-5)
    assert law.fixed == found.law.fixed
    assert law_from_json(law_to_json(law)) == law
    assert law.box is not None
    assert found.law.box is not None
    for own, theirs in (
        (law.box.params, found.law.box.params),
        (law.box.tokens, found.law.box.tokens),
        (law.box.tokens_per_param, found.law.box.tokens_per_param),
    ):
        assert own == pytest.approx(theirs, rel=1e-5)
    assert law.box.holes == found.law.box.holes == holes_of(found.points.params)


def test_sizes_that_no_run_of_a_law_is_near_are_said() -> None:
    told = predict("error2026", 3e7, 1e9, ["fp -> w4", "fp -> w3"], gap=True)
    assert [str(w) for w in told.warnings if "in a hole of the fitted runs" in str(w)] == [
        "extrapolation: 2 of 2 points lie in a hole of the fitted runs, none of which has between "
        "409k and 6.74B params: 30M are a factor 73.3 from the nearest; intervals do not hold "
        "a misfit that shows only there"
    ]
    assert (told.low < told.high).all()
    for params in (4e5, 7e9):
        near = predict("error2026", params, 1.4e2 * params, "fp -> w4", gap=True)
        assert "outside" not in str(near)
        assert "hole" not in str(near)


def test_laws_of_gaps_are_listed_and_are_no_published_laws_of_losses() -> None:
    assert set(SHIPPED) <= set(LAWS)
    assert all(is_gap_law(preset(name)) and preset(name).evidence == "F" for name in SHIPPED)
    assert not any(is_gap_law(law) for law in presets())
    assert shipped_fit("kumar2024") is None
    assert shipped_fit(preset("error2026")) is None


def test_a_format_has_the_price_of_its_error() -> None:
    """By the formula alone, at a width of 2^11 rows: params 2^(11.45 / .38)."""
    c, n, d = preset("error2026").values, 2.0 ** (11.45 / 0.38), 1e11
    said = predict("error2026", n, d, "fp -> w:nf4/64", gap=True)
    error = row_error("nf4/64", 2048)
    expected = c["c_w"] * error ** c["p_w"] * n ** -c["n_w"] * d ** c["d_w"]
    assert said.loss[0] == pytest.approx(expected, rel=1e-4)
    assert 0 < said.low[0] < said.loss[0] < said.high[0]


def test_formats_of_ones_own_have_a_price() -> None:
    mine = custom_format("mine_of_presets", 4, lambda x: np.round(x * 4) / 4)
    said = predict("error2026", "1B", "100B", il.Precision({}, {"w": mine}), gap=True)
    rough = predict("error2026", "1B", "100B", "fp -> w8", gap=True)
    assert said.loss[0] > 10 * rough.loss[0]
    assert said.low[0] < said.loss[0] < said.high[0]


def test_what_is_given_without_an_arrow_is_read_as_served_and_said() -> None:
    one = predict("error2026", "1B", "100B", "w:nf4/64", gap=True)
    two = predict("error2026", "1B", "100B", "fp -> w:nf4/64", gap=True)
    assert one.precision == two.precision
    assert one.loss == two.loss
    assert "reads 'w:nf4' as 'fp -> w:nf4'" in str(one)
    assert "reads" not in str(two)
    trained = predict("error_trained2026", "200M", "20B", "w4+had@quest a4+had@quest", gap=True)
    assert trained.precision == ("w4+had@quest a4+had@quest",)


def test_activations_are_not_priced_by_normal_rows() -> None:
    said = predict("error2026", "1B", "100B", ["w:nf4/64 a:e4m3", "w:nf4/64", "a8"], gap=True)
    assert said.standing[:2] == ("at least", "seen")
    assert said.loss[0] == said.loss[1]
    assert np.isnan([said.low[0], said.high[0]]).all()
    assert said.loss[2] == 0.0
    assert said.standing[2] == "at least"
    assert "error2026 has no term for '-> a'" in str(said)


def test_rounding_to_nearest_spelled_out_is_no_method() -> None:
    said = predict(
        "error2026", "1B", "100B", ["fp -> w4@rtn", "fp -> w4", "fp -> w4@awq"], gap=True
    )
    assert said.loss[0] == said.loss[1]
    assert said.standing == ("seen", "seen", "undefined")
    # To a law fitted to GPTQ alone it is one.
    assert il.laws.unseen(preset("kumar2024"), "fp -> w4@rtn") == ("-> w@rtn",)


def test_gaps_of_models_and_formats_that_no_fit_saw() -> None:
    rows = [(n, d, f"fp -> w:{f}", math.log(own / whole)) for n, d, f, own, whole in LLAMA_CPP]
    params, tokens, names, gaps = (list(column) for column in zip(*rows, strict=True))
    said = predict("error2026", params, tokens, names, gap=True)
    assert said.covers(np.array(gaps)).all()
    assert np.abs(np.log(said.loss / np.array(gaps))).max() < math.log(2.2)


def test_an_interval_grows_with_the_distance_of_the_error_and_of_the_model() -> None:
    def width(params: float, tokens: float, way: str) -> float:
        said = predict("error2026", params, tokens, f"fp -> {way}", gap=True)
        return float(np.log(said.high[0] / said.low[0]))

    inside = width(7e9, 1e12, "w4/64")
    assert width(1e8, 2e9, "w4/64") > 1.2 * inside  # between the runs of 409k and of 7B
    assert width(7e9, 1e12, "w:uint12") > 1.5 * inside  # finer than any that was run
    far = predict("error2026", 1e13, 3e14, "fp -> w4", gap=True)
    assert math.isnan(far.low[0])  # more than a hundred times outside: none is given


def test_losses_are_not_told_by_a_law_of_gaps() -> None:
    with pytest.raises(FitError, match="'error2026' gives gaps and not losses; ask with gap=True"):
        predict("error2026", "1B", "100B", "fp -> w4")


def left(residual: list[float], way: list[int], errors: list[float]) -> LeftOut:
    names = tuple(f"fp -> w{4 + k}" for k in range(len(errors)))
    cells = tuple("ab"[k % 2] for k in range(len(residual)))
    return LeftOut(
        names,
        np.zeros((len(errors), 1)),
        np.array(way),
        np.array(residual),
        np.array(errors),
        cells,
    )


def test_beyond_the_errors_the_slope_is_what_the_ends_lay_off() -> None:
    found = left([0.1, 0.3, 0.0, -0.4, -0.6], [0, 0, 1, 2, 2], [-6.0, -4.0, -3.0])
    assert found.medians == pytest.approx([0.2, 0.0, -0.5])
    assert found.slope == pytest.approx(max(0.2 / 2, 0.5 / 1))
    x = points(1e9, 1e11, ["fp -> w4", "fp -> w2", "fp"])
    asked = [math.log(il.formats.relative_error(f"int{b}")) for b in (4, 2)]
    expected = [max(0.0, -6.0 - asked[0], asked[0] + 3.0), asked[1] + 3.0, 0.0]
    assert found.beyond(preset("error2026"), x) == pytest.approx(expected)


def test_every_way_counts_alike_in_what_is_drawn() -> None:
    found = left([0.5] * 90 + [-0.5], [0] * 90 + [1], [-6.0, -4.0])
    x = points(1e9, 1e11, "fp -> w4")
    drawn = found.spread(np.ones((4000, 1)), preset("error2026"), x, 0)
    assert np.mean(drawn < 1) == pytest.approx(0.5, abs=0.03)


def test_what_cells_share_is_parted_from_what_ways_have() -> None:
    rng = np.random.default_rng(0)
    shared, own = 0.4 * rng.normal(size=200), 0.2 * rng.normal(size=(200, 6))
    cells = tuple(str(k) for k in range(200) for _ in range(6))
    found = LeftOut(
        ("a",), np.zeros((1, 1)), np.zeros(1200, dtype=int), (shared[:, None] + own).ravel(),
        np.zeros(1), cells,
    )  # fmt: skip
    assert np.sqrt(found.variances()) == pytest.approx([0.4, 0.2], rel=0.1)
    assert found.without_cells().residual.std() == pytest.approx(0.2 * math.sqrt(5 / 6), rel=0.05)


def test_each_way_is_predicted_by_a_fit_without_it() -> None:
    runs = table().where(pl.col("precision") != "fp -> w3@gptq")
    whole = leave_out(fit("error", runs, target="gap", draws=10), runs)
    found = whole.left_out
    assert found is not None
    name = "fp -> w3/16"
    alone = fit("error", runs.where(pl.col("precision") != name), target="gap", draws=2)
    gaps = il.fits.mean_gaps(runs).frame().filter(pl.col("precision") == name)
    said = alone.law(gaps["params"].to_numpy(), gaps["tokens"].to_numpy(), name)
    own = found.residual[found.way == found.names.index(name)]
    assert np.sort(own) == pytest.approx(np.sort(np.log(said / gaps["loss"].to_numpy())), abs=0.01)
    assert "Ways of rounding left out once" in str(whole)
    with pytest.raises(FitError, match="gives losses"):
        leave_out(fit("chinchilla", "simulated2024", draws=2), "simulated2024")
