"""What laws see of the candidates of a plan, in sentences: parts they have, candidates that tie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isoloss.fits import ResultWarning, View, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Law, alike, seen_parts
from isoloss.plans.search import Member, Panel, levels_of

#: How many ties or laws a warning names.
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


def not_told_apart(panel: Panel) -> tuple[ResultWarning, ...]:
    """A warning for each law about the candidates that it sees and that have one loss to it."""
    found = []
    for m, row in zip(panel.members, panel.views, strict=True):
        seen = [p for p, view in zip(panel.precisions, row, strict=True) if view.sees]
        same = alike(m.law, levels_of(seen).items) if seen else ()
        ties = [" = ".join(f"'{seen[k]}'" for k in tie) for tie in same]
        if ties:
            more = f" and {len(ties) - MOST} more ties" if len(ties) > MOST else ""
            text = (
                f"law {m.law.name} cannot tell apart {'; '.join(ties[:MOST])}{more}: the same loss "
                "at equal size, so nothing but their cost ranks them"
            )
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text))
    return tuple(found)


def unseen_of(panel: Panel) -> tuple[ResultWarning, ...]:
    """Warnings of the candidates that some laws say nothing of, and of those that no law sees."""
    found = []
    for k, p in enumerate(panel.precisions):
        out = {
            m.law.name: row[k]
            for m, row in zip(panel.members, panel.views, strict=True)
            if not row[k].sees and any(view.sees for view in row)
        }
        if not panel.seers[k]:
            found.append(_seen_by_none(panel, k))
        elif out:
            missing = tuple(dict.fromkeys(part for view in out.values() for part in view.missing))
            text = f"'{p}' is judged without {_named(list(out))}, {_why(out)}"
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, missing))
    return tuple(found)


def _seen_by_none(panel: Panel, k: int) -> ResultWarning:
    p = panel.precisions[k]
    views = {m.law.name: row[k] for m, row in zip(panel.members, panel.views, strict=True)}
    missing = tuple(dict.fromkeys(part for view in views.values() for part in view.missing))
    laws, standing = panel.readers(k)
    own = {panel.members[i].law.name: panel.views[i][k] for i in sorted(laws)}
    name, view = next(iter((own or views).items()))
    lost = "is a lower bound" if standing == "at least" else "is unknown"
    text = f"no law sees '{p}': {view.why(name, p)}, so its loss {lost}"
    return ResultWarning(WarningKind.UNSEEN_PARTS, text, missing)


def defined_nowhere(nowhere: Mapping[Precision, str]) -> tuple[ResultWarning, ...]:
    """Warnings about the candidates at which no law is defined."""
    return tuple(
        ResultWarning(
            WarningKind.UNSEEN_PARTS,
            f"no law sees '{precision}': {why}; its loss is unknown, and it is priced at the "
            "params and tokens of the first choice",
        )
        for precision, why in nowhere.items()
    )


def not_repeating(left_out: Mapping[str, str]) -> tuple[ResultWarning, ...]:
    """Warnings about the laws that are left out because tokens repeat."""
    return tuple(
        ResultWarning(WarningKind.UNSEEN_PARTS, f"law {name} is left out: {why}")
        for name, why in left_out.items()
    )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{'law' if len(names) == 1 else 'laws'} {', '.join(names[:MOST])}{more}"


def _why(out: Mapping[str, View]) -> str:
    missing = dict.fromkeys(part for view in out.values() for part in view.missing)
    undefined = any(view.undefined is not None for view in out.values())
    unheld = dict.fromkeys(name for view in out.values() for name in view.unheld)
    said = [f"with no term for {', '.join(missing)}"] if missing else []
    said += [f"with no run that tells {', '.join(unheld)}"] if unheld else []
    said += ["not defined there"] if undefined else []
    return " or ".join(said)


def _of(parts: Sequence[str]) -> str:
    return f"has terms for {', '.join(parts)}" if parts else "has no precision term"
