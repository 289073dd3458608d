"""``reproduce``: a claim in; their number, ours and a verdict out."""

from __future__ import annotations

import time
from collections.abc import Callable

from isoloss.files import did_you_mean
from isoloss.papers.checking import CHECKS
from isoloss.papers.claim import Claim, Finding, PapersError
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.reading import Paper, papers
from isoloss.papers.result import Report, Reproduction


def claims(paper: str = "", name: str = "") -> list[Claim]:
    """The claims of a paper, or of all papers, or those with a name or a row of the list.

    Parameters
    ----------
    paper
        A paper, as "kumar2024"; empty for all.
    name
        A claim ("figure 6 left") or a row of the list of claims ("K5"); empty for all.

    Raises
    ------
    PapersError
        There is no such paper or claim; the message names those that there are.
    """
    found = papers()
    chosen = [_paper(paper, found)] if paper else list(found.values())
    every = [each for one in chosen for each in one.claims.values()]
    if not name:
        return every
    named = [each for each in every if name == each.name or name in each.rows]
    if not named:
        known = [each.name for each in every]
        raise PapersError(f"no claim is called '{name}'{did_you_mean(name, known)}")
    return named


def reproduce(
    paper: str = "",
    claim: str = "",
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Reproduction | Report:
    """Put claims to the test: what the paper says, its number, ours, and a verdict.

    Parameters
    ----------
    paper
        A paper ("kumar2024") or another source of claims; empty for all.
    claim
        A claim of it ("figure 6 left"), or a row of the list of claims ("K5"); empty for all.
    seed
        Seed of everything that is drawn.
    progress
        Called with how many are done, how many there are, and the name of the next.

    Returns
    -------
    Reproduction or Report
        One claim, or a report of several.

    Raises
    ------
    PapersError
        There is no such paper or claim.
    """
    chosen = claims(paper, claim)
    laboratory = Laboratory(seed)
    done = []
    for place, each in enumerate(chosen):
        if progress is not None:
            progress(place, len(chosen), f"{each.paper} {each.name}")
        done.append(put_to_test(each, laboratory))
    if progress is not None:
        progress(len(chosen), len(chosen), "")
    return done[0] if claim and len(done) == 1 else Report(tuple(done))


def put_to_test(claim: Claim, laboratory: Laboratory) -> Reproduction:
    """One claim put to the test; one without a check, or without its table, is not testable here.

    Raises
    ------
    PapersError
        The check does not give the figures of the claim.
    """
    if not claim.check:
        return Reproduction(claim, None, claim.why)
    before = time.process_time()
    finding = CHECKS[claim.check](laboratory, **claim.given)
    _same_names(claim, finding)
    return Reproduction(claim, finding, claim.why, time.process_time() - before)


def _same_names(claim: Claim, finding: Finding) -> None:
    expected = [each.name for each in claim.expected]
    if sorted(expected) != sorted(finding.ours):
        raise PapersError(
            f"the check '{claim.check}' gives {sorted(finding.ours)} for '{claim.name}' of "
            f"{claim.paper}, which expects {sorted(expected)}"
        )


def _paper(name: str, found: dict[str, Paper]) -> Paper:
    if name not in found:
        raise PapersError(
            f"no paper is called '{name}'{did_you_mean(name, found)}; there are {', '.join(found)}"
        )
    return found[name]
