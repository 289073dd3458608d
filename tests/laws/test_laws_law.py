"""A law as a value: calling it, changing it, printing it, and what it says where it is not
defined.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from isoloss.formats import Precision
from isoloss.laws import (
    HOLE,
    Box,
    Composed,
    Constant,
    DomainError,
    Law,
    Repetition,
    as_inputs,
    holes_of,
    law_from_json,
    power,
    preset,
    scale,
)
from isoloss.laws.saving import law_to_json

KUMAR = preset("kumar2024")
EPOCH = preset("epoch2024")


def test_numbers_in_give_a_number_out() -> None:
    loss = EPOCH(1e9, 2e10)
    assert isinstance(loss, float)
    assert loss == pytest.approx(1.81686 + 482.006 / 1e9**0.34781 + 2085.434 / 2e10**0.36585)
    assert isinstance(EPOCH.gap(1e9, 2e10, "w4"), float)


def test_arguments_broadcast() -> None:
    grid = KUMAR(np.array([[1e8], [1e9]]), np.array([1e10, 1e11, 1e12]), "w8")
    assert grid.shape == (2, 3)
    assert grid[1, 2] == KUMAR(1e9, 1e12, "w8")
    by_precision = KUMAR(1e8, 1e10, ["w4", Precision("w8"), "fp"])
    assert by_precision.tolist() == [KUMAR(1e8, 1e10, p) for p in ("w4", "w8", "fp")]
    assert KUMAR(np.array([[1e8], [1e9]]), 1e10, ["w4", "w8", "fp"]).shape == (2, 3)


def test_a_sparsity_or_group_stands_for_all_rows_or_one_each() -> None:
    law, p = preset("quest2025"), "w4+had@quest a4+had@quest"
    rows = law([1e8, 1e8], 1e10, p, sparsity=["2:4", None])
    assert rows.tolist() == [law(1e8, 1e10, p, sparsity="2:4"), law(1e8, 1e10, p)]
    assert law.gap(1e8, 1e10, p, sparsity="2:4") == pytest.approx(rows[0] - law(1e8, 1e10))
    assert law([1e8, 1e9], 1e10, p, sparsity="2:4")[0] == rows[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EPOCH(0, 1e10), "params is 0; a law needs positive, finite counts"),
        (lambda: EPOCH(1e8, [1e9, -2.0]), "tokens is -2; a law needs positive, finite counts"),
        (lambda: EPOCH(np.nan, 1e10), "params is nan; "),
        (lambda: EPOCH(1e8, np.inf), "tokens is inf; "),
        (lambda: preset("muennighoff2023")(1e8, 1e10, unique_tokens=0.0), "unique_tokens is 0; "),
        (lambda: EPOCH([1e8, 1e9], [1e9] * 3), r"shapes do not agree: params \(2,\), tokens "
                                               r"\(3,\), precision \(1,\)"),
        (lambda: EPOCH([1e8] * 2, 1e9, sparsity=["2:4"] * 3), "sparsity has 3 entries for 2 "
                                                              "rows; give one a row"),
        (lambda: EPOCH(1e8, 1e10, "q8w"), "cannot read 'q8w'"),
        (lambda: KUMAR(1e8, 1e10, "w8 a3"),
         r"^precision 'w8 a3' gives a factor of -0\.05112: the law holds only above "
         r"3\.11 bits of part 'a'$"),
        (lambda: KUMAR(1e8, 1e10, "kv2"), r"the law holds only above 2\.32 bits of part 'kv'"),
        (lambda: KUMAR(1e8, 1e10, "w:add(0.1)"), r"^precision 'w:add\(0\.1\)' gives no factor: "),
        (lambda: KUMAR(1e8, 1e10, "w8 -> w4"),
         r"^law 'kumar2024' has no value for C_w, needed at params 1e\+08, tokens "
         r"1e\+10, precision 'w8 -> w4'; fit it or give values with at\(\)$"),
        (lambda: KUMAR(1e8, 1e10, "w8 a8 kv8 -> w4"), "has no value for C_w, C_a, C_kv, needed at"),
        (lambda: preset("quest2025")(1e8, 1e10, "w5"), r"^precision 'w5' gives no factor: the "
                                                       r"law has an entry 'eff' for w1"),
        (lambda: preset("chen2025")(1e8, 1e10, "w3/32"), "the law has an entry 'k' for w4 a4, "
                                                         "w4, a4, "),
        (lambda: preset("chen2025")(1e8, 1e10, "w4"), "has no value for log2G_whole, needed at"),
        (lambda: preset("sun2025")(1e8, 1e10, "w4"), "^precision 'w4' gives no factor: the law "
                                                     "needs the exponent bits of part 'w'"),
        (lambda: preset("sun2025")(1e8, 1e10, "w:e2m1/tensor"), "has no value for log2B_tensor"),
        (lambda: preset("ouyang2024_per_bit")(1e8, 1e10, "fp -> w5"), "an entry 'k' for w2, w3, "
                                                                      "w4$"),
        (lambda: preset("frantar2025")(1e8, 1e10, "w4"), "an entry 'eff' for no precision yet$"),
        (lambda: preset("frantar2023").at(s=0.5, p=1.0)(1e8, 1e10, sparsity="4:2"), r"write a "
                                                                                    r"sparsity "
                                                                                    r"as 2:4 "
                                                                                    r"\(kept of "
                                                                                    r"each\)"),
        (lambda: EPOCH.at(kappa=-2.0, E=-np.inf)(1e8, 1e10), "^law 'epoch2024' is not defined at "
                                                             "params"),
        (lambda: EPOCH.at(alfa=0.3), r"law 'epoch2024' has no constant 'alfa'; it has A, B, E, "
                                     r"alpha, beta, kappa"),
        (lambda: KUMAR.fix("C_w"), "constant 'C_w' of law 'kumar2024' is fixed but has no value"),
        (lambda: EPOCH.tie("alpha", "gamma"), "no constant 'gamma'"),
        (lambda: preset("farseer2025").factors("w4"), "law 'farseer2025' has no factors"),
        (lambda: EPOCH.per(["A"], ["one"])(1e8, 1e10, group="two"), "group two has no base; "
                                                                    "there is one for one"),
        (lambda: EPOCH.per(["A"], ["one"])(1e8, 1e10), "group none has no base; there is one for "
                                                       "one"),
        (lambda: Constant("A", "", 2.0, 1.0, (1.0, 2.0)), r"constant 'A' has bounds \[2, 1\]; "
                                                          r"the lower one must be smaller"),
        (lambda: scale("A", "", 0.0, 1.0, (1.0, 2.0)), "constant 'A' is walked in its logarithm "
                                                       "but its lower bound is 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_domain_errors_have_a_type_of_their_own() -> None:
    with pytest.raises(DomainError):
        KUMAR(1e8, 1e10, "a3")


def test_an_undefined_level_counts_only_where_a_run_has_it() -> None:
    x = as_inputs([1e8, 1e8], 1e10, ["w4", "a3"])
    assert KUMAR.loss(x.take(np.array([0]))).tolist() == [KUMAR(1e8, 1e10, "w4")]
    with pytest.raises(DomainError):
        KUMAR.loss(x)


def test_outside_its_domain_a_formula_is_nan_and_raises_nothing() -> None:
    x = as_inputs(1e8, 1e10, ["w4", "a3", "w:vec(0.1)"])
    with np.errstate(all="ignore"):
        loss = KUMAR.formula.loss({k.name: k.value or 0.0 for k in KUMAR.constants}, x)
    assert np.isfinite(loss).tolist() == [True, False, False]


def test_values_fixes_and_ties() -> None:
    law = EPOCH.at(A=500).fix("E", beta=0.4).tie("alpha", "beta")
    assert [k.name for k in law.free] == ["A", "B"]
    assert {k.name: k.value for k in law.constants}["alpha"] == 0.4
    assert law.fixed == {"E", "beta", "kappa"}
    free = law.release("alpha", "E")
    assert [k.name for k in free.free] == ["A", "alpha", "B", "E"]
    assert "alpha" not in free.values
    assert EPOCH.values["A"] == 482.006


def test_a_fix_replaces_a_tie_and_a_tie_a_fix() -> None:
    assert preset("chinchilla_tied").fix(beta=0.3).ties == {}
    law = EPOCH.fix("beta").tie("beta", "alpha")
    assert (law.fixed, dict(law.ties)) == ({"kappa"}, {"beta": "alpha"})
    assert law(1e8, 1e10) == EPOCH.at(beta=0.34781)(1e8, 1e10)


def test_bounds_narrow_the_range_of_starts() -> None:
    alpha = {k.name: k for k in EPOCH.bounded(alpha=(0.2, 0.5)).constants}["alpha"]
    assert (alpha.lower, alpha.upper, alpha.start) == (0.2, 0.5, (0.2, 0.5))
    far = {k.name: k for k in EPOCH.bounded(alpha=(1.6, 1.9)).constants}["alpha"]
    assert far.start == (1.6, 1.9)


def test_a_base_for_every_group() -> None:
    law = KUMAR.per(["A", "B", "E", "alpha"], ["x", "y"])
    assert [k.name for k in law.free][:6] == [
        "A[x]",
        "A[y]",
        "alpha[x]",
        "alpha[y]",
        "B[x]",
        "B[y]",
    ]
    assert law.ties == {"beta[x]": "alpha[x]", "beta[y]": "alpha[y]"}
    law = law.with_values({"E[y]": 1.0})
    loss = law([1e8] * 3, 1e10, ["w4", "fp", "w4"], group=["y", "x", "x"])
    shifted = KUMAR.at(E=1.0)
    assert loss.tolist() == pytest.approx(
        [shifted(1e8, 1e10, "w4"), KUMAR(1e8, 1e10), KUMAR(1e8, 1e10, "w4")]
    )
    assert law.factors("w4")[0] == KUMAR.factors("w4")[0]


def test_a_tie_to_what_is_not_grouped_stays() -> None:
    law = EPOCH.tie("beta", "alpha").bounded(beta=(0.1, 0.9)).per(["beta", "kappa"], ["x", "y"])
    assert law.ties == {"beta[x]": "alpha", "beta[y]": "alpha"}
    assert law.bounds == {"beta[x]": (0.1, 0.9), "beta[y]": (0.1, 0.9)}
    assert "kappa" in law.fixed


def test_a_factor_that_differs_between_groups_has_no_single_value() -> None:
    with pytest.raises(
        DomainError, match="law 'kumar2024' has no single value for gamma_w, which its factors need"
    ):
        KUMAR.per(["gamma_w"], ["x", "y"]).factors("w4")


def test_each_group_is_checked_with_its_own_constants() -> None:
    law = KUMAR.per(["gamma_w"], ["x", "y"]).with_values({"gamma_w[y]": 30.0})
    assert law(1e8, 1e10, "w4", group="x") == KUMAR(1e8, 1e10, "w4")
    with pytest.raises(DomainError, match=r"only above 9\.11 bits of part 'w'"):
        law(1e8, 1e10, "w4", group="y")


def test_factors() -> None:
    law = preset("quartet2025")
    params, tokens = law.factors(["fp", "w:mxfp4~sr a:mxfp4~sr g:mxfp4", "bf16"])
    assert (params.tolist(), tokens.tolist()) == ([1.0, 0.42, 1.0], [1.0, 0.93, 1.0])


def test_printed_it_says_all_that_is_known() -> None:
    text = str(KUMAR)
    assert text.startswith("kumar2024: Kumar et al. 2024")
    assert text.splitlines()[0].endswith("(2411.04330, eqs. 4 and 9, table 2)")
    lines = {line.split()[0]: " ".join(line.split()) for line in text.splitlines()[1:]}
    assert (
        lines["gamma_w"]
        == "gamma_w 2.6745 bits bits over which what rounding weights costs falls by e"
    )
    assert lines["beta"].startswith("beta 0.4965 = alpha how fast")
    assert lines["b"].startswith("b 1.1277 fixed ")
    assert lines["C_w"].startswith("C_w to be fitted 1/bits ")
    assert "  note: the gammas hold only together with the offsets n" in text


def test_a_law_without_a_title() -> None:
    assert str(Law("mine", Composed())).splitlines()[0] == "mine: a law"


@pytest.mark.parametrize("name", ["kumar2024", "chen2025", "shannon2026"])
def test_laws_are_copied_and_pickled(name: str) -> None:
    law = preset(name)
    assert pickle.loads(pickle.dumps(law)) == law == copy.deepcopy(law)


def test_how_far_outside_a_box() -> None:
    box = Box((1e8, 1e9), (1e10, 1e11), (10, 1000))
    x = as_inputs([2e8, 2e9, 1e9, 1e8], [2e10, 1e11, 5e9, 4e11])
    assert box.outside(x) == pytest.approx([1.0, 2.0, 2.0, 4.0])


def test_a_hole_between_runs_is_outside_them() -> None:
    assert HOLE == 10.0
    assert holes_of(np.array([4e9, 1e6, 1e7, 1e7, 1.1e8])) == ((1e7, 1.1e8), (1.1e8, 4e9))
    box = Box((1e6, 1e10), (1e6, 1e12), (1, 1e6), holes=((1e6, 1e9),))
    x = as_inputs([1e6, 3e6, 5e6, 1e8, 4e8, 2e9, 5e10], 1e11)
    assert box.outside(x) == pytest.approx([1.0, 1.0, 5.0, 10.0, 1.0, 1.0, 5.0])
    law = replace(preset("kumar2024"), name="own", box=box)
    assert law_from_json(law_to_json(law)) == law


def test_inputs_share_levels_and_keep_rows() -> None:
    x = as_inputs(
        [1e8, 2e8, 3e8],
        1e10,
        ["w4", "W4", "w8"],
        unique_tokens=[1e9, 2e9, 3e9],
        group=["a", "b", "a"],
    )
    assert (len(x), len(x.levels), x.level.tolist()) == (3, 2, [0, 0, 1])
    part = x.take(np.array([2, 0]))
    assert (part.params.tolist(), part.group.tolist()) == ([3e8, 1e8], [0, 0])
    assert part.unique_tokens is not None
    assert part.unique_tokens.tolist() == [3e9, 1e9]
    assert part.present.tolist() == [0, 1]
    assert str(part.at_reference().levels.items[0]) == "fp"


def test_what_is_read_off_the_formats_is_kept() -> None:
    levels = as_inputs(1e8, 1e10, ["w4", "a:bf16", "w8 -> w4"]).levels
    assert levels.bits("w").tolist() == [4.0, np.inf, 8.0]
    assert levels.bits("w", "serve").tolist() == [np.inf, np.inf, 4.0]
    assert levels.bits("w") is levels.bits("w")
    assert levels.is_set("a").tolist() == [False, True, False]


def test_a_constant_that_two_terms_use_is_one() -> None:
    decay = scale("R", "shared", 0.1, 10.0, (1.0, 2.0))
    law = Law("mine", Composed(maps=(Repetition(decay, decay),)))
    assert [k.name for k in law.constants].count("R") == 1
    assert power("n", "either sign").lower < 0
