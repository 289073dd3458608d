"""The claims that isoloss ships: each has a check of its own, or says why not, and every row of the
list is answered.
"""

import inspect
import shlex

import pytest

from isoloss.papers import CHECKS, Claim, claims, papers

#: Rows of the list of claims: what the papers claim, experiments, signatures, limits, questions,
#: and disputes.
LAST = {"K": 8, "R": 6, "S": 3, "X": 10, "F": 6, "L": 9, "Q": 5, "C": 11}
ROWS = {f"{letter}{k}" for letter, last in LAST.items() for k in range(1, last + 1)}
SHIPPED = claims()


def _id(claim: Claim) -> str:
    return f"{claim.paper} {claim.name}"


@pytest.mark.parametrize("claim", SHIPPED, ids=_id)
def test_a_claim_is_sound(claim: Claim) -> None:
    assert set(claim.rows) <= ROWS
    assert claim.says.endswith((".", "?"))
    if claim.check:
        inspect.signature(CHECKS[claim.check]).bind(None, **claim.given)
    else:
        assert claim.why


@pytest.mark.parametrize("claim", SHIPPED, ids=_id)
def test_its_command_asks_for_it_alone(claim: Claim) -> None:
    isoloss, verb, *words = shlex.split(claim.command)
    assert (isoloss, verb) == ("isoloss", "reproduce")
    assert claims(*words) == [claim]


def test_every_check_is_used() -> None:
    used = {each.check for each in SHIPPED}
    shipped = {name for name in CHECKS if CHECKS.is_shipped(CHECKS.home(name))}
    assert shipped - used == set()


@pytest.mark.skipif(
    not all(each.claims for each in papers().values()), reason="a paper has no claims yet"
)
def test_every_row_of_the_list_is_answered() -> None:
    answered = {row for each in SHIPPED for row in each.rows}
    assert sorted(ROWS - answered) == []
