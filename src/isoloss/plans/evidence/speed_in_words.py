"""Hours, money and break-even speed-ups of a plan as sections of its report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from isoloss.files import percent
from isoloss.fits import UNKNOWN, Section, Standing, interval_in_words
from isoloss.plans.evidence.break_even import BreakEven
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.evidence.choices_in_words import share_of
from isoloss.runs import compact

POWER = (
    "MWh, at most: device hours at the {:.4g} W that a device may draw; hosts, network and cooling "
    "not counted"
)
#: Between the classes of formats in the words of a rate, and what a class that is a range says.
_CLASSES, _SPREAD = re.compile(r", (?=(?:fp|int|bf|tf)\d+ (?!backward))"), ", middle "
READ = "as read: by a law that does not know the format and reads it as one of as many bits"


def throughput_of(choices: Sequence[Choice]) -> str | None:
    """What the rates of the choices rest on, each class of formats once, in a sentence; None on a
    cost model.
    """
    if choices[0].device_hours != choices[0].device_hours:
        return None
    measured = [f"'{c.precision}'" for c in choices if c.basis == "measured"]
    if len(measured) == len(choices):
        return "throughput: measured, taken as exact"
    told = dict.fromkeys(
        piece for c in choices if c.basis != "measured" for piece in _CLASSES.split(c.rate)
    )
    if measured:  # their rows stand for "bf16 measured", where bf16 is one of them
        bare = [piece for piece in told if piece != "bf16 measured" or "'bf16'" not in measured]
        named = f"measured of {', '.join(measured)}, taken as exact"
        return f"throughput: {'; over bf16 '.join([named, ', '.join(bare)] if bare else [named])}"
    spread = [piece for piece in told if _SPREAD in piece]
    exact = [piece for piece in told if _SPREAD not in piece]
    if not exact:
        return f"throughput: {', '.join(spread)}; none is measured here"
    kernels = "" if "bf16 measured" in exact else " (no kernel measured)"
    over = f"; over it {', '.join(spread)}" if spread else ""
    return f"throughput: {'; '.join(exact)}, taken as exact{kernels}{over}"


def over_budget(first: Choice) -> list[str]:
    """A line where the first choice costs more than the budget at the middle of the rates."""
    name, times = max(first.spent.items(), key=lambda each: each[1], default=("", 0.0))
    if times <= 1 + 1e-6:
        return []
    return [
        f"over the budget: {times:.3g} times the {name} at the middle of the rates, within it at "
        "faster ones only (see the warnings)"
    ]


def costs_section(
    choices: Sequence[Choice],
    level: float,
    devices: int | None,
    unit: str,
    published: Sequence[str] = (),
    power: float = float("nan"),
) -> Section | None:
    """Device hours, time, money and the most energy (at a power in W) of every choice, and what is
    published beside them; None on a cost model.
    """
    if all(c.paid_hours != c.paid_hours for c in choices):
        return None
    priced = any(c.money == c.money for c in choices)
    head, rows = ["precision", "device hours", "interval"], []
    head += [f"days on {devices} devices", "interval"] if devices else []
    head += [f"money{unit}", "interval"] if priced else []
    head += ["MWh, at most", "interval"] if power == power else []
    for c in choices:
        row = [c.precision, compact(c.paid_hours), _ends(c.paid_hours_interval, compact, c)]
        if devices:
            days = tuple(h / 24 for h in c.wall_hours_interval)
            row += [f"{c.wall_hours / 24:.3g}", _ends((days[0], days[1]), _three, c)]
        if priced:
            row += [compact(c.money), _ends(c.money_interval, compact, c)]
        if power == power:
            low, high = (h * power / 1e6 for h in c.paid_hours_interval)
            row += [f"{c.paid_hours * power / 1e6:.3g}", _ends((low, high), _three, c)]
        rows.append(tuple(row))
    notes = _of_costs(choices, level), *((POWER.format(power),) if power == power else ())
    return Section("What they cost", (*notes, *published), tuple(head), tuple(rows))


def _of_costs(choices: Sequence[Choice], level: float) -> str:
    """What the costs are at, and what their intervals are over."""
    note = "training and the tokens served, at the middle of the throughput above; intervals of "
    over = "laws and bootstrap replicates only: the throughput is taken as exact"
    if any(c.in_doubt for c in choices):
        assumed = [c.basis == "assumed" for c in choices]
        basis = "published and assumed" if any(assumed) else "published figures"
        basis = "assumed" if all(assumed) else basis
        over = f"rates ({basis}), laws and bootstrap replicates: what the choice may cost"
    return f"{note}{percent(level)} over {over}"


def break_even_section(found: Sequence[BreakEven], choices: Sequence[Choice]) -> Section:
    """From which speed-up on each precision pays, and what speed-ups are known."""
    rows = [
        (
            each.precision,
            _speed(each.speed_up, each.standing),
            _laws(each),
            _published(each),
            _reached(each),
            _pays_in(each),
            _best_in(each, choices),
        )
        for each in found
    ]
    return Section(
        "From which speed-up on they pay against bf16",
        (
            "pays from: step over step in bf16 at which its best plan has the loss of bf16's",
            "published: whole steps, all three products in the format, over steps in bf16, lowest "
            "to highest; taken here: the middle and 90% of the plan's range",
            "pays in: share of the draws of rates, laws by weight and their replicates with faster "
            "steps than it pays from",
            "by law alone: with the constants of its best fit; pays from: over laws by weight and "
            "their replicates",
            *([READ] if any(" as read" in cell for row in rows for cell in row) else []),
        ),
        ("precision", "pays from", "by law alone", "published", "taken here", "pays in", "best in"),
        tuple(rows),
    )


def _ends(ends: tuple[float, float], write: Callable[[float], str], c: Choice) -> str:
    return interval_in_words(ends, write, c.absent)


def _three(value: float) -> str:
    return f"{value:.3g}"


def _speed(speed: float, standing: Standing) -> str:
    """A break-even speed-up in words, marked where a law cannot see all."""
    if speed != speed:
        return UNKNOWN
    if speed == 0.0:
        return "any speed"
    said = "no speed" if np.isinf(speed) else f"{speed:.2f}x"
    match standing:
        case "seen":
            return said
        case "at least":
            return f"at least {said}" if np.isfinite(speed) else said
        case "unknown":
            return f"{said} as read"


def _laws(each: BreakEven) -> str:
    """The lowest and the highest law, and how many there are."""
    known = [law for law in each.by_law if law.speed_up == law.speed_up]
    if not known:
        return UNKNOWN
    ordered = sorted(known, key=lambda law: law.speed_up)
    ends = [f"{_speed(law.speed_up, law.standing)} ({law.law})" for law in ordered]
    if len(known) == 1:
        return ends[0]
    return f"{ends[0]} to {ends[-1]}, {len(known)} laws"


def _published(each: BreakEven) -> str:
    low, high = each.published
    if not each.figures:
        return "no figure"
    ends = f"{low:.2f}x" if low == high else f"{low:.2f} to {high:.2f}x"
    if not each.is_whole:
        return f"not of this spelling; {ends} with all products in the format"
    return f"{ends} ({each.figures} of {each.sources} source{'s' if each.sources > 1 else ''})"


def _reached(each: BreakEven) -> str:
    low, middle, high = each.reached
    if low == middle == high == 1.0:
        return "1.00x (runs in bf16)"
    if low == high:
        return f"{middle:.2f}x ({each.basis})"
    basis = each.basis if each.is_whole else f"{each.basis}, by product"
    return f"{middle:.2f}x, {low:.2f} to {high:.2f} ({basis})"


def _pays_in(each: BreakEven) -> str:
    if each.pays != each.pays:
        return UNKNOWN
    return f"{'at most ' if each.standing == 'at least' else ''}{100 * each.pays:.0f}%"


def _best_in(each: BreakEven, choices: Sequence[Choice]) -> str:
    """As among the choices, where each that breaks even stands."""
    return next((share_of(c) for c in choices if c.precision == each.precision), UNKNOWN)
