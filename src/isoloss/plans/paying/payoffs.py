"""Whether the recipes of a table pay, as a value that prints itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isoloss.files import displayed, save
from isoloss.fits import Section, text
from isoloss.plans.paying.payoff import Indifference, Payoff, Terms
from isoloss.plans.paying.payoff_report import sections


@displayed
@dataclass(frozen=True, repr=False)
class Payoffs:
    """The recipes of a table at equal cost. Prints itself.

    Attributes
    ----------
    payoffs
        By currency, most gained first.
    terms
        What they share: the reference, the target, laws, noise, what is assumed.
    indifference
        The line of indifference at equal hours.
    """

    payoffs: tuple[Payoff, ...]
    terms: Terms
    indifference: Indifference

    def __getitem__(self, recipe: str) -> Payoff:
        """The first payoff of a recipe, by its name. Raises KeyError for one that there is not."""
        for each in self.payoffs:
            if recipe in (each.recipe, each.precision):
                return each
        names = ", ".join(dict.fromkeys(each.recipe for each in self.payoffs))
        raise KeyError(f"there is no recipe {recipe!r}; recipes are {names}")

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write it as a JSON file, which `load` reads; FilesError where that cannot be."""
        return save(self, path, force)

    def sections(self) -> list[Section]:
        """The report: verdicts, equal loss, base laws, what would decide, what is assumed."""
        return list(sections(self.payoffs, self.terms))

    def __str__(self) -> str:
        return text(self.sections())
