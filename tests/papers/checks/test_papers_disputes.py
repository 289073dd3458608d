"""Disputes: tables in which one position is true, and the verdict that names it."""

import pytest

import isoloss as il
from isoloss.papers import Verdict, claims

ALL = "w4 a4 kv4"


def power(tokens, decay=1.0):
    def gap(n, d, precision, schedule):
        return 0.02 * (d / 1e6) ** tokens * (decay if schedule == "wsd" else 1.0)

    return gap


@pytest.mark.parametrize(
    ("tokens", "position"), [(0.0, "does not grow"), (0.1, "slowly"), (0.5162, "fast")]
)
def test_c1_names_the_position_that_made_the_table(made, put, tokens, position):
    result = put("disputes", "C1 growth in training", made(power(tokens), [ALL]))
    assert result.verdict is Verdict.ONLY_IF
    assert position in result.sentence


@pytest.mark.parametrize(
    ("tokens", "decay", "position"), [(0.4, 1.0, "tokens drive"), (0.0, 2.0, "decay drives")]
)
def test_c2_tells_tokens_from_decay(made, put, tokens, decay, position):
    runs = made(power(tokens, decay), ["fp -> w3@gptq", "fp -> w4@gptq"])
    result = put("disputes", "C2 tokens or decay", runs)
    assert result.verdict is Verdict.ONLY_IF
    assert position in result.sentence
    found = result.finding.ours["decayed over undecayed gap, w3@gptq"].value
    assert found == pytest.approx(decay)


def test_c6_finds_an_exponent_of_its_own_for_a_number_of_bits(made, put):
    bits = [f"fp -> w{b}{m}" for b in (2, 3, 4) for m in ("", "@gptq")]

    def gap(n, d, precision, schedule):
        return (d / 1e6) ** (0.5 if precision == "fp -> w2" else 0.2)

    result = put("disputes", "C6 bits and tokens", made(gap, bits))
    assert result.sentence == "holds only if rounded by GPTQ; not if rounded to the nearest"
    assert result.finding.ours["w2 to w3"].value == pytest.approx(-0.3, abs=0.01)


@pytest.mark.parametrize(("ratio", "kind"), [(1.0, "the same"), (1.3, "integers"), (0.5, "floats")])
def test_c10_names_the_cheaper_format(made, put, ratio, kind):
    runs = made(lambda n, d, p, s: 0.1 * (ratio if "e2m1" in p else 1.0), ["w:e2m1", "w4"])
    result = put("disputes", "C10 weights", runs)
    assert result.verdict is Verdict.ONLY_IF
    assert kind in result.sentence


def test_c5_with_two_pairs_is_not_told(made, put):
    runs = made(lambda n, d, p, s: 0.02, ["w4/16", "w4/32"], ratios=(25,), sizes=(2e4,))
    result = put("disputes", "C5 groups", runs.where(seed=[0, 1]))
    assert result.verdict is Verdict.NOT_TESTABLE
    assert "not told by the runs: linear (1 with an error that is not told; " in result.sentence
    assert "(2 runs have w4/16, 2 have w4/32)" in result.finding.says
    assert "inf" not in result.finding.says


def test_c8_reads_exponents_of_each_precision(made, put):
    """What 2 bits add is 1.2 of the tokens term, whose exponent stays."""
    runs = made(lambda n, d, p, s: 20 * d**-0.5, ["w2"])
    result = put("disputes", "C8 exponents", runs)
    assert abs(result.finding.ours["beta"].value) < 0.05
    assert result.verdict is Verdict.NOT_TESTABLE
    assert "met if" not in result.sentence


def test_c4_asks_each_law_in_its_own_formats(put):
    result = put("disputes", "C4 laws and budgets")
    best = il.plans.best_bits("kumar2024", "1e21 flop", precision="w8 a8").bits
    assert result.finding.ours["Kumar at 1e21 flop"].value == round(best)
    assert result.verdict is Verdict.HOLDS
    turned = {**result.claim.given["laws"], "QuEST": ["kumar2024", ""]}
    assert put("disputes", "C4 laws and budgets", laws=turned).verdict is Verdict.FAILS


def test_every_dispute_has_its_row_and_says_what_would_decide():
    found = claims("disputes")
    assert {row for each in found for row in each.rows} >= {f"C{k}" for k in range(1, 12)}
    assert all(each.why for each in found)
