"""Whose data the rows are: licence, citation and address, one entry per source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """Under which licence a source's rows may be used, what to cite, and where they are from."""

    licence: str
    citation: str
    url: str = ""
    commit: str = ""

    def __str__(self) -> str:
        where = f", {self.url}" if self.url else ""
        at = f" at {self.commit[:12]}" if self.commit else ""
        return f"{self.citation} ({self.licence}){where}{at}"
