"""The search itself: where it stops, and how little it asks on the way."""

import numpy as np
import pytest

from isoloss.formats import Precision
from isoloss.laws import Array, Value, plain, preset
from isoloss.plans import Budget
from isoloss.plans.search.expected import loss_of
from isoloss.plans.search.optimum import GRID, minimise
from isoloss.plans.search.weighted_laws import levels_of, members_of

AT = np.random.default_rng(0).uniform(5, 25, (50, 8))


@pytest.mark.parametrize(
    ("bowl", "most"),
    [
        (lambda u: 0.5 * (u - AT) ** 2 + 3.0, 3),
        (lambda u: np.exp(-0.3 * (u - AT)) + np.exp(0.3 * (u - AT)), 8),
    ],
)
def test_all_arrive_together_and_stay(bowl: object, most: int) -> None:
    asked = 0

    def f(u: Value) -> Value:
        nonlocal asked
        asked += 1
        return bowl(u)  # type: ignore[operator]

    found = minimise(f, np.zeros(AT.shape), np.full(AT.shape, 30.0))
    # Rounding errors of the slope over the bend: about 1e-15 over .09 at values near 2.
    assert np.abs(found - AT).max() < 1e-12
    assert asked <= GRID + 1 + 2 + most


def test_a_search_that_leaves_the_range_stands_at_its_end() -> None:
    low, high = np.zeros((1, 3)), np.full((1, 3), 30.0)
    target = np.array([[-5.0, 12.5, 40.0]])
    assert minimise(lambda u: (u - target) ** 2, low, high) == pytest.approx(
        np.array([[0.0, 12.5, 30.0]])
    )


def test_settled_laws_are_the_laws() -> None:
    levels = levels_of([Precision("bf16"), Precision("e4m3"), Precision("w4")])
    members = members_of("published")
    for member in members:
        settled, c = member.settled(), member.values
        for params in (18.0, 21.0):
            u: Array = np.full((1, 3), params)
            for _ in range(2):
                assert np.array_equal(
                    plain(settled.loss(c, u, u + 3.0, levels, None)),
                    plain(member.loss(c, u, u + 3.0, levels, None)),
                    equal_nan=True,
                )
    assert len(members) > 8


def test_a_search_asks_for_what_a_format_leaves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    law = preset("kumar2024")
    kind = type(law.formula.links[0])  # type: ignore[attr-defined]
    called, asked = kind.__call__, [0]

    def counted(*given: Value) -> Value:
        asked[0] += 1
        return called(*given)

    monkeypatch.setattr(kind, "__call__", counted)
    (member,) = members_of(law)
    levels = levels_of([Precision("w4 a4 kv4"), Precision("w8 a8 kv8")])
    f = loss_of(member, member.values, levels, Budget("1e20 flop"))
    minimise(lambda u: f(u, 45.0 - u), np.full((1, 2), 10.0), np.full((1, 2), 30.0))
    assert asked == [3]
