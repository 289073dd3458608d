"""What a plan inherits from the doubt of the fits behind it."""

from __future__ import annotations

import numpy as np
import pytest

import isoloss as il
from isoloss.fits import ResultWarning, WarningKind, withholds


def table(sizes, lengths):
    rng = np.random.default_rng(1)
    n, d = (v.ravel() for v in np.meshgrid(sizes, lengths))
    loss = 1.8 + 400 / n**0.34 + 900 / d**0.3
    loss = loss * np.exp(0.004 * rng.standard_normal(len(n)))
    columns = zip(n.tolist(), d.tolist(), loss.tolist(), strict=True)
    return [il.Run(params=a, tokens=b, loss=c, precision="bf16") for a, b, c in columns]


@pytest.fixture(scope="module")
def lengths():
    return np.geomspace(1e9, 6e10, 15)


def planned(runs, **asked):
    found = il.fit("chinchilla", runs, draws=40)
    return il.plan(found, "2e19flop", "h100", precision="bf16", draws=40, **asked)


def test_a_grid_and_one_budget_tell_the_size(lengths):
    assert planned(table(np.geomspace(5e7, 1e9, 4), lengths)).withheld is None
    n = np.geomspace(1e8, 1e9, 10).repeat(2)
    rng = np.random.default_rng(0)
    loss = (1.8 + 400 / n**0.34 + 900 / (2e19 / 6 / n) ** 0.3) * np.exp(
        0.003 * rng.standard_normal(20)
    )
    rows = zip(n.tolist(), (2e19 / 6 / n).tolist(), loss.tolist(), strict=True)
    one = [il.Run(params=a, tokens=b, loss=c, precision="bf16") for a, b, c in rows]
    assert planned(one).withheld is None


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("at_bound", ("alpha[a]",), True),
        ("at_bound", ("gamma_w",), False),
        ("starts_disagree", (), True),
        ("not_identified", ("alpha",), False),
    ],
)
def test_which_warnings_withhold(kind, about, said):
    assert withholds(ResultWarning(WarningKind(kind), "text", about)) is said
