"""What can be wrong with a plan's question: one error type, one sentence each."""

from __future__ import annotations


class PlanError(ValueError):
    """A question that cannot be planned: what is wrong, with the value, and what is accepted."""
