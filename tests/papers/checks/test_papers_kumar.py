"""Kumar's claims: figures against formulas and searches written again here, and verdicts that
turn where a law is changed.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from math import exp, log

import numpy as np
import pytest
from scipy.optimize import minimize

from isoloss.laws import Law
from isoloss.papers import CHECKS, Laboratory, Reproduction, Verdict, papers

#: Table 2 of the paper, typed again.
A, B, E, ALPHA = 4299.0, 18060.0, 2.7648, 0.4965
GAMMA, N = (2.6745, 2.2102, 0.9578), (0.3037, 1.4072, 2.4185)
C_T, G_D, G_N, G_POST, OFFSET = 0.0598, 0.5068, 0.3439, 0.5907, 1.1277


def share(bits, n=N):
    return float(np.prod([1 - exp(-bits / g + k) for g, k in zip(GAMMA, n, strict=True)]))


def loss(params, tokens, bits):
    return A * (params * share(bits)) ** -ALPHA + B * tokens**-ALPHA + E


def claims():
    own = ("figure", "table", "equation", "appendix")
    return {
        name: claim
        for name, claim in papers()["kumar2024"].claims.items()
        if claim.check.startswith("kumar_") or (not claim.check and name.startswith(own))
    }


@cache
def result_of(name: str) -> Reproduction:
    return put(name, Laboratory())


def put(name: str, laboratory: Laboratory) -> Reproduction:
    claim = claims()[name]
    return Reproduction(claim, CHECKS[claim.check](laboratory, **claim.given))


def ours(name: str, figure: str) -> float:
    return result_of(name).finding.ours[figure].value


def with_law(name: str, change) -> Laboratory:
    """A laboratory in which a law was changed on purpose."""
    laboratory = Laboratory()
    law: Law = laboratory.law(name)
    changed = Laboratory()
    changed.once(("law", name), lambda: change(law))
    return changed


CHECKED = [name for name, claim in claims().items() if claim.check]
FAILS = {"figure 6 middle", "what 465 runs tell"}
DIFFERS = {"figure 6 right: values"}


@pytest.mark.parametrize("name", CHECKED)
def test_only_these_claims_fail_and_all_are_decided(name):
    assert (result_of(name).verdict is Verdict.FAILS) == (name in FAILS)
    assert (result_of(name).verdict is Verdict.DIFFERS) == (name in DIFFERS)
    assert result_of(name).verdict is not Verdict.NOT_TESTABLE


@pytest.mark.parametrize("number", ["1 left", "1 right", "6 middle", *map(str, range(2, 22))])
def test_every_numbered_figure_has_a_claim(number):
    assert any(re.match(rf"figure {number}\b", name) for name in claims())


def test_best_bits_against_a_grid():
    grid = np.linspace(3.2, 16, 12801)
    best = grid[np.argmax([share(p) / p for p in grid])]
    short = grid[np.argmax([share(p, (0, 0, 0)) / p for p in grid])]
    assert ours("why 7.0 bits and not 3.5", "best bits, +n") == pytest.approx(best, abs=1e-3)
    assert ours("best bits without offsets", "three gammas") == pytest.approx(short, abs=1e-3)


@pytest.mark.parametrize("bits", [4, 6, 8, 32])
def test_sizes_at_fixed_bits_against_a_search(bits):
    def best(p):
        left = 16 * 1e20 / 6 / p
        found = minimize(lambda u: loss(exp(u[0]), left / exp(u[0]), p), [21.0], tol=1e-14)
        return exp(found.x[0]), left / exp(found.x[0])

    (n, d), (n16, d16) = best(bits), best(16)
    name = "best params and tokens at fixed bits"
    assert ours(name, f"params at {bits} bits") == pytest.approx(n / n16, rel=1e-4)
    assert ours(name, f"tokens at {bits} bits") == pytest.approx(d / d16, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "n", "d"), [("8B at 15T", 8e9, 15e12), ("70B at 15T", 7e10, 15e12)]
)
def test_best_bits_at_held_params_against_a_grid(asked, n, d):
    found = ours("figure 6 right: values", asked)
    grid = np.linspace(found - 0.5, found + 0.5, 10001)
    losses = [A * (n * share(p)) ** -ALPHA + B * (d * found / p) ** -ALPHA for p in grid]
    assert grid[np.argmin(losses)] == pytest.approx(found, abs=1e-3)


def test_critical_tokens_against_a_grid():
    tokens = np.geomspace(1e9, 1e11, 20001)
    rounding = C_T * exp(-3 / G_POST + OFFSET) * tokens**G_D * 3e7**-G_N
    turn = tokens[np.argmin(B * tokens**-ALPHA + rounding)]
    assert ours("critical tokens", "30M INT3") == pytest.approx(turn, rel=1e-3)


def test_serving_optimum_is_one():
    """No params or bits near the planner's at equal cost give less loss, whatever the tokens."""
    name = "figure 9"
    bits, params = ours(name, "bits at 1e10"), ours(name, "params at 1e10")
    assert bits * params == pytest.approx(1e10, rel=1e-6)
    tokens = np.geomspace(1e10, 1e17, 4001)

    def least(p):
        n = 1e10 / p
        rounding = C_T * exp(-p / G_POST + OFFSET) * tokens**G_D * n**-G_N
        return float(np.min(A * n**-ALPHA + B * tokens**-ALPHA + rounding))

    assert least(bits) < min(least(bits - 0.05), least(bits + 0.05))


def test_effective_params_of_equation_30_are_exact():
    assert ours("figure 15", "greatest error of equation 30 on the law's losses") < 1e-9


def test_slope_at_held_params_is_that_of_the_largest_gamma():
    ratio = ours("figure 6 right", "bits a factor e of compute, over beta x largest gamma")
    assert ratio == pytest.approx(1.30 / (ALPHA * max(GAMMA)), rel=0.01)


def test_x_of_the_printed_condition():
    x = ours("best bits without offsets", "x of exp(x) - 1 = 3 x")
    assert log(1 + 3 * x) == pytest.approx(x, abs=1e-9)


@dataclass(frozen=True)
class Change:
    """A law changed on purpose, the claim that rests on it, and the verdict that it turns to."""

    law: str
    claim: str
    becomes: Verdict
    values: tuple[tuple[str, float], ...] = ()

    def __call__(self, law: Law) -> Law:
        return law.at(**dict(self.values))


CHANGES = {
    "wrong gamma": Change(
        "kumar2024", "why 7.0 bits and not 3.5", Verdict.DIFFERS, (("gamma_a", 1.2),)
    ),
    "dropped offset": Change("kumar2024", "figure 1 left", Verdict.DIFFERS, (("b", 0.0),)),
    "wrong floor": Change("kumar2024", "losses without rounding", Verdict.DIFFERS, (("E", 2.67),)),
    "wrong exponent": Change("kumar2024", "critical tokens", Verdict.DIFFERS, (("gamma_D", 0.45),)),
    "wrong sign": Change("kumar2024", "figure 14", Verdict.FAILS, (("n_a", -1.4072),)),
    "wrong constant": Change("kumar2024", "table 2", Verdict.FAILS, (("A", 4289.0),)),
    "floats as integers": Change(
        "kumar2024_float", "figure 16", Verdict.DIFFERS, (("gamma_w", 2.6745), ("n_w", 0.3037))
    ),
    "offsets in the printed law": Change(
        "kumar2024_printed", "four bits need four times the params", Verdict.HOLDS,
        (("gamma_w", 0.9), ("gamma_a", 12.0), ("gamma_kv", 12.0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_law_changed_on_purpose_turns_the_verdict(name):
    change = CHANGES[name]
    assert result_of(change.claim).verdict is not change.becomes
    assert put(change.claim, with_law(change.law, change)).verdict is change.becomes


def test_swapped_laws_turn_the_verdict():
    laboratory = Laboratory()
    printed = laboratory.law("kumar2024_printed")
    swapped = with_law("kumar2024", lambda law: replace(printed, name="kumar2024"))
    assert put("figure 6 left", swapped).verdict is Verdict.DIFFERS


def test_checks_are_the_same_again():
    again = put("figure 7", Laboratory())
    first = {name: each.value for name, each in result_of("figure 7").finding.ours.items()}
    assert {name: each.value for name, each in again.finding.ours.items()} == first
