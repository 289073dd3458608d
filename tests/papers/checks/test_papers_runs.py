"""Claims put to runs: figures against tables of known answers, and verdicts that turn with them."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from isoloss.laws import preset
from isoloss.papers import Laboratory, Verdict
from isoloss.papers.checks.runs.of_equal_cost import best_share_per_bit
from isoloss.papers.checks.runs.paired_runs import explained, jackknifed, ratio
from isoloss.papers.checks.runs.parts_together import observed_over_product
from isoloss.papers.checks.runs.precision_forms import after_training, rivals
from isoloss.runs import Runs, read

AFTER = [f"fp -> w{b}" for b in ("2", "3", "4", "6", "2@gptq", "3@gptq", "4@gptq")]


def grown(tokens=0.5, params=0.3):
    """The gap of Kumar's form after training: c D^d N^-n exp(-P/gamma)."""

    def gap(n, d, precision, schedule):
        bits = float(precision.partition("-> w")[2][0])
        return 0.05 * (d / 1e6) ** tokens * (n / 4e4) ** -params * np.exp(3 - bits)

    return gap


def ours(result, name):
    return result.finding.ours[name].value


# ---- what checks share
def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = jackknifed(pl.DataFrame({"u": range(4), "v": values}), ["u"], lambda t: t["v"].mean())
    assert (found.value, found.error) == pytest.approx((4.0, values.std(ddof=1) / 2))


def test_two_units_tell_no_error():
    frame = pl.DataFrame({"u": [0, 0, 1], "v": [1.0, 2.0, 3.0]})
    assert jackknifed(frame, ["u"], lambda t: t["v"].mean()).error == np.inf


def test_a_ratio_is_of_the_cells_that_have_both(made):
    runs = made(lambda n, d, p, s: {"w3": 0.3, "w4": 0.1}[p], ["w3", "w4"])
    assert ratio(runs, "w3", "w4").value == pytest.approx(3.0)
    short = runs.where(~((pl.col("precision") == "w4") & (pl.col("tokens") > 1e6)))
    assert ratio(short, "w3", "w4").value == pytest.approx(3.0)


def test_explained_is_one_less_error_over_variance():
    observed, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.5, 4.0])
    assert explained(observed, predicted) == pytest.approx(1 - 0.25 / (3 * observed.var()))


# ---- forms
@pytest.mark.parametrize(
    ("name", "constants", "expected"),
    [
        ("N_eff", {"gamma_N": 2, "n_N": 0.5}, 40 / (1 - np.exp(-1.5)) ** 0.5 / 100 + 0.1),
        ("D_eff", {"gamma_D": 2, "n_D": 0.5}, 0.4 + 100 / (1 - np.exp(-1.5)) ** 0.5 / 1000),
        (
            "one factor on both",
            {"gamma_N": 2, "n_N": 0.5},
            0.5 / (1 - np.exp(-1.5)) ** 0.5,
        ),
        ("additive", {"k": 3, "p": 2}, 0.5 + 3 / 16),
        ("power of bits", {"c": 0.1, "p": 1}, 0.4 / 0.4**0.5 + 0.1),
    ],
)
def test_a_rival_is_the_form_that_table_1_names(name, constants, expected):
    law = rivals()[name].at(A=40, alpha=0.5, B=100, E=2, **constants)
    assert law(1e4, 1e6, "w4") == pytest.approx(2 + expected)
    assert law(1e4, 1e6, "fp") == pytest.approx(2.5)


def test_the_penalty_alone_is_that_of_the_law():
    law = after_training(gamma_w=2.6745, n_w=0.3037)
    kumar = preset("kumar2024")
    bare = law.fix(b=1.1277)
    found = bare(3e7, 3e9, "fp -> w4")
    assert found == pytest.approx(kumar.gap(3e7, 3e9, "fp -> w4"), rel=1e-9)


def test_best_bits_are_those_of_the_paper():
    kumar = preset("kumar2024").values
    gamma, offset = (
        np.array([[kumar[f"{k}_{part}"] for part in ("w", "a", "kv")]]) for k in ("gamma", "n")
    )
    best = minimize_scalar(
        lambda p: -np.prod(1 - np.exp(-p / gamma + offset)) / p, bounds=(4, 12), method="bounded"
    )
    assert best_share_per_bit(gamma, offset)[0] == pytest.approx(best.x, abs=0.01)


# ---- after training
def test_exponents_after_training_are_those_of_the_table(made, put):
    result = put("kumar2024", "finding 1 on runs", made(grown(), AFTER))
    assert result.verdict is Verdict.HOLDS
    assert ours(result, "w3 decayed, tokens") == pytest.approx(0.5, abs=0.01)
    assert ours(result, "w4@gptq undecayed, params") == pytest.approx(-0.3, abs=0.01)


def test_a_gap_that_falls_with_tokens_turns_the_verdict(made, put):
    result = put("kumar2024", "finding 1 on runs", made(grown(tokens=-0.2), AFTER))
    assert result.verdict is Verdict.FAILS


def test_the_form_after_training_has_its_gamma(made, put):
    result = put("kumar2024", "equation 2 on runs", made(grown(), AFTER))
    assert ours(result, "fall of log gap per bit") == pytest.approx(1.0, abs=1e-3)
    assert ours(result, "R2 of log gap") == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("tokens", "sign"), [(0.1, -1), (1.2, 1)])
def test_more_data_hurts_where_the_gap_grows_faster_than_the_loss_falls(made, put, tokens, sign):
    result = put("kumar2024", "figure 1 left on runs", made(grown(tokens), AFTER))
    assert np.sign(ours(result, "w3")) == sign


def test_the_penalty_is_extrapolated_along_its_own_form(made, put):
    result = put("kumar2024", "extreme lengths on runs", made(grown(), AFTER))
    assert ours(result, "predicted over observed, w3") == pytest.approx(1.0, abs=0.02)


# ---- in training
SMALL = (2e4, 8e4)
PARTS = [f"{part}{b}" for part in ("w", "a", "kv") for b in (2, 3, 4)]
ALL = [*PARTS, *(f"w{b} a{b} kv{b}" for b in (2, 3, 4))]
LEFT = {"w": 0.9, "a": 0.6, "kv": 0.8}


def multiplied(n, d, precision, schedule):
    """The gap where factors of the parts, each to the power 6 - bits, multiply in N_eff."""
    share = np.prod(
        [LEFT[word[:-1]] ** (5 - int(word[-1])) for word in precision.split()], dtype=float
    )
    return 30 * n**-0.5 * (share**-0.5 - 1)


def summed(n, d, precision, schedule):
    return sum(multiplied(n, d, word, schedule) for word in precision.split())


@pytest.mark.parametrize(("gap", "holds"), [(multiplied, True), (summed, False)])
def test_costs_that_multiply_are_told_from_costs_that_add(made, gap, holds):
    laboratory = Laboratory()
    runs = made(gap, ALL, ratios=(10, 60), schedules=("wsd",), sizes=SMALL)
    laboratory.once(("runs", "isoloss2026"), lambda: runs)
    found = observed_over_product(laboratory, "isoloss2026", 2).value
    assert (abs(found - 1) < 0.02) is holds
    assert holds or found < 0.9


def test_the_most_sensitive_part_turns_with_its_name(made, put):
    claim = ("kumar2024", "figure 14 on runs")
    assert put(*claim, made(multiplied, PARTS)).verdict is Verdict.HOLDS
    swapped = {"w": "a", "a": "kv", "kv": "w"}
    other = made(lambda n, d, p, s: multiplied(n, d, swapped[p[:-1]] + p[-1], s), PARTS)
    assert put(*claim, other).verdict is Verdict.FAILS


def test_the_share_of_params_is_read_off_pairs(made, put):
    left = {"w2": 0.3, "w3": 0.6, "w4": 0.9, "w8": 0.99}
    runs = made(lambda n, d, p, s: 30 * n**-0.5 * (left[p] ** -0.5 - 1), list(left))
    result = put("kumar2024", "figure 15 on runs", runs)
    assert ours(result, "share at 8 bits") == pytest.approx(0.99, abs=0.01)
    assert ours(result, "share at 3 bits less at 2") == pytest.approx(0.3, abs=0.03)


def test_diverged_runs_are_counted(made, put):
    precisions = ["w3", "a3", "kv3"]
    runs = made(multiplied, precisions)
    bad = pl.col("precision").is_in(["a3", "kv3"]) & (pl.col("seed") == 0)
    frame = runs.frame().with_columns(
        status=pl.when(bad).then(pl.lit("diverged")).otherwise(pl.col("status"))
    )
    result = put("kumar2024", "divergence at 3 bits on runs", Runs.from_frame(frame))
    assert ours(result, "share that diverged, activations or attention") == pytest.approx(1 / 3)
    assert result.verdict is Verdict.HOLDS


# ---- printed numbers
def test_slopes_of_printed_perplexities_are_those_of_polyfit(put):
    result = put("kumar2024", "finding 1 at 125M to 175B")
    given = result.claim.given
    for name, rounded in given["rounded"].items():
        gap = np.log(np.log(np.array(rounded) / given["full"]))
        slope = np.polyfit(np.log(given["params"]), gap, 1)[0]
        assert ours(result, name) == pytest.approx(slope)


def test_models_exchanged_turn_the_pair(put):
    given = put("kumar2024", "finding 1 from Llama 2 to Llama 3").claim.given
    turned = {"shorter": given["longer"], "longer": given["shorter"]}
    result = put("kumar2024", "finding 1 from Llama 2 to Llama 3", **turned)
    assert result.verdict is Verdict.FAILS


def test_a_shuffled_table_turns_what_rests_on_it(put):
    runs = read("isoloss2026")
    claim = ("kumar2024", "larger models in fewer bits")
    assert put(*claim, runs).verdict is Verdict.HOLDS
    rng = np.random.default_rng(0)
    shuffled = runs.with_columns(loss=rng.permutation(runs["loss"]))
    assert put(*claim, shuffled).verdict is not Verdict.HOLDS
    assert put("kumar2024", "figure 14 on runs", shuffled).verdict is not Verdict.HOLDS
