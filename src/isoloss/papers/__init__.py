"""The claims of the papers: what each says, its number, ours, and a verdict."""

from isoloss.papers.checking import CHECKS, check
from isoloss.papers.claim import Claim, Expected, Finding, Ours, PapersError
from isoloss.papers.laboratory import Laboratory
from isoloss.papers.reading import Paper, papers, read_paper
from isoloss.papers.reproducing import claims, reproduce
from isoloss.papers.result import Report, Reproduction
from isoloss.papers.verdict import Judged, Verdict

# fmt: off
__all__ = [
    "CHECKS", "Claim", "Expected", "Finding", "Judged", "Laboratory", "Ours", "Paper",
    "PapersError", "Report", "Reproduction", "Verdict", "check", "claims", "papers", "read_paper",
    "reproduce",
]
# fmt: on
