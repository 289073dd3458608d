"""Claims put to the test: one after the other here, or shared among processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import cache

from isoloss.files import AWAITED
from isoloss.papers.checking import CHECKS
from isoloss.papers.claim import Claim, Finding, NotAtHand, NotDownloaded, PapersError
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.reading import papers
from isoloss.papers.result import Reproduction
from isoloss.runs import Crew

#: Called with how many claims are done, how many there are, and the name of one under way.
Progress = Callable[[int, int, str], None]


def one_by_one(
    claims: Sequence[Claim], laboratory: Laboratory, tell: Progress
) -> list[Reproduction]:
    """Claims put to the test in order, in this process."""
    done = []
    for place, each in enumerate(claims):
        tell(place, len(claims), _name(each))
        done.append(put_to_test(each, laboratory))
    tell(len(claims), len(claims), "")
    return done


def put_to_test(claim: Claim, laboratory: Laboratory) -> Reproduction:
    """One claim put to the test; one without a check, or without its table, is not testable here,
    one whose table could not be downloaded says so.

    Raises
    ------
    PapersError
        The check does not give the figures of the claim.
    """
    if not claim.check:
        return Reproduction(claim, None, claim.why)
    before = time.process_time()
    try:
        finding = CHECKS[claim.check](laboratory, **claim.given)
    except NotAtHand as missing:
        return Reproduction(
            claim, None, str(missing), is_missing=isinstance(missing, NotDownloaded)
        )
    _same_names(claim, finding)
    return Reproduction(claim, finding, seconds=time.process_time() - before)


def _same_names(claim: Claim, finding: Finding) -> None:
    expected = [each.name for each in claim.expected]
    if sorted(expected) != sorted(finding.ours):
        raise PapersError(
            f"the check '{claim.check}' gives {sorted(finding.ours)} for '{claim.name}' of "
            f"{claim.paper}, which expects {sorted(expected)}"
        )


def shared(claims: Sequence[Claim], seed: int, workers: int, tell: Progress) -> list[Reproduction]:
    """Claims put to the test in processes of one thread; those whose checks share a file, and so
    what they rest on, go to one process.
    """
    waiting = _groups(claims)
    found = {k: Reproduction(c, None, c.why) for k, c in enumerate(claims) if not c.check}
    crew = Crew(max(1, min(workers, len(waiting))), main=False)
    running: dict[Future[list[_Found]], list[int]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                places = waiting.pop(0)
                names = [(claims[place].paper, claims[place].name) for place in places]
                running[crew.submit(_in_worker, names, seed)] = places
            tell(len(found), len(claims), _name(claims[next(iter(running.values()))[0]]))
            for each in wait(running, AWAITED, FIRST_COMPLETED).done:
                places = running.pop(each)
                for place, told in zip(places, _result(each, claims[places[0]]), strict=True):
                    found[place] = Reproduction(claims[place], *told)
    except BaseException:
        crew.kill()
        raise
    crew.shutdown()
    tell(len(claims), len(claims), "")
    return [found[place] for place in range(len(claims))]


def _result(done: Future[list[_Found]], first: Claim) -> list[_Found]:
    try:
        return done.result()
    except BrokenExecutor:
        raise PapersError(
            f"a worker ended while it tested {_name(first)} or a claim of the same file, as for "
            "want of memory; say workers=1 (--workers 1) to test them in this process"
        ) from None


#: What a process sends back of a claim: the finding, why there is none, its seconds, and whether a
#: download failed.
_Found = tuple[Finding | None, str, float, bool]


def _groups(claims: Sequence[Claim]) -> list[list[int]]:
    """Places of claims with a check by its file, in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for place, each in enumerate(claims):
        if each.check:
            groups.setdefault(_home(each.check), []).append(place)
    return list(groups.values())


def _home(check: str) -> str:
    CHECKS[check]  # which says that there is none
    return CHECKS.home(check)


def _in_worker(names: Sequence[tuple[str, str]], seed: int) -> list[_Found]:
    """Claims of these papers and names put to the test in this process."""
    known, laboratory = papers(), _kept(seed)
    done = [put_to_test(known[paper].claims[name], laboratory) for paper, name in names]
    return [(each.finding, each.why, each.seconds, each.is_missing) for each in done]


@cache
def _kept(seed: int) -> Laboratory:
    """The laboratory of a worker, which keeps it from one group of claims to the next."""
    return Laboratory(seed)


def _name(claim: Claim) -> str:
    return f"{claim.paper} {claim.name}"
