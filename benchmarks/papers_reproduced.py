"""Every claim of the papers put to the test: time, the shares of verdicts, and each verdict."""

from __future__ import annotations

import time

from benchmarks.timing import table
from isoloss.papers import Report, Verdict, reproduce
from isoloss.runs import cores


def of_paper(found: Report, paper: str) -> list[Verdict]:
    """The verdicts on the claims of a paper."""
    return [each.verdict for each in found if each.claim.paper == paper]


def main() -> None:
    began = time.perf_counter()
    found = reproduce(workers=cores())
    took = time.perf_counter() - began
    assert isinstance(found, Report)
    seconds = sum(each.seconds for each in found)
    slowest = max(found, key=lambda each: each.seconds)
    print(
        f"{len(found)} claims in {took / 60:.1f} minutes on {cores()} cores, {seconds:.0f} s of "
        f"processor time; the longest takes {slowest.seconds:.0f} s ({slowest.claim.paper}, "
        f"{slowest.claim.name}).\n"
    )
    papers = list(dict.fromkeys(each.claim.paper for each in found))
    rows = [
        [
            verdict.value,
            *(
                sum(e.verdict is verdict and e.claim.paper == paper for e in found)
                for paper in papers
            ),
            f"{100 * found.shares[verdict.value]:.0f}%",
        ]
        for verdict in Verdict
    ]
    print(table(["verdict", *papers, "of all"], rows))
    for paper in papers:
        print(f"\n### {paper}\n")
        print(
            table(
                ["claim", "rows", "digits", "verdict"],
                [
                    [
                        each.claim.name,
                        " ".join(each.claim.rows),
                        "" if each.least_digits is None else f"{each.least_digits:.1f}",
                        each.sentence.replace("|", "/"),
                    ]
                    for each in found
                    if each.claim.paper == paper
                ],
            )
        )


if __name__ == "__main__":
    main()
