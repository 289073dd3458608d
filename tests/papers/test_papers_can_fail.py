"""Five computations changed on purpose: small claims that rest on them turn, others do not."""

from collections.abc import Iterator

import numpy as np
import pytest
from benchmarks.claims_can_fail import CHANGES, Change, changed, moved, resting_on, sentence, turns

from isoloss.linear import SGD, Regression, excess_risk
from isoloss.papers import CHECKS, Claim, Expected, Finding, Laboratory, Ours, put_to_test

#: What turns by which change, and no other.
TURNS = {
    "loss": ("a wrong constant",),
    "factor": ("a dropped term",),
    "growth": ("a wrong sign",),
    "scheme": ("a swapped scheme",),
    "order": ("a shuffled table",),
}


def loss(laboratory: Laboratory) -> Finding:
    value = float(laboratory.law("kumar2024")(3e7, 1.5e9))
    return Finding({"it": Ours(value)}, "so", ("kumar2024",))


def factor(laboratory: Laboratory) -> Finding:
    """exp((loss of 4 bits - loss) / A N^-alpha), which the exponent alpha leaves as it is."""
    law = laboratory.law("kumar2024")
    term = float(law(3e7, 1e30)) - law.values["E"]
    rounded = float(law(3e7, 1e30, "w4")) - law.values["E"]
    value = (rounded / term) ** (-1 / law.values["alpha"])
    return Finding({"it": Ours(value)}, "so", ("kumar2024",))


def growth(laboratory: Laboratory) -> Finding:
    law = laboratory.law("kumar2024")
    less, more = (float(law.gap(1e9, tokens, "-> w4")) for tokens in (1e9, 1e10))
    return Finding({"it": Ours(np.log10(more / less))}, "so", ("kumar2024",))


def scheme(laboratory: Laboratory) -> Finding:
    """Dimensions raise what additive noise of the data costs, in use."""
    gaps = [
        excess_risk(problem, SGD(1000, 1, 0.05), "d:add(0.01)", inputs="in use").value
        - excess_risk(problem, SGD(1000, 1, 0.05), inputs="in use").value
        for problem in (Regression(d, decay=2, noise_var=1.0) for d in (50, 400))
    ]
    return Finding({"it": Ours(gaps[1] / gaps[0])}, "so", ("exact risk",))


def order(laboratory: Laboratory) -> Finding:
    runs = laboratory.runs("isoloss2026")
    value = float(np.corrcoef(np.log(runs["params"] * runs["tokens"]), runs["loss"])[0, 1])
    return Finding({"it": Ours(value)}, "so", ("isoloss2026",))


@pytest.fixture(scope="module")
def small() -> Iterator[list[Claim]]:
    ranges = {
        "loss": (4.100, 4.102),
        "factor": (0.6963, 0.6964),
        "growth": (0.506, 0.508),
        "scheme": (1.5, 9.0),
        "order": (-1.0, -0.3),
    }
    for each in (loss, factor, growth, scheme, order):
        CHECKS.register(each.__name__, each, home="tests")
    yield [
        Claim("p", name, "", "", (), name, {}, (Expected("it", None, range),))
        for name, range in ranges.items()
    ]
    for name in ranges:
        CHECKS.remove(name)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_turns_what_rests_on_it(change: Change, small: list[Claim]) -> None:
    before = [put_to_test(each, Laboratory()) for each in small]
    assert {each.sentence for each in before} == {"holds"}
    after = dict(zip(TURNS, changed(change, small), strict=True))
    wanted = {name for name, changes in TURNS.items() if change.name in changes}
    assert {name for name, now in after.items() if sentence(now) != "holds"} == wanted
    assert {each.claim.name for each in before if turns(each, after[each.claim.name])} == wanted
    assert wanted <= {each.claim.name for each in before if moved(each, after[each.claim.name])}
    assert wanted <= {each.claim.name for each in resting_on(change, before)}
