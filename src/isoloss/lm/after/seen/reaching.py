"""Matrices that no token of calibration reached, such as experts that are seldom chosen: said."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

from isoloss.lm.after.seen.matrix import Matrix
from isoloss.lm.after.seen.moments import Moments, Seen

Group = TypeVar("Group", bound=tuple[Matrix, ...])
#: Names that a warning has at most.
_NAMED = 4


class CalibrationWarning(UserWarning):
    """Tokens of calibration say nothing of some matrices."""


def reached(groups: Iterable[tuple[Group, Seen]]) -> Iterator[tuple[Group, Seen]]:
    """The groups as they come; after the last, warn of those whose inputs were none, or zeros."""
    missed: list[str] = []
    count = 0
    for group, seen in groups:
        count += len(group)
        if _is_empty(seen):
            missed += [matrix.name for matrix in group]
        yield group, seen
    if missed:
        named = ", ".join(f"'{name}'" for name in missed[:_NAMED])
        warnings.warn(
            f"calibration tokens did not reach {len(missed)} of {count} matrices, "
            f"{named}{', ...' if len(missed) > _NAMED else ''}: these are rounded as if all inputs "
            "were alike; take more sequences",
            CalibrationWarning,
            stacklevel=2,
        )


def _is_empty(seen: Seen) -> bool:
    return not bool((seen.largest if isinstance(seen, Moments) else seen).any())
