"""What can be wrong with a plan's question: one error type, one sentence each."""

from __future__ import annotations

#: What recommends in spite of a reason not to, in a script and on the command line.
OVERRIDE = "extrapolate=True (isoloss plan --extrapolate) overrides"


class PlanError(ValueError):
    """A question that cannot be planned: what is wrong, with the value, and what is accepted."""
