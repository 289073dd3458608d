"""What became of claims: of one (`Reproduction`), of many (`Report`); both print themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from isoloss.files import displayed
from isoloss.fits import Section, text
from isoloss.linear import Study
from isoloss.papers.claim import Claim, Expected, Finding, Ours, PapersError
from isoloss.papers.showing import heads, row, several, shown, told
from isoloss.papers.verdict import Judged, Verdict, conditions, digits, judge, verdict_of

#: The columns of figures.
_FIGURES = {
    "figure": pl.String, "unit": pl.String, "theirs": pl.Float64, "least": pl.Float64,
    "most": pl.Float64, "ours": pl.Float64, "error": pl.Float64, "digits": pl.Float64,
    "outcome": pl.String, "when": pl.String,
}  # fmt: skip


@displayed
@dataclass(frozen=True, eq=False, repr=False)
class Reproduction:
    """A claim, what a check found, and the verdict.

    Attributes
    ----------
    claim
        The claim.
    finding
        What was found; None where nothing here can test it.
    why
        Why it was not tested; empty where it was.
    seconds
        Processor time of the check.
    is_missing
        Whether a table could not be downloaded; another try may get it.
    """

    claim: Claim
    finding: Finding | None
    why: str = ""
    seconds: float = 0.0
    is_missing: bool = False

    @property
    def figures(self) -> list[tuple[Expected, Ours, Judged]]:
        """Each figure: what was expected, what was found, what became of it."""
        if self.finding is None:
            return []
        pairs = [(each, self.finding.ours[each.name]) for each in self.claim.expected]
        return [(each, ours, judge(each, ours)) for each, ours in pairs]

    @property
    def verdict(self) -> Verdict:
        """The verdict, computed from the figures and the ranges written before."""
        if self.finding is None:
            return Verdict.NOT_DOWNLOADED if self.is_missing else Verdict.NOT_TESTABLE
        return verdict_of(self._judged, self.claim.is_theirs, self.claim.alternatives)

    @property
    def _judged(self) -> list[tuple[Expected, Judged]]:
        return [(expected, judged) for expected, _, judged in self.figures]

    @property
    def sentence(self) -> str:
        """The verdict in words: with its conditions, the figures that decide it and what was asked
        of them, or with the reason that there is none.
        """
        said = str(self.verdict.value)
        if self.finding is None:
            return f"{said}: {self.why}"
        met, missed, untold = (self._conditions(each) for each in Judged)
        match self.verdict:
            case Verdict.HOLDS:
                return said
            case Verdict.ONLY_IF:
                parts = [f"{said} {met}", f"not if {missed}", untold and f"not told if {untold}"]
            case Verdict.FAILS | Verdict.DIFFERS:
                parts = [f"{said} if {missed}" if untold else said]
                parts += [
                    untold and f"not told if {untold}",
                    f"missed: {self._told(Judged.MISSED)}",
                ]
                parts += [self._names(Judged.MET, "met")]
                parts += ["" if untold else self._names(Judged.NOT_TOLD, "not told")]
            case _:
                parts = [f"{said}: not told by the runs: {self._told(Judged.NOT_TOLD)}"]
                parts += [met and f"met if {met}", missed and f"missed if {missed}"]
        return "; ".join(part for part in parts if part)

    def _conditions(self, outcome: Judged) -> str:
        """Conditions of which this became, with "or" between."""
        found = conditions(self._judged)
        return " or ".join(name for name, each in found.items() if each is outcome and name)

    def _told(self, outcome: Judged) -> str:
        return several([told(each, ours) for each, ours, was in self.figures if was is outcome])

    def _names(self, outcome: Judged, word: str) -> str:
        """Figures of which this became, by name; empty where there are none."""
        names = [each.name for each, _, was in self.figures if was is outcome]
        return f"{word}: {several(names)}" if names else ""

    @property
    def least_digits(self) -> float | None:
        """Digits of agreement of the worst published number; None where none was published.

        Of what decides the verdict: where a claim holds only if, of the figures of the conditions
        that hold; where nothing is concluded, of none.
        """
        if self.verdict is Verdict.NOT_TESTABLE:
            return None
        figures = self.figures
        if self.verdict is Verdict.ONLY_IF:
            held = [name for name, each in conditions(self._judged).items() if each is Judged.MET]
            figures = [each for each in figures if each[0].when in ("", *held)]
        numbers = [digits(expected, ours) for expected, ours, _ in figures]
        return min((value for value in numbers if value is not None), default=None)

    def table(self) -> pl.DataFrame:
        """A row a figure: figure, unit, theirs, least, most, ours, error, digits, outcome, when."""
        return pl.DataFrame(
            schema=_FIGURES,
            data=[
                {
                    "figure": expected.name,
                    "unit": expected.unit,
                    "theirs": expected.theirs,
                    "least": expected.range[0],
                    "most": expected.range[1],
                    "ours": ours.value,
                    "error": ours.error,
                    "digits": digits(expected, ours),
                    "outcome": judged.value,
                    "when": expected.when,
                }
                for expected, ours, judged in self.figures
            ],
        )

    def illustration(self) -> Study:
        """What `plot` draws; raises PapersError where the check has no figure."""
        if self.finding is None or self.finding.figure is None:
            raise PapersError(f"the claim '{self.claim.name}' of {self.claim.paper} has no figure")
        return self.finding.figure

    def sections(self) -> list[Section]:
        """The report: the claim, the verdict, the table of figures, what it rests on, the
        command.
        """
        claim = self.claim
        lines = [f"{claim.place}: {claim.says}" if claim.place != claim.name else claim.says]
        if self.finding is not None:
            lines.append(f"ours: {self.finding.says}")
            lines += [f"left open: {claim.why}"] if claim.why else []
        lines += [f"changed after a first run: {claim.changed}"] if claim.changed else []
        told = Section(f"{claim.paper}, {claim.name}: {self.sentence}", tuple(lines))
        table = Section(
            "Figures", (), heads(claim.numbers), tuple(row(*each) for each in self.figures)
        )
        command = Section("Again", (claim.command,))
        if self.finding is None:
            return [told, command]
        return [told, table, Section("It rests on", self.finding.rests_on), command]

    def __str__(self) -> str:
        return text(self.sections())


@displayed
@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Reproductions of many claims, in the order of the papers.

    Attributes
    ----------
    reproductions
        One for each claim.
    seed
        Seed of everything that was drawn.
    """

    reproductions: tuple[Reproduction, ...]
    seed: int = 0

    def __iter__(self) -> Iterator[Reproduction]:
        return iter(self.reproductions)

    def __len__(self) -> int:
        return len(self.reproductions)

    @property
    def shares(self) -> dict[str, float]:
        """The share of each verdict among the claims."""
        verdicts = [each.verdict for each in self.reproductions]
        return {each.value: verdicts.count(each) / max(1, len(verdicts)) for each in Verdict}

    def frame(self) -> pl.DataFrame:
        """A row a claim: paper, claim, place, rows, verdict, sentence, origin of the numbers,
        digits, seconds, command.
        """
        return pl.DataFrame(
            [
                {
                    "paper": each.claim.paper,
                    "claim": each.claim.name,
                    "place": each.claim.place,
                    "rows": " ".join(each.claim.rows),
                    "verdict": each.verdict.value,
                    "sentence": each.sentence,
                    "numbers": each.claim.numbers,
                    "digits": each.least_digits,
                    "seconds": each.seconds,
                    "command": each.claim.command,
                }
                for each in self.reproductions
            ],
            infer_schema_length=None,
        )

    def sections(self) -> list[Section]:
        """A line a claim for each paper, then the share of each verdict."""
        papers = dict.fromkeys(each.claim.paper for each in self.reproductions)
        return [*map(self._of_paper, papers), self._shares()]

    def _of_paper(self, paper: str) -> Section:
        rows = tuple(
            (each.claim.name, " ".join(each.claim.rows), shown(each.least_digits, 2), each.sentence)
            for each in self.reproductions
            if each.claim.paper == paper
        )
        return Section(paper, (), ("claim", "rows", "digits", "verdict"), rows)

    def _shares(self) -> Section:
        count = len(self)
        rows = tuple(
            (name, f"{round(share * count)}", f"{100 * share:.0f}%")
            for name, share in self.shares.items()
        )
        return Section(f"Verdicts of {count} claims", (), ("verdict", "claims", "share"), rows)

    def __str__(self) -> str:
        return text(self.sections())
