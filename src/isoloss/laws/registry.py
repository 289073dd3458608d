"""The published laws by name, each as it can be evaluated, fitted or taken as a start."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import chain

from isoloss.laws.families import (
    busbridge,
    chen,
    chinchilla,
    dremov,
    farseer,
    frantar,
    kaplan,
    kumar,
    muennighoff,
    ouyang,
    panferov,
    quartet,
    quest,
    shannon,
    spectra,
    sun,
    thomassen,
    zhang,
)
from isoloss.laws.law import Law

FAMILIES = (
    chinchilla,
    kaplan,
    muennighoff,
    busbridge,
    farseer,
    kumar,
    frantar,
    quest,
    panferov,
    quartet,
    sun,
    chen,
    dremov,
    thomassen,
    ouyang,
    shannon,
    spectra,
    zhang,
)


def presets() -> tuple[Law, ...]:
    """Every published law, family by family."""
    return tuple(chain.from_iterable(family.laws() for family in FAMILIES))


def preset(name: str) -> Law:
    """The published law of a name, such as "kumar2024".

    Raises ValueError with the nearest names and all that there are.
    """
    known = {law.name: law for law in presets()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise ValueError(f"unknown law {name!r}; {hint}there are {', '.join(known)}")
