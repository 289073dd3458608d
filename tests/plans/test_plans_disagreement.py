"""The golden table of what 4 bits cost by every law, and every law's own plan."""

import math

import pytest

from isoloss.fits import SHIPPED
from isoloss.formats import Precision, row_error
from isoloss.laws import preset, presets
from isoloss.plans import Budget, PlanError, disagreement, gaps_by_law, plans_by_law
from isoloss.plans.disagreement import READINGS, Reading
from isoloss.plans.search.weighted_laws import Member, complete

POINTS = (["0.1B", "0.59B", "1B", "7B", "7B", "70B"], ["10B", "100B", "20B", "2T", "15T", "15T"])
#: The table of published laws at 4 bits, recomputed from their printed constants: nats, by law and
#: method.
GOLDEN = {
    ("chen2025", "trained, groups of 128"): (0.071, 0.057, 0.045, 0.042, 0.049, 0.029),
    ("quartet2025", "trained, forward alone"): (0.073, 0.057, 0.036, 0.040, 0.046, 0.026),
    ("quartet2025", "trained, forward and backward"): (0.074, 0.058, 0.040, 0.040, 0.045, 0.026),
    ("quest2025", "trained, Hadamard"): (0.060, 0.054, 0.052, 0.046, 0.046, 0.040),
    ("kumar2024", "trained"): (0.491, 0.203, 0.157, 0.060, 0.060, 0.019),
    ("kumar2024_printed", "the same, misread: without offsets"): (
        0.110,
        0.045,
        0.035,
        0.013,
        0.013,
        0.004,
    ),
    ("sun2025", "trained, blocks of 32"): (0.013, 0.029, 0.011, 0.075, 0.211, 0.122),
    ("sun2025", "trained, blocks of 128"): (0.019, 0.040, 0.015, 0.104, 0.295, 0.171),
    ("ouyang2024", "after training, GPTQ"): (0.023, 0.052, 0.020, 0.143, 0.411, 0.244),
    ("ouyang2024_per_bit", "after training, GPTQ"): (0.019, 0.043, 0.012, 0.118, 0.440, 0.182),
}


def test_the_table_at_4_bits_reproduces_every_law_there() -> None:
    found = {(a.reading.law, a.reading.method): a for a in gaps_by_law(*POINTS, 4).answers}
    for key, gaps in GOLDEN.items():
        assert found[key].gaps == pytest.approx(gaps, abs=5.1e-4), key
    published = {key for key in found if key[0] not in SHIPPED}
    assert published - set(GOLDEN) == {("kumar2024", "after training, GPTQ")}


def test_laws_of_the_error_stand_beside_the_others_and_know_the_format() -> None:
    """Gaps by the formula alone: c err^p N^-n D^d m, at 1B params (rows of 2^10.91)."""
    found = {
        a.precision: a for a in gaps_by_law("1B", "100B", 4).answers if "error" in a.reading.law
    }
    c = preset("error2026").values
    width = 0.38 * math.log2(1e9) - 0.45
    logs = [math.log(row_error("int4/128", 2**k)) for k in (10, 11)]
    error = math.exp(logs[0] + (logs[1] - logs[0]) * (width - 10))
    gap = c["c_w"] * error ** c["p_w"] * 1e9 ** -c["n_w"] * 1e11 ** c["d_w"]
    assert found["fp -> w4/128"].gaps == pytest.approx([gap], rel=1e-6)
    assert found["fp -> w4/128@gptq"].gaps == pytest.approx([gap * c["m[gptq]"]], rel=1e-6)
    assert found["fp -> w:e2m1/128"].gaps[0] != found["fp -> w4/128"].gaps[0]
    trained = {a.reading.method for a in found.values() if not a.precision.startswith("fp -> ")}
    assert all(method.startswith("trained") for method in trained)
    assert not any(
        o.alone.law in SHIPPED for o in plans_by_law("1e20 flop", "linear-bits", 4).optima
    )


def test_points_outside_the_runs_of_a_law_stand_in_parentheses() -> None:
    shown = str(gaps_by_law("7B", "15T"))
    assert "(0.049)" in shown
    assert "74M to 595M on 10B to 100B" in shown
    assert "(0.071)" not in str(gaps_by_law("0.1B", "10B"))
    # 100M params are 67 times from either side of the hole between the runs of error2026
    error = [a for a in gaps_by_law("0.1B", "10B").answers if a.reading.law == "error2026"]
    assert [a.outside for a in error] == [pytest.approx((67.4,))] * len(error)


def test_every_published_law_that_sees_precision_is_asked() -> None:
    """A new law with constants that no reading names would be left out of the view in silence."""
    spellings = [
        "w4 a4",
        "w4/128 a4/128",
        "fp -> w4",
        "w:e2m1/128",
        "w4+had@quest a4+had@quest",
        "w4",
    ]
    sees = {
        law.name
        for law in presets()
        if complete(law)
        and any(
            Member(law).knows(p) is None and law.gap(1e9, 1e11, p) > 1e-9
            for p in map(Precision, spellings)
        )
    }
    variants = {"kumar2024_float", "chen2025_shared"}
    assert sees - variants <= {r.law for r in READINGS}


def test_what_each_law_would_do_with_a_budget() -> None:
    found = plans_by_law(Budget("1e20 flop"), ["linear-bits", "h100"])
    best = {
        (o.alone.law, o.hardware): o.alone for o in found.optima if "/32" not in o.alone.precision
    }
    assert best["kumar2024", "linear-bits"].precision == "w7 a7"
    assert best["sun2025", "linear-bits"].precision == "w:e2m1/128 a:e2m1/128 g:e2m1/128"
    assert best["chen2025", "h100"].precision == "bf16"
    assert "24.2 x" in str(plans_by_law(Budget("1e21 flop"), ["linear-bits"], [7]))


def test_bad_questions_are_said_in_one_sentence() -> None:
    with pytest.raises(PlanError, match="params has 1 entries and tokens 2"):
        gaps_by_law("1B", ["1B", "2B"])
    with pytest.raises(PlanError, match="no law is defined at 0 bits; accepted are 1, 2"):
        gaps_by_law("1B", "20B", 0)
    with pytest.raises(PlanError, match="many"):
        gaps_by_law("many", "20B")


def test_a_reading_that_its_law_cannot_see_has_no_gap(monkeypatch) -> None:
    asked = (
        Reading("kumar2024", "w{b} a{b}", "seen"),
        Reading("kumar2024", "w{b} q{b}", "not seen"),
        Reading("chen2025", "w{b}/128 a{b}/64", "seen but for a scale"),
    )
    monkeypatch.setattr(disagreement, "READINGS", asked)
    found = gaps_by_law("1B", "20B", 4)
    own = [float(preset("kumar2024").gap(1e9, 2e10, "w4 a4"))]
    own += [float("nan"), float(preset("chen2025").gap(1e9, 2e10, "w4/128 a4"))]
    assert [a.gaps[0] for a in found.answers] == pytest.approx(own, nan_ok=True)
    assert [w.text for w in found.warnings] == [
        "law kumar2024 has no term for q in 'w4 q4': their loss is unknown",
        "law chen2025 has no term for a/64 in 'w4/128 a4/64': what they cost is missing from the "
        "gap",
    ]
    assert " unknown " in str(found)
    planned = plans_by_law("1e20 flop", "linear-bits", 4)
    assert [o.alone.precision for o in planned.optima][1] == "bf16"  # the one that it sees
