"""Choices and simpler choices as sections of a report; losses by different laws are marked."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.files import percent
from isoloss.fits import NOT_HELD, POINT_LAW, UNKNOWN, Section, interval_in_words, loss_in_words
from isoloss.plans.doubt import FAR, absent
from isoloss.plans.evidence.choices import Choice, Regret
from isoloss.runs import compact

#: Marks of the laws behind a loss, in the order in which they first stand.
MARKS = "abcdefghijklmnopqrstuvwxyz"
#: Laws that a note names.
NAMED = 4


def choices_section(choices: Sequence[Choice], level: float) -> Section:
    """Every choice with its intervals, the first of which all others are compared with.

    Losses by different laws have no difference: where some differ, each has the mark of its laws.
    """
    marks = _marks(choices)
    over = "rates, laws" if any(c.in_doubt for c in choices) else "laws"
    has_epochs = any(c.epochs == c.epochs for c in choices)
    notes = [
        f"intervals of {percent(level)} over {over} and bootstrap replicates, each planned again",
        "loss: by the laws that see the precision; over the first: by those that see both",
    ]
    if marks:
        said = "; ".join(f"[{mark}] {_named(laws)}" for laws, mark in marks.items())
        notes.append(
            "losses of two marks are by different laws and not to be subtracted, nor are their "
            f"shares of best in to be added: {said}"
        )
    counts = ("params", "interval", "tokens", "interval", *(("epochs",) if has_epochs else ()))
    head = ("precision", *counts, "loss", "interval", "over the first", "best in", "binds")
    alone = len(choices) == 1
    rows = tuple(_row(c, marks.get(c.laws, ""), has_epochs, alone) for c in choices)
    return Section("Choices, least expected loss first", tuple(notes), head, rows)


def _marks(choices: Sequence[Choice]) -> dict[tuple[str, ...], str]:
    """A mark for each set of laws that some loss is by; none where all are by the same."""
    told = [c.laws for c in choices if c.loss == c.loss]
    kinds = list(dict.fromkeys(told))
    if len(kinds) < 2:
        return {}
    return {laws: MARKS[k] if k < len(MARKS) else str(k) for k, laws in enumerate(kinds)}


def by_fewer(choices: Sequence[Choice]) -> str:
    """Whose the loss of the first choice is, where that of another is by other laws."""
    first = choices[0]
    return f" (by {_named(first.laws)})" if _marks(choices) and first.laws else ""


def _named(laws: Sequence[str]) -> str:
    more = f" and {len(laws) - NAMED} more" if len(laws) > NAMED else ""
    return f"{', '.join(laws[:NAMED])}{more}"


def _row(c: Choice, mark: str, has_epochs: bool, is_alone: bool) -> tuple[str, ...]:
    return (
        c.precision,
        compact(c.params),
        interval_in_words(c.params_interval, compact, c.absent),
        compact(c.tokens),
        interval_in_words(c.tokens_interval, compact, c.absent),
        *([f"{c.epochs:.3g}"] if has_epochs else []),
        loss_of_choice(c) + (f" [{mark}]" if mark and c.loss == c.loss else ""),
        interval_in_words(c.loss_interval, loss_in_words, c.absent),
        _more(c),
        "only one" if is_alone else share_of(c),
        UNKNOWN if c.standing == "unknown" else ", ".join(c.binding) or "nothing",
    )


def loss_of_choice(c: Choice) -> str:
    """The loss of a choice, as far as any law sees it."""
    if c.standing == "unknown":
        return UNKNOWN
    return f"{'at least ' if c.standing == 'at least' else ''}{loss_in_words(c.loss)}"


def _more(c: Choice) -> str:
    """The loss over the first choice, as far as a law sees both, or bounds the one."""
    if c.standing == "seen" and c.more != c.more:
        return "no common law"
    if c.standing == "at least" and c.more_at_least == c.more_at_least:
        return f"at least {loss_in_words(c.more_at_least)}"
    return loss_in_words(c.more)


def share_of(c: Choice) -> str:
    """How often a choice is the best: of replicates, or of laws and rates where none has any.

    Far beyond the runs replicates hold nothing; shares of rates take the laws as exact anywhere.
    """
    if c.probability != c.probability or c.standing != "seen":
        return POINT_LAW if c.standing == "seen" and c.is_point else UNKNOWN
    if c.outside > FAR and not c.is_point:
        return NOT_HELD
    return f"{100 * c.probability:.0f}%" + _over(c)


def _over(c: Choice) -> str:
    """What a share is of, where it is not of replicates."""
    if not c.is_point:
        return ""
    if not c.in_doubt:
        return " of laws"
    return " of rates" if len(c.laws) == 1 else " of laws and rates"


def sure_of(first: Choice, is_alone: bool) -> str:
    """How sure the first choice is, in words, and how far beyond the runs it lies."""
    sure = _sure_of(first, is_alone)
    if first.standing != "seen" or not 1 < first.outside <= FAR:
        return sure
    return f"{sure}, {first.outside:.3g} times beyond the runs of a law"


def _sure_of(first: Choice, is_alone: bool) -> str:
    """How sure the first choice is by laws, replicates and rates."""
    if first.standing != "seen":
        return "which no law sees whole"
    if first.outside > FAR:
        return f"{first.outside:.3g} times beyond the runs, where nothing holds its error"
    if first.probability != first.probability and first.is_point:
        law = "a law" if len(first.laws) == 1 else "laws"
        return f"by {law} without replicates, so without an interval"
    if first.probability != first.probability:
        return "which no law compares with another candidate"
    if is_alone:
        return "the only candidate"
    share = f"{100 * first.probability:.0f}%"
    if first.is_point and first.in_doubt:
        return f"best in {share} of the draws of rates, by laws without replicates"
    if first.is_point:
        return f"best to {share} of the laws by weight, which have no replicates"
    return f"best in {share} of the replicates"


def simpler_section(regrets: Sequence[Regret], choices: Sequence[Choice], unit: str) -> Section:
    """What simpler choices would cost beside the first of a plan; `unit` is the currency for the
    head of a column.
    """
    first, by = choices[0], by_fewer(choices)
    several = any(r.wasted_by_law[0] == r.wasted_by_law[0] for r in regrets)
    note = (
        "wasted: share of what the choice spends that the cheapest plan of its loss does not need"
        + ("; by law alone: least and most by one of the laws" if several else "")
        + (f"; losses{by} where nothing else is said" if by else "")
    )
    priced = any(r.money == r.money for r in regrets)
    alone = ("by law alone",) if several else ()
    head = ("choice", "precision", "params", "tokens", "loss", "more", "interval", "wasted", *alone)
    rows = tuple(
        (
            *_simple(r, first),
            *(_by_law(r) if several else []),
            *(_paid(r) if priced else []),
        )
        for r in regrets
    )
    return Section(
        "What simpler choices would cost",
        (note,),
        (*head, *([f"wasted{unit}", f"of a bill{unit}"] if priced else [])),
        rows,
    )


def _by_law(r: Regret) -> list[str]:
    """What it wastes by one law alone, least to most; nothing where one law judges it."""
    ends = [f"{100 * end:.3g}%" for end in r.wasted_by_law if end == end]
    return [" to ".join(dict.fromkeys(ends))]


def _paid(r: Regret) -> list[str]:
    """What a simpler choice wastes, by its laws together and by one alone, and its bill."""
    ends = dict.fromkeys(compact(end * r.bill) for end in r.wasted_by_law if end == end)
    alone = f" ({' to '.join(ends)} by one law)" if ends else ""
    return [compact(r.money) + alone, compact(r.bill)]


def _simple(r: Regret, first: Choice) -> tuple[str, ...]:
    # "more" is by the laws of the loss beside it; these may be fewer than those of the first.
    other = "" if r.laws in ((), first.laws) else f" (by {_named(r.laws)})"
    return (
        r.choice,
        r.precision,
        compact(r.params),
        compact(r.tokens),
        loss_in_words(r.loss) + other,
        loss_in_words(r.excess),
        interval_in_words(r.excess_interval, loss_in_words, absent("seen", r.is_point)),
        f"{100 * r.wasted:.3g}%",
    )
