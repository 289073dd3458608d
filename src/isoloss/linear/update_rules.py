"""Rules of updating by name: how the gradient of a step becomes a step of the weights.

A rule is three numbers, made of the momentum b. With g the stochastic gradient times the step size,

    u+ = keep u - g,   w+ = w + carry u+ - direct g

which holds every linear rule with one state beside w: one pole at `keep`, one zero. The exact
engine steps it, jumps over it and knows its stability limit, and the sampler runs it, from these
numbers alone. `UPDATE_RULES.register("name", UpdateRule(...))` adds one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.files import Registry


class Coefficients(NamedTuple):
    """The three numbers of a rule, or arrays (P, 1) of them, one a point."""

    keep: Any
    carry: Any = 1.0
    direct: Any = 0.0

    @property
    def still(self) -> bool:
        """Whether this is plain SGD, w+ = w - g, which has no state of its own."""
        return bool(np.all(self.keep == 0) and np.all(self.carry + self.direct == 1))

    @property
    def heavy(self) -> bool:
        """Whether this is the heavy ball, w+ = w + u+."""
        return bool(np.all(self.carry == 1) and np.all(self.direct == 0))

    def rows(self, chosen: NDArray[np.intp] | slice) -> Coefficients:
        """The coefficients of some points only."""
        return Coefficients(*(each[chosen] for each in self))


@dataclass(frozen=True)
class UpdateRule:
    """A rule of updating, from its momentum.

    Attributes
    ----------
    meaning : str
        What it does, in a few words.
    of : callable
        momentum b -> (keep, carry, direct) of u+ = keep u - g, w+ = w + carry u+ - direct g, with
        g the stochastic gradient times the step size.
    """

    meaning: str
    of: Callable[[float], tuple[float, float, float]]

    def coefficients(self, momentum: float) -> Coefficients:
        """The three numbers at a momentum.

        Raises
        ------
        ValueError
            They are not three numbers of which keep is in 0..1, 1 excluded, and the others are 0 or
            more, one of them above.
        """
        made = tuple(float(each) for each in self.of(momentum))
        if len(made) == 3:
            keep, carry, direct = made
            fine = 0 <= keep < 1 and carry >= 0 and direct >= 0 and 0 < carry + direct < np.inf
            if fine:
                return Coefficients(keep, carry, direct)
        raise ValueError(
            f"the update rule '{self.meaning}' made {made} at momentum {momentum:g}; accepted are "
            "keep of 0 or more and below 1, carry and direct of 0 or more, one of them above 0"
        )


def _shipped() -> None:
    for name, rule in (
        # Polyak 1964; with momentum 0 plain SGD.
        ("heavy ball", UpdateRule("w+ = w + u+", lambda b: (b, 1.0, 0.0))),
        # Nesterov's with a constant b, as Sutskever et al. 2013 write it.
        ("nesterov", UpdateRule("w+ = w + b u+ - g", lambda b: (b, b, 1.0))),
        # The mean of past gradients, weights (1 - b) b^k: momentum with dampening b.
        ("ema", UpdateRule("w+ = w + (1 - b) u+", lambda b: (b, 1.0 - b, 0.0))),
    ):
        UPDATE_RULES.register(name, rule, home=__name__)


#: The rules of updating by name, as `SGD(rule=)` takes them.
UPDATE_RULES: Registry[UpdateRule] = Registry("update rule", load=_shipped, of=UpdateRule)
