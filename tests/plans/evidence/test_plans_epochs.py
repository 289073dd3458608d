"""Epochs of each choice where the budget says how many tokens are unique."""

import pytest

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
