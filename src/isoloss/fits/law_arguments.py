"""What a verb takes where a law is meant: a name, a law or a fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isoloss.fits.arguments import FitError, shown
from isoloss.fits.result import Fit
from isoloss.laws import Law, as_law

#: What a verb takes where one law is meant.
LawLike = str | Law | Fit


def law_to_fit(law: LawLike) -> Law:
    """The law that stands for one in any verb (`laws.as_law`); of a fit with its absent constants
    free, so that they may be estimated again.

    Raises
    ------
    ValueError
        An unknown name, or a value of another kind.
    """
    return law.law.release(*law.absent) if isinstance(law, Fit) else as_law(law)


def as_laws(laws: Any) -> list[Law]:
    """One law or several as a list; FitError for none, or for two of one name."""
    one = isinstance(laws, str | Law | Fit)
    if not one and not isinstance(laws, Iterable):
        raise FitError(f"laws is {shown(laws)}; it is a list of laws, names of laws or fits")
    chosen = [law_to_fit(each) for each in ([laws] if one else laws)]
    if not chosen:
        raise FitError("laws is empty; name at least one law")
    names = [law.name for law in chosen]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FitError(
            f"two laws are named {twice[0]!r}; give one another name with "
            "dataclasses.replace(law, name=...)"
        )
    return chosen
