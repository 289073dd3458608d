"""Epochs of each choice where the budget says how many tokens are unique."""

import numpy as np
import pytest

from isoloss.laws import as_inputs, preset, with_repetition
from isoloss.plans import Budget, plan


def test_each_choice_has_its_epochs() -> None:
    budget = Budget("1e22 flop", unique_tokens="20B")
    found = plan("kumar2024", budget, "h100", precision=["bf16", "w8 a8"], extrapolate=True)
    for c in found.choices:
        assert c.epochs == pytest.approx(c.tokens / 20e9)
        assert c.epochs > 1
    table = next(s for s in found.sections() if s.title.startswith("Choices"))
    at = table.head.index("epochs")
    assert [row[at] for row in table.rows] == [f"{c.epochs:.3g}" for c in found.choices]


def test_without_unique_tokens_there_are_no_epochs() -> None:
    found = plan("kumar2024", Budget(params="1B", tokens="20B"), "h100")
    assert found.choices[0].epochs != found.choices[0].epochs
    assert "epochs" not in str(found)


@pytest.mark.parametrize(("epochs", "outside"), [(4, 1.0), (14, 1.0), (28, 2.0), (70, 5.0)])
@pytest.mark.parametrize("law", ["epoch2024", "muennighoff2023"])
def test_epochs_count_among_what_lies_outside(law: str, epochs: float, outside: float) -> None:
    """1.52B params on 110B tokens lie inside the runs of both, which hold 14 epochs."""
    budget = Budget(params="1.52B", tokens="110B", unique_tokens=110e9 / epochs)
    found = plan(law, budget, "h100", extrapolate=True)
    assert found.by_law[0].outside == pytest.approx(outside)
    assert found.choices[0].outside == pytest.approx(outside)
    assert found.by_law[0].borrows == (law == "epoch2024")
    place = "inside" if outside == 1 else f"{outside:.3g} x"
    lent = " by the lent map of muennighoff2023" if law == "epoch2024" else ""
    assert f"{place}, {epochs} epochs{lent}" in str(found)


def needed(law, loss: float, unique: float) -> float:
    """The least 6 N D that reaches a loss where tokens repeat, by grid and bisection."""
    n = np.geomspace(1e8, 1e11, 2001)
    low, high = np.full(n.shape, np.log(1e7)), np.full(n.shape, np.log(1e15))
    for _ in range(60):
        middle = 0.5 * (low + high)
        x = as_inputs(n, np.exp(middle), ["bf16"] * len(n), unique_tokens=unique)
        reached = law.loss(x) <= loss
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    reached = high < np.log(1e15) - 1e-6
    return float((6 * n * np.exp(high))[reached].min())


@pytest.mark.parametrize(("unique", "close"), [(1e9, 1e-3), (1e8, 0.02)])
def test_what_is_wasted_where_tokens_repeat(unique: float, close: float) -> None:
    """At 577 epochs loss no longer falls, and the waste once read 0%."""
    law, budget = with_repetition(preset("kumar2024"), unique), Budget(1e21, unique_tokens=unique)
    found = plan("kumar2024", budget, "h100", precision="bf16", extrapolate=True)
    (rule,) = found.regrets
    need = needed(law, rule.loss * (1 + 1e-9), unique)
    assert rule.wasted == pytest.approx(1 - need / 1e21, abs=close)
    assert rule.wasted > 0.3


def test_a_plan_whose_epochs_teach_nothing_says_so() -> None:
    def said(unique: str) -> str:
        found = plan("kumar2024", Budget("1e21 flop", unique_tokens=unique), "h100")
        return " ".join(w.text for w in found.warnings)

    often = said("0.1B")
    assert "1.1% of what 'bf16' spends reaches its loss within 0.0010, as 929 epochs" in often
    law = with_repetition(preset("kumar2024"), 1e8)
    best = plan("kumar2024", Budget(1e21, unique_tokens=1e8), "h100").choices[0].loss
    assert needed(law, best + 1e-3, 1e8) / 1e21 == pytest.approx(0.0112, abs=2e-4)
    assert "reaches its loss" not in said("10B")
