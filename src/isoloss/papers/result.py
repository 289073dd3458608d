"""What became of claims: of one (`Reproduction`), of many (`Report`); both print themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from isoloss.fits import Section, html, text
from isoloss.linear import Study
from isoloss.papers.claim import Claim, Expected, Finding, Ours, PapersError
from isoloss.papers.showing import heads, row, shown
from isoloss.papers.verdict import Judged, Verdict, conditions, digits, judge, verdict_of

#: The columns of figures.
_FIGURES = {
    "figure": pl.String, "unit": pl.String, "theirs": pl.Float64, "least": pl.Float64,
    "most": pl.Float64, "ours": pl.Float64, "error": pl.Float64, "digits": pl.Float64,
    "outcome": pl.String, "when": pl.String,
}  # fmt: skip


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
    """

    claim: Claim
    finding: Finding | None
    why: str = ""
    seconds: float = 0.0

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
            return Verdict.NOT_TESTABLE
        return verdict_of(self._judged, self.claim.is_theirs, self.claim.alternatives)

    @property
    def _judged(self) -> list[tuple[Expected, Judged]]:
        return [(expected, judged) for expected, _, judged in self.figures]

    @property
    def sentence(self) -> str:
        """The verdict in words: with its conditions, or with the reason that there is none."""
        said = str(self.verdict.value)
        if self.verdict is Verdict.NOT_TESTABLE:
            untold = [each.name for each, judged in self._judged if judged is Judged.NOT_TOLD]
            told = "not told by the runs: " + "; ".join(untold)
            return f"{said}: {told if untold else self.why}"
        outcomes = conditions(self._judged)
        met, missed, untold = (
            [name for name, each in outcomes.items() if each is judged and name]
            for judged in (Judged.MET, Judged.MISSED, Judged.NOT_TOLD)
        )
        if self.verdict is Verdict.ONLY_IF:
            said += f" {' or '.join(met)}; not if {' or '.join(missed)}"
        elif untold:
            said += f" if {' or '.join(missed)}"
        return said + (f"; not told if {' or '.join(untold)}" if untold else "")

    @property
    def least_digits(self) -> float | None:
        """Digits of agreement of the worst published number; None where none was published."""
        each = [digits(expected, ours) for expected, ours, _ in self.figures]
        numbers = [value for value in each if value is not None]
        return min(numbers, default=None)

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

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html(self.sections())


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

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html(self.sections())
