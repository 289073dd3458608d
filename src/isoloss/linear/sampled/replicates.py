"""What sampling returns: a risk with the replicates it is the mean of, and differences of such by
pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed
from isoloss.linear.risk import Risk

Array = NDArray[np.float64]


class Difference(NamedTuple):
    """Difference of two risks.

    Attributes
    ----------
    value : float
        Its mean over pairs of replicates, or of sketches.
    standard_error : float
        Of the value.
    """

    value: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.value:.6g} +- {self.standard_error:.1g}"


@displayed
@dataclass(frozen=True, eq=False)
class Replicates:
    """A sampled risk with the risk of every replicate.

    Attributes
    ----------
    risk : Risk
        Their mean, with its parts and standard error.
    values : array (R,)
        The risk of each.
    seed : int
        What they were drawn from.
    """

    risk: Risk
    values: Array = field(repr=False)
    seed: int

    def minus(self, other: Replicates) -> Difference:
        """This risk less another of the same seed, replicate by replicate.

        Parameters
        ----------
        other : Replicates
            As many, of the same seed.

        Returns
        -------
        Difference
            Mean and standard error of the differences of pairs.

        Raises
        ------
        ValueError
            Seeds or numbers of replicates differ, so that pairs would not be pairs.
        """
        ours, theirs = (self.seed, len(self.values)), (other.seed, len(other.values))
        if ours != theirs:
            raise ValueError(
                f"{ours[1]} replicates of seed {ours[0]} do not pair with {theirs[1]} of seed "
                f"{theirs[0]}; "
                "sample both with the same seed and number"
            )
        # The same random numbers were used, so what both share falls out, replicate by replicate.
        apart = self.values - other.values
        return Difference(float(np.mean(apart)), standard_error(apart))

    def __str__(self) -> str:
        return f"{self.risk}, {len(self.values)} replicates of seed {self.seed}"


def standard_error(values: Array) -> float:
    """The standard error of the mean, from pairs of neighbours, which may share a random target."""
    pairs = values[: len(values) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return float(np.std(pairs, ddof=1) / np.sqrt(len(pairs)))
