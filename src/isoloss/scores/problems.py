"""What can be wrong with a forecast or its scoring: one error type, one sentence each."""

from __future__ import annotations


class ScoreError(ValueError):
    """A forecast that cannot be made, or runs that cannot be scored: what is wrong, with the value,
    and what is accepted.
    """
