"""A law's form on one line, read off the terms that it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from isoloss.laws import Composed, GapOf, Grouped, Law, Sparse


def law_form(law: Law) -> str:
    """The equation, such as "E + A (N rho(w, a))^-alpha + B D^-beta"; rho and delta name the parts
    they look at.

    A formula that is no composition says its own equation in the first line of its docstring.
    """
    formula = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    if isinstance(formula, GapOf):
        return _gap(law, formula)
    if not isinstance(formula, Composed):
        return (type(formula).__doc__ or type(formula).__name__).split("\n")[0].rstrip(".")
    prime = "'" if formula.maps else ""
    params = _with_factor(f"N{prime}", formula.params_factor)
    tokens = _with_factor(f"D{prime}", formula.tokens_factor)
    base = (
        f"A {params}^-{law.ties.get('alpha', 'alpha')} + B {tokens}^-{law.ties.get('beta', 'beta')}"
    )
    base = base if _held(law, "kappa", 1.0) else f"({base})^kappa"
    floor = [] if _held(law, "E", 0.0) else ["E"]
    penalties = [f"delta({_parts(penalty.links)})" for penalty in formula.penalties]
    return " + ".join([*floor, base, *penalties])


def _gap(law: Law, formula: GapOf) -> str:
    """What is left of the equation of a law of gaps: its penalties, or the terms that rounding
    moves.
    """
    inner = formula.inner
    if not isinstance(inner, Composed):
        return f"rounded less not, of {law_form(replace(law, formula=inner, ties={}))}"
    moved = [
        f"{size} {_with_factor(letter, factor)}^-{power} less {size} {letter}^-{power}"
        for size, letter, power, factor in (
            ("A", "N", "alpha", inner.params_factor),
            ("B", "D", "beta", inner.tokens_factor),
        )
        if factor
    ]
    penalties = [f"delta({_parts(penalty.links)})" for penalty in inner.penalties]
    return " + ".join([*moved, *penalties])


def _with_factor(argument: str, links: tuple[Any, ...]) -> str:
    return f"({argument} rho({_parts(links)}))" if links else argument


def _parts(links: tuple[Any, ...]) -> str:
    """The parts that links look at, those of serving after an arrow as in the spelling of a
    precision.
    """
    found: dict[str, None] = {}
    for link in links:
        parts = getattr(link, "parts", None) or (getattr(link, "part", _word(link)),)
        arrow = "-> " if getattr(link, "stage", "train") == "serve" else ""
        found |= dict.fromkeys(f"{arrow}{part}" for part in parts)
    return ", ".join(found) or "precision"


def _word(link: Any) -> str:
    """What a link without a part looks at: sparsity, or the name of its type."""
    return "sparsity" if isinstance(link, Sparse) else type(link).__name__


def _held(law: Law, name: str, value: float) -> bool:
    return name in law.fixed and law.values.get(name) == value
