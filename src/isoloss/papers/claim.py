"""A claim of a paper as data: what it says, what was to be found, and by which check.

Tolerances stand in the files of `claims`, written before the check was run; where one, or a setting
of the check, was changed after a first run, the claim says so (`Claim.changed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

from isoloss.files import displayed
from isoloss.linear import Study

#: Where numbers that ours are compared with come from, and the head of their column.
ORIGINS = {
    "paper": "theirs",
    "constants": "from their constants",
    "notes": "our notes",
    "stated": "as stated",
}


class PapersError(ValueError):
    """A claim, paper or check that isoloss does not have, or a file of claims that it refuses."""


class NotAtHand(PapersError):
    """A table that a check needs cannot be had here, with the reason."""


class NotDownloaded(NotAtHand):
    """A public table that a check needs could not be downloaded: another try may get it."""


@dataclass(frozen=True)
class Expected:
    """One figure of a claim and the range in which ours must lie for the claim to hold.

    Attributes
    ----------
    name
        What it is a figure of: "INT4", "slope in samples".
    theirs
        The number that ours is compared with, of the claim's origin (`Claim.numbers`); None where
        there is a shape and no number.
    range
        Least and greatest value, both accepted.
    when
        The condition under which it stands, in words that follow "holds only if"; empty for all.
    unit
        Its unit, as "nats" or "bits".
    """

    name: str
    theirs: float | None
    range: tuple[float, float] = (-inf, inf)
    when: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        low, high = self.range
        if not low <= high:
            raise PapersError(f"the range of '{self.name}' is {low} to {high}; the first is larger")
        if (low, high) == (-inf, inf):
            raise PapersError(
                f"'{self.name}' accepts every number; give a range that can be missed"
            )


@dataclass(frozen=True)
class Ours:
    """A figure that isoloss computed, with its standard error: 0 where it is exact, infinite where
    the runs do not tell it.
    """

    value: float
    error: float = 0.0


@dataclass(frozen=True, eq=False)
class Finding:
    """What a check found.

    Attributes
    ----------
    ours
        The figures by the names of the claim; all of them, and no other.
    says
        What was found, in a sentence with its numbers.
    rests_on
        What it was computed from: tables with the hash of their rows, laws, "exact risk".
    figure
        What `plot` draws of it; None where there is nothing to look at.
    """

    ours: Mapping[str, Ours]
    says: str
    rests_on: tuple[str, ...]
    figure: Study | None = None


@displayed
@dataclass(frozen=True)
class Claim:
    """A claim, figure, experiment, or open question of a paper.

    Attributes
    ----------
    paper
        The paper, as "kumar2024".
    name
        Its name within the paper, as "figure 6 left".
    place
        Where it stands in the paper.
    says
        What the paper says, in our words.
    rows
        Rows of the list of claims that it answers, as "K5".
    check
        The check that puts it to the test; empty where nothing here can.
    given
        Keywords of the check.
    expected
        Its figures, with what was to be found.
    full_text
        Whether the text of the paper was at hand.
    why
        Why it cannot be tested here, or what the test leaves open.
    numbers
        Where its numbers come from: printed in the "paper", computed from its printed "constants",
        of our "notes" on it, or "stated" in the claim, which then needs no other text.
    alternatives
        Whether its conditions are positions of which one may hold, and not cases of one claim.
    changed
        What was changed after a first run of the check; empty where nothing was.
    """

    paper: str
    name: str
    place: str
    says: str
    rows: tuple[str, ...] = ()
    check: str = ""
    given: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    expected: tuple[Expected, ...] = ()
    full_text: bool = True
    why: str = ""
    numbers: str = "paper"
    alternatives: bool = False
    changed: str = ""

    @property
    def is_theirs(self) -> bool:
        """Whether what fails is the claim itself, and not our reading of a text or our
        arithmetic.
        """
        return self.numbers == "stated" or (self.full_text and self.numbers == "paper")

    @property
    def command(self) -> str:
        """The line that computes it again."""
        return f'isoloss reproduce {self.paper} "{self.name}"'
