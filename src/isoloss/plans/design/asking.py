"""What next runs may be asked for: each question that has no answer is refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import Fit, WarningKind
from isoloss.formats import Precision
from isoloss.plans.budget import Budget
from isoloss.plans.doubt import check_level
from isoloss.plans.planning import candidates_of
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Member, blind, members_of

Spellings = str | Precision | Sequence[str | Precision]


def check_question(
    fit: Fit,
    budget: Budget,
    target: Budget,
    counts: dict[str, int],
    level: float,
    noise: float | None,
) -> None:
    """Nothing; raises PlanError for what is no fit, no budget, no count, no share and no noise."""
    if not isinstance(fit, Fit):
        raise PlanError(
            f"next runs are chosen for a fit, whose refits say what is not known yet; a {type(fit).__name__} has none"
        )
    for name, given in (("budget", budget), ("target", target)):
        if not isinstance(given, Budget):
            raise PlanError(f"{name} is {given!r}; give a Budget, as Budget('1e21 flop')")
    for name, count in counts.items():
        if isinstance(count, bool) or int(count) != count or count < 1:
            raise PlanError(f"{name} is {count}; accepted is a whole number of at least 1")
    if noise is not None and not 0 < noise < float("inf"):
        raise PlanError(
            f"noise is {noise:g}; it is a standard deviation of log loss above 0, as 0.005"
        )
    check_level(level)


def precisions_of(
    fit: Fit, given: Spellings | None, group: str | None
) -> tuple[tuple[Precision, ...], tuple[str, ...]]:
    """The precisions asked for, or those that were fitted, and why fitted ones are not among them.

    Raises PlanError for a precision at which the law is not defined, which rests on constants that no fitted run
    holds, or which the law cannot tell from the others: such runs would be chosen for their price alone.
    """
    found, sparse = candidates_of(fit, given)
    fitted = candidates_of(fit, None)[0]
    member = members_of(fit, group)[0]
    new = [p for p in found if p not in fitted]
    for each in found:
        if (why := member.knows(each)) is not None:
            raise PlanError(why)
    for each in new:
        _check_held(fit, member, each)
    compared = [*found, fitted[0]] if new else list(found)
    if blind(member, compared):
        raise PlanError(
            f"{fit.law.name} cannot tell {', '.join(repr(str(p)) for p in dict.fromkeys(compared))} apart, so the "
            "cheapest would stand for all; give a law with a precision in it, or one precision that was fitted"
        )
    return found, tuple(sparse.values())


def _check_held(fit: Fit, member: Member, new: Precision) -> None:
    for doubt in fit.doubts(member.point(new, 1e9, 1e11)):
        if doubt.kind == WarningKind.NOT_IN_DATA:
            raise PlanError(
                f"'{new}' rests on {', '.join(doubt.about)}, which no fitted run holds, so nothing says what such "
                "runs would teach; train a few and fit again"
            )
