"""What laws see of the candidates of a plan, in sentences: parts they have, candidates that tie."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Law, alike, seen_parts
from isoloss.plans.search import Member, levels_of

#: How many ties a warning names.
MOST = 4


def cannot_tell_apart(laws: Sequence[Law], what: str, instead: str) -> str:
    """The error where all of several precisions get one loss; a law with terms is told by them.

    Parameters
    ----------
    laws
        The laws, one or more.
    what
        The precisions in words.
    instead
        What to do about it.

    Returns
    -------
    str
        One sentence.
    """
    parts = {law.name: seen_parts(law) for law in laws}
    if not any(parts.values()):
        names = ", ".join(map(repr, parts))
        told = f"law {names} has" if len(parts) == 1 else f"laws {names} have"
        told += f" no precision term that tells {what} apart"
    else:
        each = [f"law {name!r} {_of(own)}" for name, own in parts.items()]
        told = f"{', '.join(each)}, in which {what} do not differ"
    return f"{told}: all get the same loss; {instead}"


def left_out(member: Member) -> ResultWarning:
    """The warning about a law that tells no candidates apart where others do."""
    own = seen_parts(member.law)
    why = "has no precision term" if not own else f"{_of(own)}, in which the candidates are alike,"
    text = f"law {member.law.name} (weight {member.weight:.2g}) {why} and is left out"
    return ResultWarning(WarningKind.UNSEEN_PARTS, text)


def not_told_apart(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[ResultWarning, ...]:
    """A warning for each law about the candidates that have one loss to it at every size."""
    levels = levels_of(candidates).items
    found = []
    for m in members:
        ties = [" = ".join(f"'{candidates[k]}'" for k in tie) for tie in alike(m.law, levels)]
        if ties:
            more = f" and {len(ties) - MOST} more ties" if len(ties) > MOST else ""
            text = (
                f"law {m.law.name} cannot tell apart {'; '.join(ties[:MOST])}{more}: the same loss "
                "at equal size, so nothing but their cost ranks them"
            )
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text))
    return tuple(found)


def _of(parts: Sequence[str]) -> str:
    return f"has terms for {', '.join(parts)}" if parts else "has no precision term"
