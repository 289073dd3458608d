"""The claims of the papers: what each says, its number, ours, and a verdict.

``reproduce`` puts claims to the test. Read in this order: `claim` (what a claim is), `reading` (the
files in `claims`), `checking` and `checks` (what computes), `laboratory` (what checks share),
`verdict` (the rule), `testing`, `reproducing`, `result`, `page`. Open set: checks (`CHECKS`).
"""

from isoloss.papers.checking import CHECKS, check
from isoloss.papers.claim import (
    Claim,
    Expected,
    Finding,
    NotAtHand,
    NotDownloaded,
    Ours,
    PapersError,
)
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.page import check_page, versions, write_page
from isoloss.papers.reading import Paper, papers, read_paper
from isoloss.papers.reproducing import claims, reproduce
from isoloss.papers.result import Report, Reproduction
from isoloss.papers.testing import put_to_test
from isoloss.papers.verdict import Judged, Verdict

# fmt: off
__all__ = [
    "CHECKS", "Claim", "Expected", "Finding", "Judged", "Laboratory", "NotAtHand", "NotDownloaded",
    "Ours", "Paper", "PapersError", "Report", "Reproduction", "Verdict", "check", "check_page",
    "claims", "papers", "put_to_test", "read_paper", "reproduce", "versions", "write_page",
]
# fmt: on
