"""Typed warnings: what a careful reader of a fit must know before using it, each as one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "at_bound",
    "small_alpha",
    "base_misfit",
    "lack_of_fit",
    "extrapolation",
    "starts_disagree",
    "collinear_design",
    "not_in_data",
    "held_out",
    "not_covered",
    "few_runs",
    "few_groups",
    "untested",
    "undefined_draws",
    "duplicate_rows",
    "laws_disagree",
    "negative_gaps",
    "no_interval",
]


@dataclass(frozen=True)
class Caution:
    """One warning: its kind, by which programs filter, its sentence, and the constants it is about."""

    kind: Kind
    text: str
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def kinds(cautions: Iterable[Caution]) -> set[str]:
    """The kinds among some warnings."""
    return {c.kind for c in cautions}
