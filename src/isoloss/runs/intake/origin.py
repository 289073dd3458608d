"""Where the rows of a table are from, as messages say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Origin:
    """Where rows come from, for messages: file name, row numbers there, and the file's own column
    names.

    each: what one of rows is, "row" of a file or "run" of a tracker, where rows are names.
    settled: the table already says which rows are excluded, so strict reading accepts those.
    computed: canonical columns that are an expression of the file's own, in a unit that was said.
    given: canonical columns that are a constant or template, which the file does not have.
    """

    name: str
    rows: Sequence[int | str] | None = None
    called: Mapping[str, str] = field(default_factory=dict)
    settled: bool = False
    computed: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    each: str = "row"

    def place(self, index: int) -> str:
        """The parenthesis that ends a message about one row."""
        row = index + 1 if self.rows is None else self.rows[index]
        return f"({self.name}, {self.each} {row})"

    def column(self, name: str) -> str:
        """The column's name in words, with the file's own name where that differs."""
        own = self.called.get(name, name)
        return f"column '{own}'" if own == name else f"column '{own}' ({name})"
