"""``reproduce``: a claim in; their number, ours and a verdict out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from isoloss.files import did_you_mean, shown_value, whole_number
from isoloss.papers.claim import Claim, PapersError
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.reading import Paper, papers
from isoloss.papers.result import Report, Reproduction
from isoloss.papers.testing import Progress, one_by_one, shared
from isoloss.runs import data_folder

#: A row of the list of claims: a letter and a number.
_ROW = re.compile(r"[A-Za-z]\d{1,3}")


def claims(paper: str = "", name: str = "") -> list[Claim]:
    """The claims of a paper, or of all papers, or those with a name or a row of the list.

    Parameters
    ----------
    paper
        A paper, as "kumar2024"; empty for all. A row or a claim of any paper may stand here, alone
        or with another. Case does not matter.
    name
        A claim ("figure 6 left") or a row of the list of claims ("K5"); empty for all.

    Raises
    ------
    PapersError
        There is no such paper or claim; the message names those that there are.
    """
    found = papers()
    every = [each for one in found.values() for each in one.claims.values()]
    known = _paper(paper, found)
    if known is not None:
        mine = list(known.claims.values())
        return _named(name, mine, every, f" of {known.name}") if name != "" else mine
    if paper == "":
        return _named(name, every, every, "") if name != "" else every
    if not any(_is(each, paper) for each in every):
        raise PapersError(_unknown(paper, found, every))
    words = [each for each in (paper, name) if each != ""]
    kept = [id(each) for word in words for each in _named(word, every, every, "")]
    return [each for each in every if id(each) in kept]


def _named(name: str, some: list[Claim], every: list[Claim], of: str) -> list[Claim]:
    """Those of some claims with a name or row; PapersError where there are none."""
    if named := [each for each in some if _is(each, name)]:
        return named
    if elsewhere := dict.fromkeys(each.paper for each in every if _is(each, name)):
        raise PapersError(
            f"no claim{of} is called {shown_value(name)}, or answers such a row; there is one in "
            f"{', '.join(elsewhere)}"
        )
    if _ROW.fullmatch(str(name)):
        raise PapersError(f"no claim{of} answers a row {shown_value(name)}; {_rows(name, some)}")
    hint = _hint(name, [each.name for each in some])
    raise PapersError(f"no claim{of} is called {shown_value(name)}; {hint}")


def _unknown(word: object, found: Mapping[str, Paper], every: list[Claim]) -> str:
    """What there is where a word alone is no paper, row or claim."""
    said = shown_value(word)
    if isinstance(word, str) and _ROW.fullmatch(word):
        return f"no claim answers a row {said}; {_rows(word, every)}"
    if hint := did_you_mean(word, found):
        return f"no paper is called {said}; {hint}"
    names = [each.name for each in every]
    if isinstance(word, str) and (_alike(word, names) or did_you_mean(word, names)):
        return f"no paper, row or claim is called {said}; {_hint(word, names)}"
    return f"no paper is called {said}; there are {', '.join(found)}"


def _rows(name: str, some: list[Claim]) -> str:
    """The rows nearest to one that there is not: those of its letter, or the letters."""
    rows = {row for each in some for row in each.rows}
    numbers = sorted(int(row[1:]) for row in rows if row[0] == name[0].upper())
    listed = "'isoloss reproduce --list' has every claim with its rows"
    if not numbers:
        return f"rows begin with {', '.join(sorted({row[0] for row in rows}))}; {listed}"
    letter, wanted = name[0].upper(), int(name[1:])
    near = sorted(sorted(numbers, key=lambda each: abs(each - wanted))[:3])
    said = ", ".join(f"{letter}{each}" for each in near)
    return f"the nearest of {letter}{numbers[0]} to {letter}{numbers[-1]} are {said}; {listed}"


def _hint(name: object, known: list[str]) -> str:
    """Claims whose names begin alike, or are nearly this one."""
    if alike := _alike(name, known):
        return f"those that begin so are {', '.join(map(repr, alike))}"
    return did_you_mean(name, known) or "'isoloss reproduce --list' has them all"


def _alike(name: object, known: list[str]) -> list[str]:
    begin = str(name).casefold()
    return [each for each in known if each.casefold().startswith(begin)][:6]


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
        paper may stand here, alone or with another.
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
    RunsError
        ISOLOSS_DATA names no folder.
    """
    chosen = claims(paper, claim)
    seed, workers = _at_least(0, "seed", seed), _at_least(1, "workers", workers)
    data_folder()  # a wrong one is said now, and not at the first table, minutes from here
    tell = progress or (lambda done, total, name: None)
    if workers > 1 and len(chosen) > 1:
        done = shared(chosen, seed, workers, tell)
    else:
        done = one_by_one(chosen, Laboratory(seed), tell)
    named = claim or (paper and _paper(paper, papers()) is None)
    return done[0] if named and len(done) == 1 else Report(tuple(done), seed)


def _is(claim: Claim, name: object) -> bool:
    said = str(name).casefold()
    return said == claim.name.casefold() or said in (row.casefold() for row in claim.rows)


def _paper(name: object, found: Mapping[str, Paper]) -> Paper | None:
    """The paper of a name, in any case."""
    said = str(name).casefold()
    return next((each for each in found.values() if each.name.casefold() == said), None)


def _at_least(least: int, what: str, value: object) -> int:
    """A whole number of at least `least`; PapersError for anything else."""
    whole = whole_number(value)
    if whole is None or whole < least:
        raise PapersError(
            f"{what} is {shown_value(value)}; accepted is a whole number from {least}"
        )
    return whole
