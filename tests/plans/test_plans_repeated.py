"""Plans where tokens repeat: a law that cannot see it is refused, never taken as seeing no harm."""

import pytest

from isoloss.laws import as_law
from isoloss.plans import PlanError
from isoloss.plans.search.weighted_laws import members_of


@pytest.mark.parametrize("name", ["farseer2025", "shannon2026"])
def test_a_law_that_cannot_see_repeated_tokens_is_refused(name):
    law = as_law(name)
    law = law.at(**{k.name: k.start[0] for k in law.formula.constants})
    with pytest.raises(PlanError, match=f"'{name}' has no term for repeated tokens"):
        members_of(law, None, repeats=True)
    assert len(members_of(law)) == 1
