"""What laws see of the candidates of a plan, in sentences: parts they have, candidates that tie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isoloss.fits import Comparison, Fit, ResultWarning, Standing, View, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Law, alike, seen_parts
from isoloss.plans.checks import Spellings, as_precisions
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Member, Panel, blind, levels_of

#: What to do where laws cannot tell candidates apart.
INSTEAD = "use a precision-aware law or one precision"
#: The candidates, and why fitted levels are none.
Spelled = tuple[tuple[Precision, ...], dict[str, str]]
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


def candidates_of(laws: object, given: Spellings | None) -> Spelled:
    """The candidates, each once, and the fitted levels left out for sparsity, with reasons."""
    if given is not None:
        return as_precisions(given), {}
    fits = [laws] if isinstance(laws, Fit) else []
    fits = [e.fit for e in laws.entries] if isinstance(laws, Comparison) else fits
    found, sparse = [], {}
    for name in dict.fromkeys(p for fit in fits for p in fit.points.precision):
        try:
            found.append(Precision.parse(name))
        except ValueError:  # a level is printed as its precision and then its sparsity
            sparse[name] = f"'{name}': pruned weights are not planned"
    return tuple(dict.fromkeys(found or [Precision("bf16")])), sparse


def known_of(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Precision, ...], dict[Precision, str]]:
    """The candidates at which a law is defined, and why none is at the others."""
    told = [m.unknown(candidates) for m in members]
    name = members[0].law.name
    reasons = {
        p: f"{name}: {told[0][k]}"
        for k, p in enumerate(candidates)
        if all(own[k] is not None for own in told)
    }
    kept = tuple(p for p in candidates if p not in reasons)
    if not kept:
        lost, why = next(iter(reasons.items()))
        raise PlanError(
            f"no candidate is defined for any of {len(members)} laws; for '{lost}': {why}"
        )
    return kept, reasons


def check_told(panel: Panel) -> None:
    """Raise PlanError where several candidates have one loss to every law.

    One that is seen among others that no law sees is planned: the others are bounds, or unknown.
    """
    candidates, members = panel.precisions, panel.members
    if len(candidates) < 2 or sum(map(bool, panel.seers)) == 1:
        return
    if all(blind(m, candidates) for m in members):
        raise PlanError(cannot_tell_apart([m.law for m in members], "the candidates", INSTEAD))


def left_out(member: Member) -> ResultWarning:
    """The warning about a law that tells no candidates apart where others do."""
    own = seen_parts(member.law)
    why = "has no precision term" if not own else f"{_of(own)}, in which the candidates are alike,"
    text = f"law {member.law.name} (weight {member.weight:.2g}) {why} and is left out"
    return ResultWarning(WarningKind.UNSEEN_PARTS, text)


def silent(panel: Panel, own: Sequence[int]) -> tuple[ResultWarning, ...]:
    """Warnings about the laws that see no candidate, where others see some."""
    if not own:
        return ()
    return tuple(left_out(m) for i, m in enumerate(panel.members) if i not in own)


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


def unseen_of(
    panel: Panel, standing: Callable[[int], Standing] | None = None
) -> tuple[ResultWarning, ...]:
    """Warnings of the candidates that some laws say nothing of, and of those that no law sees.

    `standing` says what is made of each candidate, where that is not what the panel says.
    """
    found = []
    for k, p in enumerate(panel.precisions):
        out = {
            m.law.name: row[k]
            for m, row in zip(panel.members, panel.views, strict=True)
            if not row[k].sees and any(view.sees for view in row)
        }
        if not panel.seers[k]:
            found.append(_seen_by_none(panel, k, standing))
        elif out:
            missing = tuple(dict.fromkeys(part for view in out.values() for part in view.missing))
            text = f"'{p}' is judged without {_named(list(out))}, {_why(out)}"
            found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, missing))
    return tuple(found)


def _seen_by_none(panel: Panel, k: int, stands: Callable[[int], Standing] | None) -> ResultWarning:
    p = panel.precisions[k]
    views = {m.law.name: row[k] for m, row in zip(panel.members, panel.views, strict=True)}
    missing = tuple(dict.fromkeys(part for view in views.values() for part in view.missing))
    laws, standing = panel.readers(k)
    own = {panel.members[i].law.name: panel.views[i][k] for i in sorted(laws)}
    name, view = next(iter((own or views).items()))
    standing = standing if stands is None else stands(k)
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
