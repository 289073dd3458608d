"""What a spelling rounds: the products of a step and the cache; and which of it each law judges.

"fp8" is the forward pass with its keys and values; gradients stay in 16 bits unless `g` is spelled.
A law judges the spelling that is left without what it has no term for: two laws that answer for one
candidate may judge two of them, and a candidate with one part more may be judged by other laws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from isoloss.fits import Section, View
from isoloss.formats import Precision
from isoloss.laws import Level, sights
from isoloss.plans.costs import PRODUCTS, Hardware, product_class
from isoloss.plans.search import Panel

#: What a law says of a spelling: its own loss; a lower bound, as it is blind to the rest; that of
#: another format of as many bits, or of a blend; nothing.
Judges = Literal["whole", "at least", "as read", "nothing"]
#: The heads of the products in a report, by their names among `costs.PRODUCTS`.
HEADS = {
    "forward": "forward: w x a",
    "input gradient": "to activations: g x w",
    "weight gradient": "to weights: g x a",
}
#: Laws that a cell names.
NAMED = 3


@dataclass(frozen=True)
class LawSays:
    """What one law judges of a spelling.

    Attributes
    ----------
    law
        Its name.
    says
        "whole"; "at least" where it is blind to a part; "as read" where it takes the spelling for
        another format or a blend; "nothing" where it is not defined there, no run tells it, or it
        has a term for nothing in it.
    judges
        The spelling that it judges; empty where it says nothing.
    blind
        What it has no term for, as ("kv", "g").
    """

    law: str
    says: Judges
    judges: str
    blind: tuple[str, ...]


@dataclass(frozen=True)
class Spelling:
    """What is in which format in one spelling, and what each law judges of it.

    Attributes
    ----------
    precision
        The spelling.
    products
        Operands of each product of a training step, as {"forward": "e4m3 x e4m3"}.
    classes
        The class of formats that each product runs in on the machine, as {"forward": "fp8"}; empty
        on a cost model.
    kv
        The format of keys and values.
    judged
        One for each law.
    in_parts
        Whether some matrices are in other formats than those given here.
    """

    precision: str
    products: Mapping[str, str]
    classes: Mapping[str, str]
    kv: str
    judged: tuple[LawSays, ...]
    in_parts: bool = False


def spellings_of(
    panel: Panel, device: Hardware, asked: Sequence[Precision]
) -> tuple[Spelling, ...]:
    """What each precision that is not trained in 16 bits rounds, and what each law judges of it;
    the laws of a panel say nothing of what is none of its candidates.
    """
    low = [p for p in asked if is_low(p)]
    place = {p: k for k, p in enumerate(panel.precisions)}
    known = [p for p in low if p in place]
    levels = [Level(p) for p in known]
    judged: dict[Precision, list[LawSays]] = {p: [] for p in low}
    for m, row in zip(panel.members, panel.views, strict=True):
        for p, sight in zip(known, sights(m.law, levels), strict=True):
            judged[p].append(_judged(m.law.name, row[place[p]], str(sight.level)))
    return tuple(_spelling(p, device, tuple(judged[p])) for p in low)


def is_low(precision: Precision) -> bool:
    """Whether a precision is trained in anything but bf16."""
    return str(precision.trained) not in ("fp", str(Precision("bf16")))


def _judged(law: str, view: View, level: str) -> LawSays:
    if view.undefined is not None or view.unheld or view.is_blind:
        return LawSays(law, "nothing", "", view.missing)
    if view.sees:
        return LawSays(law, "whole", level, ())
    return LawSays(law, "at least" if view.is_floor else "as read", level, view.missing)


def _spelling(precision: Precision, device: Hardware, judged: tuple[LawSays, ...]) -> Spelling:
    products = {
        name: " x ".join(_format(precision, part) for part in parts)
        for name, parts in PRODUCTS.items()
    }
    classes = _classes(precision, device)
    return Spelling(
        str(precision), products, classes, _cache(precision), judged, _in_parts(precision)
    )


def _classes(precision: Precision, device: Hardware) -> dict[str, str]:
    """The class that each product of a step runs in; none on a cost model."""
    if device.is_abstract:
        return {}
    return {name: product_class(device, precision, *own) for name, own in PRODUCTS.items()}


def _in_parts(precision: Precision) -> bool:
    """Whether some matrices have formats of their own."""
    operands = {part for parts in PRODUCTS.values() for part in parts}
    return any("." in scope and scope not in operands for scope in precision.train)


def is_one_class(precision: Precision, device: Hardware) -> bool:
    """Whether all three products of all matrices run in one class, as in published speed-ups."""
    return len(set(_classes(precision, device).values())) == 1 and not _in_parts(precision)


def _format(precision: Precision, part: str) -> str:
    known = precision.format(part)
    return "bf16" if known is None else str(known)


def _cache(precision: Precision) -> str:
    """The format of keys and values, of each where they differ."""
    keys, values = (_format(precision, part) for part in ("k", "v"))
    return keys if keys == values else f"k {keys}, v {values}"


def spellings_section(found: Sequence[Spelling]) -> Section:
    """What each spelling computes in which format, and which laws judge which part of it."""
    rows = [
        (
            each.precision
            + (" (shown: matrices without a format of their own)" if each.in_parts else ""),
            *(_product(each, name) for name in HEADS),
            each.kv,
            _said(each, "whole"),
            _said(each, "at least"),
            _said(each, "as read"),
        )
        for each in found
    ]
    shown = [k for k in range(len(rows[0])) if k < 6 or any(row[k] != "none" for row in rows)]
    head = (
        "precision", *HEADS.values(), "keys, values", "judged whole by",
        "in part (at least)", "as another format",
    )  # fmt: skip
    return Section(
        "What each spelling computes, and what laws judge of it",
        (
            "operands of each product of a training step, and the class that it runs in; a law in "
            "part judges the spelling beside it and is blind to what follows: it says at least",
        ),
        tuple(head[k] for k in shown),
        tuple(tuple(row[k] for k in shown) for row in rows),
    )


def _product(spelling: Spelling, name: str) -> str:
    operands, runs_in = spelling.products[name], spelling.classes.get(name)
    if runs_in is None:
        return operands
    return runs_in if operands == f"{runs_in} x {runs_in}" else f"{operands} in {runs_in}"


def _said(spelling: Spelling, says: Judges) -> str:
    """The laws that say something, with what they judge where that is not the whole."""
    kinds: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for each in spelling.judged:
        if each.says == says:
            kinds.setdefault((each.judges, each.blind), []).append(each.law)
    said = []
    for (judges, blind), laws in kinds.items():
        more = f" and {len(laws) - NAMED} more" if len(laws) > NAMED else ""
        names = ", ".join(laws[:NAMED]) + more
        match says:
            case "whole":
                said.append(names)
            case "at least":
                said.append(f"{names} '{judges}', blind to {', '.join(blind)}")
            case "as read":
                said.append(f"{names} '{judges}'")
            case "nothing":
                said.append(names)
    return "; ".join(said) or "none"
