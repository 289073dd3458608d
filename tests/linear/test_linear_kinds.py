"""Every verb of the room, every argument, every wrong kind of value: a result or one sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from isoloss import linear
from isoloss.linear import SGD, Allowance, Regression

P, S = Regression(6), SGD(6, 1, 0.05)
#: A right value of every argument that has none by default.
RIGHT: dict[str, Any] = {
    "problem": P, "sgd": S, "precision": "d:add(0.01)", "points": [(P, S, "fp")], "size": 3,
    "compute": 1e3, "eps": 0.01, "decay": 2.0, "bits": 6.0, "dim": 10, "known": "int4",
    "allowance": Allowance(compute=100.0), "precisions": ["fp"], "samples": 100, "bias": 0.1,
    "variance": 0.1, "grid": {"samples": [10]}, "steps": 5,
    "name": "batch",
}  # fmt: skip
WRONG = [None, -1, np.nan, np.inf, 10**400, "x", "", [], [P], {}, P, S, True, b"x", object(), 1j]
VERBS = [
    each
    for name in linear.__all__
    if inspect.isfunction(each := getattr(linear, name)) and name != "study"
] + [SGD, Regression, Allowance, linear.Scales]
SMALL = {
    "equal_risk_bits": {"bits": (4,)},
    "sample_risk": {"replicates": 4},
    "sample_risks": {"replicates": 4},
}


def cases() -> Iterator[Any]:
    for verb in VERBS:
        for name in inspect.signature(verb).parameters:
            yield pytest.param(verb, name, id=f"{verb.__name__}-{name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("verb", "name"), list(cases()))
def test_a_wrong_kind_is_one_sentence(verb: Callable[..., Any], name: str) -> None:
    arguments = inspect.signature(verb).parameters
    given = {
        each: RIGHT[each]
        for each, one in arguments.items()
        if one.default is one.empty and not isinstance(verb, type)
    }
    given |= {"steps": 5} if verb is SGD else {"dim": 5} if verb is Regression else {}
    given |= {"compute": 1e3} if verb is Allowance else SMALL.get(verb.__name__, {})
    for wrong in WRONG:
        try:
            verb(**(given | {name: wrong}))
        except ValueError as error:
            message = str(error)
            assert "\n" not in message
            assert 10 < len(message) < 600


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear.simulate([P], {"samples": 9}), r"problem is \[Regression\(.*; accepted "
                                                       r"is a value such as Regression\(dim=100\)"),
        (lambda: linear.excess_risk("x", S), "problem is 'x'; accepted is a value such as "
                                             "Regression"),
        (lambda: linear.excess_risk(S, S), r"problem is SGD\(.*; accepted is a value such as "
                                           r"Regression"),
        (lambda: linear.stability_limit(P, P), r"sgd is Regression\(.*; accepted is a value such "
                                               r"as SGD"),
        (lambda: linear.excess_risk(P, S, 4), "precision is 4; accepted is a spelling such as"),
        (lambda: linear.excess_risks((P, S)), r"a point is Regression\(.*; accepted is "
                                              r"\(Regression"),
        (lambda: linear.training_risk(P, S, scales=0.1), "scales is 0.1; accepted is a value "
                                                         "such as Scales"),
        (lambda: linear.simulate(P, "x"), "grid is 'x'; accepted is a Grid, such as Grid"),
        (lambda: linear.simulate(Regression(10**50), {"samples": 9}), r"dim is 1e\+50; accepted "
                                                                      r"is at most 1.7e\+38"),
        (lambda: SGD(np.nan), "steps is nan; accepted is a whole number of at least 1"),
        (lambda: SGD(10**5000), "steps is a whole number of about .* digits; accepted .* below "
                                "1e100"),
        (lambda: linear.allocate(P, 3, "fp"), "allowance is 3; accepted is a value such as "
                                              "Allowance"),
        (lambda: linear.sample_risk(P, S, stored=4), "stored is 4; accepted is a format such as"),
        (lambda: linear.effective_samples(9, 2.0, 0.0, 0.0), "bias 0 and variance 0 leave no risk"),
        (lambda: linear.study(3), "a study is named by a text such as 'batch', not 3"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_accepted(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
