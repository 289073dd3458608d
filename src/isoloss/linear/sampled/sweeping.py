"""Sampled risks of many settings, each read and run in a manner of its own, from the same random
numbers; one that diverges says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from isoloss.linear.asked import Asked
from isoloss.linear.quantisers import Scales
from isoloss.linear.risk import Inputs
from isoloss.linear.sampled.drawing import drawn
from isoloss.linear.sampled.replicates import Replicates
from isoloss.linear.sampled.sampling import replicates_of
from isoloss.linear.sampled.trial import Manner, Trial, trial_of


class Sampling(NamedTuple):
    """What is to be sampled: a point, its reading, and how the descent is run."""

    point: Asked
    iterate: str
    inputs: Inputs
    manner: Manner


def swept_risks(
    asked: Sequence[Sampling], scales: Scales, replicates: int, seed: int
) -> list[Replicates | str]:
    """The replicates of each, or the sentence that says why it diverges.

    All are checked before the first is drawn. Raises ValueError for bad input.
    """
    # A trial of a sketch holds matrices: it is checked and let go, and made again for its turn.
    for each in asked:
        _trial(each, scales)
    found: list[Replicates | str] = []
    for each in asked:
        try:
            trial = _trial(each, scales)
            found.append(replicates_of(trial, drawn(trial, replicates, seed, False), seed))
        except ValueError as error:
            if "unstable" not in str(error) and "diverge" not in str(error):
                raise
            found.append(str(error))
    return found


def _trial(asked: Sampling, scales: Scales) -> Trial:
    return trial_of(asked.point, asked.iterate, asked.inputs, scales, asked.manner)
