"""``reproduce``: a claim in; their number, ours and a verdict out."""

from __future__ import annotations

from isoloss.files import did_you_mean, shown_value, whole_number
from isoloss.papers.claim import Claim, PapersError
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.reading import Paper, papers
from isoloss.papers.result import Report, Reproduction
from isoloss.papers.testing import Progress, one_by_one, shared


def claims(paper: str = "", name: str = "") -> list[Claim]:
    """The claims of a paper, or of all papers, or those with a name or a row of the list.

    Parameters
    ----------
    paper
        A paper, as "kumar2024"; empty for all. A row or a claim of any paper may stand alone here.
    name
        A claim ("figure 6 left") or a row of the list of claims ("K5"); empty for all.

    Raises
    ------
    PapersError
        There is no such paper or claim; the message names those that there are.
    """
    found = papers()
    if isinstance(paper, str) and not name and paper not in ("", *found):
        every = [each for one in found.values() for each in one.claims.values()]
        if named := [each for each in every if _is(each, paper)]:
            return named
    chosen = list(found.values()) if paper == "" else [_paper(paper, found)]
    every = [each for one in chosen for each in one.claims.values()]
    if name == "":
        return every
    named = [each for each in every if _is(each, name)]
    if not named:
        known = [each.name for each in every]
        of = f" of {paper}" if paper else ""
        hint = _hint(name, known)
        raise PapersError(f"no claim{of} is called {shown_value(name)}; {hint}")
    return named


def _hint(name: object, known: list[str]) -> str:
    """Claims whose names begin alike, or are nearly this one."""
    alike = [each for each in known if isinstance(name, str) and each.startswith(name)][:6]
    if alike:
        return f"those that begin so are {', '.join(map(repr, alike))}"
    return did_you_mean(name, known) or "'isoloss reproduce --list' has them all"


def reproduce(
    paper: str = "",
    claim: str = "",
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Reproduction | Report:
    """Put claims to the test: what the paper says, its number, ours, and a verdict.

    Parameters
    ----------
    paper
        A paper ("kumar2024") or another source of claims; empty for all. A row or a claim of any
        paper may stand alone here.
    claim
        A claim of it ("figure 6 left"), or a row of the list of claims ("K5"); empty for all.
    seed
        Seed of everything that is drawn.
    workers
        Processes of one thread each that share the claims; 1 does them here.
    progress
        Called with how many are done, how many there are, and the name of one under way.

    Returns
    -------
    Reproduction or Report
        One claim, or a report of several.

    Raises
    ------
    PapersError
        There is no such paper or claim, the seed is not a whole number from 0, or there is not one
        worker at least.
    """
    chosen = claims(paper, claim)
    seed, workers = _at_least(0, "seed", seed), _at_least(1, "workers", workers)
    tell = progress or (lambda done, total, name: None)
    if workers > 1 and len(chosen) > 1:
        done = shared(chosen, seed, workers, tell)
    else:
        done = one_by_one(chosen, Laboratory(seed), tell)
    named = claim or (paper and paper != chosen[0].paper)
    return done[0] if named and len(done) == 1 else Report(tuple(done), seed)


def _is(claim: Claim, name: str) -> bool:
    return name == claim.name or name in claim.rows


def _paper(name: str, found: dict[str, Paper]) -> Paper:
    if not isinstance(name, str) or name not in found:
        hint = did_you_mean(name, found) or f"there are {', '.join(found)}"
        raise PapersError(f"no paper is called {shown_value(name)}; {hint}")
    return found[name]


def _at_least(least: int, what: str, value: object) -> int:
    """A whole number of at least `least`; PapersError for anything else."""
    whole = whole_number(value)
    if whole is None or whole < least:
        raise PapersError(
            f"{what} is {shown_value(value)}; accepted is a whole number from {least}"
        )
    return whole
