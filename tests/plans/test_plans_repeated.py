"""Plans where tokens repeat: a law that cannot see it is refused, never taken as seeing no harm."""

import math

import pytest

from isoloss.laws import as_law
from isoloss.plans import Budget, PlanError, plan
from isoloss.plans.search.weighted_laws import members_of


@pytest.mark.parametrize("name", ["farseer2025", "shannon2026"])
def test_a_law_that_cannot_see_repeated_tokens_is_refused(name):
    law = as_law(name)
    law = law.at(**{k.name: k.start[0] for k in law.formula.constants})
    with pytest.raises(PlanError, match=f"'{name}' has no term for repeated tokens"):
        members_of(law, None, repeats=True)
    assert len(members_of(law)) == 1


def repeated(tokens: str, laws: object = ("hoffmann2022", "muennighoff2023")):
    budget = Budget(params="1B", tokens=tokens, unique_tokens="20B")
    return plan(list(laws), budget, "h100", precision="bf16", extrapolate=True)


def test_epochs_are_printed_with_whose_constants_a_repeat_counts_by() -> None:
    found = repeated("100B")
    assert found.choices[0].epochs == pytest.approx(5)
    text = str(found)
    assert "20B unique, read 5 times; repeats count by the constants of law muennighoff2023" in text
    assert "by the map of muennighoff2023 (R_D 15.39 epochs, R_N 5.31; 2305.16264" in text
    assert "  epochs  " in text
    said = [w.text for w in found.warnings if "repeated token" in w.text]
    assert said[0].startswith("what a repeated token is worth is taken from muennighoff2023")


def test_a_borrowed_map_counts_repeats_as_its_source_does() -> None:
    """D' = U + U R_D (1 - exp(-R / R_D)), R the repeats; params below the best for U stay."""
    found = repeated("100B", ["hoffmann2022"])
    known, base = as_law("muennighoff2023").values, as_law("hoffmann2022").values
    decay, unique = known["R_D"], 20e9
    tokens = unique * (1 + decay * (1 - math.exp(-4 / decay)))
    loss = base["E"] + base["A"] / 1e9 ** base["alpha"] + base["B"] / tokens ** base["beta"]
    # The map discounts params in excess of the best for the unique tokens as well.
    assert found.choices[0].loss == pytest.approx(loss, rel=2e-3)
    assert found.choices[0].loss >= loss


def test_nothing_is_said_of_repeats_where_none_is() -> None:
    assert "20B unique, read 0.5 times: none repeats" in str(repeated("10B"))
    assert not any("repeated token" in w.text for w in repeated("10B").warnings)
    plain = plan("hoffmann2022", Budget(params="1B", tokens="1T"), "h100")
    assert plain.repetition is None
    assert "epochs" not in str(plain)
